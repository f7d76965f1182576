package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// newQueue is a queue whose leases last so long.
func newQueue(t *testing.T, ttl time.Duration) *jobs.Queue {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), store.Off, jobs.Schema, lease.Schema, idempotency.Schema, audit.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &jobs.Queue{DB: db, Trail: audit.Transactional("queue", db, nil, nil), Lease: ttl, Fence: jobs.Fenced, Clock: jobs.OwnClock}
}

func submit(t *testing.T, q *jobs.Queue, id string) {
	t.Helper()
	_, err := q.Submit(t.Context(), "key-"+id, "trace", jobs.Job{JobID: id, Account: "a", Amount: 1})
	require.NoError(t, err)
}

func claim(t *testing.T, q *jobs.Queue, owner string) *jobs.Grant {
	t.Helper()
	g, err := q.Claim(t.Context(), owner, time.Now())
	require.NoError(t, err)
	return g
}

func report(g *jobs.Grant, owner string, place int) jobs.Report {
	return jobs.Report{JobID: g.JobID, Owner: owner, Token: g.Token, Place: place}
}

func TestAJobIsAcceptedOnceForItsKey(t *testing.T) {
	q := newQueue(t, time.Minute)
	job := jobs.Job{JobID: "j-1", Account: "a", Amount: 1}
	first, err := q.Submit(t.Context(), "k", "", job)
	require.NoError(t, err)
	again, err := q.Submit(t.Context(), "k", "", job)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(again))
	_, err = q.Submit(t.Context(), "other", "", job)
	require.ErrorIs(t, err, jobs.ErrTaken)
	job.Amount = 2
	_, err = q.Submit(t.Context(), "k", "", job)
	require.ErrorIs(t, err, idempotency.ErrMismatch)
	n, err := q.Open(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

func TestOneWorkerAtATimeHoldsAJob(t *testing.T) {
	q := newQueue(t, time.Minute)
	submit(t, q, "j-1")
	submit(t, q, "j-2")
	var mu sync.Mutex
	granted := map[string]int{}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			g, err := q.Claim(t.Context(), fmt.Sprint("w", n), time.Now())
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			if g != nil {
				granted[g.JobID]++
			}
		})
	}
	all.Wait()
	assert.Equal(t, map[string]int{"j-1": 1, "j-2": 1}, granted)
}

func TestAZombieMayNotSpeak(t *testing.T) {
	q := newQueue(t, time.Millisecond)
	submit(t, q, "j-1")
	old := claim(t, q, "old")
	require.NoError(t, q.Checkpoint(t.Context(), report(old, "old", 2)))
	var young *jobs.Grant
	require.Eventually(t, func() bool { young = claim(t, q, "young"); return young != nil }, 5*time.Second, time.Millisecond)
	assert.Equal(t, 2, young.Place, "it goes on where the other one was")
	assert.Greater(t, young.Token, old.Token)
	require.NoError(t, q.Checkpoint(t.Context(), report(young, "young", 4)))
	for verb, do := range map[string]func(context.Context, jobs.Report) error{
		"extend": q.Extend, "checkpoint": q.Checkpoint, "finish": q.Finish, "hand back": q.HandBack, "set aside": q.SetAside,
	} {
		require.ErrorIs(t, do(t.Context(), report(old, "old", jobs.Chunks)), jobs.ErrLost, verb)
	}
	s, err := q.Status(t.Context(), "j-1")
	require.NoError(t, err)
	assert.Equal(t, jobs.Status{JobID: "j-1", State: jobs.Running, Version: 2, Place: 4}, s)
}

func TestWhatIsHandedBackIsTakenAtOnce(t *testing.T) {
	q := newQueue(t, time.Minute)
	submit(t, q, "j-1")
	g := claim(t, q, "w1")
	assert.Nil(t, claim(t, q, "w2"))
	require.NoError(t, q.HandBack(t.Context(), report(g, "w1", 3)))
	g = claim(t, q, "w2")
	require.NotNil(t, g)
	assert.Equal(t, 3, g.Place)
	assert.Equal(t, 2, g.Attempt)
}

func TestAJobEndsOnce(t *testing.T) {
	q := newQueue(t, time.Minute)
	submit(t, q, "j-1")
	g := claim(t, q, "w1")
	require.Error(t, q.Finish(t.Context(), report(g, "w1", jobs.Chunks-1)), "one chunk is missing")
	require.NoError(t, q.Finish(t.Context(), report(g, "w1", jobs.Chunks)))
	require.ErrorIs(t, q.SetAside(t.Context(), report(g, "w1", 0)), jobs.ErrLost)
	assert.Nil(t, claim(t, q, "w2"))
	lines, err := audit.After(t.Context(), q.DB, "queue", 0, 100)
	require.NoError(t, err)
	var said []string
	prev := ""
	for _, l := range lines {
		assert.Equal(t, audit.Hash(prev, l.Body), l.Hash)
		prev = l.Hash
		_, rest, _ := strings.Cut(l.Body, `"transition":"`)
		what, _, _ := strings.Cut(rest, `"`)
		said = append(said, what)
	}
	assert.Equal(t, []string{"accepted", "claimed", "completed"}, said)
}

// plant is a queue at work, with a worker that does chunks as a test says.
type plant struct {
	queue  *jobs.Queue
	worker *jobs.Worker
	meter  broker.Meter
	deaf   atomic.Bool // the queue hears nothing
}

func newPlant(t *testing.T, ttl time.Duration, chunk jobs.Chunk) *plant {
	p := &plant{queue: newQueue(t, ttl)}
	handler := jobs.Handler(p.queue, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.deaf.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := jobs.NewClient(server.URL, time.Second, time.Now)
	t.Cleanup(client.Close)
	p.worker = &jobs.Worker{
		Owner: "w", Queue: client, Chunk: chunk, Verify: everything, Resume: jobs.BehindCheckpoint, Advance: jobs.WorkThenSave, Stopped: jobs.WhenTold, Slots: 2, Poll: time.Millisecond,
		Backoff: policy.NewBackoff(time.Millisecond, 5*time.Millisecond, rand.New(rand.NewPCG(1, 2))), Meter: &p.meter,
		Log: slog.New(slog.DiscardHandler),
	}
	return p
}

// work runs the worker until done says so.
func (p *plant) work(t *testing.T, done func() bool) {
	t.Helper()
	told, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.worker.Run(told, t.Context()) }()
	require.Eventually(t, done, 10*time.Second, time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func (p *plant) state(t *testing.T, id string) string {
	s, err := p.queue.Status(t.Context(), id)
	require.NoError(t, err)
	return s.State
}

func TestAJobIsDoneChunkByChunkWhateverGoesWrong(t *testing.T) {
	var mu sync.Mutex
	var did []int
	fail := 0
	p := newPlant(t, time.Minute, func(_ context.Context, g jobs.Grant, n, _ int) (gateway.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		if fail++; fail%3 == 0 {
			return gateway.Answer{}, errors.New("nobody knows")
		}
		did = append(did, n)
		return gateway.Answer{ID: "x"}, nil
	})
	submit(t, p.queue, "j-1")
	p.work(t, func() bool { return p.state(t, "j-1") == jobs.Completed })
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, did)
	assert.NoError(t, p.worker.Ready(t.Context()))
}

// everything is what a party outside says that has all of a job.
func everything(context.Context, jobs.Grant) (there []int, err error) {
	for n := range jobs.Chunks {
		there = append(there, n+1)
	}
	return there, nil
}

func TestAJobIsFinishedWhenTheOtherSideHasAllOfIt(t *testing.T) {
	var mu sync.Mutex
	did, asked := map[int]int{}, 0
	p := newPlant(t, time.Minute, func(_ context.Context, _ jobs.Grant, n, _ int) (gateway.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		did[n]++
		return gateway.Answer{}, nil
	})
	p.worker.Verify = func(ctx context.Context, g jobs.Grant) ([]int, error) {
		mu.Lock()
		defer mu.Unlock()
		switch asked++; asked {
		case 1:
			return nil, errors.New("nobody knows")
		case 2: // it has lost the third
			return []int{1, 2, 4, 5, 6, 7, 8}, nil
		}
		return everything(ctx, g)
	}
	submit(t, p.queue, "j-1")
	p.work(t, func() bool { return p.state(t, "j-1") == jobs.Completed })
	assert.Equal(t, map[int]int{1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}, did)
	assert.Equal(t, 3, asked)
}

func TestAnImpossibleJobIsSetAside(t *testing.T) {
	p := newPlant(t, time.Minute, func(_ context.Context, _ jobs.Grant, n, _ int) (gateway.Answer, error) {
		return gateway.Answer{Refused: n == 3, Reason: "closed"}, nil
	})
	submit(t, p.queue, "j-1")
	p.work(t, func() bool { return p.state(t, "j-1") == jobs.Quarantined })
	var letters []any
	require.NoError(t, p.queue.Observe(t.Context(), func(v any) error { letters = append(letters, v); return nil }))
	require.Len(t, letters, 2)
	assert.Contains(t, fmt.Sprint(letters[1]), "chunk 3: closed")
}

func TestAWorkerThatIsToldToStopHandsItsJobOver(t *testing.T) {
	var place atomic.Int64
	told, stop := context.WithCancel(t.Context())
	p := newPlant(t, time.Minute, func(_ context.Context, _ jobs.Grant, n, _ int) (gateway.Answer, error) {
		if place.Store(int64(n)); n == 3 {
			stop()
		}
		return gateway.Answer{}, nil
	})
	submit(t, p.queue, "j-1")
	require.NoError(t, p.worker.Run(told, t.Context()))
	assert.EqualValues(t, 3, place.Load(), "the chunk in hand is finished, the next is not begun")
	s, err := p.queue.Status(t.Context(), "j-1")
	require.NoError(t, err)
	assert.Equal(t, jobs.Queued, s.State)
	assert.Equal(t, 3, s.Place)
}

func TestAWorkerThatLostItsLeaseLeavesTheJobAlone(t *testing.T) {
	asleep, wake := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p := newPlant(t, 20*time.Millisecond, func(ctx context.Context, g jobs.Grant, n, _ int) (gateway.Answer, error) {
		once.Do(func() { close(asleep); <-wake })
		return gateway.Answer{}, ctx.Err()
	})
	p.worker.Slots = 1
	p.worker.Owner = "sleeper"
	submit(t, p.queue, "j-1")
	told, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.worker.Run(told, t.Context()) }()
	<-asleep
	p.deaf.Store(true) // as if the worker were paused
	var g *jobs.Grant
	require.Eventually(t, func() bool { g = claim(t, p.queue, "other"); return g != nil }, 5*time.Second, time.Millisecond)
	p.deaf.Store(false)
	close(wake)
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, p.queue.Extend(t.Context(), report(g, "other", 0)), "it is still the other's")
}

func TestWhatTheQueueAnswers(t *testing.T) {
	q := newQueue(t, time.Minute)
	h := jobs.Handler(q, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		method, path, key, body string
		status                  int
	}{
		{"POST", "/jobs", "k", `{"job_id":"j-1","account":"a","amount":1}`, 200},
		{"POST", "/jobs", "", `{"job_id":"j-2","account":"a","amount":1}`, 400},
		{"POST", "/jobs", "k2", `{"job_id":"","account":"a","amount":1}`, 400},
		{"POST", "/jobs", "k2", `{"job_id":"j-1","account":"a","amount":1}`, 409},
		{"POST", "/jobs", "k", `{"job_id":"j-1","account":"a","amount":9}`, 422},
		{"POST", "/jobs", "k3", `{`, 400},
		{"GET", "/jobs/j-1", "", ``, 200},
		{"GET", "/jobs/j-9", "", ``, 404},
		{"POST", "/claim", "", `{}`, 400},
		{"POST", "/checkpoint", "", `{"job_id":"j-1","owner":"w","token":1,"place":2}`, 412},
		{"POST", "/checkpoint", "", `no`, 400},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Idempotency-Key", c.key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "%s %s %s: %s", c.method, c.path, c.body, w.Body)
		assert.Equal(t, http.Header{"Content-Type": {"application/json"}}, w.Header())
	}
}
