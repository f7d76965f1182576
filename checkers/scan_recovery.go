package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// recoveries is the rule for bounded-recovery. It puts in doubt the units whose events show how a fault was got over: the first operation
// that was begun after each heal, the first of these that succeeded, and what clients and the target did last before it came to rest.
type recoveries struct {
	loss         bool // what was lost is judged
	looks        []recoveryLook
	client, work history.Unit // of the last event of a client, and of the last that shows the target at work
	heals        []heal       // after which no operation has succeeded yet
	open         map[uint32]uint64
	begins       []int64 // times when faults began
}

// heal is the end of a fault.
type heal struct {
	seq   uint64
	asked bool // an operation was begun after it
}

type recoveryLook struct {
	width history.Place
	what  recoveryPart
	unit  bool
	actor bool
}

type recoveryPart uint8

const (
	recoversNothing recoveryPart = iota
	recoversCall
	recoversOK
	recoversAnswer
	recoversWork
	recoversBegin
	recoversHeal
	recoversRest
)

func newRecoveries(s *scan) listener {
	return &recoveries{loss: s.claims.Recovery.Loss != nil, client: history.NoUnit, work: history.NoUnit, open: make(map[uint32]uint64)}
}

func (r *recoveries) look(s *scan, x *history.Shape) recoveryLook {
	l := recoveryLook{width: x.Width(), unit: x.Has&history.HasUnit != 0, actor: x.Has&history.HasActor != 0}
	switch {
	case x.Kind == history.KindInvoke:
		l.what = recoversCall
	case x.Kind == history.KindOK:
		l.what = recoversOK
	case x.Kind == history.KindFail || x.Kind == history.KindInfo:
		l.what = recoversAnswer
	case works(x.Kind):
		l.what = recoversWork
	case x.Kind == history.KindFault && x.Outcome == history.OutcomeBegin:
		l.what = recoversBegin
	case x.Kind == history.KindFault && (x.Outcome == history.OutcomeEnd || x.Outcome == history.OutcomeHealed):
		l.what = recoversHeal // also of one that acts on messages: its kind is what its last event says
	case x.Kind == history.KindPhase && s.name(x.Op) == "quiesce":
		l.what = recoversRest
	}
	return l
}

func (r *recoveries) block(s *scan, b *history.Block) {
	r.looks = r.looks[:0]
	for k := range b.Shapes {
		r.looks = append(r.looks, r.look(s, &b.Shapes[k]))
	}
	var p history.Place
	for i, k := range b.Which {
		l := &r.looks[k]
		if l.what != recoversNothing {
			r.event(s, b, l, i, p)
		}
		p.Move(l.width)
	}
}

func (r *recoveries) event(s *scan, b *history.Block, l *recoveryLook, i int, p history.Place) {
	u, actor := history.NoUnit, uint32(0)
	if l.unit {
		u = b.Unit[p.Unit()]
	}
	if l.actor {
		actor = b.Actor[p.Actor()]
	}
	switch l.what {
	case recoversCall, recoversOK, recoversAnswer:
		r.client = u
		if len(r.heals) > 0 {
			r.operation(s, l.what, u, actor, b.First+uint64(i))
		}
	case recoversWork:
		r.work = u
	case recoversBegin:
		r.begins = append(r.begins, b.T[i])
	case recoversHeal:
		r.heals = append(r.heals, heal{seq: b.First + uint64(i)})
	case recoversRest:
		s.doubt(r.client)
		s.doubt(r.work)
	}
}

// operation follows operations that were begun after a heal, until one succeeds.
func (r *recoveries) operation(s *scan, what recoveryPart, u history.Unit, actor uint32, seq uint64) {
	if what == recoversCall {
		r.open[actor] = seq
		for k := range r.heals {
			if !r.heals[k].asked {
				r.heals[k].asked = true
				s.doubt(u)
			}
		}
		return
	}
	call, open := r.open[actor]
	delete(r.open, actor)
	if !open || what != recoversOK {
		return
	}
	left := slices.DeleteFunc(r.heals, func(h heal) bool { return h.seq < call })
	if len(left) < len(r.heals) {
		s.doubt(u)
	}
	if r.heals = left; len(left) == 0 {
		clear(r.open)
	}
}

func (r *recoveries) end(s *scan) {
	for _, h := range r.heals {
		s.giveUp = s.giveUp || h.asked // how long somebody waited in vain is seen from all operations
	}
	if !r.loss || len(r.begins) == 0 {
		return
	}
	s.tales.each(func(first history.Unit, page *[pageSize]tale) {
		for i := range page {
			x := &page[i]
			if s.all[x.life()].has(lifeAcked) && slices.Contains(r.begins, int64(x[okAt])) {
				s.doubt(first + history.Unit(i)) // before or after that, times do not tell
			}
		}
	})
}

func (r *recoveries) checked(*scan) int { return 0 }

// acknowledgedBefore counts the units beyond the part that were acknowledged before a time at which a fault began.
func (w *whole) acknowledgedBefore(t int64) (n int) {
	if w == nil {
		return 0
	}
	w.tales.each(func(_ history.Unit, page *[pageSize]tale) {
		for i := range page {
			x := &page[i]
			if w.all[x.life()].flags&(inDoubt|lifeAcked) == lifeAcked && int64(x[okAt]) < t {
				n++
			}
		}
	})
	return n
}
