package checkers

import "sync"

// groups lists, for each of n keys, the indices that belong to it, in order: two flat slices instead of a map of slices.
type groups struct {
	offset []uint32
	index  []uint32
}

// groupBy groups the indices 0..n-1 by key, a number from 0 to keys-1, or below 0 for none. A counting sort: two passes.
func groupBy(keys, n int, key func(int) int) groups {
	g := groups{offset: make([]uint32, keys+1)}
	for i := range n {
		if k := key(i); k >= 0 {
			g.offset[k+1]++
		}
	}
	for k := range keys {
		g.offset[k+1] += g.offset[k]
	}
	g.index = make([]uint32, g.offset[keys])
	next := make([]uint32, keys)
	copy(next, g.offset)
	for i := range n {
		if k := key(i); k >= 0 {
			g.index[next[k]] = uint32(i)
			next[k]++
		}
	}
	return g
}

func (g groups) of(k int) []uint32 { return g.index[g.offset[k]:g.offset[k+1]] }

// lazyGroups are built when somebody first asks: a history without findings needs none.
type lazyGroups struct {
	once sync.Once
	groups
}

func (l *lazyGroups) of(k int, build func() groups) []uint32 {
	l.once.Do(func() { l.groups = build() })
	return l.groups.of(k)
}
