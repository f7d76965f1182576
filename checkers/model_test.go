package checkers

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// The model's wildcards and the witness against a search without either: every order of a few operations that respects time, and
// every state that the unit could be in.
func TestModelAgreesWithExhaustiveSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var legal, illegal, witnessed int
	for range 15_000 {
		list := someCalls(r)
		got, reason := search(ctx, list, true)
		require.Empty(t, reason)
		want := explains(list, 0, allBefore())
		require.Equal(t, want, got, "%+v", list)
		if want {
			legal++
		} else {
			illegal++
		}
		if witness(list, true) {
			witnessed++
		}
	}
	require.Greater(t, legal, 1000)
	require.Greater(t, illegal, 1000)
	require.Greater(t, witnessed, 500)
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
	forever := int64(1000)
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
