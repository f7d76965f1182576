package checkers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var fencing = Guarantee{
	Name:    "fencing",
	Promise: "What holds an old fencing token changes nothing any more.",
	Finds: "An effect that is applied with an older token than one that its sink had already been shown for the same resource, whatever " +
		"became of that one: a worker that was paused, lost its lease and did not know. An execution that begins with an older token " +
		"than one before it, of a step whose effects carry no tokens. Two holders, by component and actor, that work on one resource at " +
		"the same time with the same token. A late effect that the sink refuses or deduplicates is the fence at work, and an execution " +
		"without a recorded end is known to have run at its beginning only. The claim says which resource a token is for: a step of one " +
		"unit, a step, a component or a key.",
	Needs: []string{history.FeedTokens},
	Uses:  []string{history.FeedEffects, history.FeedStarts},
	Bears: []string{history.FeedEffects},
	Check: checkFencing,
}

// fence is one claim on fencing tokens, and what is known of each of its resources.
type fence struct {
	sequence
	landed, begun shown
	runs          []execution
}

// shown is the newest token of each resource, as one more than the event that showed it; 0 where none did.
type shown []uint32

// execution is a stretch of work under a token.
type execution struct {
	begin, end uint32 // its events; end is begin where nobody saw it
	resource   int
}

// fencingPass judges every event with a token once.
type fencingPass struct {
	*Case
	fences []fence
	of     []int // step -> fence; -1: none
	open   map[worker]opened
	shows  []bool      // step: its effects carry tokens
	bare   []uint32    // applied effects without a token, where a claim names their step
	late   []suspect   // effects
	begins [][]suspect // executions, by step
}

// worker is who executes what.
type worker struct {
	unit            history.Unit
	step, component history.Ref
	actor           uint32
}

// opened is where an execution stands that has not finished.
type opened struct{ fence, run int }

func checkFencing(c *Case) Judgement {
	const name = "fencing"
	if len(c.claims.Fencing) == 0 {
		return unclaimed(name, "fencing", "what its tokens guard")
	}
	p := fencingPass{Case: c, open: make(map[worker]opened), shows: make([]bool, len(c.steps)), begins: make([][]suspect, len(c.steps))}
	var sequences []sequence
	for _, f := range c.claims.Fencing {
		q, err := c.newSequence("fencing.resource", f.Step, f.Resource, "unit")
		if err != nil {
			return Judgement{Guarantee: name, Status: Unknown, Reason: err.Error()}
		}
		q.own = true
		sequences = append(sequences, q)
		p.fences = append(p.fences, fence{sequence: q})
	}
	p.of = c.claimed(sequences, c.numbered())
	for i, kind := range c.H.Kind {
		switch kind {
		case history.KindEffect:
			p.effect(uint32(i))
		case history.KindStart:
			p.start(uint32(i))
		case history.KindFinish:
			p.finish(uint32(i))
		}
	}
	return p.judge(name)
}

func (p *fencingPass) judge(name string) Judgement {
	suspects, checked := p.late, 0
	for s := range p.steps {
		if !p.shows[s] && !p.whole.showsTokens(s) && len(p.missed[history.FeedEffects]) == 0 {
			suspects = append(suspects, p.begins[s]...)
		}
	}
	for k := range p.fences {
		f := &p.fences[k]
		if f.per == "unit" || p.whole == nil { // a scan has counted what many units share
			checked += f.used()
		}
		suspects = append(suspects, f.shared()...)
	}
	j := p.judgement(name, "resources that a token guards", checked, suspects)
	if len(p.bare) > 0 {
		i := p.bare[0]
		j = j.unknown(fmt.Sprintf("%d effects carry no token, so that nobody knows who was late: the first is that of %s at %s",
			len(p.bare), p.whose(i), when(p.at(i))))
	}
	return j
}

// fence finds the claim that speaks of an event; nil where none does.
func (p *fencingPass) fence(i uint32) (f *fence, step int) {
	step = p.step(p.H.Step[i])
	if step < 0 || p.of[step] < 0 {
		return nil, -1
	}
	return &p.fences[p.of[step]], step
}

func (p *fencingPass) effect(i uint32) {
	f, s := p.fence(i)
	if f == nil {
		return
	}
	applied := p.H.Outcome[i] == history.OutcomeApplied
	if p.H.Token[i] == 0 {
		if applied && f.step >= 0 {
			p.bare = append(p.bare, i)
		}
		return
	}
	p.shows[s] = true
	if newer := f.show(&f.landed, i, s); newer != none && applied {
		p.late = append(p.late, f.stale(i, newer))
	}
}

func (p *fencingPass) start(i uint32) {
	f, s := p.fence(i)
	if f == nil || p.H.Token[i] == 0 {
		return
	}
	if newer := f.show(&f.begun, i, s); newer != none {
		p.begins[s] = append(p.begins[s], f.stale(i, newer))
	}
	if r := f.of(i, s); r >= 0 && (p.H.Comp[i] != 0 || p.H.Actor[i] != 0) {
		p.open[p.worker(i)] = opened{fence: p.of[s], run: len(f.runs)}
		f.runs = append(f.runs, execution{begin: i, end: i, resource: r})
	}
}

// finish ends the execution that its worker had begun. A checkpoint ends nothing.
func (p *fencingPass) finish(i uint32) {
	if f, _ := p.fence(i); f == nil || p.str(p.H.Op[i]) == "checkpoint" {
		return
	}
	w := p.worker(i)
	o, ok := p.open[w]
	if !ok {
		return
	}
	x := &p.fences[o.fence].runs[o.run]
	if t := p.H.Token[i]; t == 0 || t == p.H.Token[x.begin] {
		x.end = i
		delete(p.open, w)
	}
}

func (p *fencingPass) worker(i uint32) worker {
	return worker{unit: p.col[i], step: p.H.Step[i], component: p.H.Comp[i], actor: p.H.Actor[i]}
}

// show notes the token of an event, and gives the event that had shown a newer one for the same resource; none where there is none.
func (f *fence) show(t *shown, i uint32, s int) (newer uint32) {
	r := f.of(i, s)
	if r < 0 {
		return none
	}
	if *t == nil {
		*t = make(shown, f.size())
	}
	if before := (*t)[r]; before > 0 && f.c.H.Token[i] < f.c.H.Token[before-1] {
		return before - 1
	}
	(*t)[r] = i + 1
	return none
}

// used counts the resources that were shown a token.
func (f *fence) used() (n int) {
	for r := range max(len(f.landed), len(f.begun)) {
		if r < len(f.landed) && f.landed[r] > 0 || r < len(f.begun) && f.begun[r] > 0 {
			n++
		}
	}
	return n
}

// stale is what came with an older token than an event before it.
func (f *fence) stale(i, newer uint32) suspect {
	c := f.c
	older := fmt.Sprintf("token %d, and %d was known", c.H.Token[i], c.H.Token[newer])
	return suspect{unit: c.unitOf(i), events: []uint32{newer, i}, notes: map[uint32]string{i: older}, say: func() string {
		by := " by " + c.holder(newer)
		if c.col[i] != c.col[newer] {
			by += ", for " + c.whose(newer)
		}
		return fmt.Sprintf("%s with token %d, although token %d%s had been shown at %s%s",
			c.took(i), c.H.Token[i], c.H.Token[newer], f.scope(i), when(c.at(newer)), by)
	}}
}

// shared finds executions that overlap those of another holder of the same token. Within a resource they come in order of their begin,
// and only two that began before can matter: the one that ends last, and the one that ends last of all other holders.
func (f *fence) shared() (suspects []suspect) {
	c := f.c
	if len(f.runs) == 0 {
		return nil
	}
	by := groupBy(f.size(), len(f.runs), func(k int) int { return f.runs[k].resource })
	token := func(k uint32) uint64 { return c.H.Token[f.runs[k].begin] }
	for r := range len(by.offset) - 1 {
		runs := by.of(r)
		if len(runs) < 2 {
			continue
		}
		slices.SortFunc(runs, func(a, b uint32) int { return cmp.Or(cmp.Compare(token(a), token(b)), cmp.Compare(a, b)) })
		var last, other *execution
		for k := range runs {
			x := &f.runs[runs[k]]
			if k == 0 || token(runs[k]) != token(runs[k-1]) {
				last, other = x, nil
				continue
			}
			rival := last
			if f.sameHolder(last, x) {
				rival = other
			}
			if rival != nil && rival.end > x.begin {
				suspects = append(suspects, f.both(rival, x))
			}
			switch {
			case f.sameHolder(last, x):
				if x.end > last.end {
					last = x
				}
			case x.end > last.end:
				last, other = x, last
			case other == nil || x.end > other.end:
				other = x
			}
		}
	}
	return suspects
}

func (f *fence) sameHolder(a, b *execution) bool {
	h := f.c.H
	return h.Comp[a.begin] == h.Comp[b.begin] && h.Actor[a.begin] == h.Actor[b.begin]
}

func (f *fence) both(a, b *execution) suspect {
	c := f.c
	return suspect{unit: c.unitOf(b.begin), events: []uint32{a.begin, a.end, b.begin}, notes: map[uint32]string{b.begin: "at the same time"},
		say: func() string {
			return fmt.Sprintf("%s and %s both worked on %s with token %d%s: one from %s to %s, the other from %s",
				c.holder(a.begin), c.holder(b.begin), c.whose(b.begin), c.H.Token[b.begin], f.scope(b.begin),
				when(c.at(a.begin)), when(c.at(a.end)), when(c.at(b.begin)))
		}}
}
