package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// fences is the rule for fencing: what was shown of each resource was never older than what it had been shown before, and nobody worked
// with a token that another had begun to work with.
type fences struct {
	claims []history.Fencing
	looks  []fenceLook
	shows  [maxSteps]bool          // of each step: its effects carry tokens
	units  recent[fenced]          // of a unit's step
	steps  int                     // that each unit has there
	others map[resource]*fencedFar // what is not of one unit
}

// resource is what the tokens of a claim guard.
type resource struct {
	claim int
	id    uint64
}

// fenced is what is known of one resource.
type fenced struct {
	landed, begun uint64 // the newest token of effects, of executions
	held          uint64 // the token that was last begun to work with
	component     history.Ref
	actor         uint32 // by whom
}

// fencedFar is the same of a resource that many units share, with the units that showed it.
type fencedFar struct {
	fenced
	landedBy, begunBy history.Unit
	before            [4]fenced // who held tokens before
}

// mostResources bounds what is held of resources that many units share.
const mostResources = 1 << 20

type fenceLook struct {
	width   history.Place
	claim   int // -1: none speaks of such events
	step    int
	kind    history.Kind
	applied bool
	token   bool
	unit    bool
	far     bool
	per     string
	by      history.Ref // component
	has     history.Columns
}

func newFences(s *scan) listener {
	return &fences{claims: s.claims.Fencing, steps: min(max(len(s.claims.Steps), 1), lifeSteps), units: newRecent[fenced](s.r.Len()),
		others: make(map[resource]*fencedFar)}
}

// speaks finds the claim that speaks of a step; -1: none does.
func (f *fences) speaks(s *scan, step string) int {
	if k := slices.IndexFunc(f.claims, func(c history.Fencing) bool { return c.Step == step && step != "" }); k >= 0 {
		return k
	}
	v := Case{vocabulary: s.vocabulary}
	if slices.Contains(v.numbered(), step) {
		return -1
	}
	return slices.IndexFunc(f.claims, func(c history.Fencing) bool { return c.Step == "" })
}

func (f *fences) look(s *scan, x *history.Shape) fenceLook {
	l := fenceLook{width: x.Width(), claim: -1, kind: x.Kind, applied: x.Outcome == history.OutcomeApplied, token: x.Has&history.HasToken != 0,
		unit: x.Has&history.HasUnit != 0, by: x.Component, has: x.Has}
	if x.Kind != history.KindEffect && x.Kind != history.KindStart {
		return l
	}
	if l.step = s.stepNamed(s.name(x.Step)); l.step < 0 {
		s.unsaid = s.unsaid || x.Step == 0
		return l
	}
	if l.claim = f.speaks(s, s.steps[l.step].Name); l.claim >= 0 {
		l.per = coalesce(f.claims[l.claim].Resource, "unit")
		l.far = l.per != "unit"
	}
	return l
}

func (f *fences) block(s *scan, b *history.Block) {
	f.looks = f.looks[:0]
	for k := range b.Shapes {
		f.looks = append(f.looks, f.look(s, &b.Shapes[k]))
	}
	var p history.Place
	for _, k := range b.Which {
		if l := &f.looks[k]; l.claim >= 0 {
			f.event(s, b, l, p)
		}
		p.Move(f.looks[k].width)
	}
}

func (f *fences) event(s *scan, b *history.Block, l *fenceLook, p history.Place) {
	u, token := history.NoUnit, uint64(0)
	if l.unit {
		u = b.Unit[p.Unit()]
	}
	if l.token {
		token = b.Token[p.Token()]
	}
	effect := l.kind == history.KindEffect
	if token == 0 {
		if effect && l.applied && f.claims[l.claim].Step != "" {
			s.doubt(u) // nobody knows who was late
		}
		return
	}
	f.shows[l.step] = f.shows[l.step] || effect
	now := fenced{held: token, component: l.by}
	if l.has&history.HasActor != 0 {
		now.actor = b.Actor[p.Actor()]
	}
	switch {
	case l.far:
		if id := l.resource(b, p); id > 0 {
			f.far(s, resource{l.claim, id}, l, u, now)
		}
	case u == history.NoUnit || uint64(u) >= s.limit:
	case l.step >= f.steps:
		s.doubt(u)
	default:
		f.near(s, l, u, now)
	}
}

// resource numbers what an event's token guards, from 1; 0: nothing.
func (l *fenceLook) resource(b *history.Block, p history.Place) uint64 {
	switch l.per {
	case "step":
		return uint64(l.step) + 1
	case "component":
		return uint64(l.by)
	case "key":
		if l.has&history.HasKey != 0 {
			return uint64(b.Key[p.Key()])
		}
	}
	return 0
}

// near judges what is of one unit: whatever is odd puts it in doubt.
func (f *fences) near(s *scan, l *fenceLook, u history.Unit, now fenced) {
	x, first, lost := f.units.at(uint64(u)*uint64(f.steps) + uint64(l.step))
	if lost {
		s.doubt(u)
		return
	}
	if first {
		*x = fenced{}
	}
	if l.kind == history.KindEffect {
		if now.held < x.landed && l.applied {
			s.doubt(u)
		}
		x.landed = max(x.landed, now.held)
		return
	}
	if now.held < x.begun || now.known() && x.held == now.held && !now.by(*x) {
		s.doubt(u)
	}
	x.begun = max(x.begun, now.held)
	if now.known() {
		x.held, x.component, x.actor = now.held, now.component, now.actor
	}
}

// known tells that it is known who works.
func (x fenced) known() bool { return x.component != 0 || x.actor != 0 }

func (x fenced) by(y fenced) bool { return x.component == y.component && x.actor == y.actor }

// far judges what many units share.
func (f *fences) far(s *scan, r resource, l *fenceLook, u history.Unit, now fenced) {
	x := f.others[r]
	if x == nil {
		if len(f.others) == mostResources {
			s.giveUp = true
			return
		}
		x = new(fencedFar)
		f.others[r] = x
	}
	if l.kind == history.KindEffect {
		switch {
		case now.held >= x.landed:
			x.landed, x.landedBy = now.held, u
		case l.applied:
			s.doubt(u)
			s.doubt(x.landedBy)
		}
		return
	}
	if now.held < x.begun {
		s.doubt(u)
		s.doubt(x.begunBy)
	} else {
		x.begun, x.begunBy = now.held, u
	}
	if now.known() {
		x.holds(s, now)
	}
}

// holds notes who works with a token. Where another did before, or nobody knows any more who did, whether they did so at the same time is
// seen from the whole history.
func (x *fencedFar) holds(s *scan, now fenced) {
	k := slices.IndexFunc(x.before[:], func(y fenced) bool { return y.held == now.held })
	switch {
	case k >= 0:
		s.giveUp = s.giveUp || !now.by(x.before[k])
	case now.held < x.begun:
		s.giveUp = true
	default:
		copy(x.before[1:], x.before[:])
		x.before[0] = now
	}
}

func (f *fences) end(*scan) {}

func (f *fences) checked(s *scan) int {
	return s.outside(f.units.ever, uint64(f.steps)) + len(f.others)
}

// showsTokens tells that effects of a step carry tokens, somewhere in the history.
func (w *whole) showsTokens(step int) bool {
	f, ok := listening[*fences](w)
	return ok && f.shows[step]
}
