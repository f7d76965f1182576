package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// What is delivered at another place of its way than the one where it came: repeats, and asks that another is to overtake.

// repeat has an ask delivered once more.
func (t *Tap) repeat(w Way, x *exchange, m msg, f Fate, by *Armed) (err error) {
	again := t.session.protocol.Repeat
	switch {
	case m.point == After:
		return errors.New("repeat: its answer is here: this is decided before")
	case again == nil:
		return errors.New("repeat: this protocol cannot")
	case x.ask.More:
		return errors.New("repeat: it is too large to be kept")
	}
	defer contain(&err)
	if x.copy, x.swallow, err = again(x.ask); err != nil {
		return fmt.Errorf("repeat: %w", err)
	}
	x.copy, x.armed = bytes.Clone(x.copy), by
	t.linger(w)
	y := &t.ways[w]
	switch {
	case f.AnswerFirst && !x.silent:
		x.again = true
		x.promise = t.promise(by, 0, func(bool) { t.repeatNoMore(x) })
	case f.After > 0:
		x.repeats++
		x.promise = t.promise(by, f.After, func(calledOff bool) {
			if calledOff {
				t.repeatNoMore(x)
				return
			}
			y.waiting = append(y.waiting, x)
			y.signal()
		})
	default:
		x.repeats++
		y.waiting = append(y.waiting, x)
		y.signal() // for where nothing arrives: a held ask was released
	}
	return nil
}

// repeatNoMore gives up a repeat that is still to come.
func (t *Tap) repeatNoMore(x *exchange) {
	if x.again {
		x.again, x.repeats = false, x.repeats+1
	}
	t.repeated(x)
	t.settle(x)
}

// repeated says that a repeat is done, one way or the other.
func (t *Tap) repeated(x *exchange) {
	if x.repeats > 0 {
		x.repeats--
		t.unlinger(x.way)
	}
}

// swap has an ask delivered behind another one.
func (t *Tap) swap(w Way, x *exchange, m msg, f Fate, by *Armed, g *Gate) error {
	patience := f.After
	if patience == 0 {
		patience = swapPatience
	}
	switch {
	case m.point == After:
		return errors.New("swap: its answer is here: this is decided before")
	case !t.session.protocol.Unordered:
		f.After = patience
		t.hold(w, x, m, f, by, g)
		t.session.swapLater(t, g)
		return nil
	case x.ask.More:
		return errors.New("swap: it is too large to be kept")
	}
	l := &late{x: x, b: bytes.Clone(m.bytes)}
	t.ways[w].late = append(t.ways[w].late, l)
	l.promise = t.promise(by, patience, func(bool) {
		l.ripe = true
		t.ways[w].signal()
	})
	return nil
}

// overtake delivers the late asks of a way that is between two messages.
func (t *Tap) overtake(w Way) {
	y := &t.ways[w]
	if len(y.late) == 0 {
		return
	}
	y.late = slices.DeleteFunc(y.late, func(l *late) bool {
		if l.ripe {
			l.promise.settle(false)
			y.emit(l.b, 0, 0, mark{x: l.x})
		}
		return l.ripe
	})
}

// between delivers what waits for a place between two messages. A repeat that is answered must take the same place in what the decoder
// sees as in what is delivered: nothing may be kept.
func (t *Tap) between(w Way) {
	y := &t.ways[w]
	if y.more && !y.ended {
		return
	}
	t.overtake(w)
	if len(y.waiting) == 0 {
		return
	}
	y.waiting = slices.DeleteFunc(y.waiting, func(x *exchange) bool {
		if x.swallow && len(y.kept) > 0 && !y.ended {
			return false
		}
		if err := t.deliverAgain(w, x); err != nil {
			x.armed.fail(x, fmt.Errorf("repeat: %w", err))
			t.repeated(x)
			t.settle(x)
		}
		return true
	})
}

func (t *Tap) deliverAgain(w Way, x *exchange) error {
	y := &t.ways[w]
	if y.torn {
		return errors.New("the caller left in the middle of another ask")
	}
	if !x.swallow {
		y.emit(x.copy, 0, 0, mark{x: x, again: true})
		return nil
	}
	if t.conn == nil {
		return errors.New("the connection is no longer understood")
	}
	if _, why := t.conn.Opaque(); why != "" {
		return fmt.Errorf("the connection is no longer understood: %s", why)
	}
	messages, err := t.decode(func(c Conn) []Message { return c.Feed(w, x.copy) }, len(x.copy))
	if err == nil && (len(messages) != 1 || messages[0].Role != Ask || len(messages[0].Bytes) != len(x.copy)) {
		err = errors.New("it is not one ask")
	}
	if err != nil { // the decoder has seen what the other side has not: it is of no use any more
		t.fail(err)
		y.pieces = append(y.pieces, Piece{Then: Reset})
		return err
	}
	shadow := &exchange{id: messages[0].Exchange, way: w, of: x}
	t.admit(shadow)
	y.emit(x.copy, 0, 0, mark{x: shadow})
	return nil
}
