package checkers

import (
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// register is the sequential register, as Porcupine wants it.
var register = porcupine.Model{
	Init: func() any { return uint32(0) },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(*registerOp)
		if o.write {
			return true, o.value
		}
		return state.(uint32) == o.value, state
	},
}

func byPorcupine(ops []registerOp) []porcupine.Operation {
	list := make([]porcupine.Operation, len(ops))
	for k := range ops {
		list[k] = porcupine.Operation{Input: &ops[k], Call: ops[k].begin, Return: ops[k].end}
	}
	return list
}

// Zones against Porcupine, with writes that nobody knows of.
func TestZonesAgreeWithPorcupine(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var legal, illegal int
	for range cases(t, 20_000) {
		ops, most := registerOps(r, 1+r.IntN(6), 3+r.IntN(12), r.IntN(6))
		if r.IntN(2) == 0 {
			k := r.IntN(len(ops))
			if !ops[k].write {
				ops[k].value = uint32(r.IntN(int(most) + 2))
				most++
			}
		}
		want := porcupine.CheckOperations(register, byPorcupine(ops))
		require.Equal(t, want, registerExplained(ops, most), "%+v", ops)
		if want {
			legal++
		} else {
			illegal++
		}
	}
	require.Greater(t, legal, 200)
	require.Greater(t, illegal, 200)
}

// registerOps plays a register: some clients, each with one operation open, half of them writes of a new value. Some writes are never
// answered; half of these happen.
func registerOps(r *rand.Rand, clients, n, infos int) (ops []registerOp, most uint32) {
	type pending struct {
		op   int
		done bool
	}
	var now int64
	var value uint32
	tick := func() int64 { now++; return now }
	open := make([]pending, 0, clients)
	for len(ops) < n || len(open) > 0 {
		if len(open) < clients && len(ops) < n && (len(open) == 0 || r.IntN(2) == 0) {
			o := registerOp{begin: tick(), write: r.IntN(2) == 0}
			if o.write {
				most++
				o.value = most
				o.info = infos > 0 && r.IntN(max(n/(2*infos), 1)) == 0
			}
			if o.info {
				infos--
			}
			open = append(open, pending{op: len(ops)})
			ops = append(ops, o)
			continue
		}
		k := r.IntN(len(open))
		p := &open[k]
		o := &ops[p.op]
		if !p.done {
			p.done = true
			switch {
			case !o.write:
				o.value = value
			case !o.info || r.IntN(2) == 0:
				value = o.value
			}
			continue
		}
		o.end = tick()
		if o.info {
			o.end = never
		}
		open[k] = open[len(open)-1]
		open = open[:len(open)-1]
	}
	return ops, most
}
