package checkers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// script builds a history event by event; parseScript reads one from text.
type script struct {
	header history.Header
	lost   string
	now    time.Duration
	events []history.Event
	trail  map[string]*trail
	ends   []func()
}

// trail is where a source's audit trail stands.
type trail struct {
	n    uint64
	hash string
}

// testClaims are those of an order service with one observed step and one at-least-once step.
func testClaims() history.Claims {
	return history.Claims{
		Target: "orders", Unit: "order", Prefix: "o-",
		Steps: []history.Step{
			{Name: "reserve", Does: "reserved", Undoes: "released", Component: "inventory", Required: true, Observed: true, AuditDo: "reserved", AuditUndo: "released"},
			{Name: "charge", Does: "charged", Undoes: "refunded", Component: "payments", Required: true, AuditDo: "charged", AuditUndo: "refunded"},
			{Name: "ship", Does: "shipped", Component: "shipping", Required: true, AuditDo: "shipped"},
			{Name: "notify", Does: "notified", Component: "shipping", Promise: "at-least-once"},
		},
		States: history.States{
			Open: []string{"pending"}, Completed: "completed", Compensated: "compensated", Quarantined: "quarantined",
			Audits: map[string]string{"pending": "accepted", "completed": "completed", "compensated": "compensated", "quarantined": "quarantined"},
		},
		Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedSteps, history.FeedReads},
	}
}

func newScript() *script {
	s := &script{header: history.Header{Format: 1, Claims: testClaims()}, trail: map[string]*trail{}}
	s.phase("chaos", history.OutcomeBegin, "")
	return s
}

func (s *script) history() *history.History {
	h := history.New(s.header)
	for _, e := range s.events {
		h.Append(e)
	}
	h.Sealed, h.Lost = s.lost == "", s.lost
	return h
}

func (s *script) add(e history.Event) {
	s.now += time.Millisecond
	e.T = s.now
	s.events = append(s.events, e)
}

func (s *script) phase(op string, o history.Outcome, value string) {
	s.add(history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: op, Outcome: o, Value: value})
}

func (s *script) invoke(actor int, op string, u history.Unit, key string, attempt uint32) {
	s.add(history.Event{Kind: history.KindInvoke, Actor: uint32(actor), Op: op, Unit: u, Key: key, Attempt: attempt})
}

func (s *script) answer(actor int, kind history.Kind, value string, version uint64) {
	e := history.Event{Kind: kind, Actor: uint32(actor), Unit: history.NoUnit, Value: value, Token: version}
	for _, x := range slices.Backward(s.events) { // the end names what its invoke named
		if x.Kind == history.KindInvoke && x.Actor == e.Actor {
			e.Op, e.Unit, e.Attempt, e.Key, e.Trace = x.Op, x.Unit, x.Attempt, x.Key, x.Trace
			break
		}
	}
	s.add(e)
}

// performer is the component that performs a step.
var performer = map[string]string{"charge": "payments", "ship": "shipping", "notify": "shipping"}

func (s *script) effect(step, op string, u history.Unit, value, key string, o history.Outcome) {
	s.add(history.Event{Kind: history.KindEffect, Step: step, Op: op, Unit: u, Value: value, Key: key, Outcome: o, Component: performer[step]})
}

func (s *script) audit(source, transition string, u history.Unit, step string) {
	t := s.source(source)
	t.n++
	body := fmt.Sprintf(`{"order_id":%q,"transition":%q,"n":%d}`, history.UnitID("o-", u), transition, t.n)
	t.hash = chained(t.hash, body)
	s.add(history.Event{Kind: history.KindAudit, Component: source, Op: transition, Unit: u, Step: step, Token: t.n, Key: t.hash, Value: body})
}

func (s *script) source(name string) *trail {
	if s.trail[name] == nil {
		s.trail[name] = &trail{}
	}
	return s.trail[name]
}

func chained(previous, body string) string {
	sum := sha256.Sum256([]byte(previous + "\n" + body))
	return hex.EncodeToString(sum[:])
}

func (s *script) observe(op string, u history.Unit, step, value, component string, token uint64, key string) {
	s.add(history.Event{Kind: history.KindObserve, Op: op, Unit: u, Step: step, Value: value, Component: component, Token: token, Key: key})
}

// happy is an order that goes well; declined is one whose card is.
func (s *script) happy(u history.Unit, actor int) {
	id := history.UnitID("o-", u)
	s.invoke(actor, "submit", u, id, 1)
	s.audit("api", "accepted", u, "")
	s.answer(actor, history.KindOK, "pending", 1)
	s.audit("inventory", "reserved", u, "reserve")
	s.effect("charge", "do", u, "4990", id+"/charge", history.OutcomeApplied)
	s.audit("payments", "charged", u, "charge")
	s.effect("ship", "do", u, "", id+"/ship", history.OutcomeApplied)
	s.audit("shipping", "shipped", u, "ship")
	s.audit("api", "completed", u, "")
	s.invoke(actor, "read", u, "", 1)
	s.answer(actor, history.KindOK, "completed|", 2)
	s.ends = append(s.ends, func() {
		s.observe("state", u, "", "completed", "api", 2, "")
		s.observe("step", u, "reserve", "in-force", "inventory", 0, "")
	})
}

func (s *script) declined(u history.Unit, actor int) {
	id := history.UnitID("o-", u)
	s.invoke(actor, "submit", u, id, 1)
	s.audit("api", "accepted", u, "")
	s.answer(actor, history.KindOK, "pending", 1)
	s.audit("inventory", "reserved", u, "reserve")
	s.effect("charge", "do", u, "4990", id+"/charge", history.OutcomeRefused)
	s.audit("inventory", "released", u, "reserve")
	s.audit("api", "compensated", u, "")
	s.ends = append(s.ends, func() {
		s.observe("state", u, "", "compensated", "api", 2, "")
		s.observe("step", u, "reserve", "none", "inventory", 0, "")
	})
}

// rest ends the load: quiescence, and what is known of the end.
func (s *script) rest(how string) {
	s.phase("chaos", history.OutcomeEnd, "")
	if how != "stopped" {
		s.phase("quiesce", history.OutcomeBegin, "")
		s.phase("quiesce", history.OutcomeEnd, how)
	}
	s.phase("observe", history.OutcomeBegin, "")
	for _, end := range s.ends {
		end()
	}
}

func (s *script) heads() {
	names := make([]string, 0, len(s.trail))
	for name := range s.trail {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.observe("audit-head", history.NoUnit, "", "", name, s.trail[name].n, s.trail[name].hash)
	}
}

// finish ends a run in which the target came to rest.
func (s *script) finish() *history.History {
	s.rest("settled")
	s.heads()
	s.phase("observe", history.OutcomeEnd, "")
	return s.history()
}
