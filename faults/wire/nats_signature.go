package wire

import "strings"

// natsSignatures makes signatures from subjects, and remembers the last ones it made.
type natsSignatures struct {
	verb string
	made map[string]string
}

func (s *natsSignatures) of(subject []byte) string {
	if made, ok := s.made[string(subject)]; ok {
		return made
	}
	if s.made == nil || len(s.made) >= 256 {
		s.made = map[string]string{}
	}
	made := s.verb + natsSubject(string(subject))
	if len(subject) <= natsLongest {
		s.made[string(subject)] = made
	}
	return made
}

// natsSubject replaces the tokens of a subject that differ from run to run. Names stay, so that orders.created reads orders.created.
func natsSubject(subject string) string {
	if strings.HasPrefix(subject, "_INBOX.") {
		return "_INBOX.*"
	}
	tokens := strings.Split(subject, ".")
	consumers := strings.HasPrefix(subject, "$JS.") && strings.Contains(subject, ".CONSUMER.")
	for i, t := range tokens {
		if passing(t) || consumers && natsHash(t) {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// natsHash tells the eight letters that name a consumer without a name of its own.
func natsHash(t string) bool {
	return len(t) == 8 && t != strings.ToUpper(t) && t[1:] != strings.ToLower(t[1:])
}

// passing tells a part of a name that is not the same from run to run: one with a digit (an id, a number, a time, a UUID), unless it is a
// version, and one of the few NUIDs that hold none.
func passing[T string | []byte](t T) bool {
	if len(t) == 2 && t[0] == 'v' {
		return false
	}
	upper, lower := 0, 0
	for i := range len(t) {
		switch c := t[i]; {
		case '0' <= c && c <= '9':
			return true
		case 'A' <= c && c <= 'Z':
			upper++
		case 'a' <= c && c <= 'z':
			lower++
		}
	}
	return len(t) == 22 && upper+lower == 22 && min(upper, lower) >= 6
}
