package reference_test

import (
	"strings"
	"testing"
	"time"
)

func TestEveryEdgeMayBeCutHeldSwallowedOrSlow(t *testing.T) {
	edges := []string{
		"api -> broker", "relay -> broker", "saga -> broker", "inventory -> broker", "payments -> broker", "shipping -> broker",
		"audit -> broker", "payments -> gateway", "shipping -> gateway",
	}
	for _, shape := range []fault{hold, holdAnswers, swallow, loseAnswers, reset, slow} {
		t.Run(strings.ReplaceAll(string(shape), " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			underLoad(s, func() {
				for _, e := range edges {
					s.edges[e].set(shape)
					time.Sleep(700 * time.Millisecond)
					s.edges[e].set(none)
				}
			})
		})
	}
}

func TestALongPartitionOfEverybodyHeals(t *testing.T) {
	for _, shape := range []fault{hold, swallow, reset} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			underLoad(s, func() {
				for _, e := range s.edges {
					e.set(shape)
				}
				time.Sleep(4 * time.Second) // longer than a ping, a heartbeat or an AckWait goes unanswered
				for _, e := range s.edges {
					e.set(none)
				}
				before, begin := len(s.gateway.landed()), time.Now()
				until(t, "work flows again", func() bool { return len(s.gateway.landed()) > before })
				t.Logf("work flowed again %v after the partition healed", time.Since(begin))
			})
		})
	}
}
