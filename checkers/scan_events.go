package checkers

import "github.com/wreckon/wreckon/history"

// event looks at one event closely. What it finds to be as it should be is what rows does not ask about.
func (s *scan) event(b *history.Block, m *meaning, i int, p history.Place) {
	u, class := history.NoUnit, uint8(0)
	if m.unit {
		u = b.Unit[p.Unit()]
	}
	if m.turns.looks {
		class = s.classAt(b, m, p)
	}
	if x := &s.extents[len(s.extents)-1]; !m.unit && (m.act != actExchange || s.classes[class-1].fault) {
		x.beyond = true
	}
	s.total.tokens = s.total.tokens || m.token && b.Token[p.Token()] > 0
	turns := m.turns
	switch m.act {
	case actInvoke:
		if m.op == opSubmit {
			s.own(entry(m, history.HasKey, b.Key, p.Key(), 0), u)
		}
	case actAudit:
		turns = s.audit(b, m, p, u)
	case actHead:
		m.trail.head()
	case actPhase:
		s.sawPhase(b, m, i, p)
	}
	if u != history.NoUnit {
		s.turn(u, turns, class, b.T[i], entry(m, history.HasAt, b.At, p.At(), 0))
	}
}

// turn takes a turn of a unit, at t; at is when what the event tells of happened, where it says so.
func (s *scan) turn(u history.Unit, turns *turns, class uint8, t, at int64) {
	x := s.tales.at(u, s.limit)
	if x == nil {
		s.giveUp = true
		return
	}
	if !turns.timed || at <= 0 {
		at = t
	}
	mv := s.moveOf(x.life(), turns, class)
	switch {
	case mv.life == lifeInDoubt:
	case t < s.latest, mv.ask != 0 && (at > t || at > timeMask):
		mv = &move{life: lifeInDoubt}
	case mv.minds:
		x[endAt] = min(x[endAt], uint64(at))
	}
	x.move(mv, uint64(t), uint64(at))
}

func (s *scan) classAt(b *history.Block, m *meaning, p history.Place) uint8 {
	c, err := s.classOf(entry(m, history.HasValue, b.Value, p.Value(), 0))
	if err != nil {
		s.err = err
		return 1
	}
	return c
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

// audit gives the event its place in the trail of its source, and says what it means to its unit.
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
