package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
)

// class says how the page draws a row. The numbers are the ones in page/charts.js.
type class uint8

const (
	classOK class = iota
	classFail
	classInfo
	classOpen // an operation that nobody ever answered: it lasts to the end of the history
	classApplied
	classDeduplicated
	classRefused
	classAudit
	classExecution // start, finish, an exchange of a unit that a finding is about
	classDown      // a component that was not there
	classPaused
	classProcess // started, ready
	classBite    // an exchange that a fault touched
	numClasses
)

// maxClientLanes is how many lanes the clients get; more clients than that share them.
const maxClientLanes = 64

// row is one thing that the charts draw: a client operation with its duration, or a point.
type row struct {
	t, d    int64 // ns
	unit    uint32
	seq     uint32
	lane    uint16
	name    uint16
	finding uint16 // 1 is the first finding of the page, 0 none
	class   class
	attempt uint8
}

// rowSet is a history as the charts need it: sorted by time, with the words it uses as tables.
type rowSet struct {
	rows  []row
	all   int // how many there were before thinning
	lanes []string
	names []string
	end   int64
	count [numClasses]int
}

// gather turns a history into rows. Operations become bars, effects, audit events and executions points, and the time in which a
// component was down or paused a bar in its lane. Events that prove a finding are marked with its number. A history holds several
// exchanges for each operation, and most say nothing that its operation does not: those of the units of the findings are points, and
// those that a fault touched, at the instant at which it did.
func gather(h *history.History, fs []checkers.Finding, faults []checkers.FaultResult, most int) *rowSet {
	g := &gatherer{h: h, set: &rowSet{}, names: map[string]uint16{}, comps: map[history.Ref]uint16{}, proof: map[uint64]uint16{},
		bites: map[uint64]checkers.Bite{}}
	for _, f := range faults {
		for _, b := range f.Bites {
			g.bites[b.Seq] = b
		}
	}
	for i, f := range fs {
		for _, seq := range f.Events {
			if _, ok := g.proof[seq]; !ok && i < 1<<16-1 {
				g.proof[seq] = uint16(i + 1)
			}
		}
	}
	g.units = g.touched()
	g.clients()
	g.walk()
	s := g.set
	if !slices.IsSortedFunc(s.rows, byTime) {
		slices.SortStableFunc(s.rows, byTime)
	}
	s.all = len(s.rows)
	s.thin(g.units, most)
	for _, r := range s.rows {
		s.count[r.class]++
	}
	return s
}

func byTime(a, b row) int { return cmp.Compare(a.t, b.t) }

type gatherer struct {
	h     *history.History
	set   *rowSet
	names map[string]uint16
	comps map[history.Ref]uint16   // component -> lane
	actor map[uint32]uint16        // client -> lane
	proof map[uint64]uint16        // seq -> finding
	bites map[uint64]checkers.Bite // seq -> what a fault did there
	units map[uint32]bool          // those that the findings are about
	open  map[uint32]int           // client -> row of its open operation
	gone  map[uint16]int           // lane -> row of the component's absence
}

// clients gives each client a lane, in the order of their numbers.
func (g *gatherer) clients() {
	g.actor, g.open, g.gone = map[uint32]uint16{}, map[uint32]int{}, map[uint16]int{}
	var ids []uint32
	for i, k := range g.h.Kind {
		if k == history.KindInvoke {
			if _, ok := g.actor[g.h.Actor[i]]; !ok {
				g.actor[g.h.Actor[i]] = 0
				ids = append(ids, g.h.Actor[i])
			}
		}
	}
	slices.Sort(ids)
	per := (len(ids) + maxClientLanes - 1) / maxClientLanes
	for i, id := range ids {
		lane := i / per
		g.actor[id] = uint16(lane)
		switch {
		case lane < len(g.set.lanes):
		case per == 1:
			g.set.lanes = append(g.set.lanes, fmt.Sprintf("client %d", id))
		default:
			g.set.lanes = append(g.set.lanes, fmt.Sprintf("clients %d–%d", id, ids[min(i+per, len(ids))-1]))
		}
	}
}

func (g *gatherer) walk() {
	h := g.h
	g.set.rows = make([]row, 0, h.Len()/2+16)
	for i := range h.Len() {
		g.set.end = max(g.set.end, h.T[i])
		switch h.Kind[i] {
		case history.KindInvoke:
			g.open[h.Actor[i]] = g.add(i, g.actor[h.Actor[i]], classOpen, h.Strings[h.Op[i]])
		case history.KindOK, history.KindFail, history.KindInfo:
			g.answer(i)
		case history.KindEffect:
			g.effect(i)
		case history.KindAudit:
			g.add(i, g.component(i), classAudit, "audit "+h.Strings[h.Op[i]])
		case history.KindStart:
			g.add(i, g.component(i), classExecution, "starts "+h.Strings[h.Step[i]])
		case history.KindFinish:
			g.add(i, g.component(i), classExecution, "finishes "+h.Strings[h.Step[i]])
		case history.KindExchange:
			g.exchange(i)
		case history.KindProcess:
			g.process(i)
		}
	}
	for _, at := range g.open {
		g.set.rows[at].d = g.set.end - g.set.rows[at].t
	}
	for _, at := range g.gone {
		g.set.rows[at].d = g.set.end - g.set.rows[at].t
	}
}

func (g *gatherer) add(i int, lane uint16, c class, name string) int {
	h := g.h
	g.set.rows = append(g.set.rows, row{
		t: h.T[i], unit: uint32(h.Unit[i]), seq: uint32(i), lane: lane, name: g.name(name), finding: g.proof[uint64(i)], class: c,
		attempt: uint8(min(h.Attempt[i], 255)),
	})
	return len(g.set.rows) - 1
}

// answer ends the open operation of a client. An answer to nothing, in a history from elsewhere, is a point of its own.
func (g *gatherer) answer(i int) {
	h := g.h
	c := map[history.Kind]class{history.KindOK: classOK, history.KindFail: classFail, history.KindInfo: classInfo}[h.Kind[i]]
	at, ok := g.open[h.Actor[i]]
	if !ok {
		lane, known := g.actor[h.Actor[i]]
		if !known {
			lane = g.lane(fmt.Sprintf("client %d", h.Actor[i]))
			g.actor[h.Actor[i]] = lane
		}
		g.add(i, lane, c, h.Strings[h.Op[i]])
		return
	}
	delete(g.open, h.Actor[i])
	r := &g.set.rows[at]
	r.class, r.d = c, max(0, h.T[i]-r.t)
	if r.finding == 0 {
		r.finding = g.proof[uint64(i)]
	}
}

func (g *gatherer) effect(i int) {
	h := g.h
	c, what := classApplied, "applied"
	switch h.Outcome[i] {
	case history.OutcomeDeduplicated:
		c, what = classDeduplicated, "deduplicated"
	case history.OutcomeRefused:
		c, what = classRefused, "refused"
	}
	g.add(i, g.component(i), c, strings.TrimSpace(h.Strings[h.Op[i]]+" "+h.Strings[h.Step[i]])+", "+what)
}

func (g *gatherer) exchange(i int) {
	h := g.h
	if b, ok := g.bites[uint64(i)]; ok {
		name := exchangeName(b)
		if b.Did != "" {
			name += ": " + b.Did
		}
		g.set.rows[g.add(i, g.component(i), classBite, name)].t = int64(b.T)
	} else if g.units[uint32(h.Unit[i])] {
		g.add(i, g.component(i), classExecution, h.Strings[h.Op[i]])
	}
}

// process turns the instants at which a component went and came back into bars.
func (g *gatherer) process(i int) {
	lane := g.component(i)
	at, away := g.gone[lane]
	switch h := g.h; h.Outcome[i] {
	case history.OutcomeKilled, history.OutcomeTerminated, history.OutcomeExited:
		if !away {
			g.gone[lane] = g.add(i, lane, classDown, "down")
		} else if g.set.rows[at].class == classPaused { // killed while it was paused
			g.set.rows[at].d = h.T[i] - g.set.rows[at].t
			g.gone[lane] = g.add(i, lane, classDown, "down")
		}
	case history.OutcomePaused:
		if !away {
			g.gone[lane] = g.add(i, lane, classPaused, "paused")
		}
	case history.OutcomeReady, history.OutcomeResumed:
		if away {
			g.set.rows[at].d = max(0, h.T[i]-g.set.rows[at].t)
			delete(g.gone, lane)
		} else {
			g.add(i, lane, classProcess, "ready")
		}
	case history.OutcomeStarted:
		g.add(i, lane, classProcess, "started")
	}
}

func (g *gatherer) component(i int) uint16 {
	ref := g.h.Comp[i]
	lane, ok := g.comps[ref]
	if !ok {
		lane = g.lane(firstOf(g.h.Strings[ref], "elsewhere"))
		g.comps[ref] = lane
	}
	return lane
}

// lane adds a lane. A history with more components than lanes can be counted has its last ones in one.
func (g *gatherer) lane(name string) uint16 {
	if len(g.set.lanes) < 256 {
		g.set.lanes = append(g.set.lanes, clip(line(name), 60))
	}
	return uint16(len(g.set.lanes) - 1)
}

// name interns a word of a row. Histories from elsewhere may have as many words as events: what does not fit is "other".
func (g *gatherer) name(s string) uint16 {
	n, ok := g.names[s]
	if ok {
		return n
	}
	if len(g.set.names) >= 4000 {
		return uint16(len(g.set.names) - 1)
	}
	n = uint16(len(g.set.names))
	g.names[s] = n
	word := clip(line(s), 120)
	if n == 3999 {
		word = "other"
	}
	g.set.names = append(g.set.names, word)
	return n
}

// touched are the units that the findings are about.
func (g *gatherer) touched() map[uint32]bool {
	units := map[uint32]bool{}
	for seq := range g.proof {
		if seq < uint64(g.h.Len()) && g.h.Unit[seq] != history.NoUnit {
			units[uint32(g.h.Unit[seq])] = true
		}
	}
	return units
}

// thin keeps at most that many rows: everything about a unit of a finding and every process, and of the rest each n-th, so that
// the share of what failed stays what it was.
func (s *rowSet) thin(units map[uint32]bool, most int) {
	if len(s.rows) <= most {
		return
	}
	must := func(r row) bool { return r.finding > 0 || units[r.unit] || r.class >= classDown }
	rest := 0
	for _, r := range s.rows {
		if !must(r) {
			rest++
		}
	}
	room := max(0, most-(len(s.rows)-rest))
	kept := s.rows[:0]
	seen := 0
	for _, r := range s.rows {
		if !must(r) {
			// One of each rest/room, evenly spread: the quotient moves on exactly room times.
			seen++
			if seen*room/rest == (seen-1)*room/rest {
				continue
			}
		}
		if len(kept) < most {
			kept = append(kept, r)
		}
	}
	s.rows = kept
}
