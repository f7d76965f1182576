package checkers

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// tally reads the totals of a history in one pass.
type tally struct {
	*Case
	sums     []claimedSum
	accounts []account
	of       map[history.Ref][]int // step -> its accounts
	terms    map[history.Ref]bool  // names of the numbers that are read

	set   map[history.Ref]uint32 // the readings of the set under way
	order []uint32               // the same, in order
	rest  bool                   // nothing can be under way in the target
	last  uint32                 // where no work follows any more
}

// account is what the effects of one step come to so far.
type account struct {
	step   int // of the claims
	name   string
	values sum
	count  int64
	done   map[history.Unit][]uint32 // what is in force of each unit, latest last
	bad    *badValue                 // the first that is no number
}

func newTally(c *Case) *tally {
	t := &tally{Case: c, of: make(map[history.Ref][]int), terms: make(map[history.Ref]bool), set: make(map[history.Ref]uint32), rest: true}
	for i, k := range c.H.Kind {
		if works(k) {
			t.last = uint32(i)
		}
	}
	for _, claim := range c.claims.Totals {
		s := claimedSum{Total: claim}
		for _, bound := range []*float64{claim.Equals, claim.AtLeast, claim.AtMost} {
			var r *big.Rat
			if bound != nil {
				var ok bool
				if r, ok = claimed(*bound); !ok {
					s.broken = "its bound is no number"
				}
			}
			s.wants = append(s.wants, r)
		}
		s.atomic = len(claim.Terms) == 1 && claim.Terms[0].Observed != ""
		for _, term := range claim.Terms {
			if why := t.open(term); why != "" {
				s.broken = coalesce(s.broken, why)
			}
		}
		t.sums = append(t.sums, s)
	}
	return t
}

// works tells that an event of a kind shows the target at work, or asked to be.
func works(k history.Kind) bool { return k >= history.KindInvoke && k <= history.KindFinish }

// open makes ready for what a term needs, and says what is wrong with the claim, if anything is.
func (t *tally) open(term history.Term) string {
	if _, ok := claimed(term.Times); !ok {
		return "the factor of a term is no number"
	}
	if term.Observed != "" {
		t.terms[t.refs.ref(term.Observed)] = true
	}
	for _, name := range []string{term.Effects, term.Count} {
		if name == "" {
			continue
		}
		k := slices.IndexFunc(t.steps, func(s history.Step) bool { return s.Name == name })
		switch {
		case k < 0:
			return fmt.Sprintf("no step %q is claimed or seen", clip(name, 60))
		case t.steps[k].Observed:
			return fmt.Sprintf("the effects of %s are not recorded at a sink", stepName(t.steps[k]))
		case !t.has(history.FeedEffects):
			return "this history shows no effects"
		case !t.sees(history.FeedEffects):
			return "the effects that were seen may not be all"
		}
		if ref := t.stepRefs[k]; t.account(k) == nil {
			t.of[ref] = append(t.of[ref], len(t.accounts))
			t.accounts = append(t.accounts, account{step: k, name: name, done: make(map[history.Unit][]uint32)})
		}
	}
	if term.Observed == "" && term.Effects == "" && term.Count == "" {
		return "one of its terms names nothing"
	}
	return ""
}

func (t *tally) account(step int) *account {
	k := slices.IndexFunc(t.accounts, func(a account) bool { return a.step == step })
	if k < 0 {
		return nil
	}
	return &t.accounts[k]
}

// run goes through the history.
func (t *tally) run() {
	if w, ok := listening[*sums](t.whole); ok {
		t.follow(w)
		return
	}
	for i := range t.H.Kind {
		t.event(uint32(i))
	}
	t.end()
}

// afterWork tells that an event is not before the last that showed the target at work.
func (t *tally) afterWork(i uint32) bool {
	if w, ok := listening[*sums](t.whole); ok {
		return t.whole.seqs[i] >= w.last
	}
	return i >= t.last
}

func (t *tally) event(i uint32) {
	switch kind := t.H.Kind[i]; {
	case kind == history.KindObserve && t.H.Op[i] == t.refs.ref("total"):
		t.read(i)
	case kind == history.KindPhase:
		switch t.str(t.H.Op[i]) {
		case "baseline": // what is read last in it is read at rest
			t.rest = t.H.Outcome[i] == history.OutcomeEnd && t.str(t.H.Value[i]) != "stopped"
			t.close()
		case "quiesce":
			t.close()
			how := t.str(t.H.Value[i])
			t.rest = t.H.Outcome[i] == history.OutcomeEnd && (how == "settled" || how == "idle")
		default:
			t.close()
		}
	case kind == history.KindEffect && t.H.Outcome[i] != history.OutcomeApplied: // it changed nothing
	case works(kind):
		t.close()
		t.rest = false
		if kind == history.KindEffect {
			t.land(i)
		}
	}
	if i == t.last && !t.phases {
		t.close()
		t.rest = true
	}
}

// land books an effect to the accounts of its step.
func (t *tally) land(i uint32) {
	for _, k := range t.of[t.H.Step[i]] {
		a := &t.accounts[k]
		u, undo, value := t.col[i], t.H.Op[i] == t.undo, i
		inForce := a.done[u]
		if !undo {
			a.count++
			a.book(t, value, 1)
			a.done[u] = append(inForce, i)
			continue
		}
		a.count--
		n := len(inForce)
		if n > 0 {
			a.done[u] = inForce[:n-1]
		}
		if t.H.Value[i] == 0 && n > 0 {
			value = inForce[n-1]
		}
		if t.H.Value[value] != 0 || n > 0 {
			a.book(t, value, -1)
		}
	}
}

func (a *account) book(t *tally, i uint32, sign int64) {
	if text := t.str(t.H.Value[i]); !a.values.add(text, sign) && a.bad == nil {
		a.bad = &badValue{t.at(i), text}
	}
}

// read takes one number. A name that comes again begins another set.
func (t *tally) read(i uint32) {
	key := t.H.Key[i]
	if !t.terms[key] {
		return
	}
	for k := range t.sums {
		if s := &t.sums[k]; s.atomic && t.refs.ref(s.Terms[0].Observed) == key {
			t.evaluate(s, map[history.Ref]uint32{key: i}, []uint32{i})
		}
	}
	if _, again := t.set[key]; again {
		t.close()
	}
	t.set[key] = i
	t.order = append(t.order, i)
}

// close ends a set of readings: those of one look at the target, between which nothing happened.
func (t *tally) close() {
	if len(t.order) > 0 && t.rest {
		for k := range t.sums {
			if s := &t.sums[k]; !s.atomic {
				t.evaluate(s, t.set, t.order)
			}
		}
	}
	clear(t.set)
	t.order = t.order[:0]
}

// end judges what was read last, and totals that need no reading.
func (t *tally) end() {
	t.close()
	for k := range t.sums {
		s := &t.sums[k]
		if !s.atomic && !slices.ContainsFunc(s.Terms, func(term history.Term) bool { return term.Observed != "" }) && t.rest && t.H.Len() > 0 {
			t.evaluate(s, nil, []uint32{uint32(t.H.Len() - 1)})
		}
	}
}

// evaluate adds a total up and compares it. A set that lacks one of its terms is not one of this total.
func (t *tally) evaluate(s *claimedSum, set map[history.Ref]uint32, order []uint32) {
	if s.broken != "" {
		return
	}
	r := reading{value: new(big.Rat), at: t.at(order[0])}
	for _, term := range s.Terms {
		value, why := t.value(term, set, &r)
		if why != "" {
			s.broken = why
			return
		}
		if value == nil {
			return
		}
		if times, _ := claimed(term.Times); times.Sign() != 0 {
			value.Mul(value, times)
		}
		r.value.Add(r.value, value)
	}
	if len(r.events) == 0 {
		r.events = slices.Clone(order)
	}
	if t.phases {
		s.final = s.final || t.quiesceAt != none && order[0] > t.quiesceAt
	} else {
		s.final = s.final || t.afterWork(order[0])
	}
	s.compare(r)
}

// value is what a term comes to; nil where the set does not hold it.
func (t *tally) value(term history.Term, set map[history.Ref]uint32, r *reading) (value *big.Rat, why string) {
	value = new(big.Rat)
	if term.Observed != "" {
		i, ok := set[t.refs.ref(term.Observed)]
		if !ok {
			return nil, ""
		}
		read, ok := decimal(t.str(t.H.Value[i]))
		if !ok {
			return nil, fmt.Sprintf("%s was read as %q, which is no number", clip(term.Observed, 60), clip(t.str(t.H.Value[i]), 60))
		}
		r.events = append(r.events, i)
		value.Add(value, read)
	}
	for k := range t.accounts {
		a := &t.accounts[k]
		if term.Count == a.name {
			value.Add(value, new(big.Rat).SetInt64(a.count))
		}
		if term.Effects == a.name {
			if a.bad != nil {
				return nil, fmt.Sprintf("the value of an effect of %s at %s, %q, is no number", clip(a.name, 60), when(a.bad.at), clip(a.bad.text, 60))
			}
			value.Add(value, a.values.total())
		}
	}
	return value, ""
}
