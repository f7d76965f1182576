package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

const (
	readingPrefix = "r-"
	meterAccounts = 4 // that the readings of a run belong to
)

// Metering describes the reference's metering: readings that are numbered, collected in small batches and billed in order.
func Metering() Target {
	return Target{
		Name:  "metering",
		About: "A pipeline done right: readings are collected in small batches and billed once, in order; intake, broker, ingester, audit.",
		Topology: Topology{
			Components: []Component{
				{Name: "intake", About: "accepts readings and numbers them, account by account"},
				{Name: "broker", About: "NATS with JetStream on disk"},
				{Name: "ingester", About: "collects readings and has them billed, batch by batch"},
				{Name: "audit", About: "keeps the audit trail"},
				{Name: "client", About: "the workload's clients", External: true},
				{Name: "gateway", About: "the effect sink: where readings are billed", External: true},
			},
			Edges: []Edge{
				{From: "client", To: "intake", Protocol: HTTP},
				{From: "intake", To: "broker", Protocol: NATS},
				{From: "ingester", To: "broker", Protocol: NATS},
				{From: "audit", To: "broker", Protocol: NATS},
				{From: "ingester", To: "gateway", Protocol: HTTP},
			},
		},
		Claims: history.Claims{
			Target: "metering", Unit: "reading", Prefix: readingPrefix,
			Steps: []history.Step{{Name: "bill", Does: "billed", Component: "ingester", Required: true, AuditDo: "billed"}},
			States: history.States{
				Open: []string{"received"}, Completed: "settled", Quarantined: "quarantined",
				Audits: map[string]string{"received": "received", "settled": "settled", "quarantined": "quarantined"},
				Next:   map[string][]string{"received": {"settled", "quarantined"}},
			},
			Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads, history.FeedTokens,
				history.FeedTraces, history.FeedTotals},
			// The readings of an account land in the order in which they were accepted, and none is left out.
			Ordering: []history.Ordering{{Step: "bill", Key: "key"}},
			Totals: []history.Total{
				{Name: "balances", Equals: new(float64), Terms: []history.Term{{Observed: "amount billed"}, {Effects: "bill", Times: -1}}},
				{Name: "readings", Equals: new(float64), Terms: []history.Term{{Observed: "amount received"}, {Observed: "amount billed", Times: -1},
					{Observed: "amount refused", Times: -1}, {Observed: "amount waiting", Times: -1}}},
			},
			Traced:   []string{"invoke", "ok", "fail", "info", "effect", "audit"},
			Recovery: &history.Recovery{Success: history.Duration(10 * time.Second), Backlog: history.Duration(20 * time.Second)},
			Drain:    []history.Drain{{Grace: history.Duration(drainWithin)}},
		},
		Varies: true,
		Mix:    []string{"happy", "unknown-meter"},
		New:    newMetering,
	}
}

func newMetering(w Wiring) (Instance, error) {
	r, err := newInstance(Metering(), w, map[string]route{"/bills": {step: "bill", op: "do", batch: true}})
	if err != nil {
		return nil, err
	}
	r.totals = []string{"intake", "ingester"}
	r.trails, r.args = []string{"audit"}, func(string) []string { return nil }
	r.client = func() workloads.Client {
		return &meterClient{base: "http://" + w.Dial[Edge{From: "client", To: "intake"}.Name()], http: r.public}
	}
	return r, nil
}

// meterClient does operations against the intake's public API.
type meterClient struct {
	base string
	http *http.Client
}

// Do does one try of an operation, and takes its answer as orderClient does. Readings cannot be amended.
func (c *meterClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	id := history.UnitID(readingPrefix, op.Unit)
	call := orderClient{base: c.base, http: c.http}
	switch op.Op {
	case workloads.Submit:
		account := fmt.Sprintf("a-%d", int(op.Unit)%meterAccounts+1)
		meter := "m-" + account
		if op.Class == "unknown-meter" {
			meter = unknownMeter
		}
		body, err := json.Marshal(map[string]any{"reading_id": id, "account": account, "meter": meter, "amount": 1 + op.Nonce%1000})
		if err != nil {
			return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
		}
		return call.call(ctx, http.MethodPost, "/readings", body, traceparent(op), http.Header{"Idempotency-Key": {op.Key}}, answerSubmit)
	case workloads.Read:
		return call.call(ctx, http.MethodGet, "/readings/"+id, nil, traceparent(op), nil, answerRead)
	}
	return workloads.Answer{Kind: history.KindFail, Value: "readings cannot be amended"}
}
