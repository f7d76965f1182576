package checkers

import (
	"cmp"
	"math"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// This file decides whether a register whose writes are all different is linearizable: in n log n, however many clients there are and
// however many of their operations were never answered (Gibbons and Korach, Testing Shared Memories, 1997).
//
// A write and the reads of its value are a cluster. In any order that explains them they stand together, so that only their extremes
// matter: the first of them to end, and the last to begin. If one began after another had ended, all between these two instants belongs to
// the cluster: a forward zone, which nothing else may share. Otherwise the cluster fits into any one instant between the two, a backward
// zone, and has to find one that is in no forward zone. That is all: if no two forward zones overlap, no backward zone lies within a
// forward one, and no value is read before its write began, there is an order.
//
// A write that nobody knows of is left out where nobody read it, since it need never have happened. Where somebody did, it has no end.

// registerOp is one read or write of a register, with the stretch of the history in which it took effect.
type registerOp struct {
	begin, end int64
	value      uint32 // number of the value, from 1; 0: what was there before anybody wrote
	write      bool
	info       bool // a write: nobody knows whether it took effect
}

// cluster is a write and the reads of its value.
type cluster struct {
	firstEnd, lastBegin int64
	written             int64 // when the write began
	firstRead           int64 // the end of the first read; never, where there is none
}

const never = math.MaxInt64

// zone is a stretch of time.
type zone struct{ from, to int64 }

// registerExplained tells whether some order explains the operations. Values are numbered up to most.
func registerExplained(ops []registerOp, most uint32) bool {
	clusters, ok := clustersOf(ops, most)
	if !ok {
		return false
	}
	var forward, backward []zone
	for k := range clusters {
		x := &clusters[k]
		switch {
		case x.firstRead < x.written:
			return false // read before it was written, or never written
		case x.firstEnd == never || k == 0 && x.firstRead == never: // nobody saw it
		case x.firstEnd < x.lastBegin:
			forward = append(forward, zone{x.firstEnd, x.lastBegin})
		default:
			backward = append(backward, zone{x.lastBegin, x.firstEnd})
		}
	}
	byStart := func(a, b zone) int { return cmp.Compare(a.from, b.from) }
	slices.SortFunc(forward, byStart)
	for k := 1; k < len(forward); k++ {
		if forward[k].from < forward[k-1].to {
			return false
		}
	}
	slices.SortFunc(backward, byStart)
	k := -1 // the last forward zone that starts before the backward one
	for _, b := range backward {
		for k+1 < len(forward) && forward[k+1].from < b.from {
			k++
		}
		if k >= 0 && b.to < forward[k].to {
			return false
		}
	}
	return true
}

// clustersOf gathers the extremes of each value; false where a value was written twice.
func clustersOf(ops []registerOp, most uint32) (clusters []cluster, ok bool) {
	clusters = make([]cluster, most+1)
	for k := range clusters {
		clusters[k] = cluster{firstEnd: never, lastBegin: -1, written: never, firstRead: never}
	}
	clusters[0].written, clusters[0].firstEnd = -1, -1
	for k := range ops {
		o := &ops[k]
		x := &clusters[o.value]
		x.lastBegin = max(x.lastBegin, o.begin)
		if !o.info {
			x.firstEnd = min(x.firstEnd, o.end)
		}
		if !o.write {
			x.firstRead = min(x.firstRead, o.end)
			continue
		}
		if x.written != never || o.value == 0 {
			return nil, false
		}
		x.written = o.begin
	}
	return clusters, true
}

// notesExplained tells whether the notes of a unit alone, a register that amendments write, have an order that explains them. Where two
// amendments wrote the same note that is not known: then it says yes. What has an order as a whole has one here, so that a no is final.
func notesExplained(list []call) bool {
	ops := make([]registerOp, 0, len(list))
	value := make(map[history.Ref]uint32)
	before, shown := history.Ref(0), false // the note that the unit had before anybody amended it
	for k := range list {
		x := &list[k]
		if x.kind != lifeAmend {
			continue
		}
		if value[x.note] != 0 {
			return true
		}
		value[x.note] = uint32(len(value)) + 1
		ops = append(ops, registerOp{begin: x.begin, end: x.end, value: value[x.note], write: true, info: x.info})
	}
	for k := range list {
		x := &list[k]
		if x.kind != lifeRead || !x.noted {
			continue
		}
		if value[x.note] == 0 {
			if shown && before != x.note {
				return false
			}
			before, shown = x.note, true
		}
		ops = append(ops, registerOp{begin: x.begin, end: x.end, value: value[x.note]})
	}
	return registerExplained(ops, uint32(len(value)))
}
