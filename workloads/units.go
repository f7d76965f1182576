package workloads

import (
	"sync/atomic"

	"github.com/wreckon/wreckon/history"
)

// unitTable is what the clients remember of each unit: a dense table, because units are dense ordinals.
type unitTable struct {
	first history.Unit
	units []unitMemory
}

// unitMemory is shared by the actors, so it is changed only through its methods.
type unitMemory struct {
	version      atomic.Uint64 // the newest seen in any answer; 0: none yet
	acknowledged atomic.Bool   // some submit of it was ok
	maybe        atomic.Int32  // submits and amends that are open or ended as info
}

func newUnitTable(ops []Operation) *unitTable {
	first, last := ops[0].Unit, ops[0].Unit
	for _, op := range ops {
		first, last = min(first, op.Unit), max(last, op.Unit)
	}
	return &unitTable{first: first, units: make([]unitMemory, int(last-first)+1)}
}

func (t *unitTable) of(u history.Unit) *unitMemory { return &t.units[u-t.first] }

// saw keeps the newest version: versions grow, and answers that overlap arrive in any order.
func (m *unitMemory) saw(version uint64) {
	for {
		old := m.version.Load()
		if version <= old || m.version.CompareAndSwap(old, version) {
			return
		}
	}
}

// reserve takes one of the unit's MaxIndeterminate places; it is given back if the try turns out definite.
func (m *unitMemory) reserve() bool {
	if m.maybe.Add(1) > MaxIndeterminate {
		m.maybe.Add(-1)
		return false
	}
	return true
}

func (m *unitMemory) release() { m.maybe.Add(-1) }
