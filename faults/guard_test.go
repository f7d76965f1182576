package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
)

// script is a fault that does as it is told.
type script struct {
	inject, heal func(context.Context) error
	mu           sync.Mutex
	injects      int
	heals        int
	on           bool
}

func (s *script) Inject(ctx context.Context) (faults.Evidence, error) {
	s.mu.Lock()
	s.injects++
	s.on = true // even when it fails: that is what doubtful means
	s.mu.Unlock()
	if s.inject != nil {
		if err := s.inject(ctx); err != nil {
			return faults.Evidence{Took: time.Millisecond}, err
		}
	}
	return faults.Evidence{Probe: "no answer", Took: time.Millisecond}, nil
}

func (s *script) Heal(ctx context.Context) (faults.Evidence, error) {
	if s.heal != nil {
		if err := s.heal(ctx); err != nil {
			return faults.Evidence{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heals++
	s.on = false
	return faults.Evidence{Probe: "answers", Bytes: 7}, nil
}

var (
	begin, confirmed, end, wasHealed, failed = history.OutcomeBegin, history.OutcomeConfirmed, history.OutcomeEnd, history.OutcomeHealed, history.OutcomeFailed
	whole                                    = []history.Outcome{begin, confirmed, end, wasHealed}
)

func crash(id, component string) faults.Spec {
	return faults.Spec{ID: id, Kind: "crash", Component: component}
}

func TestGuardRecordsAnInterval(t *testing.T) {
	l := newLog()
	g := faults.NewGuard(l, l)
	spec := faults.Spec{ID: "f2", Kind: "partition", From: "relay", To: "broker", For: time.Millisecond}
	var undo string
	f := &script{inject: func(context.Context) error { undo = l.open["f2"]; return nil }}
	require.NoError(t, g.Run(ctx(t), time.Now(), faults.Planned{Spec: spec, Fault: f}))
	assert.Equal(t, "partition relay <-> broker", undo, "what to undo is written before the fault begins")
	assert.Empty(t, l.open)
	require.Equal(t, whole, l.story("f2"))
	for _, e := range l.events {
		assert.Equal(t, history.Event{Kind: history.KindFault, Outcome: e.Outcome, Unit: history.NoUnit, Op: "partition", Component: "relay <-> broker", Key: "f2", Value: e.Value}, e)
	}
	var evidence faults.Evidence
	require.NoError(t, json.Unmarshal([]byte(l.events[1].Value), &evidence))
	assert.Equal(t, faults.Evidence{Probe: "no answer", Took: time.Millisecond}, evidence)
	require.NoError(t, json.Unmarshal([]byte(l.events[3].Value), &evidence))
	assert.Equal(t, int64(7), evidence.Bytes)
}

func TestGuardRefusesIllegalOrders(t *testing.T) {
	l := newLog()
	g := faults.NewGuard(l, l)
	f := &script{}
	_, err := g.Heal(ctx(t), "f1")
	require.NoError(t, err, "healing what was never injected does nothing")
	require.Empty(t, l.events)

	_, err = g.Inject(ctx(t), crash("f1", "relay"), f)
	require.NoError(t, err)
	_, err = g.Inject(ctx(t), crash("f1", "relay"), f)
	require.ErrorIs(t, err, faults.ErrOrder)
	require.ErrorContains(t, err, "inject f1: it is in force")
	_, err = g.Inject(ctx(t), crash("f2", "relay"), f)
	require.ErrorIs(t, err, faults.ErrOrder)
	require.ErrorContains(t, err, "f1 is in force: both act on the process of one component")
	require.Equal(t, []history.Outcome{failed}, l.story("f2"), "a planned fault that was refused is in the history")
	_, err = g.Inject(ctx(t), crash("f3", "broker"), &script{})
	require.NoError(t, err, "another component is another matter")
	require.Equal(t, 1, f.injects)

	require.NoError(t, g.HealAll(ctx(t)))
	require.NoError(t, g.HealAll(ctx(t)))
	require.Equal(t, 1, f.heals)
	require.Equal(t, whole, l.story("f1"))
	require.Empty(t, l.open)
}

func TestGuardDoesNotBeginWithoutAnUndoRecord(t *testing.T) {
	l := newLog()
	l.refuse = true
	f := &script{}
	err := faults.NewGuard(l, l).Run(ctx(t), time.Now(), faults.Planned{Spec: crash("f1", "relay"), Fault: f})
	require.ErrorContains(t, err, "inject f1: write undo record: no space left on device")
	require.Zero(t, f.injects)
	require.Equal(t, []history.Outcome{failed}, l.story("f1"))
}

func TestGuardHealsWhatFailed(t *testing.T) {
	l := newLog()
	g := faults.NewGuard(l, l)
	f := &script{inject: func(context.Context) error { return errors.New("saw an answer") }}
	err := g.Run(ctx(t), time.Now(), faults.Planned{Spec: crash("f1", "relay"), Fault: f})
	require.ErrorContains(t, err, "inject f1: saw an answer")
	require.False(t, f.on)
	require.Equal(t, []history.Outcome{begin, failed, end, wasHealed}, l.story("f1"))
	require.Contains(t, l.events[1].Value, "saw an answer")

	sick := true
	f = &script{
		inject: func(context.Context) error { panic("boom") },
		heal: func(context.Context) error {
			if sick {
				return errors.New("no answer")
			}
			return nil
		},
	}
	err = g.Run(ctx(t), time.Now(), faults.Planned{Spec: crash("f2", "broker"), Fault: f})
	require.ErrorContains(t, err, "inject f2: panic: boom")
	require.ErrorContains(t, err, "heal f2: no answer")
	require.Contains(t, l.open, "f2", "what is not undone stays in the undo log")
	sick = false
	require.NoError(t, g.HealAll(ctx(t)))
	require.Empty(t, l.open)
	require.Equal(t, []history.Outcome{begin, failed, end, failed, wasHealed}, l.story("f2"))
}

// A walk of 10,000 steps over a few faults that fail every now and then: no order that the guard accepts is illegal, everything is
// healed at the end, and the undo log is empty.
func TestGuardRandomWalk(t *testing.T) {
	const seed, steps = 1, 10_000
	rnd := rand.New(rand.NewPCG(seed, 0))
	l := newLog()
	g := faults.NewGuard(l, l)
	type fault struct {
		spec faults.Spec
		*script
		open bool // injected, not yet healed: our own book-keeping
	}
	var all []*fault
	for i, component := range []string{"relay", "relay", "broker", "api", "payments"} {
		all = append(all, &fault{spec: crash(fmt.Sprintf("f%d", i+1), component)})
	}
	failing := func() func(context.Context) error {
		var err error
		if rnd.IntN(3) == 0 {
			err = errors.New("forced")
		}
		return func(context.Context) error { return err }
	}
	accepted, refused := 0, 0
	for step := range steps {
		f := all[rnd.IntN(len(all))]
		if f.script == nil || !f.open {
			f.script = &script{}
		}
		f.inject, f.heal = failing(), failing()
		if rnd.IntN(2) == 0 {
			_, err := g.Inject(context.Background(), f.spec, f.script)
			legal := !f.open
			for _, o := range all {
				legal = legal && (o == f || !o.open || o.spec.Component != f.spec.Component)
			}
			require.Equal(t, legal, !errors.Is(err, faults.ErrOrder), "step %d: inject %s: %v", step, f.spec.ID, err)
			if legal {
				f.open = true
				accepted++
			} else {
				refused++
			}
		} else {
			_, err := g.Heal(context.Background(), f.spec.ID)
			if err == nil {
				f.open = false
			}
		}
		for _, f := range all {
			require.Equal(t, f.open, l.open[f.spec.ID] != "", "step %d: undo record of %s", step, f.spec.ID)
			require.Equal(t, f.open, f.script != nil && f.on, "step %d: %s", step, f.spec.ID)
		}
	}
	require.Greater(t, accepted, steps/20)
	require.Greater(t, refused, steps/20)
	for _, f := range all {
		if f.script != nil {
			f.heal = nil
		}
	}
	require.NoError(t, g.HealAll(ctx(t)))
	require.Empty(t, l.open)
	for _, f := range all {
		times := map[history.Outcome]int{}
		for _, o := range l.story(f.spec.ID) {
			times[o]++
		}
		require.Positive(t, times[begin])
		require.Equal(t, times[begin], times[end], "each interval of %s ends once", f.spec.ID)
		require.Equal(t, times[begin], times[wasHealed], "and is healed once")
	}
}

func TestScheduleKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		g := faults.NewGuard(l, l)
		start := time.Now()
		var order []string
		var mu sync.Mutex
		at := func(id, component string, at, hold time.Duration) faults.Planned {
			note := func(what string) func(context.Context) error {
				return func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, fmt.Sprintf("%v %s %s", time.Since(start), what, id))
					return nil
				}
			}
			return faults.Planned{Spec: faults.Spec{ID: id, Kind: "crash", Component: component, At: at, For: hold}, Fault: &script{inject: note("inject"), heal: note("heal")}}
		}
		errs := g.Schedule(t.Context(), start, []faults.Planned{
			at("f1", "relay", 3*time.Second, time.Second),
			at("f2", "broker", time.Second, 5*time.Second),
			at("f3", "api", 2*time.Second, 500*time.Millisecond),
		})
		assert.Equal(t, []error{nil, nil, nil}, errs)
		assert.Equal(t, []string{"1s inject f2", "2s inject f3", "2.5s heal f3", "3s inject f1", "4s heal f1", "6s heal f2"}, order)
	})
}

func TestScheduleHealsAtOnceWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		g := faults.NewGuard(l, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f := &script{heal: func(ctx context.Context) error { return ctx.Err() }} // healing must not be cancelled, too
		slow := &script{inject: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		late := &script{}
		start := time.Now()
		errs := g.Schedule(ctx, start, []faults.Planned{
			{Spec: faults.Spec{ID: "f1", Kind: "crash", Component: "relay", For: time.Hour}, Fault: f},
			{Spec: faults.Spec{ID: "f2", Kind: "crash", Component: "broker", For: time.Hour}, Fault: slow},
			{Spec: faults.Spec{ID: "f3", Kind: "crash", Component: "api", At: time.Hour}, Fault: late},
		})
		assert.Equal(t, time.Second, time.Since(start))
		assert.NoError(t, errs[0])
		assert.ErrorIs(t, errs[1], context.DeadlineExceeded)
		assert.ErrorContains(t, errs[2], "its time did not come")
		assert.Equal(t, whole, l.story("f1"))
		assert.Equal(t, []history.Outcome{begin, failed, end, wasHealed}, l.story("f2"))
		assert.Empty(t, l.story("f3"))
		assert.Zero(t, late.injects)
		assert.Empty(t, l.open)
	})
}

// The second of two faults of one component whose times touch waits until the first is healed; the plan's order decides.
func TestScheduleWaitsForAHealingFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		g := faults.NewGuard(l, l)
		start := time.Now()
		var began time.Duration
		first := &script{heal: func(context.Context) error { time.Sleep(300 * time.Millisecond); return nil }}
		second := &script{inject: func(context.Context) error { began = time.Since(start); return nil }}
		errs := g.Schedule(t.Context(), start, []faults.Planned{
			{Spec: faults.Spec{ID: "f1", Kind: "crash", Component: "relay", For: time.Second}, Fault: first},
			{Spec: faults.Spec{ID: "f2", Kind: "crash", Component: "relay", At: 1100 * time.Millisecond, For: time.Second}, Fault: second},
		})
		assert.Equal(t, []error{nil, nil}, errs)
		assert.Equal(t, 1300*time.Millisecond, began)
	})
}
