package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// DedupLostOnRestart makes payments remember in memory what it has charged.
var DedupLostOnRestart = rememberInMemory(Defect{
	Name: "dedup-lost-on-restart",
	Story: "A message may come twice, so the consumer remembers the ids that it has seen, in a map. It is simple, it is quick, and in every test the " +
		"second delivery is recognised. The map is empty when the process starts. A process that is killed after the gateway has charged, and " +
		"before it has said so to anybody, starts with an empty map and a message to work on, and works on it.",
	Reveals: []string{"crash-between-effect-and-record"},
	Falls:   "no-duplicate-effects",
}, 0)

// DedupWindowTooShort makes payments forget after a moment what it has charged.
var DedupWindowTooShort = rememberInMemory(Defect{
	Name: "dedup-window-too-short",
	Story: "What has been seen is remembered for as long as a duplicate may take to come, which somebody measured: a few milliseconds, when a " +
		"producer sends twice. The window was made ten times as long, to be safe. But a duplicate is also what the broker sends when it has not " +
		"heard of the first one for its whole patience, and that is a thousand times as long; by then the window is closed, and what comes " +
		"is new.",
	Reveals: []string{"duplicate-delivery"},
	Falls:   "no-duplicate-effects",
}, 100*time.Millisecond)

// rememberInMemory completes a defect in which charges are known for a while, or for as long as the process lives.
func rememberInMemory(d Defect, window time.Duration) Defect {
	d.Apply = func(p *parts.Parts) {
		p.Charge = func(t intent.Tools) intent.Performer {
			return &forgetful{Tools: t, window: window, seen: map[string]time.Time{}}
		}
	}
	return d
}

type forgetful struct {
	intent.Tools
	window time.Duration // 0: the life of the process
	mu     sync.Mutex
	seen   map[string]time.Time
}

// know says whether the message was seen within the window, and remembers it.
func (p *forgetful) know(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[id]
	p.seen[id] = time.Now()
	return ok && (p.window == 0 || time.Since(at) < p.window)
}

func (p *forgetful) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	if p.know(d.ID) {
		return nil
	}
	key := e.OrderID + "/" + e.Step + "/" + time.Now().Format(time.RFC3339Nano)
	for n := 1; ; n++ {
		one, cancel := context.WithTimeout(ctx, p.Timeout)
		answer, err := e.Call(one, gateway.Call{OrderID: e.OrderID, Key: key, Trace: d.Trace})
		cancel()
		if err == nil {
			return p.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
				_, err := e.Record(tx, answer, d.Number)
				return err
			})
		}
		if err := p.Backoff.Wait(ctx, n); err != nil {
			return err
		}
	}
}
