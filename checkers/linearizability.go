package checkers

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/wreckon/wreckon/history"
)

var linearizableState = Guarantee{
	Name:    "linearizable-state",
	Promise: "What clients read and update of a unit looks as if it happened one operation at a time.",
	Finds: "Submits, reads and conditional updates of one unit that no order explains which respects what came before what: a read " +
		"that goes back behind an earlier one, a unit that leaves its end, an update that was accepted for a version already passed, " +
		"or refused for the version it named, a note that nobody wrote or that a later read no longer shows. What the unit is found to be " +
		"at the end is one more read: no older than anything that was answered before, the same where the version is the same, and no " +
		"newer than updates can have made a unit that had ended. Where every answer names a version, the versions are the order and any unit is decided. Where one does not, the unit is a small history of its own, " +
		"searched with Porcupine in a bounded time and memory; one that could not be decided is named.",
	Needs: []string{history.FeedReads},
	Check: checkLinearizable,
}

const (
	maxCalls       = 1000             // operations of one unit; the search keeps a bit of each, for each step it tries
	searchMemory   = 64 << 20         // bytes of one search, about
	perStep        = 192              // bytes of one step tried, beside the bits
	unitTime       = time.Second      // of one search
	searchFallback = 10 * time.Second // of all, where the spec does not say
	maxNarrowed    = 100              // units whose first bad answer is looked for
	maxPictured    = 40               // operations that a person can still see in a picture
	pictureTime    = 200 * time.Millisecond
)

// decision is what became of one unit.
type decision struct {
	unit   int
	list   []call // what was searched
	states interned
	legal  bool
	reason string // why it could not be decided
}

func checkLinearizable(c *Case) Judgement {
	const name = "linearizable-state"
	var units []int
	for u := range c.units {
		if c.units[u].touched != none && len(c.operationsOf(u)) > 1 {
			units = append(units, u)
		}
	}
	budget := c.budget
	if budget <= 0 {
		budget = searchFallback
	}
	ctx, cancel := context.WithTimeout(c.ctx, budget)
	defer cancel()
	decisions := c.decide(ctx, units)
	var suspects []suspect
	var undecided []decision
	checked := 0
	for _, d := range decisions {
		switch {
		case d.reason != "":
			undecided = append(undecided, d)
			continue
		case !d.legal:
			if len(suspects) < maxNarrowed {
				suspects = append(suspects, c.unexplained(ctx, d))
			} else {
				suspects = append(suspects, c.unordered(d))
			}
		}
		checked++
	}
	j := c.judgement(name, c.nouns+" with more than one operation", checked, suspects)
	if len(undecided) > 0 {
		d := undecided[0]
		reason := fmt.Sprintf("%s could not be decided: %s", c.name(d.unit), d.reason)
		if more := len(undecided) - 1; more > 0 {
			reason += fmt.Sprintf(" (and %d more)", more)
		}
		j = j.unknown(reason)
	}
	return j
}

// decide searches each unit, as many at a time as there are processors: Porcupine itself would start them all at once, and
// their memory adds up.
func (c *Case) decide(ctx context.Context, units []int) []decision {
	decisions := make([]decision, len(units))
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Value
	for range min(runtime.GOMAXPROCS(0), len(units)) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					failed.CompareAndSwap(nil, fmt.Sprint(p)) // the first; the type must always be the same
				}
			}()
			for {
				k := int(next.Add(1)) - 1
				if k >= len(units) {
					return
				}
				decisions[k] = c.decideUnit(ctx, units[k])
			}
		})
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		panic(p) // in the goroutine whose caller turns it into an unknown
	}
	return decisions
}

func (c *Case) decideUnit(ctx context.Context, u int) decision {
	d := decision{unit: u}
	list, versions := c.calls(u, &d.states)
	d.legal, d.reason = explained(ctx, list, versions)
	if !d.legal {
		d.list = list
	}
	return d
}

// explained tells whether some order explains the calls; a reason, where it gave up. Where the answers name versions these are the order,
// and where one does not, the order has to be searched: unless it lies at hand, or the notes alone show that there is none.
func explained(ctx context.Context, list []call, versions bool) (legal bool, reason string) {
	switch {
	case ctx.Err() != nil:
		return false, "the time for all searches was used up"
	case versions:
		return ordered(ctx, list)
	case endDenied(list) >= 0:
		return false, ""
	case witness(list):
		return true, ""
	case !notesExplained(list):
		return false, ""
	case len(list) > maxCalls:
		return false, fmt.Sprintf("it has %d operations, and the limit is %d", len(list), maxCalls)
	}
	return search(ctx, list, versions)
}

// search tries every order that respects time, as Porcupine does it.
func search(ctx context.Context, list []call, versions bool) (legal bool, reason string) {
	timeout := unitTime
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(min(time.Until(deadline), unitTime), time.Nanosecond)
	}
	s := searcher{ctx: ctx, versions: versions, left: searchMemory / (perStep + len(list)/8)}
	switch result := porcupine.CheckOperationsTimeout(s.model(), operations(list), timeout); {
	case result == porcupine.Ok:
		return true, ""
	case result == porcupine.Unknown || ctx.Err() != nil:
		return false, fmt.Sprintf("the search over %d operations did not end within %v", len(list), timeout.Round(time.Millisecond))
	case s.exhausted.Load():
		return false, fmt.Sprintf("the search over %d operations needs more than %d MB", len(list), searchMemory>>20)
	}
	return false, ""
}

func operations(list []call) []porcupine.Operation {
	out := make([]porcupine.Operation, len(list))
	for k := range list {
		out[k] = porcupine.Operation{Input: &list[k].lifeOp, Call: list[k].begin, Return: list[k].end}
	}
	return out
}

// longest gives each call its place, from 1, in the longest order that Porcupine finds for some of them; 0 where it has none. It is
// empty where there is too much to search, or too much to see.
func longest(ctx context.Context, list []call, versions bool) []int {
	if len(list) > maxPictured || ctx.Err() != nil {
		return nil
	}
	if !versions && endDenied(list) >= 0 { // the end has no place, and a search that knows of no versions would give it one
		end := slices.IndexFunc(list, func(x call) bool { return x.final })
		places := longest(ctx, slices.Delete(slices.Clone(list), end, end+1), versions)
		if len(places) > 0 {
			places = slices.Insert(places, end, 0)
		}
		return places
	}
	s := searcher{ctx: ctx, versions: versions, left: searchMemory / (perStep + len(list)/8)}
	_, info := porcupine.CheckOperationsVerbose(s.model(), operations(list), pictureTime)
	var best []int
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, order := range partition { // Porcupine has them in no order
			indices := make([]int, len(order))
			for n, o := range order {
				for k := range list {
					if &list[k].lifeOp == o.Input {
						indices[n] = k
					}
				}
			}
			if len(indices) > len(best) || len(indices) == len(best) && slices.Compare(indices, best) < 0 {
				best = indices
			}
		}
	}
	if len(best) == 0 {
		return nil
	}
	places := make([]int, len(list))
	for n, k := range best {
		places[k] = n + 1
	}
	return places
}

// witness tries the one order that explains nearly every unit: operations in the order of their answers, a submit without an answer
// at its call, an amendment without one not at all. The order respects time, since a comes before b wherever a had ended when b
// began; so if each operation is legal in it, it is the proof that the unit is linearizable, and no search is needed. If not,
// nothing is known.
func witness(list []call) bool {
	order := make([]int, 0, len(list))
	for k := range list {
		if !list[k].info || list[k].kind == lifeSubmit {
			order = append(order, k)
		}
	}
	at := func(k int) int64 {
		if list[k].info {
			return list[k].begin
		}
		return list[k].end
	}
	slices.SortFunc(order, func(a, b int) int { return int(at(a) - at(b)) })
	var s lifeState
	for _, k := range order {
		next, ok := s.step(&list[k].lifeOp, false)
		if !ok {
			return false
		}
		s = next
	}
	return true
}

// searcher is the model as Porcupine wants it, with a bound on the steps that it takes.
type searcher struct {
	ctx       context.Context
	versions  bool
	left      int // steps; used by one goroutine: a search has one partition
	exhausted atomic.Bool
}

var stateSeed = maphash.MakeSeed()

func (s *searcher) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return lifeState{} },
		StepContext: func(ctx context.Context, state, input, _ any) (bool, any) {
			if s.left--; s.left < 0 {
				s.exhausted.Store(true) // every step is illegal from here on, so that the search unwinds
			}
			if s.exhausted.Load() || s.ctx.Err() != nil {
				return false, state
			}
			next, ok := state.(lifeState).step(input.(*lifeOp), s.versions)
			return ok, next
		},
		Equal: func(a, b any) bool { return a.(lifeState) == b.(lifeState) },
		Hash:  func(state any) uint64 { return maphash.Comparable(stateSeed, state.(lifeState)) },
	}
}

// unexplained narrows a unit that no order explains to the first answer that made it so.
func (c *Case) unexplained(ctx context.Context, d decision) suspect {
	list := d.list
	ends := make([]int64, 0, len(list))
	for k := range list {
		if !list[k].info {
			ends = append(ends, list[k].end)
		}
	}
	slices.Sort(ends)
	_, versions := c.calls(d.unit, &interned{})
	// Whatever can be explained can be explained up to any earlier instant, so that the first bad answer is found by halving.
	first := sort.Search(len(ends), func(k int) bool {
		if k == len(ends)-1 {
			return true
		}
		legal, reason := explained(ctx, upTo(list, ends[k], int64(c.H.Len())), versions)
		return !legal && reason == ""
	})
	if first == len(ends) {
		return c.unordered(d)
	}
	culprit := slices.IndexFunc(list, func(x call) bool { return !x.info && x.end == ends[first] })
	return c.inexplicable(ctx, d, list, culprit, versions)
}

// unordered is a finding that is not narrowed.
func (c *Case) unordered(d decision) suspect {
	events := make([]uint32, 0, len(d.list))
	for _, x := range d.list {
		events = append(events, x.op.call)
	}
	return suspect{unit: d.unit, events: events, say: func() string { return "no order of its operations explains " + c.name(d.unit) }}
}

// upTo is what was known at an instant: an operation that had not been answered yet may have happened or not.
func upTo(list []call, end, forever int64) (known []call) {
	for _, x := range list {
		if x.begin > end {
			continue
		}
		if x.end > end {
			if x.kind != lifeSubmit && x.kind != lifeAmend {
				continue
			}
			x.info, x.end = true, forever
		}
		known = append(known, x)
	}
	return known
}

// inexplicable says what is wrong with an answer: beside the earlier one that it contradicts, where there is one.
func (c *Case) inexplicable(ctx context.Context, d decision, list []call, culprit int, versions bool) suspect {
	bad := list[culprit]
	events := []uint32{bad.op.call, bad.op.ret}
	against := -1
	for k, x := range list {
		if k == culprit || x.info {
			continue
		}
		if bothTaken(&x.lifeOp, &bad.lifeOp) || x.end < bad.begin && contradict(&x.lifeOp, &bad.lifeOp, versions) {
			if against < 0 || x.end > list[against].end {
				against = k
			}
		}
	}
	if by := endDenied(list); bad.final && by >= 0 {
		against = by
	}
	if against >= 0 {
		events = append(events, list[against].op.call, list[against].op.ret)
	}
	picture := func() []Ordered {
		known := upTo(list, bad.end, int64(c.H.Len()))
		return c.pictured(known, longest(ctx, known, versions)) // as long as there is time: the finding does not hang on it
	}
	return suspect{unit: d.unit, events: events, notes: map[uint32]string{bad.op.ret: "cannot be"}, order: picture, say: func() string {
		if against < 0 {
			return fmt.Sprintf("%s: %s, and no order of what was done to it explains that", c.name(d.unit), c.saw(bad, false))
		}
		return fmt.Sprintf("%s: %s, although %s", c.name(d.unit), c.saw(bad, false), c.saw(list[against], true))
	}}
}

// bothTaken tells of two updates that were both accepted for the same version: whichever came first, the other's was gone.
func bothTaken(a, b *lifeOp) bool {
	return a.kind == lifeAmend && b.kind == lifeAmend && a.expected == b.expected && a.expected > 0
}

// contradict tells that b, begun after a was answered, cannot be whatever else happened.
func contradict(a, b *lifeOp, versions bool) bool {
	switch {
	case b.kind == lifeAbsent:
		return a.kind != lifeAbsent
	case a.kind == lifeAbsent || b.kind == lifeSubmit:
		return false
	case b.kind == lifeAmend && versions:
		return b.version != b.expected+1 || b.expected < a.version
	case b.kind == lifeRefused:
		return b.version == b.expected || b.version < a.version
	}
	if a.kind == lifeRead && b.kind == lifeRead && a.life.final() && a.state != b.state {
		return true
	}
	if !versions || a.version > b.version {
		return versions
	}
	return a.version == b.version && a.kind == lifeRead && b.kind == lifeRead && (a.state != b.state || a.noted && b.noted && a.note != b.note)
}

// saw says what an operation's client did and learned, or, for the one that came before, had.
func (c *Case) saw(x call, before bool) string {
	e := c.H.Event(int(x.op.ret))
	had := ""
	if before {
		had = "had "
	}
	version := ""
	if e.Token > 0 {
		version = fmt.Sprintf(", version %d,", e.Token)
	}
	state, note, _ := strings.Cut(e.Value, "|")
	state = clip(state, 60)
	who, at := client(c.H.Actor[x.op.call]), when(e.T)
	switch {
	case x.final:
		if note != "" {
			state += fmt.Sprintf(" with the note %q", clip(note, 60))
		}
		return fmt.Sprintf("at the end it was found %s%s at %s", state, version, at)
	case x.kind == lifeSubmit:
		return fmt.Sprintf("%s %sgot an ok for it (%s%s at %s)", who, had, state, version, at)
	case x.kind == lifeAmend:
		return fmt.Sprintf("%s %supdated version %d at %s, and that was accepted", who, had, x.expected, at)
	case x.kind == lifeRefused:
		return fmt.Sprintf("%s %supdated version %d at %s, and was told that it is version %d", who, had, x.expected, at, x.version)
	case note != "":
		state += fmt.Sprintf(" with the note %q", clip(note, 60))
	}
	return fmt.Sprintf("%s %sread %s%s at %s", who, had, state, version, at)
}
