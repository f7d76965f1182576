package history

// widen allocates the columns for all events of a file at once.
func (h *History) widen(events int) {
	h.T, h.At, h.Token = make([]int64, events), make([]int64, events), make([]uint64, events)
	h.Kind, h.Outcome = make([]Kind, events), make([]Outcome, events)
	h.Unit, h.Actor, h.Attempt = make([]Unit, events), make([]uint32, events), make([]uint32, events)
	h.Op, h.Step, h.Comp = make([]Ref, events), make([]Ref, events), make([]Ref, events)
	h.Key, h.Value, h.Trace = make([]Ref, events), make([]Ref, events), make([]Ref, events)
}

// truncate drops all events from n.
func (h *History) truncate(n int) {
	h.T, h.At, h.Token = h.T[:n], h.At[:n], h.Token[:n]
	h.Kind, h.Outcome = h.Kind[:n], h.Outcome[:n]
	h.Unit, h.Actor, h.Attempt = h.Unit[:n], h.Actor[:n], h.Attempt[:n]
	h.Op, h.Step, h.Comp = h.Op[:n], h.Step[:n], h.Comp[:n]
	h.Key, h.Value, h.Trace = h.Key[:n], h.Value[:n], h.Trace[:n]
}

// fill spreads a block over its rows, which are zero.
func (h *History) fill(b *Block) {
	from, to := int(b.First), int(b.First)+b.Len()
	copy(h.T[from:to], b.T)
	kind, outcome, attempt := h.Kind[from:to], h.Outcome[from:to], h.Attempt[from:to]
	op, step, comp := h.Op[from:to], h.Step[from:to], h.Comp[from:to]
	for i, k := range b.Which {
		s := &b.Shapes[k]
		kind[i], outcome[i], attempt[i] = s.Kind, s.Outcome, s.Attempt
		op[i], step[i], comp[i] = s.Op, s.Step, s.Component
	}
	unit := h.Unit[from:to]
	for i := range unit {
		unit[i] = NoUnit
	}
	spread(b, HasUnit, unit, b.Unit)
	spread(b, HasActor, h.Actor[from:to], b.Actor)
	spread(b, HasKey, h.Key[from:to], b.Key)
	spread(b, HasValue, h.Value[from:to], b.Value)
	spread(b, HasTrace, h.Trace[from:to], b.Trace)
	spread(b, HasToken, h.Token[from:to], b.Token)
	spread(b, HasAt, h.At[from:to], b.At)

	text, start := string(b.text), uint32(0) // one copy for all: the strings share it, and the file's bytes can go
	for _, end := range b.ends {
		h.Strings = append(h.Strings, text[start:end])
		start = end
	}
}

// spread gives those rows an entry of a column that have one.
func spread[E any](b *Block, col Columns, dst, src []E) {
	if len(src) == 0 {
		return
	}
	at := 0
	for i, k := range b.Which {
		if b.Shapes[k].Has&col != 0 {
			dst[i] = src[at]
			at++
		}
	}
}
