package history

import (
	"errors"
	"slices"
)

// units numbers the unit ids of a text history in order of appearance, until all are read and it is known what they are.
type units struct {
	numbers map[string]Unit
	names   []string
	recent  recent
}

func newUnits() units { return units{numbers: map[string]Unit{}} }

// number gives the place of a unit's id, a string or a number, among those that appeared.
func (u *units) number(v *token) (Unit, error) {
	name := v.raw
	switch v.kind {
	case 's':
		name = v.text()
	case 'n':
	default:
		return NoUnit, errors.New("want a string or a number")
	}
	if len(name) == 0 {
		return NoUnit, errors.New("it is empty: leave it out where an event belongs to no unit")
	}
	at := u.recent.place(name)
	if n := u.recent[at]; int(n) < len(u.names) && u.names[n] == string(name) {
		return Unit(n), nil
	}
	n, known := u.numbers[string(name)]
	if !known {
		n = Unit(len(u.names))
		u.names = append(u.names, string(name))
		u.numbers[u.names[n]] = n
	}
	u.recent[at] = uint32(n)
	return n, nil
}

// resolve gives the events their units, and the names of these if they are not what UnitID says. Ids that the harness issued carry
// their number. All others, and all of a history that has one that is not issued, or that has so few units between
// such large numbers that a table over them would be mostly empty, keep the order in which they appeared.
func (u *units) resolve(h *History, named bool) []string {
	if len(u.names) == 0 {
		return nil
	}
	if !named {
		if issued, ok := u.issued(h.Header.Claims.Prefix); ok {
			for i, n := range h.Unit {
				if n != NoUnit {
					h.Unit[i] = issued[n]
				}
			}
			return nil
		}
	}
	return slices.Clip(u.names)
}

func (u *units) issued(prefix string) ([]Unit, bool) {
	issued := make([]Unit, len(u.names))
	for i, name := range u.names {
		n, err := ParseUnit(prefix, name)
		if err != nil || uint64(n) > 1<<20+maxSparseness*uint64(len(u.names)) {
			return nil, false
		}
		issued[i] = n
	}
	return issued, true
}
