package defects

import (
	"math/rand/v2"
	"time"

	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/policy"
)

// BreakerStaysOpen makes who has given the gateway up ask it again after a minute at the soonest, whatever happens meanwhile.
var BreakerStaysOpen = Defect{
	Name: "breaker-stays-open",
	Story: "The breaker was put in after an outage in which retries had kept the gateway from coming back, and its wait was chosen by the people who " +
		"had been on call: a minute is nothing. Since then an outage of two seconds is one of a minute. Everything waits behind a breaker that " +
		"nobody closes; every dashboard of the gateway is green, and in the queue before it lies what came in during that minute, which then " +
		"arrives all at once. Nothing is lost, no call fails, and the promise to be back in twenty seconds was made by others.",
	Reveals: []string{"gateway-away"},
	Falls:   "bounded-recovery",
	Apply:   func(p *parts.Parts) { p.Breaker = patient },
}

func patient(after int, _ *policy.Backoff) *policy.Breaker {
	const wait = 2 * time.Minute // of which a half is jitter
	return policy.NewBreaker(after, policy.NewBackoff(wait, wait, rand.New(rand.NewPCG(1, 1))))
}
