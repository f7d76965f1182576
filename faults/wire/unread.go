package wire

// whole is the size up to which a message is given out whole, in bytes.
const whole = 256 << 10

// unread is what came on one way and has not been given out. It never writes over what it gave.
type unread struct{ kept []byte }

// take puts b behind what was kept. What it gives is good until the next call.
func (u *unread) take(b []byte) []byte {
	if len(u.kept) == 0 {
		return b
	}
	u.kept = append(u.kept, b...)
	return u.kept
}

// keep keeps what take gave, but for the first n bytes.
func (u *unread) keep(taken []byte, n int) {
	switch {
	case n == len(taken):
		u.kept = nil
	case len(u.kept) == 0:
		u.kept = append([]byte(nil), taken[n:]...)
	default:
		u.kept = u.kept[n:]
	}
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

// gather appends a message, the first with room for those that are likely to follow it in as many bytes.
func gather(out []Message, m Message, bytes int) []Message {
	if out == nil {
		out = make([]Message, 0, min(1+bytes/len(m.Bytes), 256))
	}
	return append(out, m)
}
