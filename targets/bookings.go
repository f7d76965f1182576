package targets

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

const bookingPrefix = "b-"

// How long a seat is held from when its booking was accepted, and what is promised: how long after the client was answered it may still be
// confirmed. The difference is for a request that is repeated until a crashed service is back, since nobody outside can see at which of
// them the hold began.
const (
	seatHeld   = 1200 * time.Millisecond
	timeToLive = 2 * time.Second
)

// Bookings describes the reference's bookings: seats that are held for a while, and then confirmed or given back.
func Bookings() Target {
	return Target{
		Name:  "bookings",
		About: "Reservations done right: a hold ends in time, confirmed or given back; an office, a confirmer and a reclaimer.",
		Topology: Topology{
			Components: []Component{
				{Name: "bookings", About: "keeps the bookings and the seats"},
				{Name: "confirmer", About: "confirms bookings at the gateway while their holds last"},
				{Name: "reclaimer", About: "has bookings expire whose time is up"},
				{Name: "client", About: "the workload's clients", External: true},
				{Name: "gateway", About: "the effect sink: where bookings are confirmed", External: true},
			},
			Edges: []Edge{
				{From: "client", To: "bookings", Protocol: HTTP},
				{From: "confirmer", To: "bookings", Protocol: HTTP},
				{From: "reclaimer", To: "bookings", Protocol: HTTP},
				{From: "confirmer", To: "gateway", Protocol: HTTP},
			},
		},
		Claims: history.Claims{
			Target: "bookings", Unit: "booking", Prefix: bookingPrefix,
			Steps: []history.Step{{Name: "confirm", Does: "confirmed", Component: "confirmer", Required: true, AuditDo: "confirmed"}},
			States: history.States{
				Open: []string{"held", "confirming"}, Completed: "confirmed", Expired: "expired",
				Audits: map[string]string{"held": "held", "confirming": "confirming", "confirmed": "confirmed", "expired": "expired"},
				Next:   map[string][]string{"held": {"confirming", "expired"}, "confirming": {"confirmed", "expired"}},
			},
			Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads, history.FeedTokens,
				history.FeedTraces, history.FeedTotals},
			Deadlines: []history.Deadline{
				{Name: "time to live", From: "submit", To: "effect confirm", Within: history.Duration(timeToLive)},
				// Confirmed or expired: the hold is over. What is being confirmed when the gateway goes away is bound until it is back.
				{Name: "hold", From: "audit held", To: "audit released", Within: history.Duration(timeToLive + 8*time.Second), Must: true},
			},
			Totals: []history.Total{
				{Name: "seats", Terms: []history.Term{{Observed: "seats free"}, {Observed: "seats held"}, {Observed: "seats sold"}}},
				{Name: "holds", Equals: new(float64), Terms: []history.Term{{Observed: "seats held"}, {Observed: "bookings open", Times: -1}}},
				{Name: "sales", Equals: new(float64), Terms: []history.Term{{Observed: "seats sold"}, {Count: "confirm", Times: -1}}},
			},
			Fencing:  []history.Fencing{{Step: "confirm", Resource: "unit"}},
			Traced:   []string{"invoke", "ok", "fail", "info", "effect", "audit"},
			Recovery: &history.Recovery{Success: history.Duration(10 * time.Second), Backlog: history.Duration(20 * time.Second)},
			Drain:    []history.Drain{{Grace: history.Duration(drainWithin)}},
		},
		Mix: []string{"happy", "abandoned", "scarce"},
		New: newBookings,
	}
}

func newBookings(w Wiring) (Instance, error) {
	r, err := newInstance(Bookings(), w, map[string]route{"/confirmations": {step: "confirm", op: "do"}})
	if err != nil {
		return nil, err
	}
	r.totals = []string{"bookings"}
	// A lost answer leaves time to ask again, within the hold.
	r.trails, r.args = []string{"bookings"}, func(string) []string {
		return []string{"--hold", seatHeld.String(), "--lease", "500ms", "--workers", "4", "--poll", "20ms"}
	}
	r.client = func() workloads.Client {
		return &bookingClient{base: "http://" + w.Dial[Edge{From: "client", To: "bookings"}.Name()], http: r.public}
	}
	return r, nil
}

// bookingClient does operations against the public API of the bookings.
type bookingClient struct {
	base string
	http *http.Client
}

// Do does one try of an operation, and takes its answer as orderClient does. Bookings cannot be amended.
func (c *bookingClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	id := history.UnitID(bookingPrefix, op.Unit)
	call := orderClient{base: c.base, http: c.http}
	switch op.Op {
	case workloads.Submit:
		class := "economy"
		if op.Class == "scarce" { // there are fewer than are asked for
			class = "suite"
		}
		body, err := json.Marshal(map[string]any{"booking_id": id, "class": class, "abandoned": op.Class == "abandoned"})
		if err != nil {
			return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
		}
		return call.call(ctx, http.MethodPost, "/bookings", body, traceparent(op), http.Header{"Idempotency-Key": {op.Key}}, answerSubmit)
	case workloads.Read:
		return call.call(ctx, http.MethodGet, "/bookings/"+id, nil, traceparent(op), nil, answerRead)
	}
	return workloads.Answer{Kind: history.KindFail, Value: "bookings cannot be amended"}
}
