package runner

import (
	"bytes"

	"github.com/wreckon/wreckon/history"
)

// unitIn finds the first unit in a message: an id that the harness issued, with no letter or digit right before or behind it. It runs
// on every message of every edge.
func unitIn(prefix string) func([]byte) history.Unit {
	if prefix == "" {
		return nil
	}
	p := []byte(prefix)
	return func(message []byte) history.Unit {
		for off := 0; ; {
			i := bytes.Index(message[off:], p)
			if i < 0 {
				return history.NoUnit
			}
			start := off + i
			end := start + len(p)
			var n uint64
			for ; end < len(message) && isDigit(message[end]) && n <= uint64(history.NoUnit); end++ {
				n = 10*n + uint64(message[end]-'0')
			}
			digits := message[start+len(p) : end]
			whole := (start == 0 || !isWord(message[start-1])) && (end == len(message) || !isWord(message[end]))
			if whole && len(digits) > 0 && digits[0] != '0' && n <= uint64(history.NoUnit) {
				return history.Unit(n - 1)
			}
			off = start + 1
		}
	}
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isWord(b byte) bool { return isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
