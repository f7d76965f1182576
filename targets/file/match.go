package file

import "strings"

// subjectMatches tells whether a subject is one of those that a pattern of NATS stands for: * is one word, > at the end all that follow.
func subjectMatches(pattern, subject string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		switch {
		case p == ">" && !moreP:
			return true
		case p != "*" && p != s, moreP != moreS:
			return false
		case !moreP:
			return true
		}
		pattern, subject = restP, restS
	}
}

// routingMatches tells whether a routing key is one of those that a binding of RabbitMQ stands for: * is one word, # any number of them. A
// binding of an exchange that is not by topic is the key itself.
func routingMatches(binding, key string) bool {
	return binding == key || wordsMatch(strings.Split(binding, "."), words(key))
}

func words(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// wordsMatch keeps, for each number of words of the key, whether the binding's words so far match that many: linear in both.
func wordsMatch(binding, key []string) bool {
	at := make([]bool, len(key)+1)
	at[0] = true
	for _, b := range binding {
		next := make([]bool, len(key)+1)
		for n := range at {
			switch {
			case b == "#":
				next[n] = at[n] || n > 0 && next[n-1]
			case n > 0:
				next[n] = at[n-1] && (b == "*" || b == key[n-1])
			}
		}
		at = next
	}
	return at[len(key)]
}
