package checkers

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// cases is how many random histories a comparison of two checkers takes: make differential asks for a million.
func cases(t *testing.T, ordinary int) int {
	text := os.Getenv("WRECKON_CASES")
	if text == "" {
		return ordinary
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "WRECKON_CASES")
	return n
}

// byModel is what Porcupine says, however long it takes.
func byModel(list []call, versions bool) bool {
	s := searcher{ctx: context.Background(), versions: versions, left: math.MaxInt}
	return porcupine.CheckOperations(s.model(), operations(list))
}

// The model's wildcards, and the rules for versions, against a search without either: every order of a few operations that respects
// time, and every state that the unit could be in.
func TestModelAgreesWithExhaustiveSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var legal, illegal int
	for range min(cases(t, 10_000), 100_000) {
		list := someCalls(r)
		got := byModel(list, true)
		want := explains(list, 0, allBefore())
		require.Equal(t, want, got, "%+v", list)
		byVersion, reason := ordered(t.Context(), list)
		require.Empty(t, reason)
		require.Equal(t, want, byVersion, "%+v", list)
		if want {
			legal++
		} else {
			illegal++
		}
	}
	require.Greater(t, legal, 200)
	require.Greater(t, illegal, 200)
}

// The order that versions give, against the model and Porcupine, on histories that are longer than every order can be tried.
func TestVersionsAgreeWithPorcupine(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	var legal, illegal int
	for range cases(t, 20_000) {
		list := playedCalls(r, 4+r.IntN(12), true)
		want := byModel(list, true)
		got, reason := ordered(t.Context(), list)
		require.Empty(t, reason)
		require.Equal(t, want, got, "%+v", list)
		if want {
			legal++
		} else {
			illegal++
		}
	}
	require.Greater(t, legal, 200)
	require.Greater(t, illegal, 200)
}

// Without versions, what is decided without a search is what the search would say.
func TestShortcutsAgreeWithPorcupine(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var witnessed, refuted, searched int
	for range cases(t, 20_000) {
		list := playedCalls(r, 4+r.IntN(12), false)
		want := byModel(list, false)
		switch {
		case witness(list):
			witnessed++
			require.True(t, want, "%+v", list)
		case !notesExplained(list):
			refuted++
			require.False(t, want, "%+v", list)
		default:
			searched++
		}
	}
	require.Greater(t, witnessed, 200)
	require.Greater(t, refuted, 20)
	require.Greater(t, searched, 20)
}

// playedCalls are operations of a few clients on one unit that is played through, some of them then spoiled, and some of these cut short.
func playedCalls(r *rand.Rand, n int, versions bool) []call {
	p := player{Rand: r, states: 4, clients: 1 + r.IntN(4)}
	list := p.play(n)
	if r.IntN(2) == 0 {
		spoil(r, list)
	}
	if last := list[len(list)-1].begin; r.IntN(3) == 0 {
		list = upTo(list, 1+r.Int64N(last), forever)
	}
	if !versions {
		for k := range list {
			list[k].version = 0
		}
	}
	proposed := map[history.Ref]bool{}
	for k := range list {
		if list[k].kind == lifeAmend {
			proposed[list[k].note] = true
		}
	}
	for k := range list {
		list[k].proposed = proposed[list[k].note]
	}
	return list
}

// player plays one unit: each client has one operation open, which happens at some instant between its call and its answer.
type player struct {
	*rand.Rand
	states, clients int
	now             int64
	created         bool
	state           int32
	version         uint64
	note            history.Ref
	notes           history.Ref
	infos           *int // how many operations are left that nobody will know of; nil: any
}

const forever = 1 << 40

func (p *player) tick() int64 { p.now++; return p.now }

func (p *player) play(n int) []call {
	list := make([]call, 0, n)
	open := make([]int, 0, p.clients) // operations that have begun
	happened := map[int]bool{}
	for len(list) < n || len(open) > 0 {
		if p.created && !oracleLives[p.state].final() && p.IntN(6) == 0 { // the target moves it, unseen
			p.version, p.state = p.version+1, int32(p.IntN(p.states))
		}
		if len(open) < p.clients && len(list) < n && p.IntN(2) == 0 {
			open = append(open, len(list))
			list = append(list, p.begin(len(list)))
			continue
		}
		if len(open) == 0 {
			continue
		}
		k := p.IntN(len(open))
		x := &list[open[k]]
		if !happened[open[k]] {
			happened[open[k]] = true
			p.happen(x)
			continue
		}
		x.end = p.tick()
		if x.info {
			x.end = forever
		}
		open = slices.Delete(open, k, k+1)
	}
	kept := list[:0]
	for _, x := range list {
		if x.kind != unanswered {
			kept = append(kept, x)
		}
	}
	return kept
}

// unanswered marks an operation that says nothing.
const unanswered = lifeKind(99)

func (p *player) begin(n int) call {
	x := call{begin: p.tick()}
	switch {
	case n == 0 || p.IntN(8) == 0:
		x.kind, x.info = lifeSubmit, p.IntN(5) == 0 && p.infos == nil
	case p.IntN(2) == 0:
		x.kind, x.noted = lifeRead, true
	default:
		p.notes++
		x.kind, x.info, x.expected, x.note = lifeAmend, p.IntN(3) == 0, max(p.version, 1), p.notes
		if p.infos != nil {
			if x.info = x.info && *p.infos > 0; x.info {
				*p.infos--
			}
		}
	}
	return x
}

// happen is the instant of an operation. What nobody learns of may never happen.
func (p *player) happen(x *call) {
	switch x.kind {
	case lifeSubmit:
		if !p.created && !(x.info && p.IntN(2) == 0) {
			p.created, p.version = true, 1
		}
		x.version = 1
		if x.info {
			x.state, x.version = anyState, 0
		}
	case lifeRead:
		if x.state, x.life, x.version, x.note = p.state, oracleLives[p.state], p.version, p.note; !p.created {
			x.kind = lifeAbsent
		}
	case lifeAmend:
		fits := p.created && p.version == x.expected
		switch {
		case x.info && (!fits || p.IntN(2) == 0):
		case fits:
			p.version, p.note = p.version+1, x.note
			x.version = p.version
		case p.created:
			x.kind, x.version = lifeRefused, p.version
		default:
			x.kind = unanswered
		}
		if x.info {
			x.version = 0
		}
	}
}

// spoil changes one answer.
func spoil(r *rand.Rand, list []call) {
	x := &list[r.IntN(len(list))]
	if x.info {
		return // there is none
	}
	switch r.IntN(4) {
	case 0:
		x.version += uint64(r.IntN(3))
	case 1:
		x.version -= min(x.version-min(x.version, 1), uint64(r.IntN(3)))
	case 2:
		x.note = list[r.IntN(len(list))].note
	case 3:
		x.state = int32(r.IntN(len(oracleLives)))
		x.life = oracleLives[x.state]
	}
}

const (
	oracleVersions = 5
	oracleNotes    = 3 // 0 and 1 are proposed by amendments, 2 is not
)

var oracleLives = []stateKind{open, completed, compensated, quarantined}

// someCalls are a few operations of one unit, with answers that often, but not always, fit together.
func someCalls(r *rand.Rand) []call {
	n := 2 + r.IntN(4)
	list := make([]call, 0, n)
	now := int64(0)
	for range n {
		begin := now + r.Int64N(3)*2
		x := call{begin: begin, end: begin + 1 + 2*r.Int64N(4)}
		now = begin + 1
		x.state = int32(r.IntN(len(oracleLives)))
		x.life = oracleLives[x.state]
		x.version = uint64(1 + r.IntN(oracleVersions-1))
		x.note = history.Ref(r.IntN(oracleNotes))
		switch r.IntN(6) {
		case 0, 1:
			x.kind = lifeSubmit
			x.state, x.life, x.version = 0, open, 1
			if r.IntN(3) == 0 {
				x.info, x.end, x.state, x.version = true, forever, anyState, 0
			}
		case 2, 3:
			x.kind, x.noted, x.proposed = lifeRead, true, x.note < 2
			if r.IntN(8) == 0 {
				x.kind = lifeAbsent
			}
		case 4:
			x.kind, x.expected, x.note = lifeAmend, uint64(1+r.IntN(3)), history.Ref(r.IntN(2))
			x.version = x.expected + 1
			if r.IntN(2) == 0 {
				x.info, x.end = true, forever
			}
		case 5:
			x.kind, x.expected = lifeRefused, uint64(1+r.IntN(3))
		}
		list = append(list, x)
	}
	return list
}

// possible is a set of concrete states.
type possible map[concrete]bool

type concrete struct {
	created bool
	state   int32
	version uint64
	note    history.Ref
}

func allBefore() possible { return possible{{}: true} }

// unseenMoves adds what the target may do by itself.
func (p possible) unseenMoves() possible {
	out := possible{}
	var add func(concrete)
	add = func(c concrete) {
		if out[c] {
			return
		}
		out[c] = true
		if c.created && !oracleLives[c.state].final() && c.version < 2*oracleVersions {
			for s := range oracleLives {
				add(concrete{true, int32(s), c.version + 1, c.note})
			}
		}
	}
	for c := range p {
		add(c)
	}
	return out
}

// explains tells whether the operations that are not done yet can follow, in some order.
func explains(list []call, done uint, now possible) bool {
	if done == 1<<len(list)-1 {
		return true
	}
	first := int64(1 << 40) // nothing may begin after something not done has ended
	for k := range list {
		if done>>k&1 == 0 {
			first = min(first, list[k].end)
		}
	}
	moved := now.unseenMoves()
	for k := range list {
		if done>>k&1 == 0 && list[k].begin <= first {
			if next := moved.after(&list[k].lifeOp); len(next) > 0 && explains(list, done|1<<k, next) {
				return true
			}
		}
	}
	return false
}

// after is where an operation can lead.
func (p possible) after(o *lifeOp) possible {
	out := possible{}
	for c := range p {
		if o.info {
			out[c] = true // it never took effect
		}
		switch o.kind {
		case lifeSubmit:
			switch {
			case c.created:
				out[c] = true
			case o.info:
				for s := range oracleLives {
					for v := range uint64(oracleVersions) {
						out[concrete{true, int32(s), v + 1, oracleNotes - 1}] = true
					}
				}
			default:
				out[concrete{true, o.state, o.version, oracleNotes - 1}] = true
			}
		case lifeAbsent:
			if !c.created {
				out[c] = true
			}
		case lifeRead:
			if c == (concrete{true, o.state, o.version, o.note}) {
				out[c] = true
			}
		case lifeRefused:
			if c.created && c.version == o.version && o.version != o.expected {
				out[c] = true
			}
		case lifeAmend:
			if c.created && c.version == o.expected && (o.info || o.version == o.expected+1) {
				out[concrete{true, c.state, c.version + 1, o.note}] = true
			}
		}
	}
	return out
}
