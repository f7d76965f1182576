package checkers

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// The checkers of a unit's life against their definitions, written down as literally as possible, on small histories in which anything may
// stand anywhere.
func TestLifeAgreesWithTheDefinitions(t *testing.T) {
	definitions := map[string]func(s *script) []string{
		"compensation-order":     wronglyUndoneByDefinition,
		"legal-lifecycle":        illegalByDefinition,
		"bounded-retries":        retriesByDefinition,
		"honoured-deadlines":     lateByDefinition,
		"dead-letters-accounted": unaccountedByDefinition,
	}
	spoken := map[string]int{}
	for name := range definitions {
		spoken[name] = 0
	}
	compare(t, spoken, func(t *rapid.T) {
		s := anyLife(rapidDice{t})
		r := Judge(s.history(), Spec{})
		for name, definition := range definitions {
			k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == name })
			var got []string
			for _, f := range r.Guarantees[k].Findings {
				if f.Unit != "" { // the others are about all units together
					got = append(got, f.Unit)
				}
			}
			slices.Sort(got)
			want := definition(s)
			require.Equal(t, want, slices.Compact(got), "%s: %+v\n%s", name, r.Guarantees[k], dump(s))
			spoken[name] += len(want)
		}
	})
}

var lifeStates = []string{"pending", "paid", "completed", "compensated", "quarantined", "expired"}

// anyLife is a history of a few units: effects, executions, overlapping reads and submits, transitions that one source records with gaps
// and out of order, and a lifecycle that may be declared.
func anyLife(d dice) *script {
	s := newScript()
	c := &s.header.Claims
	c.Steps = []history.Step{{Name: "charge"}, {Name: "ship", Undoes: "called back"}, {Name: "notify", Promise: "at-least-once"}}
	c.Feeds = []string{history.FeedEffects, history.FeedStates, history.FeedReads, history.FeedAudit, history.FeedStarts, history.FeedLetters}
	c.States.Open, c.States.Expired, c.States.Audits = []string{"pending", "paid"}, "expired", map[string]string{}
	for _, name := range lifeStates[1:] { // what is pending is not recorded
		c.States.Audits[name] = name
	}
	if d.below(3) > 0 {
		c.States.Next = map[string][]string{}
		for range 2 + d.below(8) {
			from, to := lifeStates[d.below(len(lifeStates))], lifeStates[d.below(len(lifeStates))]
			c.States.Next[from] = append(c.States.Next[from], to)
		}
	}
	c.Compensation = []string{"", "any"}[d.below(2)]
	c.Retries = []history.Retries{{Step: "charge", Max: 2, Base: history.Duration(10 * time.Millisecond), Factor: 3, Cap: history.Duration(20 * time.Millisecond)}}
	c.Deadlines = []history.Deadline{{Name: "hold", From: "effect charge", To: "undo charge", Within: history.Duration(20 * time.Millisecond),
		Must: d.below(2) == 0}}
	c.DeadLetters = &history.DeadLetters{Context: []string{"reason"}}
	var busy [6]bool
	token := uint64(0)
	for range 3 + d.below(30) {
		u := history.Unit(d.below(2))
		s.now += time.Duration(d.below(4)) * 5 * time.Millisecond
		switch d.below(6) {
		case 0, 1:
			a := d.below(len(busy))
			if busy[a] = !busy[a]; busy[a] {
				s.invoke(a+1, []string{"submit", "read", "read"}[a%3], u, "", 1)
			} else {
				s.answer(a+1, []history.Kind{history.KindOK, history.KindOK, history.KindInfo}[d.below(3)], lifeStates[d.below(len(lifeStates))]+"|", 0)
			}
		case 2:
			token += uint64(1 + d.below(2))
			s.audit("api", lifeStates[1+d.below(len(lifeStates)-1)], u, "")
			s.last().Token = token
			if n := len(s.events); d.below(4) == 0 && s.events[n-2].Kind == history.KindAudit { // delivered out of order
				s.events[n-2].Token, s.events[n-1].Token = s.events[n-1].Token, s.events[n-2].Token
			}
		case 3:
			s.add(history.Event{Kind: history.KindStart, Unit: u, Step: "charge", Op: []string{"do", "undo", ""}[d.below(3)]})
		default:
			s.effect([]string{"charge", "ship", "notify"}[d.below(3)], []string{"do", "do", "undo"}[d.below(3)], u, "1", "",
				[]history.Outcome{history.OutcomeApplied, history.OutcomeApplied, history.OutcomeDeduplicated, history.OutcomeRefused}[d.below(4)])
		}
	}
	s.rest([]string{"settled", "deadline"}[d.below(2)])
	s.observe("state", 3, "", "completed", "api", 1, "")
	for u := range history.Unit(2) {
		if k := d.below(len(lifeStates) + 1); k > 0 {
			s.observe("state", u, "", lifeStates[k-1], "api", 1, "")
		}
		if k := d.below(6); k < 3 {
			s.observe("dead-letter", u, "", []string{`{"reason":"poison"}`, `{"reason":null}`, "poison"}[k], "saga", 0, "")
		}
	}
	s.phase("observe", history.OutcomeEnd, "")
	return s
}

func wronglyUndoneByDefinition(s *script) []string {
	steps := []string{"charge", "ship", "notify"}
	once := func(step string) bool { return step != "notify" }
	return unitsWhere(func(u history.Unit) bool {
		net := map[string]int{}
		done, began := map[string]bool{}, false
		wrong, zombie := false, false
		for _, e := range s.events {
			if e.Kind != history.KindEffect || e.Unit != u {
				continue
			}
			landed := e.Outcome == history.OutcomeApplied
			if e.Op == "undo" {
				began = true
			}
			switch {
			case !landed:
			case e.Op == "do":
				zombie = zombie || began && once(e.Step)
				if net[e.Step]++; !once(e.Step) {
					net[e.Step] = 1
				}
				done[e.Step] = true
			default:
				for _, later := range steps[slices.Index(steps, e.Step)+1:] {
					way := later == "ship" || slices.ContainsFunc(s.events, func(x history.Event) bool { return applied(later, "undo")(x) && x.Unit == u })
					wrong = wrong || way && net[later] > 0 && s.header.Claims.Compensation != "any"
				}
				if net[e.Step] == 0 {
					wrong = wrong || once(e.Step) || !done[e.Step]
				} else {
					net[e.Step]--
				}
			}
		}
		state, _ := endOf(s.events, u)
		return wrong || zombie && (state == "compensated" || state == "expired" || state == "quarantined")
	})
}

// mayFollow tells whether a unit may come from one state to another, by some path all of whose inner states are among some.
func mayFollow(next func(string) []string, from, to string, inner []string) bool {
	tried := map[string]bool{}
	var try func(string) bool
	try = func(at string) bool {
		for _, n := range next(at) {
			if n == to {
				return true
			}
			if slices.Contains(inner, n) && !tried[n] {
				tried[n] = true
				if try(n) {
					return true
				}
			}
		}
		return false
	}
	return try(from)
}

func illegalByDefinition(s *script) []string {
	declared := s.header.Claims.States.Next
	next := func(from string) []string {
		switch {
		case len(declared) > 0:
			return declared[from]
		case from == "completed" || from == "compensated" || from == "expired":
			return []string{from}
		}
		return lifeStates
	}
	leads := func(from, to string) bool { return from == to || mayFollow(next, from, to, lifeStates) }
	type sight struct {
		state     string
		from, by  int // events; from -1: unknown
		token     uint64
		delivered int
	}
	return unitsWhere(func(u history.Unit) bool {
		var seen, trail []sight
		recorded := map[string]bool{} // by anybody's events
		numbers := map[uint64]bool{}
		calls := map[uint32]int{}
		observing := -1
		for k, e := range s.events {
			state := e.Value
			if i := len(state) - 1; i >= 0 && state[i] == '|' {
				state = state[:i]
			}
			switch {
			case e.Kind == history.KindAudit:
				recorded[e.Op], numbers[e.Token] = true, true
				if e.Unit == u {
					trail = append(trail, sight{state: e.Op, from: -1, by: k, token: e.Token})
				}
			case e.Kind == history.KindInvoke:
				calls[e.Actor] = k
			case e.Kind == history.KindPhase && e.Op == "observe" && e.Outcome == history.OutcomeBegin:
				observing = k
			case e.Unit != u:
			case e.Kind == history.KindOK && e.Op == "submit":
				seen = append(seen, sight{state: state, from: -1, by: k})
			case e.Kind == history.KindOK:
				seen = append(seen, sight{state: state, from: calls[e.Actor], by: k})
			case e.Kind == history.KindObserve && e.Op == "state":
				seen = append(seen, sight{state: state, from: observing, by: k})
			}
		}
		var silent []string
		for _, name := range lifeStates {
			if !recorded[name] {
				silent = append(silent, name)
			}
		}
		slices.SortFunc(trail, func(a, b sight) int { return cmp.Compare(a.token, b.token) })
		for k := range max(len(trail)-1, 0) {
			a, b := trail[k], trail[k+1]
			whole := true
			for n := a.token; n < b.token; n++ {
				whole = whole && numbers[n]
			}
			if whole && !mayFollow(next, a.state, b.state, silent) || !whole && !leads(a.state, b.state) {
				return true
			}
		}
		seen = append(seen, trail...)
		for _, a := range seen {
			for _, b := range seen {
				if a.by < b.from && !leads(a.state, b.state) || !leads(a.state, b.state) && !leads(b.state, a.state) {
					return true
				}
			}
		}
		return false
	})
}

func retriesByDefinition(s *script) []string {
	return unitsWhere(func(u history.Unit) bool {
		for _, op := range []string{"do", "undo"} {
			var starts []time.Duration
			over, undone, mixed := false, false, false
			for _, e := range s.events {
				undone = undone || e.Unit == u && e.Kind == history.KindEffect && e.Step == "charge" && e.Op == "undo"
				mixed = mixed || e.Unit == u && e.Kind == history.KindStart && e.Op == "" && op == "do"
			}
			for _, e := range s.events {
				if e.Unit == u && op == "do" && e.Kind == history.KindEffect && e.Step == "charge" && e.Op == "undo" {
					over = true // what comes after is no retry
				}
				if e.Kind != history.KindStart || e.Unit != u || (e.Op == "undo") != (op == "undo") {
					continue
				}
				starts = append(starts, e.T)
				n := len(starts)
				least := []time.Duration{0, 0, 10 * time.Millisecond}
				wait := 20 * time.Millisecond
				if n < len(least) {
					wait = least[n]
				}
				limit := 2
				if mixed && undone {
					limit = 4
				}
				if n > limit || n > 1 && !over && !(mixed && undone) && e.T-starts[n-2] < wait-wait/10-time.Millisecond {
					return true
				}
			}
		}
		return false
	})
}

func lateByDefinition(s *script) []string {
	claim := s.header.Claims.Deadlines[0]
	end := s.events[len(s.events)-1].T
	return unitsWhere(func(u history.Unit) bool {
		var mine []history.Event
		for _, e := range s.events {
			if e.Unit == u && e.Kind == history.KindEffect && e.Outcome == history.OutcomeApplied && e.Step == "charge" {
				mine = append(mine, e)
			}
		}
		for k, e := range mine {
			if e.Op != "do" {
				continue
			}
			came := end // the next, whatever it is
			if k+1 < len(mine) {
				if mine[k+1].Op == "do" {
					continue
				}
				came = mine[k+1].T
			} else if !claim.Must {
				continue
			}
			if came-e.T > time.Duration(claim.Within) {
				return true
			}
		}
		return false
	})
}

func unaccountedByDefinition(s *script) []string {
	busy := slices.ContainsFunc(s.events, func(e history.Event) bool { return e.Kind == history.KindPhase && e.Value == "deadline" })
	return unitsWhere(func(u history.Unit) bool {
		state, letter, dead, early := "", "", false, false
		for _, e := range s.events {
			if e.Unit != u {
				continue
			}
			ends := slices.Contains(lifeStates[2:], e.Op) || e.Kind == history.KindOK && e.Op == "read" && slices.Contains(lifeStates[2:], e.Value[:len(e.Value)-1])
			switch {
			case e.Kind == history.KindObserve && e.Op == "state":
				state = e.Value
			case e.Kind == history.KindObserve:
				letter, dead = e.Value, true
			case (e.Kind == history.KindAudit || e.Kind == history.KindOK) && ends:
				early = true
			}
		}
		final := state == "completed" || state == "compensated" || state == "expired"
		return dead && letter != `{"reason":"poison"}` || final && dead && (!busy || early) || state == "quarantined" && !dead && !busy
	})
}

func TestCrowdingIsAnUpperBound(t *testing.T) {
	d := rand.New(rand.NewPCG(1, 7))
	const runs, n, m, width = 20_000, 10, 4, 0.1
	hits := 0
	for range runs {
		waits := make([]wait, n)
		for k := range waits {
			waits[k].share = 1 + d.Float64()
		}
		slices.SortFunc(waits, func(a, b wait) int { return cmp.Compare(a.share, b.share) })
		if from, to := crowded(waits, width); to-from >= m {
			hits++
		}
	}
	require.LessOrEqual(t, float64(hits)/runs, crowding(n, m, width), fmt.Sprint(hits))
	require.Positive(t, hits)
}
