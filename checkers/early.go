package checkers

import (
	"fmt"
	"slices"
	"sync"

	"github.com/wreckon/wreckon/history"
)

// Early looks, while a run goes on, for what no later event can make right again: a step in force twice, an effect that nobody had asked
// for, one with an older token than its sink was shown before, a unit that left its end. It finds nothing that Judge does not find in
// the whole history, unless it is learnt only then that something was missed, and much less: whatever is told after the fact (audit
// events, final states) it leaves to Judge.
//
// It sees each event as it is recorded, from any goroutine, and changes none. An event that cannot show anything costs a comparison.
type Early struct {
	mu     sync.Mutex
	noun   string
	prefix string
	ends   map[string]bool // states that nothing leaves
	steps  []string
	once   []bool // steps that promise not to be in force twice
	fenced []bool // steps whose tokens guard one unit
	pages  []*glimpses
	states []string // seen as an end, numbered from 1 in units and known
	known  []byte   // client -> the end of the unit that it reads, when it began to
}

// glimpse is what is known of one unit so far.
type glimpse struct {
	asked bool
	end   byte // the state that it ended in; 0: nobody has read one
}

// glimpses are those of units that follow each other. A run has ever more units: what is known of some is not copied to make room for others.
type glimpses struct {
	units  [glimpsed]glimpse
	landed []landed // unit by unit, step by step
}

const glimpsed = 1 << 12

// landed is what is known of one step of a unit.
type landed struct {
	inForce int32
	token   uint64 // the newest that was shown
}

// NewEarly looks at a run of a target with these claims.
func NewEarly(claims history.Claims) *Early {
	v := newVocabulary(history.New(history.Header{Claims: claims}), nil)
	e := &Early{noun: claims.Unit, prefix: claims.Prefix, ends: map[string]bool{}}
	if e.noun == "" {
		e.noun = "unit"
	}
	for i, name := range v.stateNames {
		if v.stateKinds[i].final() && len(claims.States.Next[name]) == 0 {
			e.ends[name] = true
		}
	}
	for _, s := range v.steps {
		e.steps, e.once = append(e.steps, s.Name), append(e.once, judgedOnce(s))
		e.fenced = append(e.fenced, slices.ContainsFunc(claims.Fencing, func(f history.Fencing) bool {
			return f.Step == s.Name && (f.Resource == "" || f.Resource == "unit")
		}))
	}
	return e
}

// See takes an event, and gives what it proves: the guarantee that is violated, and how. Empty: nothing.
func (w *Early) See(e *history.Event) string {
	if e.Unit == history.NoUnit {
		w.missed(e)
		return ""
	}
	switch e.Kind {
	case history.KindInvoke, history.KindEffect:
	case history.KindOK:
		if e.Op != "read" {
			return ""
		}
	default:
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	page := w.page(e.Unit)
	if page == nil {
		return "" // an id that was never issued
	}
	x := &page.units[e.Unit%glimpsed]
	switch e.Kind {
	case history.KindInvoke:
		w.invoked(x, e)
	case history.KindEffect:
		return w.effect(page, x, e)
	case history.KindOK:
		return w.read(x, e)
	}
	return ""
}

// page gives the glimpses that a unit is among; nil where it is far beyond all others, since a run numbers its units densely.
func (w *Early) page(u history.Unit) *glimpses {
	k := int(u / glimpsed)
	if k > len(w.pages)+1<<8 {
		return nil
	}
	for k >= len(w.pages) {
		w.pages = append(w.pages, nil)
	}
	if w.pages[k] == nil {
		w.pages[k] = &glimpses{landed: make([]landed, glimpsed*len(w.steps))}
	}
	return w.pages[k]
}

// missed forgets what is in force where effects may have gone unseen: it may have been undone.
func (w *Early) missed(e *history.Event) {
	if e.Kind != history.KindObserve || e.Op != "missed" || e.Key != history.FeedEffects {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, page := range w.pages {
		if page != nil {
			for k := range page.landed {
				page.landed[k].inForce = 0
			}
		}
	}
}

func (w *Early) invoked(x *glimpse, e *history.Event) {
	x.asked = x.asked || e.Op == "submit"
	if e.Op != "read" || e.Actor > 1<<16 {
		return
	}
	for int(e.Actor) >= len(w.known) {
		w.known = append(w.known, 0)
	}
	w.known[e.Actor] = x.end
}

func (w *Early) effect(page *glimpses, x *glimpse, e *history.Event) string {
	s := slices.Index(w.steps, e.Step)
	if s < 0 {
		return ""
	}
	l := &page.landed[int(e.Unit%glimpsed)*len(w.steps)+s]
	applied := e.Outcome == history.OutcomeApplied
	if w.fenced[s] && e.Token > 0 {
		if applied && e.Token < l.token {
			return w.says("fencing", e, fmt.Sprintf("%s was applied with token %d after token %d", e.Step, e.Token, l.token))
		}
		l.token = max(l.token, e.Token)
	}
	switch {
	case !applied:
	case !x.asked:
		return w.says("no-phantom-effects", e, e.Step+" was applied, and nobody has asked for it")
	case e.Op == "undo":
		l.inForce--
	default:
		if l.inForce++; l.inForce > 1 && w.once[s] {
			return w.says("no-duplicate-effects", e, e.Step+" is in force twice")
		}
	}
	return ""
}

// read compares an answer with what had been read of the unit before it was asked for.
func (w *Early) read(x *glimpse, e *history.Event) string {
	state := stateIn(e.Value)
	if int(e.Actor) < len(w.known) {
		if before := w.known[e.Actor]; before > 0 && w.states[before-1] != state {
			return w.says("legal-lifecycle", e, fmt.Sprintf("it is shown as %s after it was shown as %s", clip(state, 40), w.states[before-1]))
		}
	}
	if x.end == 0 && w.ends[state] {
		n := slices.Index(w.states, state)
		if n < 0 {
			n, w.states = len(w.states), append(w.states, state)
		}
		x.end = byte(n + 1)
	}
	return ""
}

func (w *Early) says(guarantee string, e *history.Event, what string) string {
	return fmt.Sprintf("%s: %s %s: %s", guarantee, w.noun, history.UnitID(w.prefix, e.Unit), what)
}
