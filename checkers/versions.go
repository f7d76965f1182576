package checkers

import (
	"cmp"
	"context"
	"slices"
)

// This file decides whether the operations of a unit can be explained where every answer names the version it saw. The versions are the
// order, so that nothing has to be searched: going up from version to version, it is enough to know how early the unit can have reached
// each one. An operation that began later than it must have, or ended before the unit can have got there, is what no order explains. The
// rules are those of the model (model.go), which stays the definition: the two are compared in tests.
//
// Only an amendment without an answer leaves a choice, since it may have happened or not. What the unit can be like is therefore a small
// set, and any read of the version, or any amendment that was answered, leaves one of them.

// variant is one way the unit can be when it has reached a version, as early as it can be there.
type variant struct {
	lifeState
	since int64 // the earliest instant
}

// ladder is the operations of a unit by version.
type ladder struct {
	list    []call
	rungs   []rung
	top     uint64 // the highest version that somebody saw, or updated
	needed  bool   // somebody did
	absent  int64  // when the last read that found nothing began
	submits []*call
}

// rung is an operation at the version that it needs: what it shows, or what it was conditional on.
type rung struct {
	version uint64
	call    int32 // index of the list
	info    bool
}

// ordered tells whether some order explains the calls, all of which name versions.
func ordered(ctx context.Context, list []call) (legal bool, reason string) {
	l, ok := newLadder(list)
	if !ok {
		return false, ""
	}
	for _, creator := range l.creators() {
		if ctx.Err() != nil {
			return false, "the time for all searches was used up"
		}
		if l.climb(creator) {
			return true, ""
		}
	}
	return len(l.submits) == 0 && !l.needed, "" // nobody created it, and nobody saw it
}

// newLadder sorts the calls by version; false where one contradicts itself.
func newLadder(list []call) (l ladder, ok bool) {
	l = ladder{list: list, absent: -1, rungs: make([]rung, 0, len(list))}
	for k := range list {
		x := &list[k]
		r := rung{version: x.version, call: int32(k), info: x.info}
		switch x.kind {
		case lifeSubmit:
			l.submits = append(l.submits, x)
			continue
		case lifeAbsent:
			l.absent = max(l.absent, x.begin)
			continue
		case lifeRefused:
			ok = x.version != x.expected
		case lifeAmend:
			r.version = x.expected
			ok = x.info || x.version == x.expected+1
		default:
			ok = true
		}
		if !ok {
			return l, false
		}
		if !x.info {
			l.top, l.needed = max(l.top, r.version), true
		}
		l.rungs = append(l.rungs, r)
	}
	sortRungs(l.rungs)
	return l, true
}

// sortRungs sorts by version. Calls come in the order of their begin, so that few are out of place, and those by no more than there are
// clients: moving each to its place is soonest done. Where that turns out wrong it is given up.
func sortRungs(rungs []rung) {
	moves := 16 * len(rungs)
	for k := 1; k < len(rungs); k++ {
		r, j := rungs[k], k
		for ; j > 0 && rungs[j-1].version > r.version; j-- {
			rungs[j] = rungs[j-1]
		}
		rungs[j] = r
		if moves -= k - j; moves < 0 {
			slices.SortFunc(rungs, func(a, b rung) int { return cmp.Compare(a.version, b.version) })
			return
		}
	}
}

// creators are the submits that may have created the unit: of those with the same answer, the one that began first.
func (l *ladder) creators() (list []*call) {
	for _, x := range l.submits {
		k := slices.IndexFunc(list, func(y *call) bool { return y.version == x.version && y.state == x.state })
		switch {
		case k < 0:
			list = append(list, x)
		case x.begin < list[k].begin:
			list[k] = x
		}
	}
	return list
}

// climb goes up from the version at which a submit created the unit.
func (l *ladder) climb(creator *call) bool {
	first := variant{lifeState{created: true, version: creator.version, state: creator.state, life: creator.life}, max(creator.begin, l.absent)}
	for _, x := range l.submits { // whatever was answered came after, or is it
		if x.end < first.since {
			return false
		}
	}
	if first.version == 0 && len(l.rungs) > 0 {
		first.version = l.rungs[0].version // nobody was told where it began: as low as may help
	}
	now, began := []variant{first}, first.since
	for from, to := 0, 0; from < len(l.rungs) && len(now) > 0; from = to {
		version := l.rungs[from].version
		if version > l.top {
			break // amendments that need not have happened
		}
		for to = from; to < len(l.rungs) && l.rungs[to].version == version; to++ {
		}
		here := l.rungs[from:to]
		if version < first.version {
			if slices.ContainsFunc(here, func(r rung) bool { return !r.info }) {
				return false
			}
			continue
		}
		now = arrive(now, version, began)
		for _, r := range here {
			if x := &l.list[r.call]; x.kind != lifeAmend {
				now = see(now, x)
				began = max(began, x.begin)
			}
		}
		now = l.amend(now, here, began)
	}
	return len(now) > 0
}

// arrive lets the target move the unit up to a version, after whatever was done below it had begun.
func arrive(now []variant, version uint64, began int64) []variant {
	kept := now[:0]
	for _, v := range now {
		if v.version < version {
			if v.state != anyState && v.life.final() {
				continue
			}
			v.version, v.state, v.life = version, anyState, open
		}
		v.since = max(v.since, began)
		kept = append(kept, v)
	}
	return kept
}

// see keeps what an operation may have shown that changed nothing.
func see(now []variant, x *call) []variant {
	kept := now[:0]
	for _, v := range now {
		if v.since <= x.end && (x.kind != lifeRead || v.shows(&x.lifeOp)) {
			kept = append(kept, v)
		}
	}
	return distinct(kept)
}

// amend lets the amendments that are conditional on this version happen: the one that was accepted, or any or none of those that nobody
// knows of.
func (l *ladder) amend(now []variant, here []rung, began int64) []variant {
	var accepted *call
	for _, r := range here {
		x := &l.list[r.call]
		if x.kind != lifeAmend || x.info {
			continue
		}
		if accepted != nil {
			return nil // two for one version
		}
		accepted = x
	}
	if accepted != nil {
		kept := now[:0]
		for _, v := range now {
			if v = v.amended(accepted, began); v.since <= accepted.end {
				kept = append(kept, v)
			}
		}
		return distinct(kept)
	}
	for _, r := range here {
		if x := &l.list[r.call]; x.kind == lifeAmend {
			for _, v := range now {
				if v.version == r.version {
					now = append(now, v.amended(x, began))
				}
			}
		}
	}
	return distinct(now)
}

// amended is the unit after an amendment.
func (v variant) amended(x *call, began int64) variant {
	v.version, v.note, v.noteKnown = v.version+1, x.note, true
	v.since = max(v.since, began, x.begin)
	return v
}

// distinct keeps, of variants that are alike, the one that can have been there first.
func distinct(list []variant) []variant {
	if len(list) < 2 {
		return list
	}
	kept := list[:0]
	for _, v := range list {
		k := slices.IndexFunc(kept, func(w variant) bool { return w.lifeState == v.lifeState })
		if k < 0 {
			kept = append(kept, v)
			continue
		}
		kept[k].since = min(kept[k].since, v.since)
	}
	return kept
}
