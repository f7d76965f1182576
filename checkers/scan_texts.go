package checkers

import (
	"bytes"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// texts knows what strings mean, each looked at once and by its number from then on.
type texts struct {
	r       *history.Reader
	block   *history.Block
	states  []string
	names   map[history.Ref]string // strings that shapes name
	class   []uint8                // of each string; 0: not known
	classes []class
}

// manyClasses is more than there are.
const manyClasses = 256

// class is what a string says as the value of an event.
type class struct {
	state int  // that it begins with; -1: none
	blank bool // it names none, not even an unknown one
	force bool // that a step is in force
	fault bool // that a fault left its mark
}

func newTexts(r *history.Reader) texts {
	return texts{r: r, names: map[history.Ref]string{0: ""}}
}

// open goes on to a block.
func (x *texts) open(b *history.Block, states []string) {
	x.block, x.states = b, states
	x.class = slices.Grow(x.class, max(b.Strings()-len(x.class), 0))[:b.Strings()]
}

// classify finds the class of a string: a small number for what it says, the same for all that say the same. There are not 255: a string
// is one of at most as many states, or in-force, with or without a mark.
func (x *texts) classify(text []byte) uint8 {
	c := class{state: -1, force: string(text) == "in-force",
		fault: len(text) >= len(faultField) && bytes.Contains(text, []byte(faultField))}
	state := text
	if bar := bytes.IndexByte(text, '|'); bar >= 0 {
		state = text[:bar]
	}
	c.blank = len(state) == 0
	for k, name := range x.states {
		if string(state) == name {
			c.state = k
			break
		}
	}
	k := slices.Index(x.classes, c)
	if k < 0 {
		k = len(x.classes)
		x.classes = append(x.classes, c)
	}
	return uint8(k + 1)
}

// classOf gives the class of a string. One that is neither new nor known was in a block gone by: all of that block's are looked at then.
func (x *texts) classOf(ref history.Ref) (uint8, error) {
	if c := x.class[ref]; c != 0 {
		return c, nil
	}
	if text, ok := x.block.Fresh(ref); ok {
		x.class[ref] = x.classify(text)
		return x.class[ref], nil
	}
	near, err := x.r.Near(ref)
	if err != nil {
		return 0, err
	}
	for from, to := near.Bounds(); from < to; from++ {
		text, _ := near.Fresh(from)
		x.class[from] = x.classify(text)
	}
	return x.class[ref], nil
}

// textOf gives a string that the event at hand refers to.
func (x *texts) textOf(ref history.Ref) (string, error) {
	if text, ok := x.block.Fresh(ref); ok {
		return string(text), nil
	}
	list, err := x.r.Texts([]history.Ref{ref})
	if err != nil {
		return "", err
	}
	return list[0], nil
}
