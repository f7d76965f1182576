package wire

const (
	whole    = 256 << 10 // bytes up to which a message is given out whole
	maxSpare = 64 << 10  // bytes of memory that a way keeps for its next call
	maxList  = 256       // messages for which it does
)

// unread is what came on one way and has not been given out, and the list in which the messages are given. Both are good until the
// next call, which uses their memory again.
type unread struct {
	kept  []byte
	spare []byte // the memory that kept is in
	list  []Message
}

// take puts b behind what was kept.
func (u *unread) take(b []byte) []byte {
	if len(u.kept) == 0 {
		return b
	}
	if cap(u.kept)-len(u.kept) < len(b) { // begin at the front again
		u.kept = append(u.spare[:0], u.kept...)
	}
	u.kept = append(u.kept, b...)
	u.spare = u.kept[:0:cap(u.kept)]
	return u.kept
}

// keep keeps what take gave, but for the first n bytes.
func (u *unread) keep(taken []byte, n int) {
	switch {
	case n == len(taken):
		u.kept = nil
		if cap(u.spare) > maxSpare {
			u.spare = nil
		}
	case len(u.kept) == 0:
		u.kept = append(u.spare[:0], taken[n:]...)
		u.spare = u.kept[:0]
	default:
		u.kept = u.kept[n:]
	}
}

// messages is an empty list.
func (u *unread) messages() []Message {
	clear(u.list)
	return u.list[:0]
}

// give remembers the list for the next call.
func (u *unread) give(list []Message) []Message {
	if cap(list) <= maxList {
		u.list = list
	}
	return list
}

// opacity is what is not understood of a connection, and why. With a reason, nothing is any more.
type opacity struct {
	bytes int64
	why   string
}

// pass gives bytes out as they are.
func (o *opacity) pass(b []byte) []Message {
	o.bytes += int64(len(b))
	if len(b) == 0 {
		return nil
	}
	return []Message{{Bytes: b}}
}
