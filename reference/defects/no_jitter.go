package defects

import (
	"math/rand/v2"
	"time"

	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/policy"
)

// NoJitter makes everybody wait exactly as long as everybody else.
var NoJitter = Defect{
	Name: "no-jitter",
	Story: "The waits double, up to a cap, as in every article about retries; the random part was left out, because it made a test flaky. When the " +
		"gateway stumbles, all that failed together come back together, find it stumbling under just that, fail together, and come back " +
		"together after twice the time. Its graph shows a comb. Nothing is lost, and nothing gets better until somebody turns off half of the " +
		"workers.",
	Reveals: []string{"retry-storm"},
	Falls:   "bounded-retries",
	Apply: func(p *parts.Parts) {
		p.Backoff = func(base, limit time.Duration, _ *rand.Rand) *policy.Backoff {
			return policy.NewBackoff(base, limit, rand.New(same{}))
		}
	},
}

// same is a source of randomness that has none.
type same struct{}

func (same) Uint64() uint64 { return 0x5555_5555_5555_5555 }
