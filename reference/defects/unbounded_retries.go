package defects

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/policy"
)

// UnboundedRetries makes every component try again at once, and for ever.
var UnboundedRetries = Defect{
	Name: "unbounded-retries",
	Story: "Retries with backoff made recovery look slow in a demonstration, so the wait was set to a millisecond and the number of tries to " +
		"minus one. A gateway that loses its answers for two seconds now gets each request some hundred times over. It would have been back " +
		"after two; under a load that is a hundred times the usual one it is not back after ten minutes, and the team that runs it finds " +
		"out who is calling by looking at whose requests there are most of.",
	Reveals: []string{"retry-storm"},
	Falls:   "bounded-retries",
	Apply: func(p *parts.Parts) {
		p.Tries = math.MaxInt
		p.Breaker = func(int, *policy.Backoff) *policy.Breaker { return nil }
		p.Backoff = func(_, _ time.Duration, rng *rand.Rand) *policy.Backoff { return policy.NewBackoff(0, 0, rng) }
	},
}
