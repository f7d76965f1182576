package history

import "slices"

// Part reads again, into memory, the events that keep wants, as a history of their own: with the same header, names and units, and beside it
// the Seq that each event has in the whole. in is asked of each block, by its number from 0, whether it may hold such an event; nil: all
// may. Only of blocks that were read before is the answer heeded. keep is asked about each event of these in order: its block, its shape, and
// where it stands.
func (r *Reader) Part(in func(block int) bool, keep func(b *Block, s *Shape, i int, p Place) bool) (h *History, seqs []uint64, err error) {
	h = &History{Header: r.Header, Warnings: r.Warnings, UnitNames: r.Units}
	var widths []Place
	err = r.each(in, func(b *Block) error {
		widths = widths[:0]
		for k := range b.Shapes {
			widths = append(widths, b.Shapes[k].Width())
		}
		var p Place
		for i, k := range b.Which {
			if s := &b.Shapes[k]; keep(b, s, i, p) {
				h.take(b, s, i, p)
				seqs = append(seqs, b.First+uint64(i))
			}
			p.Move(widths[k])
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	h.Sealed, h.Lost = r.Sealed()
	return h, seqs, h.rename(r)
}

// take appends an event, with its strings still by the numbers that they have in the file.
func (h *History) take(b *Block, s *Shape, i int, p Place) {
	h.T, h.Kind, h.Outcome, h.Attempt = append(h.T, b.T[i]), append(h.Kind, s.Kind), append(h.Outcome, s.Outcome), append(h.Attempt, s.Attempt)
	h.Op, h.Step, h.Comp = append(h.Op, s.Op), append(h.Step, s.Step), append(h.Comp, s.Component)
	h.Unit = append(h.Unit, entry(s, HasUnit, b.Unit, p.Unit(), NoUnit))
	h.Actor = append(h.Actor, entry(s, HasActor, b.Actor, p.Actor(), 0))
	h.Key = append(h.Key, entry(s, HasKey, b.Key, p.Key(), 0))
	h.Value = append(h.Value, entry(s, HasValue, b.Value, p.Value(), 0))
	h.Trace = append(h.Trace, entry(s, HasTrace, b.Trace, p.Trace(), 0))
	h.Token = append(h.Token, entry(s, HasToken, b.Token, p.Token(), 0))
	h.At = append(h.At, entry(s, HasAt, b.At, p.At(), 0))
}

func entry[E any](s *Shape, col Columns, column []E, at int, absent E) E {
	if s.Has&col == 0 {
		return absent
	}
	return column[at]
}

// rename numbers the strings that are used anew, and fetches them.
func (h *History) rename(r *Reader) (err error) {
	columns := [][]Ref{h.Op, h.Step, h.Comp, h.Key, h.Value, h.Trace}
	refs := []Ref{0}
	for _, c := range columns {
		refs = append(refs, c...)
		slices.Sort(refs)
		refs = slices.Compact(refs)
	}
	for _, c := range columns {
		for i, ref := range c {
			k, _ := slices.BinarySearch(refs, ref)
			c[i] = Ref(k)
		}
	}
	h.Strings, err = r.Texts(refs)
	return err
}
