package wire

import (
	"cmp"
	"slices"
)

// amqpTagged are exchanges by their delivery tags, which only grow. One that is settled leaves a gap; gaps are closed before they
// outnumber the others.
type amqpTagged struct {
	all  []amqpTag
	gaps int
}

type amqpTag struct{ tag, exchange uint64 } // exchange 0: a gap

// add tells whether the exchange can be found by its tag.
func (t *amqpTagged) add(tag, exchange uint64) bool {
	if n := len(t.all); n > 0 && t.all[n-1].tag >= tag {
		return false
	}
	t.all = append(t.all, amqpTag{tag, exchange})
	return true
}

// settle takes out the exchange of a tag, or with multiple all up to it; tag 0 means all there are.
func (t *amqpTagged) settle(tag uint64, multiple bool) (exchanges []uint64) {
	i, found := slices.BinarySearchFunc(t.all, tag, func(x amqpTag, tag uint64) int { return cmp.Compare(x.tag, tag) })
	switch {
	case multiple && tag == 0:
		i = len(t.all)
	case found && multiple:
		i++
	case found:
		if x := &t.all[i]; x.exchange != 0 {
			exchanges = append(exchanges, x.exchange)
			x.exchange = 0
			t.gaps++
		}
	}
	if multiple {
		for _, x := range t.all[:i] {
			if x.exchange != 0 {
				exchanges = append(exchanges, x.exchange)
			} else {
				t.gaps--
			}
		}
		t.all = t.all[i:]
	}
	for len(t.all) > 0 && t.all[0].exchange == 0 {
		t.all = t.all[1:]
		t.gaps--
	}
	if t.gaps > len(t.all)/2 {
		t.all = slices.DeleteFunc(t.all, func(x amqpTag) bool { return x.exchange == 0 })
		t.gaps = 0
	}
	return exchanges
}

// clear takes out all, and tells how many there were.
func (t *amqpTagged) clear() int {
	n := len(t.all) - t.gaps
	*t = amqpTagged{}
	return n
}
