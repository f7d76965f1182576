package targets

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// maxBody bounds what a sink reads of one request. A target may send anything.
const maxBody = 1 << 20

// gateway is the effect sink: the external party that a target's side effects reach. It keeps the promise that real payment
// gateways make, idempotency by key, so that what it applied twice was really asked for twice. And it can be told to be strict about
// fencing tokens: a call with "Fencing: strict" is refused if a newer Fencing-Token was seen for the same step of the same unit, or of any. A call with
// "Valid-Until: <RFC 3339 time>" is refused for good if it comes later and asks for what was not done before.
type gateway struct {
	prefix string
	token  string
	routes map[string]route

	server *http.Server
	addr   string
	done   chan struct{}

	ledger *Ledger

	mu     sync.Mutex
	chunks map[string][]int // unit -> the chunks of it that were applied
	has    map[string]bool  // path and unit -> it was applied
}

// route says what a path of the gateway means.
type route struct {
	step, op, component string                                       // no component: whoever calls himself so
	chunk               int                                          // of a longer work, from 1; 0: the effect is no part of one
	batch               bool                                         // a request is for as many effects as it has lines; see applyBatch
	together            bool                                         // its fencing tokens are of one sequence, for all units
	refuse              func(effectRequest) (status int, why string) // final refusal; 0: accepted
}

// effectRequest is the body of every request to the gateway.
type effectRequest struct {
	OrderID string `json:"order_id"`
	Amount  int64  `json:"amount"`
	Card    string `json:"card"`
	Address string `json:"address"`
	Lines   []line `json:"lines"` // of a batch
}

// request is one request for an effect, as it came.
type request struct {
	effectRequest
	path, key, trace string
	agent            string // who calls
	digest           string // of the payload
	token            uint64
	strict           bool
	until            time.Time // zero: it is never too late
}

func listenGateway(prefix, token string, rec workloads.Recorder, routes map[string]route) (*gateway, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for effects: %w", err)
	}
	g := &gateway{prefix: prefix, token: token, routes: routes, addr: ln.Addr().String(),
		done: make(chan struct{}), ledger: NewLedger(rec), chunks: map[string][]int{}, has: map[string]bool{}}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(g.done)
		_ = g.server.Serve(ln) // ends with ErrServerClosed
	}()
	return g, nil
}

func (g *gateway) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := g.server.Shutdown(ctx)
	if err != nil { // a connection that a fault left hanging
		err = g.server.Close()
	}
	<-g.done
	return err
}

// ServeHTTP applies, deduplicates or refuses one effect, and records which.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !authorised(r, g.token) {
		http.Error(w, "this sink belongs to a run: its token is required", http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/chunks" {
		g.tell(w, func() any { return map[string]any{"chunks": g.chunks[r.URL.Query().Get("order_id")]} })
		return
	}
	rt, ok := g.routes[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodGet {
		g.tell(w, func() any { return map[string]any{"done": g.has[r.URL.Path+" "+r.URL.Query().Get("order_id")]} })
		return
	}
	key := r.Header.Get("Idempotency-Key")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		}
		return // the request never arrived whole: nothing happened
	}
	var req effectRequest
	if err := json.Unmarshal(body, &req); err != nil || key == "" || r.Method != http.MethodPost {
		http.Error(w, "want POST, an Idempotency-Key and a JSON object", http.StatusBadRequest)
		return
	}
	token, err := fencingToken(r.Header.Get("Fencing-Token"))
	if err != nil {
		http.Error(w, "want a number as Fencing-Token", http.StatusBadRequest)
		return
	}
	until, err := validUntil(r.Header.Get("Valid-Until"))
	if err != nil {
		http.Error(w, "want an RFC 3339 time as Valid-Until", http.StatusBadRequest)
		return
	}
	apply := g.apply
	if rt.batch {
		apply = g.applyBatch
	}
	a := apply(rt, request{effectRequest: req, path: r.URL.Path, key: key, digest: string(body), token: token, until: until, agent: r.UserAgent(),
		strict: r.Header.Get("Fencing") == "strict", trace: traceID(r.Header.Get("traceparent"))})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // whether the answer arrives is what the faults are about
}

func (g *gateway) apply(rt route, req request) Reply {
	e := history.Event{Kind: history.KindEffect, Op: rt.op, Step: rt.step, Component: cmp.Or(rt.component, clip(req.agent, 60)),
		Key: req.key, Token: req.token, Trace: req.trace}
	unit, err := history.ParseUnit(g.prefix, req.OrderID)
	e.Unit, e.Value = unit, effectValue(req.effectRequest)
	if err != nil {
		e.Value = clip("foreign id: "+req.OrderID, 200)
	}
	c := Call{Effect: e, Key: req.path + " " + req.key, Payload: req.digest, Resource: rt.guarded(req.OrderID), Strict: req.strict,
		Decide: func(n int) (Reply, bool) {
			if status, why := rt.refusal(req); status != 0 {
				return Reply{status, fmt.Appendf(nil, `{"error":%q}`, why)}, false
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			g.has[req.path+" "+req.OrderID] = true
			if rt.chunk > 0 {
				g.chunks[req.OrderID] = append(g.chunks[req.OrderID], rt.chunk)
			}
			return Reply{http.StatusOK, fmt.Appendf(nil, `{"id":"%s-%d"}`, rt.step, n)}, true
		}}
	if rt.chunk > 0 { // the call is the execution: it begins and ends here, where nobody can be killed
		c.Execution = &history.Event{Unit: e.Unit, Step: "chunk", Component: e.Component, Attempt: uint32(req.token), Token: uint64(rt.chunk), Trace: e.Trace}
	}
	return g.ledger.Apply(c)
}

// guarded is what a fencing token is for.
func (rt route) guarded(unit string) string {
	if rt.together {
		return rt.step
	}
	return rt.step + " " + unit
}

// tell answers what was applied, which changes nothing.
func (g *gateway) tell(w http.ResponseWriter, what func() any) {
	g.mu.Lock()
	body, err := json.Marshal(what())
	g.mu.Unlock()
	if err != nil { // cannot happen: it is numbers, true and false
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // whether the answer arrives is what the faults are about
}

// refusal says why what was not done before is not done now, either; 0 if it is. It is called where the effect lands: a time that was kept
// when the request left says nothing.
func (rt route) refusal(req request) (status int, why string) {
	if now := time.Now(); !req.until.IsZero() && !now.Before(req.until) {
		return http.StatusGone, "it came too late"
	}
	if rt.refuse == nil {
		return 0, ""
	}
	return rt.refuse(req.effectRequest)
}

func effectValue(req effectRequest) string {
	if req.Amount != 0 {
		return strconv.FormatInt(req.Amount, 10)
	}
	return clip(req.Address, 200)
}

// fencingToken reads the header; 0 where there is none.
func fencingToken(header string) (uint64, error) {
	if header == "" {
		return 0, nil
	}
	return strconv.ParseUint(header, 10, 64)
}

// validUntil reads the header; zero where there is none.
func validUntil(header string) (time.Time, error) {
	if header == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, header)
}

// authorised tells whether a request holds the run's token and comes from this host.
func authorised(r *http.Request, token string) bool {
	if !loopback(r.RemoteAddr) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) == 1
}

// loopback tells whether an address, host:port, is one of loopback.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
