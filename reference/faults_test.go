package reference_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference"
)

// underLoad submits orders of all kinds, does something bad meanwhile, and checks that every promise was kept.
func underLoad(s *system, wreck func()) map[string]string {
	s.t.Helper()
	stop := s.load("o", 10*time.Millisecond)
	until(s.t, "load flows", func() bool { return len(s.gateway.landed()) > 10 })
	wreck()
	before := len(s.gateway.landed())
	until(s.t, "load flows again", func() bool { return len(s.gateway.landed()) > before+10 })
	accepted := stop()
	s.waitSettled()
	s.verify(accepted)
	return accepted
}

func TestEveryComponentMayBeKilledAndKilledAgain(t *testing.T) {
	s := start(t)
	underLoad(s, func() {
		for round := range 3 {
			for _, c := range reference.Components {
				took := s.restart(c)
				t.Logf("round %d: %s ready %v after its start", round, c, took)
			}
		}
	})
}

func TestAKilledComponentMayStayDownForAWhile(t *testing.T) {
	for _, c := range reference.Components {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			underLoad(s, func() {
				s.kill(c)
				// Down for longer than an AckWait and a lease: everything that can be redelivered or taken over is.
				time.Sleep(2500 * time.Millisecond)
				s.launch(c)
				s.waitReady(c)
			})
		})
	}
}

func TestEveryComponentMaySleepLongerThanItsLease(t *testing.T) {
	for _, c := range reference.Components {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.gateway.set(20*time.Millisecond, false)
			underLoad(s, func() {
				require.NoError(t, s.procs[c].Process.Signal(syscall.SIGSTOP))
				time.Sleep(3 * time.Second)
				require.NoError(t, s.procs[c].Process.Signal(syscall.SIGCONT))
			})
		})
	}
}

func TestAGatewayThatIsSlowerThanWeWaitIsAskedAgainUnderTheSameKey(t *testing.T) {
	s := start(t, "--breaker-after", "1000000") // so that it is asked often
	stop := s.load("o", 20*time.Millisecond)
	s.gateway.set(600*time.Millisecond, false)
	until(t, "keys are repeated", func() bool { return len(s.gateway.landed()) > 40 })
	s.kill("payments")
	s.launch("payments")
	s.waitReady("payments")
	s.gateway.set(0, true) // does it, and says it did not
	before := len(s.gateway.landed())
	until(t, "calls fail", func() bool { return len(s.gateway.landed()) > before+20 })
	s.gateway.set(0, false)
	accepted := stop()
	s.waitSettled()
	s.verify(accepted)
	repeated := 0
	for _, e := range s.gateway.landed() {
		if !e.Applied && !e.Refused {
			repeated++
		}
		assert.Equal(t, e.OrderID+"/"+strings.TrimSuffix(map[string]string{
			"charges": "charge", "refunds": "refund", "shipments": "ship",
		}[e.Step], "")+"/1", e.Key)
		assert.Equal(t, trace(e.OrderID), e.Trace)
	}
	assert.Greater(t, repeated, 20, "calls that were repeated under a known key")
}

func TestAComponentToldToStopDrains(t *testing.T) {
	s := start(t)
	s.gateway.set(100*time.Millisecond, false)
	stop := s.load("o", 5*time.Millisecond)
	until(t, "load flows", func() bool { return len(s.gateway.landed()) > 10 })
	for _, c := range reference.Components {
		begin := time.Now()
		assert.Zero(t, s.terminate(c), "exit code of %s", c)
		assert.Less(t, time.Since(begin), 5*time.Second, "%s stops within its drain", c)
		t.Logf("%s drained in %v", c, time.Since(begin))
		s.launch(c)
		s.waitReady(c)
	}
	accepted := stop()
	s.waitSettled()
	s.verify(accepted)
}

// What a drain of payments finished must not be delivered again: it was acknowledged on the way out.
func TestADrainAcknowledgesWhatItFinished(t *testing.T) {
	s := start(t)
	s.gateway.set(200*time.Millisecond, false)
	for n := range 8 {
		_, _, err := s.submit(order(fmt.Sprintf("o-%d", n), "happy"))
		require.NoError(t, err)
	}
	until(t, "payments is busy", func() bool { i, ok := s.idle("payments"); return ok && i.InProgress > 0 })
	assert.Zero(t, s.terminate("payments"))
	s.launch("payments")
	s.waitReady("payments")
	s.waitSettled()
	keys := map[string]int{}
	for _, e := range s.gateway.landed() {
		keys[e.Key]++
	}
	for key, calls := range keys {
		assert.Equal(t, 1, calls, "calls with key %s", key)
	}
}

func TestASecondSignalStopsAtOnce(t *testing.T) {
	s := start(t)
	s.gateway.set(300*time.Millisecond, true)
	_, _, err := s.submit(order("o-1", "happy"))
	require.NoError(t, err)
	until(t, "payments is busy", func() bool { i, ok := s.idle("payments"); return ok && i.InProgress > 0 })
	p := s.procs["payments"]
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	until(t, "the first signal is taken", func() bool { return strings.Contains(s.logs["payments"].String(), "draining") })
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	_ = p.Wait()
	assert.Equal(t, 1, p.ProcessState.ExitCode())
	s.gateway.set(0, false)
	s.launch("payments")
	s.waitSettled()
	s.verify(map[string]string{"o-1": "happy"})
}

func TestTheAPIAcceptsOrdersWithoutABroker(t *testing.T) {
	s := start(t)
	s.kill("broker")
	status, _, err := s.submit(order("o-1", "happy"))
	require.NoError(t, err)
	assert.Equal(t, 201, status)
	s.restart("api")
	status, _, err = s.submit(order("o-2", "happy"))
	require.NoError(t, err)
	assert.Equal(t, 201, status)
	s.launch("broker")
	s.waitReady("broker")
	s.waitSettled()
	s.verify(map[string]string{"o-1": "happy", "o-2": "happy"})
}

// What these get wrong is what becomes of an order that does not go well, without any fault.
var wrongWithoutFaults = []string{"compensate-undone-step", "wait-in-wrong-unit"}

func TestDefectsWorkAsLongAsNothingGoesWrong(t *testing.T) {
	for _, d := range reference.Defects() {
		if d.Of != "" { // of another system
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			kinds := kinds
			if slices.Contains(wrongWithoutFaults, d.Name) {
				kinds = []string{"happy"}
			}
			s := start(t, "--defect", d.Name)
			accepted, entries := map[string]string{}, 0
			for n := range 20 {
				id, kind := fmt.Sprintf("o-%d", n), kinds[n%len(kinds)]
				status, answer, err := s.submit(order(id, kind))
				require.NoError(t, err)
				require.Equal(t, 201, status, answer)
				accepted[id] = kind
				entries += len(transitions[kind])
			}
			s.waitSettled()
			until(t, "audit entries are in", func() bool { return s.entries() == entries })
			s.verify(accepted)
		})
	}
}
