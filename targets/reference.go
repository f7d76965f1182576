package targets

import (
	"net/http"
	"time"

	"github.com/wreckon/wreckon/history"
)

// refPrefix begins every order id that the harness issues.
const refPrefix = "o-"

// shipTries is how often one message may ask the gateway to ship.
const shipTries = 8

// drainWithin is the grace period that the components promise to keep. They are told to be done a second sooner.
const drainWithin = 5 * time.Second

// Reference describes the reference system: an order service with outbox, inbox, saga, leases and an audit trail.
func Reference() Target {
	return Target{
		Name:  "reference",
		About: "An order service done right: outbox, inbox, saga, leases, hash-chained audit trail; eight processes of one binary.",
		Topology: Topology{
			Components: []Component{
				{Name: "api", About: "accepts orders: order, outbox row and audit row in one transaction"},
				{Name: "relay", About: "publishes the api's outbox to the broker"},
				{Name: "broker", About: "NATS with JetStream on disk"},
				{Name: "saga", About: "orchestrates reserve, charge and ship, and compensates"},
				{Name: "inventory", About: "reserves and releases stock"},
				{Name: "payments", About: "charges and refunds at the gateway"},
				{Name: "shipping", About: "ships through the gateway"},
				{Name: "audit", About: "keeps the audit trail"},
				{Name: "client", About: "the workload's clients", External: true},
				{Name: "gateway", About: "the effect sink: payment and shipping provider", External: true},
			},
			Edges: []Edge{
				{From: "client", To: "api", Protocol: HTTP},
				{From: "relay", To: "broker", Protocol: NATS},
				{From: "api", To: "broker", Protocol: NATS},
				{From: "saga", To: "broker", Protocol: NATS},
				{From: "inventory", To: "broker", Protocol: NATS},
				{From: "payments", To: "broker", Protocol: NATS},
				{From: "shipping", To: "broker", Protocol: NATS},
				{From: "audit", To: "broker", Protocol: NATS},
				{From: "payments", To: "gateway", Protocol: HTTP},
				{From: "shipping", To: "gateway", Protocol: HTTP},
			},
		},
		Claims: history.Claims{
			Target: "reference", Unit: "order", Prefix: refPrefix,
			Steps: []history.Step{
				{Name: "reserve", Does: "reserved", Undoes: "released", Component: "inventory", Required: true, Observed: true, AuditDo: "reserved", AuditUndo: "released"},
				{Name: "charge", Does: "charged", Undoes: "refunded", Component: "payments", Required: true, AuditDo: "charged", AuditUndo: "refunded"},
				{Name: "ship", Does: "shipped", Component: "shipping", Required: true, AuditDo: "shipped"},
			},
			States: history.States{
				Open: []string{"pending"}, Completed: "completed", Compensated: "compensated", Quarantined: "quarantined",
				Audits: map[string]string{"pending": "accepted", "completed": "completed", "compensated": "compensated", "quarantined": "quarantined"},
				Next: map[string][]string{
					"pending":     {"completed", "compensated", "quarantined"},
					"quarantined": {"completed", "compensated"}, // by a person's decision
				},
			},
			Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedSteps, history.FeedReads,
				history.FeedTokens, history.FeedTraces, history.FeedLetters, history.FeedTotals},
			DeadLetters: &history.DeadLetters{Context: []string{"message", "subject", "payload", "trace", "reason", "attempts", "first_at", "dead_at"}},
			Privileges: []history.Privilege{
				{Action: "resolved", Actors: []string{ann}, From: "quarantined", Approval: "approved", Above: 5000},
				{Action: "approved", Actors: []string{ann, ben}},
				{Action: "reconciled", Actors: []string{"reconciler"}, From: "quarantined"}, // what was found where it landed
			},
			Totals: []history.Total{
				{Name: "stock", Equals: new(float64), Terms: []history.Term{
					{Observed: "stock on hand"}, {Observed: "stock reserved"}, {Observed: "stock delivered", Times: -1}}},
				{Name: "reservations", Equals: new(float64), Terms: []history.Term{
					{Observed: "stock reserved"}, {Observed: "reservations in force", Times: -1}}},
				{Name: "money", Equals: new(float64), Terms: []history.Term{ // what the cards were charged is what was sold
					{Effects: "charge"}, {Observed: "amount completed", Times: -1}, {Observed: "amount held", Times: -1}}},
			},
			Compensation: "reverse",
			// Doing a step and undoing it are under one lease, whose tokens the gateway is shown.
			// A message may call the gateway intent.MaxTries times, one to ship shipTries times; a charge and its refund are a message each. How far apart calls reach the
			// gateway is up to what lies between: of the waits nothing is promised that could be seen there.
			Retries: []history.Retries{{Step: "charge", Max: 50}, {Step: "ship", Max: shipTries}},
			Fencing: []history.Fencing{{Step: "charge", Resource: "unit"}, {Step: "ship", Resource: "unit"}},
			// Everything that is told of an order carries the trace of the client that first asked for it.
			Traced: []string{"invoke", "ok", "fail", "info", "effect", "audit"},
			// What a fault leaves behind is waited out by leases (2 s), redeliveries and backoffs (1 s each), and done under load.
			Recovery: &history.Recovery{Success: history.Duration(10 * time.Second), Backlog: history.Duration(20 * time.Second)},
			Drain:    []history.Drain{{Grace: history.Duration(drainWithin)}},
		},
		Varies: true,
		Mix:    []string{"happy", "declined", "out-of-stock", "undeliverable", "poison", "hasty"},
		New:    newReference,
	}
}

func referenceRoutes() map[string]route {
	return map[string]route{
		"/charges": {step: "charge", op: "do", component: "payments", refuse: func(r effectRequest) (int, string) {
			if r.Card == "declined" {
				return http.StatusPaymentRequired, "card declined"
			}
			return 0, ""
		}},
		"/refunds": {step: "charge", op: "undo", component: "payments"},
		"/shipments": {step: "ship", op: "do", component: "shipping", refuse: func(r effectRequest) (int, string) {
			if r.Address == "undeliverable" {
				return http.StatusUnprocessableEntity, "address unknown"
			}
			return 0, ""
		}},
	}
}

// hasty is how long a customer in a hurry waits. The others wait for as long as it takes.
const hasty = 1200 * time.Millisecond

// payload turns a kind of unit into the order that makes the system behave so. until is when a customer in a hurry will have gone.
func payload(class string, id string, nonce uint64, until time.Time) map[string]any {
	o := map[string]any{
		"order_id": id, "customer": "c-" + id, "sku": "widget", "quantity": 1,
		"amount": 100 + int64(nonce%9900), "card": "valid", "address": "1 Main Street",
	}
	switch class {
	case "declined":
		o["card"] = "declined"
	case "out-of-stock":
		o["sku"] = "none-left"
	case "undeliverable":
		o["address"] = "undeliverable"
	case "poison":
		o["sku"] = "poison"
	case "hasty":
		o["valid_until"] = until.UTC().Format(time.RFC3339Nano)
	}
	return o
}
