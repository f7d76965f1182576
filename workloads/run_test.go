package workloads_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder keeps events in order and is the clock of the test's run.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	all   []history.Event
}

func newRecorder() *recorder { return &recorder{start: time.Now()} }

func (r *recorder) Now() time.Duration { return time.Since(r.start) }

func (r *recorder) Record(e history.Event) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Seq, e.T = uint64(len(r.all)), r.Now()
	r.all = append(r.all, e)
	return e.Seq
}

func (r *recorder) events() []history.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]history.Event(nil), r.all...)
}

// story is what happened to a unit, one word for each event: "submit#1 info#1 submit#2 ok#2".
func (r *recorder) story(u history.Unit) string {
	var words []string
	for _, e := range r.events() {
		if e.Unit != u {
			continue
		}
		word := map[history.Kind]string{history.KindOK: "ok", history.KindFail: "fail", history.KindInfo: "info"}[e.Kind]
		if e.Kind == history.KindInvoke {
			word = e.Op
		}
		words = append(words, fmt.Sprintf("%s#%d", word, e.Attempt))
	}
	return strings.Join(words, " ")
}

// answers is a client as a function.
type answers func(ctx context.Context, op workloads.Operation) workloads.Answer

func (f answers) Do(ctx context.Context, op workloads.Operation) workloads.Answer { return f(ctx, op) }

func submit(u history.Unit, due time.Duration) workloads.Operation {
	return workloads.Operation{Op: workloads.Submit, Unit: u, Due: due, Class: "happy", Key: fmt.Sprintf("k-%d", u), Trace: "t", Nonce: uint64(u) + 99}
}

func amend(u history.Unit, due time.Duration, note string) workloads.Operation {
	return workloads.Operation{Op: workloads.Amend, Unit: u, Due: due, Note: note, Key: "k-" + note, Trace: "t", Nonce: 5}
}

var (
	ok   = workloads.Answer{Kind: history.KindOK}
	fail = workloads.Answer{Kind: history.KindFail}
	info = workloads.Answer{Kind: history.KindInfo}
)

func TestInfoIsTriedAgainUnderTheSameKeyUntilItIsDefinite(t *testing.T) {
	rec := newRecorder()
	s := workloads.Run(t.Context(), []workloads.Operation{submit(0, 0), submit(1, 0), submit(2, 0)}, workloads.Spec{Attempts: 3},
		answers(func(_ context.Context, op workloads.Operation) workloads.Answer {
			switch {
			case op.Unit == 0 && op.Attempt < 3:
				return info
			case op.Unit == 1:
				return fail
			case op.Unit == 2:
				return info
			}
			return workloads.Answer{Kind: history.KindOK, Value: "accepted", Token: 4}
		}), rec, rec)

	assert.Equal(t, "submit#1 info#1 submit#2 info#2 submit#3 ok#3", rec.story(0))
	assert.Equal(t, "submit#1 fail#1", rec.story(1), "a fail is an answer")
	assert.Equal(t, "submit#1 info#1 submit#2 info#2 submit#3 info#3", rec.story(2), "three attempts and no more")
	ended := time.Duration(0)
	for _, e := range rec.events() {
		assert.Equal(t, fmt.Sprintf("k-%d", e.Unit), e.Key)
		assert.Equal(t, "t", e.Trace)
		if e.Unit != 0 {
			continue
		}
		switch {
		case e.Kind == history.KindInvoke && e.Attempt > 1:
			assert.Equal(t, "happy", e.Value)
			assert.GreaterOrEqual(t, e.At-ended, 25*time.Millisecond, "half of the first backoff at least")
			assert.GreaterOrEqual(t, e.T, e.At, "a try does not start before it is due")
		case e.Kind == history.KindOK:
			assert.Equal(t, "accepted", e.Value)
			assert.EqualValues(t, 4, e.Token)
		}
		ended = e.T
	}
	assert.Equal(t, 3, s.Planned)
	assert.Equal(t, 3, s.Started)
	assert.Equal(t, 4, s.Retries)
	assert.Equal(t, 1, s.GaveUp)
	assert.Equal(t, workloads.Tries{OK: 1, Fail: 1, Info: 5}, s.Tries[workloads.Submit])
}

func TestReadsAreNotTriedAgain(t *testing.T) {
	rec := newRecorder()
	read := workloads.Operation{Op: workloads.Read, Unit: 3, Class: "happy"}
	s := workloads.Run(t.Context(), []workloads.Operation{read}, workloads.Spec{},
		answers(func(context.Context, workloads.Operation) workloads.Answer { return info }), rec, rec)
	assert.Equal(t, "read#1 info#1", rec.story(3))
	assert.Zero(t, s.GaveUp)
	assert.Empty(t, rec.events()[0].Value)
}

func TestAnAnswerThatIsNoAnswerIsInfo(t *testing.T) {
	rec := newRecorder()
	workloads.Run(t.Context(), []workloads.Operation{submit(0, 0)}, workloads.Spec{Attempts: 1},
		answers(func(context.Context, workloads.Operation) workloads.Answer { return workloads.Answer{} }), rec, rec)
	assert.Equal(t, "submit#1 info#1", rec.story(0))
}

// The one client there is submits another unit while the first one's retry waits.
func TestWaitingForARetryOccupiesNoClient(t *testing.T) {
	rec := newRecorder()
	workloads.Run(t.Context(), []workloads.Operation{submit(0, 0), submit(1, 0)}, workloads.Spec{Clients: 1},
		answers(func(_ context.Context, op workloads.Operation) workloads.Answer {
			if op.Unit == 0 && op.Attempt == 1 {
				return info
			}
			return ok
		}), rec, rec)
	var order []string
	for _, e := range rec.events() {
		if e.Kind == history.KindInvoke {
			order = append(order, fmt.Sprintf("%d#%d", e.Unit, e.Attempt))
		}
	}
	assert.Equal(t, []string{"0#1", "1#1", "0#2"}, order)
}

func TestAmendsAreConditionalOnTheNewestVersionSeen(t *testing.T) {
	rec := newRecorder()
	ops := []workloads.Operation{amend(0, 0, "too early"), submit(0, 0), amend(0, 0, "a"), amend(0, 0, "b")}
	s := workloads.Run(t.Context(), ops, workloads.Spec{Clients: 1},
		answers(func(_ context.Context, op workloads.Operation) workloads.Answer {
			switch {
			case op.Op == workloads.Submit:
				return workloads.Answer{Kind: history.KindOK, Token: 7}
			case op.Note == "a" && op.Attempt == 1:
				return workloads.Answer{Kind: history.KindInfo, Token: 5} // older than what was seen
			case op.Note == "b":
				return workloads.Answer{Kind: history.KindOK, Token: 9}
			}
			return fail
		}), rec, rec)

	var seen []string
	for _, e := range rec.events() {
		if e.Kind == history.KindInvoke && e.Op == workloads.Amend {
			seen = append(seen, fmt.Sprintf("%s#%d if version %d", e.Value, e.Attempt, e.Token))
		}
	}
	assert.Equal(t, []string{"a#1 if version 7", "b#1 if version 7", "a#2 if version 7"}, seen,
		"a retry is the same request, whatever was seen since")
	assert.Equal(t, 1, s.Skipped, "no version was seen when the first amend was due")
	assert.Equal(t, 4, s.Started)
}

func TestAUnitHasABoundedNumberOfIndeterminateOperations(t *testing.T) {
	rec := newRecorder()
	ops := []workloads.Operation{submit(0, 0)}
	for i := range 20 {
		ops = append(ops, amend(0, time.Duration(i)*time.Millisecond, fmt.Sprint(i)))
	}
	ops = append(ops, submit(1, 20*time.Millisecond))
	s := workloads.Run(t.Context(), ops, workloads.Spec{Clients: 4, Attempts: 1},
		answers(func(_ context.Context, op workloads.Operation) workloads.Answer {
			if op.Op == workloads.Submit {
				return workloads.Answer{Kind: history.KindOK, Token: 1}
			}
			return info
		}), rec, rec)
	assert.Equal(t, workloads.MaxIndeterminate, s.Tries[workloads.Amend].Info)
	assert.Equal(t, 20-workloads.MaxIndeterminate, s.Skipped)
	assert.Equal(t, "submit#1 ok#1", rec.story(1), "other units are not concerned")
}

func TestAnActorHasOneOperationOpenAndEveryOperationEnds(t *testing.T) {
	rec := newRecorder()
	s := workloads.Spec{
		Phases: []workloads.Phase{{Rate: 2000, For: 250 * time.Millisecond}}, Clients: 7, Reads: 2, Amends: 1, Attempts: 3,
		Timeout: 3 * time.Millisecond,
	}
	stats := workloads.Run(t.Context(), s.Operations(1), s,
		answers(func(ctx context.Context, op workloads.Operation) workloads.Answer {
			switch op.Nonce % 8 {
			case 0:
				<-ctx.Done()
				return info
			case 1:
				return fail
			case 2:
				return info
			}
			return workloads.Answer{Kind: history.KindOK, Token: 1}
		}), rec, rec)

	open := map[uint32]*history.Event{}
	tries := 0
	for _, e := range rec.events() {
		require.GreaterOrEqual(t, e.Actor, uint32(1))
		require.LessOrEqual(t, e.Actor, uint32(7))
		if e.Kind == history.KindInvoke {
			require.Nil(t, open[e.Actor], "actor %d has two operations open", e.Actor)
			open[e.Actor] = &e
			tries++
			continue
		}
		invoked := open[e.Actor]
		require.NotNil(t, invoked)
		require.Equal(t, [4]any{invoked.Unit, invoked.Op, invoked.Attempt, invoked.Key}, [4]any{e.Unit, e.Op, e.Attempt, e.Key})
		open[e.Actor] = nil
	}
	for actor, e := range open {
		require.Nil(t, e, "actor %d never ended its operation", actor)
	}
	sum := 0
	for _, n := range stats.Tries {
		sum += n.OK + n.Fail + n.Info
	}
	assert.Equal(t, tries, sum)
	assert.Equal(t, stats.Planned, stats.Started)
	assert.Len(t, open, 7, "every client had something to do")
}

func TestCancellingEndsWhatIsOpenAsInfoAndStartsNothingMore(t *testing.T) {
	rec := newRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Add(2)
	ops := []workloads.Operation{submit(0, 0), submit(1, 0), submit(2, 0), submit(3, time.Hour)}
	done := make(chan workloads.Stats)
	go func() {
		done <- workloads.Run(ctx, ops, workloads.Spec{Clients: 2, Timeout: time.Hour},
			answers(func(ctx context.Context, _ workloads.Operation) workloads.Answer {
				busy.Done()
				<-ctx.Done()
				return info
			}), rec, rec)
	}()
	busy.Wait()
	cancel()
	select {
	case s := <-done:
		assert.Equal(t, 2, s.Started)
		assert.Equal(t, 4, s.Planned)
		assert.Equal(t, workloads.Tries{Info: 2}, s.Tries[workloads.Submit])
	case <-time.After(10 * time.Second):
		require.Fail(t, "the load goes on after it was cancelled")
	}
	assert.Len(t, rec.events(), 4)
}

func TestATryEndsWithItsTimeout(t *testing.T) {
	rec := newRecorder()
	workloads.Run(t.Context(), []workloads.Operation{submit(0, 0)}, workloads.Spec{Attempts: 1, Timeout: 30 * time.Millisecond},
		answers(func(ctx context.Context, _ workloads.Operation) workloads.Answer {
			<-ctx.Done()
			return info
		}), rec, rec)
	events := rec.events()
	require.Len(t, events, 2)
	assert.GreaterOrEqual(t, events[1].T-events[0].T, 30*time.Millisecond)
}

// One client that takes 20 ms for each of ten operations due at once: it is busy, and the generator is not late.
func TestWaitingForABusyClientIsNotLateness(t *testing.T) {
	rec := newRecorder()
	var ops []workloads.Operation
	for u := range history.Unit(10) {
		ops = append(ops, submit(u, 0))
	}
	s := workloads.Run(t.Context(), ops, workloads.Spec{Clients: 1},
		answers(func(ctx context.Context, _ workloads.Operation) workloads.Answer {
			busy, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			<-busy.Done()
			return ok
		}), rec, rec)
	assert.GreaterOrEqual(t, s.Waited.Max, 9*20*time.Millisecond)
	assert.Less(t, s.Late.Max, 9*20*time.Millisecond)
	last := rec.events()[18]
	assert.Equal(t, rec.events()[0].At, last.At, "latency still counts from the intended start")
}

func TestLongAnswersAreCut(t *testing.T) {
	rec := newRecorder()
	workloads.Run(t.Context(), []workloads.Operation{submit(0, 0)}, workloads.Spec{},
		answers(func(context.Context, workloads.Operation) workloads.Answer {
			return workloads.Answer{Kind: history.KindFail, Value: strings.Repeat("é", 5<<20)}
		}), rec, rec)
	v := rec.events()[1].Value
	assert.Less(t, len(v), 5000)
	assert.True(t, strings.HasSuffix(v, "é... (10485760 bytes)"), v[len(v)-40:])
}

func TestNothingToDo(t *testing.T) {
	rec := newRecorder()
	assert.Zero(t, workloads.Run(t.Context(), nil, workloads.Spec{}, nil, rec, rec).Started)
}

func TestOnlyWhatWasAcknowledgedIsAskedForAgain(t *testing.T) {
	again := func(u history.Unit, clash bool) workloads.Operation {
		op := submit(u, 0)
		op.Again, op.Clash = true, clash
		return op
	}
	for _, c := range []struct {
		first history.Kind
		want  []string // what was submitted
	}{
		{history.KindOK, []string{"happy", "happy", "happy, another payload"}},
		{history.KindFail, []string{"happy"}},
	} {
		rec := newRecorder()
		client := answers(func(context.Context, workloads.Operation) workloads.Answer { return workloads.Answer{Kind: c.first} })
		s := workloads.Run(t.Context(), []workloads.Operation{submit(0, 0), again(0, false), again(0, true)}, workloads.Spec{Clients: 1}, client, rec, rec)
		var asked []string
		for _, e := range rec.events() {
			if e.Kind == history.KindInvoke {
				asked = append(asked, e.Value)
			}
		}
		assert.Equal(t, c.want, asked)
		assert.Equal(t, 3-len(c.want), s.Skipped)
	}
}
