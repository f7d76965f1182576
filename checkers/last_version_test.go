package checkers

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last-version rule against its definition, word by word, and against the model, which knows of more: what the rule denies no order
// explains, with versions or where some answers name none.
func TestLastVersionAgreesWithTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	var denied, fine int
	for range cases(t, 20_000) {
		list := endedCalls(r)
		got := endDenied(list) >= 0
		require.Equal(t, deniedByDefinition(list), got, "%+v", list)
		if !got {
			fine++
			continue
		}
		denied++
		require.False(t, byModel(list, true), "%+v", list)
		for k := range list {
			if list[k].kind == lifeSubmit {
				list[k].version = 0
			}
		}
		legal, reason := explained(t.Context(), list, false)
		require.Empty(t, reason)
		require.False(t, legal, "%+v", list)
	}
	require.Greater(t, denied, 2000)
	require.Greater(t, fine, 2000)
}

// endedCalls are operations on one unit, and what it was found to be afterwards: what somebody was shown last, or a little off that.
func endedCalls(r *rand.Rand) []call {
	list := playedCalls(r, 4+r.IntN(12), true)
	last := int64(0)
	end := call{final: true}
	end.kind = lifeRead
	for k := range list {
		x := &list[k]
		if last = max(last, x.begin); x.end < forever {
			last = max(last, x.end)
		}
		if x.kind == lifeRead && r.IntN(2) == 0 {
			end.lifeOp = x.lifeOp
		}
		if x.kind == lifeAmend && r.IntN(2) == 0 {
			end.note, end.noted, end.version = x.note, true, x.expected+1
		}
	}
	end.info, end.begin, end.end = false, last-int64(r.IntN(4)), last+1
	switch r.IntN(5) {
	case 0:
		end.version = uint64(max(int64(end.version)-1, 0))
	case 1:
		end.version += uint64(r.IntN(4))
	case 2:
		end.note++
	case 3:
		end.noted = false
	}
	return append(list, end)
}

func deniedByDefinition(list []call) bool {
	end := list[len(list)-1]
	if end.version == 0 {
		return false
	}
	for _, x := range list[:len(list)-1] {
		if x.info || x.end >= end.begin || x.version == 0 {
			continue
		}
		written := x.kind == lifeAmend || x.kind == lifeRead || x.kind == lifeRefused
		if written && end.version < x.version {
			return true
		}
		if end.version == x.version {
			if x.kind == lifeRead && x.state != end.state {
				return true
			}
			if (x.kind == lifeAmend || x.kind == lifeRead && x.noted) && end.noted && x.note != end.note {
				return true
			}
		}
		if x.kind == lifeRead && x.life.final() {
			most := x.version
			for _, y := range list {
				if y.kind == lifeAmend && y.expected >= x.version {
					most++
				}
			}
			if end.version > most {
				return true
			}
		}
	}
	return false
}
