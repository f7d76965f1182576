package wire

import (
	"bytes"
	"strconv"
)

// respArguments is how many arguments of a command are looked at.
const respArguments = 24

// respArgs gives the first strings of an array, or the words of an inline command, as far as dst has room. A null is nil.
func respArgs(dst [][]byte, b []byte) [][]byte {
	switch b[0] {
	case '*', '>':
	case '|':
		return dst
	default:
		for word := range bytes.FieldsSeq(b) {
			if len(dst) < cap(dst) {
				dst = append(dst, word)
			}
		}
		return dst
	}
	left, b, ok := respCut(b)
	for ; ok && left > 0 && len(b) > 0 && len(dst) < cap(dst); left-- {
		kind, from := b[0], b[1:]
		n := 0
		if n, b, ok = respCut(b); !ok {
			break
		}
		switch {
		case kind == ':':
			dst = append(dst, from[:len(from)-len(b)-len("\r\n")])
		case kind == '_', kind == '$' && n < 0:
			dst = append(dst, nil)
		case kind == '$' && n <= len(b)-len("\r\n"):
			dst = append(dst, b[:n:n])
			b = b[n+len("\r\n"):]
		default:
			return dst
		}
	}
	return dst
}

// respCut reads the number in the first line of b, and gives what is behind it.
func respCut(b []byte) (n int, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 2 {
		return 0, nil, false
	}
	if b[0] == '_' {
		return 0, b[end+1:], true
	}
	n, err := strconv.Atoi(string(b[1 : end-1]))
	return n, b[end+1:], err == nil
}

// respCount is how many arguments a command has, its name included.
func respCount(b []byte) int {
	if b[0] == '*' {
		n, _, _ := respCut(b)
		return n
	}
	return len(bytes.Fields(b))
}

// respSignatures makes signatures, and remembers what it made.
type respSignatures struct {
	commands, made map[string]string
	buf            []byte
}

// command gives the name of a command in upper case, "?" for what can be none.
func (s *respSignatures) command(name []byte) string {
	if known, ok := s.commands[string(name)]; ok {
		return known
	}
	if len(name) == 0 || len(name) > 32 || !respPlain(name) {
		return "?"
	}
	if s.commands == nil || len(s.commands) >= 512 {
		s.commands = map[string]string{}
	}
	upper := string(bytes.ToUpper(name))
	s.commands[string(name)] = upper
	return upper
}

// of makes the signature of a command: its name, for some the name of what they do, and the first key, without what differs from run to run.
func (s *respSignatures) of(command string, args [][]byte) string {
	b := append(s.buf[:0], command...)
	at, listed := respKeys[command]
	if !listed {
		at = respKey{at: 1}
	}
	if at.does && len(args) > 1 {
		b = append(append(b, ' '), s.command(args[1])...)
	}
	if key := at.find(args); len(key) > 0 {
		b = respNormal(append(b, ' '), key)
	}
	s.buf = b
	if made, ok := s.made[string(b)]; ok {
		return made
	}
	if s.made == nil || len(s.made) >= 512 {
		s.made = map[string]string{}
	}
	made := string(b)
	s.made[made] = made
	return made
}

// respNormal appends a key. Its parts that differ from run to run become {id}.
func respNormal(b, key []byte) []byte {
	if len(key) > 200 || !respPlain(key) {
		return append(b, "{id}"...)
	}
	for len(key) > 0 {
		end := bytes.IndexAny(key, ":/.|")
		part := key
		if end >= 0 {
			part = key[:end]
		}
		if passing(part) {
			b = append(b, "{id}"...)
		} else {
			b = append(b, part...)
		}
		if end < 0 {
			break
		}
		b = append(b, key[end])
		key = key[end+1:]
	}
	return b
}

// respPlain tells a name that can be shown.
func respPlain(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// respKey says where the first key of a command stands.
type respKey struct {
	at      int  // its argument, 0 for none
	does    bool // the first argument says what the command does
	counted bool // the argument says how many keys follow it
	streams bool // the key follows the word STREAMS
}

func (k respKey) find(args [][]byte) []byte {
	at := k.at
	if k.streams {
		for i, a := range args {
			if i > 0 && bytes.EqualFold(a, []byte("STREAMS")) {
				at = i + 1
				break
			}
		}
	}
	if k.counted {
		if at >= len(args) || string(args[at]) == "0" {
			return nil
		}
		at++
	}
	if at == 0 || at >= len(args) {
		return nil
	}
	return args[at]
}

// respKeys lists the commands whose first key is not their first argument. Passwords stand in some of those that have none.
var respKeys = func() map[string]respKey {
	keys := map[string]respKey{
		"XGROUP": {at: 2, does: true}, "XINFO": {at: 2, does: true}, "OBJECT": {at: 2, does: true}, "MEMORY": {at: 2, does: true},
		"BITOP": {at: 2}, "XREAD": {streams: true}, "XREADGROUP": {streams: true},
		"EVAL": {at: 2, counted: true}, "EVAL_RO": {at: 2, counted: true}, "EVALSHA": {at: 2, counted: true},
		"EVALSHA_RO": {at: 2, counted: true}, "FCALL": {at: 2, counted: true}, "FCALL_RO": {at: 2, counted: true},
		"ZUNION": {at: 1, counted: true}, "ZINTER": {at: 1, counted: true}, "ZDIFF": {at: 1, counted: true},
		"ZINTERCARD": {at: 1, counted: true}, "SINTERCARD": {at: 1, counted: true}, "LMPOP": {at: 1, counted: true},
		"ZMPOP": {at: 1, counted: true}, "BLMPOP": {at: 2, counted: true}, "BZMPOP": {at: 2, counted: true},
	}
	for _, none := range []string{"?", "AUTH", "HELLO", "PING", "ECHO", "QUIT", "RESET", "SELECT", "SWAPDB", "MULTI", "EXEC", "DISCARD",
		"UNWATCH", "INFO", "DBSIZE", "TIME", "FLUSHALL", "FLUSHDB", "SAVE", "BGSAVE", "BGREWRITEAOF", "LASTSAVE", "ROLE", "REPLICAOF",
		"SLAVEOF", "REPLCONF", "SHUTDOWN", "WAIT", "WAITAOF", "KEYS", "SCAN", "RANDOMKEY", "ASKING", "READONLY", "READWRITE", "FAILOVER",
		"LOLWUT", "MIGRATE"} {
		keys[none] = respKey{}
	}
	for _, does := range []string{"CLIENT", "CONFIG", "SCRIPT", "FUNCTION", "ACL", "CLUSTER", "COMMAND", "PUBSUB", "DEBUG", "SLOWLOG",
		"LATENCY", "MODULE"} {
		keys[does] = respKey{does: true}
	}
	return keys
}()
