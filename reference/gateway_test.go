package reference_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// effect is a call that landed at the gateway.
type effect struct {
	OrderID string
	Step    string
	Key     string
	Applied bool // false: the key was known
	Refused bool
	Trace   string
}

// gateway is the party outside: it does what it is asked once for each key, and remembers everything.
type gateway struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]int // key -> status
	effects []effect
	delay   time.Duration // before it answers, after it has done it
	broken  bool          // does it, and answers 500
}

const gatewayToken = "gateway-secret"

func newGateway(t testing.TB) *gateway {
	g := &gateway{answers: map[string]int{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		OrderID string `json:"order_id"`
		Card    string `json:"card"`
		Address string `json:"address"`
	}
	if r.Header.Get("Authorization") != "Bearer "+gatewayToken || json.NewDecoder(r.Body).Decode(&body) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status := http.StatusOK
	switch {
	case r.URL.Path == "/charges" && body.Card == "declined":
		status = http.StatusPaymentRequired
	case r.URL.Path == "/shipments" && body.Address == "undeliverable":
		status = http.StatusUnprocessableEntity
	}
	key := r.Header.Get("Idempotency-Key")
	g.mu.Lock()
	_, known := g.answers[key]
	g.answers[key] = status
	g.effects = append(g.effects, effect{
		OrderID: body.OrderID, Step: strings.TrimPrefix(r.URL.Path, "/"), Key: key,
		Applied: !known && status == http.StatusOK, Refused: status != http.StatusOK, Trace: r.Header.Get("traceparent"),
	})
	delay, broken := g.delay, g.broken
	g.mu.Unlock()
	time.Sleep(delay)
	if broken {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": "g-" + key})
}

// set makes the gateway slow or broken.
func (g *gateway) set(delay time.Duration, broken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay, g.broken = delay, broken
}

// landed is everything that landed so far.
func (g *gateway) landed() []effect {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]effect(nil), g.effects...)
}

// applied counts the effects of a step for an order.
func (g *gateway) applied() map[string]map[string]int {
	counts := map[string]map[string]int{}
	for _, e := range g.landed() {
		if counts[e.OrderID] == nil {
			counts[e.OrderID] = map[string]int{}
		}
		if e.Applied {
			counts[e.OrderID][e.Step]++
		}
	}
	return counts
}
