package checkers

// This file is the last-version rule: what a unit is found to be at the end, once the target has come to rest, is no older than anything
// that was answered before anybody looked, and no newer than what was done to it can have made it. Where all answers name versions the
// order of these says the same (versions.go). The rule holds of any two that do, whatever else was answered without one.

// endDenied finds the answer that shows that the end of a unit cannot be what it was found to be; -1 where there is none.
func endDenied(list []call) (by int) {
	by = -1
	for k := range list {
		if end := &list[k]; end.final && end.kind == lifeRead && end.version > 0 {
			for n := range list {
				if x := &list[n]; !x.info && x.version > 0 && x.end < end.begin && (older(x, end) || beyond(x, end, list)) && (by < 0 || x.end > list[by].end) {
					by = n
				}
			}
		}
	}
	return by
}

// older tells that an end is older than an answer before it, or the same version of something else.
func older(x, end *call) bool {
	switch {
	case x.kind == lifeSubmit || x.kind == lifeAbsent: // the answer to a submit may be another one's
		return false
	case x.version != end.version:
		return x.version > end.version
	case x.kind == lifeRead:
		return x.state != end.state || x.noted && end.noted && x.note != end.note
	}
	return x.kind == lifeAmend && end.noted && x.note != end.note
}

// beyond tells that an end is newer than it can be: a unit that was read at its end is only changed by updates from then on, and of these
// too few were tried.
func beyond(x, end *call, list []call) bool {
	if x.kind != lifeRead || !x.life.final() || end.version < x.version {
		return false
	}
	left := end.version - x.version
	for k := range list {
		if list[k].kind == lifeAmend && list[k].expected >= x.version && left > 0 {
			left--
		}
	}
	return left > 0
}
