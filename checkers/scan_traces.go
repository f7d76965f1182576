package checkers

import (
	"encoding/hex"

	"github.com/wreckon/wreckon/history"
)

// traces is the rule for traced: a unit is in no doubt whose events all carry the trace that the first of them did.
type traces struct {
	judged [history.KindNote + 1]bool
	units  recent[traceID]
	texts  []place[traceID] // of the strings that were met last
	looks  []traceLook      // of the block's shapes
}

// traceID is what the hops of a trace share: the 128 bits of a W3C trace, and of any other the number of its string.
type traceID struct {
	high, low uint64
	w3c       bool
}

type traceLook struct {
	width        history.Place
	judged, bare bool
}

func newTraces(s *scan) listener {
	t := &traces{units: newRecent[traceID](s.r.Len()), texts: newRecent[traceID](s.r.Len()).places}
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
				t.carries(s, b, u, b.Trace[p.Trace()])
			}
		}
		p.Move(l.width)
	}
}

func (t *traces) carries(s *scan, b *history.Block, u history.Unit, trace history.Ref) {
	id, known := t.id(b, trace)
	held, first, lost := t.units.at(uint64(u))
	switch {
	case trace == 0 || !known || lost:
		s.doubt(u)
	case first:
		*held = id
	case *held != id:
		s.doubt(u)
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
	if w3c := w3cTrace(string(text)); w3c != "" {
		var raw [16]byte
		if _, err := hex.Decode(raw[:], []byte(w3c)); err != nil {
			return id, false
		}
		for k := range 8 {
			id.high, id.low = id.high<<8|uint64(raw[k]), id.low<<8|uint64(raw[8+k])
		}
		id.w3c = true
	}
	p.id, p.held = uint64(trace), id
	return id, true
}

func (t *traces) end(*scan) {}

func (t *traces) checked(s *scan) int { return s.outside(t.units.ever, 1) }
