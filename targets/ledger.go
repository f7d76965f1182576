package targets

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// Ledger is where effects land: what an external party knows of the requests that it got, and what it made of each. It keeps the promise
// that real payment gateways make, idempotency by key, so that what it applied twice was really asked for twice. It is safe for
// concurrent use.
type Ledger struct {
	rec workloads.Recorder

	mu       sync.Mutex
	settled  map[string]settled // by key
	newest   map[string]uint64  // the newest token seen, by resource
	answered int                // calls that were not like one before
}

// settled is what became of the first request under a key.
type settled struct {
	Reply
	payload string
	applied bool
}

// NewLedger makes an empty ledger, which records every effect.
func NewLedger(rec workloads.Recorder) *Ledger {
	return &Ledger{rec: rec, settled: map[string]settled{}, newest: map[string]uint64{}}
}

// Call is one request for an effect, as it came.
type Call struct {
	Effect    history.Event  // without its outcome
	Key       string         // two calls under one are the same; "": no call is like another
	Payload   string         // a key that comes again with another one is refused
	Resource  string         // what Effect.Token is for
	Strict    bool           // a token older than the newest for its resource is refused
	Execution *history.Event // the call is an execution, too: its start and its finish are recorded around the effect
	// Decide answers a call that is not like one before; n is its number among those. applied: false refuses it, for good.
	Decide func(n int) (r Reply, applied bool)
}

// Reply is what a call is answered.
type Reply struct {
	Status int
	Body   []byte
}

var anotherPayload = Reply{http.StatusConflict, []byte(`{"error":"this key was used with another payload"}`)}

// Apply applies, deduplicates or refuses an effect, and records which. The record is made under the same lock as the decision, so that the
// history's order is the order in which effects landed.
func (l *Ledger) Apply(c Call) Reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := c.Effect
	newest := l.newest[c.Resource]
	l.newest[c.Resource] = max(newest, e.Token)
	before, known := l.settled[c.Key]
	known = known && c.Key != ""
	r := before.Reply
	switch {
	case c.Strict && e.Token < newest:
		e.Outcome = history.OutcomeRefused
		e.Value = clip(fmt.Sprintf("token %d is older than %d: %s", e.Token, newest, e.Value), 200)
		r = Reply{http.StatusPreconditionFailed, []byte(`{"error":"a newer token was used"}`)}
	case known && before.payload != c.Payload:
		e.Outcome = history.OutcomeRefused
		e.Value = clip("key used before with another payload: "+e.Value, 200)
		r = anotherPayload
	case known && !before.applied:
		e.Outcome = history.OutcomeRefused
	case known:
		e.Outcome = history.OutcomeDeduplicated
	default:
		l.answered++
		var applied bool
		r, applied = c.Decide(l.answered)
		e.Outcome = history.OutcomeApplied
		if !applied {
			e.Outcome = history.OutcomeRefused
		}
		l.settled[c.Key] = settled{r, c.Payload, applied}
	}
	if run := c.Execution; run != nil {
		run.Kind = history.KindStart
		l.rec.Record(*run)
		defer func() {
			run.Kind = history.KindFinish
			l.rec.Record(*run)
		}()
	}
	l.rec.Record(e)
	return r
}

// ApplyBatch applies several effects as a whole, once for each key, or refuses all of them, where the key comes again with another payload.
// Those that are refused in any case say so already, by their outcome. decide answers a batch that is not like one before.
func (l *Ledger) ApplyBatch(key, payload string, effects []history.Event, decide func(n int) Reply) Reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.settled[key]
	r, outcome := before.Reply, history.OutcomeDeduplicated
	switch {
	case known && before.payload != payload:
		r, outcome = anotherPayload, history.OutcomeRefused
	case !known:
		l.answered++
		r, outcome = decide(l.answered), history.OutcomeApplied
		l.settled[key] = settled{r, payload, true}
	}
	for _, e := range effects {
		if e.Outcome != history.OutcomeRefused {
			e.Outcome = outcome
		}
		l.rec.Record(e)
	}
	return r
}
