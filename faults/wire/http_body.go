package wire

import (
	"bytes"
	"errors"
)

// bodyKind says how the end of a body is found.
type bodyKind int

const (
	sized    bodyKind = iota // by its length
	inChunks                 // by a chunk of no length, and the trailers behind it
	untilEnd                 // by the end of the connection
)

// The states of a chunked body: what comes next.
const (
	chunkSize = iota
	chunkExtension
	chunkData
	chunkEnd // the line break behind the data
	trailer  // the start of a line of the trailers
	trailerLine
)

// maxChunk bounds the size of a chunk: fifteen hexadecimal digits.
const maxChunk = 1<<60 - 1

var errChunk = errors.New("not HTTP: a chunk without a size")

// body follows a body to its end.
type body struct {
	kind   bodyKind
	left   int64 // sized: of the body; inChunks: of the chunk
	state  int
	digits int  // of the size of the chunk
	cr     bool // the latest byte is half a line break
}

// advance says how many bytes of b belong to the body, and whether it is complete with them.
func (y *body) advance(b []byte) (n int, done bool, err error) {
	switch y.kind {
	case sized:
		n = int(min(int64(len(b)), y.left))
		y.left -= int64(n)
		return n, y.left == 0, nil
	case untilEnd:
		return len(b), false, nil
	}
	for n < len(b) {
		if y.state == chunkData {
			skip := int(min(int64(len(b)-n), y.left))
			y.left -= int64(skip)
			n += skip
			if y.left == 0 {
				y.state = chunkEnd
			}
			continue
		}
		if y.state == chunkExtension || y.state == trailerLine {
			i := bytes.IndexByte(b[n:], '\n')
			if i < 0 {
				return len(b), false, nil
			}
			n += i // the step below takes the line break
		}
		done, err = y.step(b[n])
		if err != nil {
			return 0, false, err
		}
		n++
		if done {
			return n, true, nil
		}
	}
	return n, false, nil
}

// step takes one byte that is not data.
func (y *body) step(ch byte) (done bool, err error) {
	if ch == '\r' && y.state != chunkExtension && y.state != trailerLine {
		if y.cr || y.state == chunkSize && y.digits == 0 {
			return false, errChunk
		}
		y.cr = true
		return false, nil
	}
	if ch == '\n' {
		if !y.cr && y.state == chunkEnd {
			return false, errChunk
		}
		return y.line()
	}
	if y.cr {
		return false, errChunk
	}
	switch y.state {
	case chunkSize:
		if ch == ';' || ch == ' ' || ch == '\t' {
			if y.digits == 0 {
				return false, errChunk
			}
			y.state = chunkExtension
			return false, nil
		}
		d := hexDigit(ch)
		if d < 0 || y.left > maxChunk>>4 {
			return false, errChunk
		}
		y.left, y.digits = y.left<<4|int64(d), y.digits+1
	case chunkEnd:
		return false, errChunk
	case trailer:
		y.state = trailerLine
	}
	return false, nil
}

// line takes the end of a line.
func (y *body) line() (done bool, err error) {
	y.cr = false
	switch y.state {
	case chunkSize, chunkExtension:
		if y.digits == 0 {
			return false, errChunk
		}
		y.digits = 0
		if y.state = chunkData; y.left == 0 {
			y.state = trailer
		}
	case chunkEnd:
		y.state = chunkSize
	case trailer:
		return true, nil
	case trailerLine:
		y.state = trailer
	}
	return false, nil
}

func hexDigit(ch byte) int {
	switch {
	case ch >= '0' && ch <= '9':
		return int(ch - '0')
	case ch >= 'a' && ch <= 'f':
		return int(ch-'a') + 10
	case ch >= 'A' && ch <= 'F':
		return int(ch-'A') + 10
	}
	return -1
}
