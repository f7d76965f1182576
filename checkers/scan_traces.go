package checkers

import "github.com/wreckon/wreckon/history"

// traces is the rule for traced: a unit is in no doubt whose events all carry the trace that the first of them did.
type traces struct {
	judged [history.KindNote + 1]bool
	units  recent[unitTrace]
	texts  []place[traceID] // of the strings that were met last
	looks  []traceLook      // of the block's shapes
}

// traceID is what the hops of a trace share: the 128 bits of a W3C trace, and of any other the number of its string.
type traceID struct {
	high, low uint64
	w3c       bool
}

// unitTrace is the trace of a unit, and the string that named it last.
type unitTrace struct {
	traceID
	last history.Ref
}

type traceLook struct {
	width        history.Place
	judged, bare bool
}

func newTraces(s *scan) listener {
	t := &traces{units: newRecent[unitTrace](s.r.Len()), texts: newRecent[traceID](s.r.Len()).places}
	t.judged, _ = tracedKinds(s.claims.Traced)
	return t
}

func (t *traces) block(s *scan, b *history.Block) {
	t.looks = t.looks[:0]
	for k := range b.Shapes {
		x := &b.Shapes[k]
		l := traceLook{width: x.Width(), bare: x.Has&history.HasTrace == 0}
		answerless := l.bare && (x.Kind == history.KindFail || x.Kind == history.KindInfo)
		l.judged = int(x.Kind) < len(t.judged) && t.judged[x.Kind] && x.Has&history.HasUnit != 0 && !answerless
		t.looks = append(t.looks, l)
	}
	var p history.Place
	for _, k := range b.Which {
		l := &t.looks[k]
		if l.judged {
			u := b.Unit[p.Unit()]
			switch {
			case uint64(u) >= s.limit:
			case l.bare:
				t.units.ever.set(uint64(u))
				s.doubt(u)
			default:
				trace := b.Trace[p.Trace()]
				if x := &t.units.places[int(u)&(len(t.units.places)-1)]; x.id != uint64(u) || x.held.last != trace || trace == 0 {
					t.carries(s, b, u, trace)
				}
			}
		}
		p.Move(l.width)
	}
}

func (t *traces) carries(s *scan, b *history.Block, u history.Unit, trace history.Ref) {
	id, known := t.id(b, trace)
	held, first, lost := t.units.at(uint64(u))
	switch {
	case trace == 0 || !known || lost || !first && held.traceID != id:
		s.doubt(u)
	default:
		*held = unitTrace{id, trace}
	}
}

// id reads a trace. It is not known of one that came long ago.
func (t *traces) id(b *history.Block, trace history.Ref) (id traceID, known bool) {
	p := &t.texts[uint64(trace)&uint64(len(t.texts)-1)]
	if p.id == uint64(trace) {
		return p.held, true
	}
	text, fresh := b.Fresh(trace)
	if !fresh {
		return id, false
	}
	id = traceID{high: uint64(trace)}
	if w3c := w3cTrace(text); len(w3c) > 0 {
		var high, low bool
		id.high, high = hexadecimal(w3c[:16])
		id.low, low = hexadecimal(w3c[16:])
		if id.w3c = true; !high || !low {
			return id, false
		}
	}
	p.id, p.held = uint64(trace), id
	return id, true
}

// hexadecimal reads a number of sixteen digits.
func hexadecimal(text []byte) (n uint64, ok bool) {
	for _, c := range text {
		switch lower := c | 0x20; {
		case c >= '0' && c <= '9':
			n = n<<4 | uint64(c-'0')
		case lower >= 'a' && lower <= 'f':
			n = n<<4 | uint64(lower-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

func (t *traces) end(*scan) {}

func (t *traces) checked(s *scan) int { return s.outside(t.units.ever, 1) }
