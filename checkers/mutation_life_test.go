package checkers

import (
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

func started(step string) func(history.Event) bool {
	return func(e history.Event) bool { return e.Kind == history.KindStart && e.Step == step }
}

// mutationsOfLife go wrong in what a unit goes through: how it is undone, its states, retries, deadlines and dead letters.
var mutationsOfLife = []mutation{
	{"refund before the charge", "compensation-order", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "undo"))
		if !ok {
			return false
		}
		refund := s.events[k]
		drop(s, k)
		charge := slices.IndexFunc(s.events, func(e history.Event) bool { return applied("charge", "do")(e) && e.Unit == refund.Unit })
		refund.T = s.events[charge].T
		s.events = slices.Insert(s.events, charge, refund)
		return true
	}},
	{"refund again under another key", "compensation-order", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "undo"))
		if ok {
			again := s.events[k]
			again.Key += "/again"
			s.events = slices.Insert(s.events, k+1, again)
		}
		return ok
	}},
	{"ship after the refund", "compensation-order", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "undo"))
		if ok {
			zombie := s.events[k]
			zombie.Step, zombie.Op = "ship", "do"
			s.events = slices.Insert(s.events, k+1, zombie)
		}
		return ok
	}},
	{"release before the refund", "compensation-order", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "undo"))
		if !ok {
			return false
		}
		refund := s.events[k]
		release := slices.IndexFunc(s.events, func(e history.Event) bool {
			return e.Kind == history.KindAudit && e.Op == "released" && e.Unit == refund.Unit
		})
		refund.T = s.events[release].T
		s.events = slices.Insert(s.events, release+1, refund)
		drop(s, k)
		return true
	}},
	{"read an order on after its end", "legal-lifecycle", func(s *script, d dice) bool {
		k, ok := pick(s, d, observedAs("completed"))
		if !ok {
			return false
		}
		e := history.Event{T: s.events[k].T, Kind: history.KindInvoke, Op: "read", Unit: s.events[k].Unit, Actor: 9999}
		first, second := e, e
		first.Kind, first.Value = history.KindOK, "completed|"
		second.Kind, second.Value = history.KindOK, "pending|"
		s.events = slices.Insert(s.events, k+1, e, first, e, second)
		return true
	}},
	{"record another end", "legal-lifecycle", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "compensated" })
		if ok {
			other := s.events[k]
			other.Op, other.Token = "completed", s.trail["api"].n+1
			s.events = slices.Insert(s.events, k+1, other)
		}
		return ok
	}},
	{"skip a state", "legal-lifecycle", func(s *script, d dice) bool {
		c := &s.header.Claims.States
		c.Next = map[string][]string{"pending": {"checked"}, "checked": {"completed", "compensated", "quarantined"}}
		c.Audits["checked"] = "checked"
		ends := []string{"completed", "compensated", "quarantined"}
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindAudit && e.Component == "api" && slices.Contains(ends, e.Op)
		})
		if ok { // the api records this state of one order, and so it would have of the others
			e := s.events[k]
			e.Op, e.Unit, e.Token = "checked", 1000, s.trail["api"].n+1
			s.events = slices.Insert(s.events, k+1, e)
		}
		return ok
	}},
	{"lose a dead letter", "dead-letters-accounted", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Op == "dead-letter" })
		if ok {
			drop(s, k)
		}
		return ok
	}},
	{"lose the payload of a dead letter", "dead-letters-accounted", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Op == "dead-letter" })
		if ok {
			s.events[k].Value = `{"reason":"poison","payload":""}`
		}
		return ok
	}},
	{"keep a dead letter of a completed order", "dead-letters-accounted", func(s *script, d dice) bool {
		k, ok := pick(s, d, observedAs("completed"))
		if ok {
			e := s.events[k]
			e.Op, e.Value = "dead-letter", `{"reason":"poison","payload":"x"}`
			s.events = slices.Insert(s.events, k+1, e)
		}
		return ok
	}},
	{"let too many die", "dead-letters-accounted", func(s *script, d dice) bool {
		s.header.Claims.DeadLetters.MaxRate = 0.01
		_, ok := pick(s, d, ackedAs(s, "quarantined"))
		return ok
	}},
	{"begin too often", "bounded-retries", func(s *script, d dice) bool {
		k, ok := pick(s, d, started("ship"))
		if ok {
			s.events = slices.Insert(s.events, k+1, slices.Repeat([]history.Event{s.events[k]}, 2*maxAttempts)...)
		}
		return ok
	}},
	{"not wait before a retry", "bounded-retries", func(s *script, d dice) bool {
		if slices.ContainsFunc(s.events, func(e history.Event) bool {
			return e.Kind == history.KindFault || e.Kind == history.KindProcess || e.Op == "let-go"
		}) {
			return false // no wait is judged beside a partition or a restart, nor of an order that was released
		}
		k, ok := pick(s, d, started("charge"))
		if ok {
			s.events = slices.Insert(s.events, k+1, s.events[k])
		}
		return ok
	}},
	{"ship too late", "honoured-deadlines", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return applied("ship", "do")(e) && acked(s, e.Unit) })
		if ok {
			ack := slices.IndexFunc(s.events, func(e history.Event) bool {
				return e.Kind == history.KindOK && e.Op == "submit" && e.Unit == s.events[k].Unit
			})
			later(s, k, 2*time.Hour)
			ok = ack < k
		}
		return ok
	}},
	{"never ship", "honoured-deadlines", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return applied("ship", "do")(e) && acked(s, e.Unit) })
		if ok {
			s.header.Claims.Deadlines[0].Must = true
			drop(s, k)
			later(s, len(s.events)-1, 2*time.Hour)
		}
		return ok
	}},
}
