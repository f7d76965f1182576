package checkers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

var boundedRetries = Guarantee{
	Name:    "bounded-retries",
	Promise: "What fails is tried again a bounded number of times, after waits that grow and are spread.",
	Finds: "More attempts of one unit's step than the claims allow (retries: max). An attempt is an execution that starts, where starts are " +
		"recorded, and otherwise a request at the sink, whatever became of it; each release by a person allows as many again, so does undoing the step where executions do not say (op) what they are for, and what the " +
		"harness delivered twice is the harness's. Two attempts with less than the least wait between them (base, factor, cap), by more " +
		"than a tenth of it and a millisecond, which is left to clocks and timers. Waits that are not spread (jitter): nine tenths or more of the " +
		"waits measured, at least eight, no two of them at the same time, that lie so close together that waits spread over as long as " +
		"the least wait itself would do so less than once in a thousand million runs. No wait is judged of a unit that was under way when a process " +
		"began, ended or paused, when a fault held messages up, or of which the harness repeated a message.",
	Needs: []string{history.FeedEffects + " or " + history.FeedStarts},
	Uses:  []string{history.FeedAudit},
	Check: checkBoundedRetries,
}

func checkBoundedRetries(c *Case) Judgement {
	const name = "bounded-retries"
	r := newRetrying(c)
	if len(r.bounds) == 0 {
		return Judgement{Guarantee: name, What: r.what, Status: NotTested, Reason: "the target claims no bound on retries: declare claims.retries"}
	}
	for u := range c.units {
		r.unit = u
		r.judge()
	}
	var limits []string
	for k := range r.bounds {
		limits = append(limits, r.bounds[k].judgeSpread(r)...)
	}
	j := c.judgement(name, r.what, r.checked, r.suspects)
	switch {
	case r.undecided != "":
		j = j.unknown(r.undecided)
	case j.Status == Holds || j.Status == NotTested && len(limits) > 0:
		j.Reason = list(limits)
	}
	return j
}

// attempt is one execution of a step of a unit, or the undoing of it.
type attempt struct {
	i     uint32
	step  history.Ref
	undo  bool
	chunk uint64 // of work that goes chunk by chunk
}

func (a attempt) compare(b attempt) int {
	undo := func(a attempt) int {
		if a.undo {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(undo(a), undo(b)), cmp.Compare(a.chunk, b.chunk))
}

// retryBound is one claim, and the waits that were measured under it.
type retryBound struct {
	history.Retries
	seen  int // steps of units that were attempted
	waits []wait
}

// wait is what lay between two attempts, as a share of the least that is claimed.
type wait struct {
	from, to uint32
	share    float64
}

// least is the claimed wait before the n-th attempt, from 2.
func (b *retryBound) least(n int) time.Duration {
	least, factor := float64(b.Base), b.Factor
	if !(factor >= 1) {
		factor = 1
	}
	least *= math.Pow(factor, float64(n-2))
	if b.Cap > 0 {
		least = min(least, float64(b.Cap))
	}
	return time.Duration(min(least, math.MaxInt64/2))
}

// retrying looks at the attempts of one unit after the other.
type retrying struct {
	*Case
	what      string
	bounds    []retryBound
	starts    bool // executions are recorded as they begin
	chunked   []string
	repeats   map[history.Unit]int // requests that the harness delivered again; those of no unit may be anybody's
	disturbed overlap              // when waits were cut short or prolonged, by sequence
	late      string               // why audit events may be missing

	unit     int
	undone   map[history.Ref]uint32 // steps of the unit -> when somebody first asked to undo them
	released int                    // how often a person is recorded to have let the unit go on

	checked   int
	suspects  []suspect
	undecided string
}

// harmless are the kinds of fault that hold no request up, so that what is asked later arrives later.
var harmless = []string{"drop-request", "drop-response", "lost-response", "late-response", "error-after", "duplicate"}

func newRetrying(c *Case) *retrying {
	r := &retrying{Case: c, what: "steps of " + c.nouns, starts: c.has(history.FeedStarts), repeats: make(map[history.Unit]int),
		late: c.trailMissing(), undone: make(map[history.Ref]uint32)}
	for k, claim := range c.claims.Retries {
		r.bounds = append(r.bounds, retryBound{Retries: claim, seen: c.whole.attempted(k)})
	}
	for _, claim := range c.claims.Checkpoints {
		r.chunked = append(r.chunked, claim.Step)
	}
	for k := range c.bites {
		b := &c.bites[k]
		r.repeats[c.col[b.i]] += min(max(b.Deliveries-1, 0), math.MaxInt32)
	}
	for k := range c.faults {
		if s := &c.faults[k]; !slices.Contains(harmless, s.kind) {
			from, to := s.holds(c)
			r.disturbed.add(int64(from), int64(to))
		}
	}
	for i, kind := range c.H.Kind {
		if kind == history.KindProcess {
			r.disturbed.add(int64(i), int64(i)+1)
		}
	}
	r.disturbed.sort()
	return r
}

// attempts lists those of the unit, and notes what else bears on them.
func (r *retrying) attempts() (list []attempt) {
	clear(r.undone)
	r.released = 0
	seen := make(map[[2]uint64]bool) // releases, which may be delivered again
	for _, i := range r.eventsOf(r.unit) {
		switch {
		case r.H.Kind[i] == history.KindEffect && r.H.Op[i] == r.undo:
			if _, known := r.undone[r.H.Step[i]]; !known {
				r.undone[r.H.Step[i]] = i
			}
		case r.H.Kind[i] == history.KindAudit && r.isRelease(i):
			seen[[2]uint64{uint64(r.H.Comp[i]), r.H.Token[i]}] = true
			r.released = len(seen)
		}
		a := attempt{i: i, step: r.H.Step[i], undo: r.H.Op[i] == r.undo}
		switch kind := r.H.Kind[i]; {
		case r.starts && kind == history.KindStart:
			if slices.Contains(r.chunked, r.str(a.step)) {
				a.chunk = r.H.Token[i]
			}
		case !r.starts && kind == history.KindEffect:
		default:
			continue
		}
		list = append(list, a)
	}
	slices.SortStableFunc(list, attempt.compare)
	return list
}

// isRelease tells that an audit event records that a person let a unit leave the state in which it was set aside.
func (r *retrying) isRelease(i uint32) bool {
	return slices.ContainsFunc(r.claims.Privileges, func(p history.Privilege) bool { return p.From != "" && p.Action == r.str(r.H.Op[i]) })
}

func (r *retrying) judge() {
	list := r.attempts()
	for len(list) > 0 {
		n := slices.IndexFunc(list, func(a attempt) bool { return a.compare(list[0]) != 0 })
		if n < 0 {
			n = len(list)
		}
		for k := range r.bounds {
			if b := &r.bounds[k]; b.Step == "" || b.Step == r.str(list[0].step) {
				b.seen++
				r.count(b, list[:n])
				r.measure(b, list[:n])
			}
		}
		list = list[n:]
	}
}

// count holds the number of attempts against its bound. A message that the harness repeated on its way to the step may have begun another row
// of attempts: where that could explain the number, nobody knows.
func (r *retrying) count(b *retryBound, list []attempt) {
	if b.Max <= 0 {
		return
	}
	r.checked++
	n, repeated := len(list), r.repeats[history.Unit(r.unit)]+r.repeats[history.NoUnit]
	rounds := 1
	if n-repeated > b.Max {
		rounds += r.released
		if r.mixed(list) {
			rounds++
		}
	}
	limit := saturated(b.Max, rounds)
	switch {
	case n-repeated <= limit:
	case n <= saturated(limit, 1+repeated):
		r.doubt(fmt.Sprintf("%s of %s was attempted %s, and the harness repeated messages", r.str(list[0].step), r.name(r.unit), times(n)))
	case len(r.claims.Privileges) > 0 && r.late != "":
		r.doubt(fmt.Sprintf("%s of %s was attempted %s, and whether it was released in between is not known: %s", r.str(list[0].step), r.name(r.unit),
			times(n), r.late))
	default:
		r.suspects = append(r.suspects, r.tooMany(limit, list))
	}
}

// saturated multiplies counts, up to more than any history has.
func saturated(a, b int) int {
	if a > math.MaxInt32 || b > math.MaxInt32 {
		return math.MaxInt
	}
	return a * b
}

func (r *retrying) doubt(why string) {
	if r.undecided == "" {
		r.undecided = why
	}
}

// measure holds the waits between attempts against the least that is claimed.
func (r *retrying) measure(b *retryBound, list []attempt) {
	if b.Base <= 0 || len(list) < 2 || r.repeats[history.Unit(r.unit)]+r.repeats[history.NoUnit] > 0 || r.released > 0 {
		return
	}
	if r.mixed(list) {
		return
	}
	u := r.unit
	first, told, judged := int64(r.eventsOf(u)[0]), false, false
	undone := none // to do a step after it was undone is no retry
	if i, ok := r.undone[list[0].step]; ok && !list[0].undo {
		undone = i
	}
	for k := range list[1:] {
		from, to := list[k].i, list[k+1].i
		if to > undone || r.disturbed.count(first, int64(to)+1) > 0 {
			break
		}
		least, took := b.least(k+2), r.at(to)-r.at(from)
		b.waits = append(b.waits, wait{from: from, to: to, share: float64(took) / float64(least)})
		judged = true
		if took >= least-least/10-time.Millisecond || told {
			continue
		}
		told = true
		r.suspects = append(r.suspects, suspect{unit: u, events: []uint32{from, to}, notes: map[uint32]string{to: "too early"}, say: func() string {
			return fmt.Sprintf("%s was attempted again for %s after %v: attempt %d began at %s and attempt %d at %s, and the least wait between them is %v",
				r.attempted(list[0]), r.name(u), briefly(took), k+1, when(r.at(from)), k+2, when(r.at(to)), briefly(least))
		}})
	}
	if judged && b.Max <= 0 {
		r.checked++
	}
}

// mixed tells that some executions may have been to undo the step: they do not say which.
func (r *retrying) mixed(list []attempt) bool {
	silent := func(a attempt) bool { return !a.undo && r.H.Op[a.i] != r.do }
	_, undone := r.undone[list[0].step]
	return r.starts && undone && slices.ContainsFunc(list, silent)
}

// attempted is what an attempt is of: "charge", "the undoing of charge".
func (r *retrying) attempted(a attempt) string {
	name := stepName(history.Step{Name: r.str(a.step)})
	if a.undo {
		name = "the undoing of " + name
	}
	if a.chunk > 0 {
		name = fmt.Sprintf("chunk %d of %s", a.chunk, name)
	}
	return name
}

// maxProof is how many events a finding about many attempts names.
const maxProof = 40

func (r *retrying) tooMany(limit int, list []attempt) suspect {
	u := r.unit
	events := make([]uint32, 0, maxProof)
	for _, a := range list[:min(limit+1, len(list), maxProof)] {
		events = append(events, a.i)
	}
	over := list[limit].i
	return suspect{unit: u, events: append(events, over), notes: map[uint32]string{over: "one too many"}, say: func() string {
		return fmt.Sprintf("%s was attempted %s for %s, from %s to %s, and the limit is %d", r.attempted(list[0]), times(len(list)), r.name(u),
			when(r.at(list[0].i)), when(r.at(list[len(list)-1].i)), limit)
	}}
}
