package checkers

import "github.com/wreckon/wreckon/history"

// turn has a unit take a turn, at t, whatever is known of it; at is when what the event tells of happened.
func (s *scan) turn(u history.Unit, lane uint32, t, at int64) {
	x := s.tales.at(u, s.limit)
	if x == nil {
		s.giveUp = true
		return
	}
	mv := s.moveOf(x.life(), lane)
	switch {
	case mv.life == lifeInDoubt:
	case t < s.latest, mv.ask != 0 && at > timeMask:
		mv = &move{life: lifeInDoubt}
	case mv.state == moveMinds:
		x[endAt] = min(x[endAt], uint64(at))
	}
	x.move(mv, uint64(t), uint64(at))
}

func (s *scan) classAt(b *history.Block, m *meaning, p history.Place) uint8 {
	return s.classified(entry(m, history.HasValue, b.Value, p.Value(), 0))
}

// classified is the class of a string.
func (s *scan) classified(ref history.Ref) uint8 {
	c, err := s.classOf(ref)
	if err != nil {
		s.err = err
		return 1
	}
	return c
}

// keys goes through the submits with keys.
func (s *scan) keys(b *history.Block, units []history.Unit) {
	w := &s.rows
	for _, j := range w.list(listCalls) {
		if s.glances[b.Which[w.from+int(j)]].keyed {
			s.own(b.Key[w.places[j].Key()], units[j])
		}
	}
}

// own notes whose submit has a key: one key for two units puts both in doubt.
func (s *scan) own(key history.Ref, u history.Unit) {
	if key == 0 {
		return
	}
	if n := s.block.Strings(); n > len(s.owners) {
		s.owners = append(s.owners, make([]history.Unit, n-len(s.owners))...)
	}
	owner := history.NoUnit // also of a submit without a unit: no unit has a number that great
	if u != history.NoUnit {
		owner = u + 1
	}
	switch o := s.owners[key]; o {
	case 0:
		s.owners[key] = owner
	case owner:
	default:
		s.doubt(o - 1)
		s.doubt(u)
	}
}

// audits gives the audit events of a chunk their place in the trails of their sources. Nearly all have the next number.
func (s *scan) audits(b *history.Block, units []history.Unit) {
	w := &s.rows
	values, which := column(b.Value), b.Which[w.from:][:w.len]
	for _, j := range w.list(listAudits) {
		g, p := &s.glances[which[j]], w.places[j]
		trail := g.trail
		if g.numbered && trail.odd == 0 && b.Token[p.Token()] == trail.next {
			trail.ring[trail.next&uint64(len(trail.ring)-1)] = heard{number: trail.next, value: values[p.Value()&int(g.valueAt)] & g.value, op: g.op, unit: units[j]}
			trail.next++
			trail.arrived++
			trail.last.unit = units[j]
			continue
		}
		if m := &s.mean[which[j]]; m.act == actHead {
			trail.head()
		} else {
			w.lane[j] = s.audit(b, m, p, units[j]).first
			if !m.unit && s.name(m.shape.Op) == checkpointOp {
				s.statement(s.text(entry(m, history.HasValue, b.Value, p.Value(), 0)))
			}
		}
	}
}

// audit looks at an audit event closely, and says what it means to its unit.
func (s *scan) audit(b *history.Block, m *meaning, p history.Place, u history.Unit) *turns {
	trail, t := m.trail, m.turn
	if !trail.known {
		trail.known = true
		s.doubt(u)
	}
	number := entry(m, history.HasToken, b.Token, p.Token(), 0)
	if number == 0 {
		s.total.unnumbered++
		t.loose = true
		return s.turnsOf(t)
	}
	e := heard{number: number, key: entry(m, history.HasKey, b.Key, p.Key(), 0),
		value: entry(m, history.HasValue, b.Value, p.Value(), 0), op: m.shape.Op, unit: u}
	late := number < trail.next
	if !trail.hear(s, e) {
		t.again = true
		return s.turnsOf(t)
	}
	if late && t.tells > 0 {
		t.late = true
		return s.turnsOf(t)
	}
	return m.turns
}

// doubt puts a unit in doubt.
func (s *scan) doubt(u history.Unit) { s.change(u, inDoubt) }

// change gives the life of a unit another flag.
func (s *scan) change(u history.Unit, f lifeFlags) {
	if x := s.tales.at(u, s.limit); x != nil {
		l := s.all[x.life()]
		l.flags |= f
		x.live(s.numberOf(l))
	}
}

func entry[E any](m *meaning, col history.Columns, column []E, at int, absent E) E {
	if m.shape.Has&col == 0 {
		return absent
	}
	return column[at]
}
