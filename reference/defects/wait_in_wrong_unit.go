package defects

import (
	"math/rand/v2"
	"time"

	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/policy"
)

// WaitInWrongUnit makes every component wait for minutes before it tries again.
var WaitInWrongUnit = Defect{
	Name: "wait-in-wrong-unit",
	Story: "The setting is called retry-base and says 50. The old library took milliseconds, the new one takes seconds, and the type of both is a " +
		"number. Nobody notices, because nothing fails. Then the gateway loses its answers for two seconds, and every order that was with it " +
		"waits for most of a minute, and then for two. Nothing is lost; a person who looks sees a queue that does not move and a gateway that " +
		"is idle, and restarts everything, which helps.",
	Reveals: []string{"retry-storm"},
	Falls:   "no-stuck-work",
	Apply: func(p *parts.Parts) {
		p.Backoff = func(base, limit time.Duration, rng *rand.Rand) *policy.Backoff {
			return policy.NewBackoff(1000*base, 1000*limit, rng)
		}
	},
}
