package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

const transferPrefix = "t-"

// theRegions are asked in this order by a client who knows nothing.
var theRegions = []string{"east", "west"}

// Regions describes the reference's transfers in two regions, of which one is active.
func Regions() Target {
	return Target{
		Name:  "regions",
		About: "Failover done right: two regions with a copy each, of which one is active, and a coordinator that says which, epoch by epoch.",
		Topology: Topology{
			Components: []Component{
				{Name: "coordinator", About: "lends the active region its seat"},
				{Name: "east", About: "a region: accepts transfers and has them posted, or holds a copy"},
				{Name: "west", About: "the other one"},
				{Name: "client", About: "the workload's clients, who find out which region is active", External: true},
				{Name: "gateway", About: "the effect sink: where transfers are posted", External: true},
			},
			Edges: []Edge{
				{From: "client", To: "east", Protocol: HTTP},
				{From: "client", To: "west", Protocol: HTTP},
				{From: "east", To: "west", Protocol: HTTP},
				{From: "west", To: "east", Protocol: HTTP},
				{From: "east", To: "coordinator", Protocol: HTTP},
				{From: "west", To: "coordinator", Protocol: HTTP},
				{From: "east", To: "gateway", Protocol: HTTP},
				{From: "west", To: "gateway", Protocol: HTTP},
			},
		},
		Claims: history.Claims{
			Target: "regions", Unit: "transfer", Prefix: transferPrefix,
			Steps: []history.Step{{Name: "post", Does: "posted", Required: true, AuditDo: "posted"}},
			States: history.States{
				Open: []string{"pending"}, Completed: "posted",
				Audits: map[string]string{"pending": "accepted", "posted": "posted"},
				Next:   map[string][]string{"pending": {"posted"}},
			},
			Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads, history.FeedTokens,
				history.FeedTraces, history.FeedTotals},
			// An epoch is for everything: once the sink has seen one, nothing of an older one is applied.
			Fencing: []history.Fencing{{Step: "post", Resource: "step"}},
			Totals: []history.Total{
				{Name: "copies", Equals: new(float64), Terms: []history.Term{{Observed: "entries east"}, {Observed: "entries west", Times: -1}}},
				{Name: "money", Equals: new(float64), Terms: []history.Term{{Observed: "amount posted"}, {Effects: "post", Times: -1}}},
			},
			Traced:   []string{"invoke", "ok", "fail", "info", "effect", "audit"},
			Recovery: &history.Recovery{Success: history.Duration(10 * time.Second), Backlog: history.Duration(20 * time.Second)},
			Drain:    []history.Drain{{Grace: history.Duration(drainWithin)}},
		},
		Varies: true,
		Mix:    []string{"happy"},
		New:    newRegions,
	}
}

// regions is an instance of which only one part speaks for the whole.
type regions struct{ *reference }

func newRegions(w Wiring) (Instance, error) {
	r, err := newInstance(Regions(), w, map[string]route{"/postings": {step: "post", op: "do", together: true}})
	if err != nil {
		return nil, err
	}
	r.trails, r.totals = theRegions, theRegions
	// Whoever is to take over waits for a second.
	r.args = func(string) []string { return []string{"--lease", "1s", "--poll", "20ms"} }
	var guess atomic.Uint32 // one for all clients
	r.client = func() workloads.Client {
		c := &transferClient{http: r.public, guess: &guess}
		for _, region := range theRegions {
			c.bases = append(c.bases, "http://"+w.Dial[Edge{From: "client", To: region}.Name()])
		}
		return c
	}
	return &regions{r}, nil
}

// settleWithin is how long it may take, at rest, until one region is active and the other has a copy.
const settleWithin = 10 * time.Second

// Observe waits until one region speaks for both: between an end and a beginning neither does.
func (r *regions) Observe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for b, err := r.Backlog(ctx); err != nil || b.Queued > 0; b, err = r.Backlog(ctx) {
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for an active region and a copy: %w", ctx.Err()), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return r.reference.Observe(ctx)
}

// transferClient does operations against the public API of whichever region is active.
type transferClient struct {
	bases []string
	http  *http.Client
	guess *atomic.Uint32 // the region that was active when somebody last knew
}

// Do does one try of an operation, and takes its answer as orderClient does. A region that says that it is not active has done nothing: the
// other is asked within the same try. Transfers cannot be amended.
func (c *transferClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	id := history.UnitID(transferPrefix, op.Unit)
	if op.Op == workloads.Amend {
		return workloads.Answer{Kind: history.KindFail, Value: "transfers cannot be amended"}
	}
	body, err := json.Marshal(map[string]any{"transfer_id": id, "account": "a-" + id, "amount": 1 + op.Nonce%1000})
	if err != nil {
		return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
	}
	first := c.guess.Load()
	for n := range uint32(len(c.bases)) {
		at := (first + n) % uint32(len(c.bases))
		elsewhere := false
		call, heed := orderClient{base: c.bases[at], http: c.http}, func(answer func(int, orderAnswer) workloads.Answer) func(int, orderAnswer) workloads.Answer {
			return func(status int, a orderAnswer) workloads.Answer {
				elsewhere = status == http.StatusMisdirectedRequest
				return answer(status, a)
			}
		}
		var a workloads.Answer
		if op.Op == workloads.Submit {
			a = call.call(ctx, http.MethodPost, "/transfers", body, traceparent(op), http.Header{"Idempotency-Key": {op.Key}}, heed(answerSubmit))
		} else {
			a = call.call(ctx, http.MethodGet, "/transfers/"+id, nil, traceparent(op), nil, heed(answerRead))
		}
		if elsewhere {
			continue
		}
		if a.Kind == history.KindOK {
			c.guess.Store(at)
		} else { // the next one tries the other first
			c.guess.CompareAndSwap(first, (at+1)%uint32(len(c.bases)))
		}
		return a
	}
	// Nothing happened, and it is worth asking again: who is refused for good is not.
	kind := history.KindInfo
	if op.Op == workloads.Read {
		kind = history.KindFail
	}
	return workloads.Answer{Kind: kind, Value: "no region is active"}
}
