package file

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPatternsStandForWhatTheirBrokerSays(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		nats, rabbit     bool
	}{
		{"a.b", "a.b", true, true}, {"a.b", "a.c", false, false}, {"a", "a.b", false, false}, {"a.b", "a", false, false},
		{"a.*", "a.b", true, true}, {"a.*", "a", false, false}, {"a.*", "a.b.c", false, false}, {"*", "a", true, true}, {"*.b", "a.b", true, true},
		{"a.>", "a.b.c", true, false}, {"a.>", "a", false, false}, {">", "a.b", true, false},
		{"a.#", "a", false, true}, {"a.#", "a.b.c", false, true}, {"#", "", false, true}, {"#.b", "a.c.b", false, true}, {"#.b", "a.b.c", false, false},
		{"#.#.#.x", "a.b", false, false}, {"a.#.c.*", "a.b.c.c.d", false, true},
	} {
		assert.Equal(t, c.nats, subjectMatches(c.pattern, c.subject), "NATS: %s, %s", c.pattern, c.subject)
		assert.Equal(t, c.rabbit, routingMatches(c.pattern, c.subject), "RabbitMQ: %s, %s", c.pattern, c.subject)
	}
}
