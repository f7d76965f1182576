package workloads

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Retries wait between half of a doubling backoff and the whole of it, so that clients cut off together do not come back together.
const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
)

// Run does the operations, each at its intended instant whatever became of those before it, and returns when the last one has
// ended. ops are in the order of their Due, counted from the call; s is the specification they came from; clock is that
// of the run, which the recorder stamps events with.
//
// The clients are s.Clients actors, numbered from 1. An actor does one try at a time, so its operations never overlap. When all
// of them are busy an operation waits for the first that is free, and still counts from its intended start.
//
// Every try is recorded as an operation of its own: invoke, with At its intended start, then ok, fail or info under the same actor
// and attempt. A submit or amend that ended as info is tried again after a backoff, under the same key and by whichever actor is
// free then: the wait occupies none. Nothing else is tried again: a fail is an answer, and a read that failed is simply not made.
//
// When ctx ends nothing more is started, what is open ends as its client says (see Client), and Run returns.
func Run(ctx context.Context, ops []Operation, s Spec, c Client, rec Recorder, clock Clock) Stats {
	if len(ops) == 0 {
		return Stats{}
	}
	s = s.Defaults()
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	l := &load{
		ops: ops, spec: s, client: c, rec: rec, now: clock.Now, begin: clock.Now(), finish: finish,
		ready: make(chan try, len(ops)), // an operation is in it at most once: nobody ever blocks on sending
		units: newUnitTable(ops),
	}
	l.unfinished.Store(int64(len(ops)))

	tallies := make([]tally, s.Clients)
	var all sync.WaitGroup
	for i := range tallies {
		all.Go(func() { l.act(ctx, uint32(i)+1, &tallies[i]) })
	}
	all.Go(func() { l.dispatch(ctx) })
	all.Wait()
	return l.stats(tallies)
}

// load is one call of Run.
type load struct {
	ops    []Operation
	spec   Spec
	client Client
	rec    Recorder
	now    func() time.Duration
	begin  time.Duration // Due counts from here

	ready      chan try
	unfinished atomic.Int64 // operations that still have a try to come
	finish     func()       // ends the load: the last operation has ended
	units      *unitTable
}

// try is one attempt at an operation, about to be made.
type try struct {
	op      int
	attempt uint32
	due     time.Duration // intended start, on the clock of the run
	ready   time.Duration // when it was handed to the clients
	version uint64        // retry of an amend: the version that its first try was conditional on
}

// dispatch hands every operation to the clients at its instant. It does nothing else, so that nothing else can make it late.
func (l *load) dispatch(ctx context.Context) {
	p := newPacer(l.now)
	defer p.stop()
	for i := range l.ops {
		due := l.begin + l.ops[i].Due
		if !p.wait(ctx, due) {
			return
		}
		l.ready <- try{op: i, attempt: 1, due: due, ready: l.now()}
	}
}

// act is one client: it takes what is ready, one try after the other.
func (l *load) act(ctx context.Context, actor uint32, sum *tally) {
	for {
		var t try
		queued := true // the try had to wait until a client was free: this one was not waiting for it
		select {
		case t = <-l.ready:
		default:
			queued = false
			select {
			case t = <-l.ready:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		if t.attempt == 1 {
			sum.begin(t, l.now(), queued)
		}
		l.try(ctx, actor, t, sum)
	}
}

func (l *load) try(ctx context.Context, actor uint32, t try, sum *tally) {
	op := l.ops[t.op]
	op.Attempt = t.attempt
	unit := l.units.of(op.Unit)
	writes := op.Op != Read
	if op.Op == Amend {
		if op.Version = t.version; t.attempt == 1 {
			op.Version = unit.version.Load()
		}
	}
	if op.Op == Amend && op.Version == 0 || op.Again && !unit.acknowledged.Load() || writes && !unit.reserve() {
		if t.attempt == 1 {
			sum.skipped++
		} else {
			sum.gaveUp++
		}
		l.end()
		return
	}
	answer := l.do(ctx, actor, op, t.due)
	sum.count(op, answer.Kind)
	unit.saw(answer.Token)
	if op.Op == Submit && answer.Kind == history.KindOK {
		unit.acknowledged.Store(true)
	}
	if writes && answer.Kind != history.KindInfo {
		unit.release()
	}
	switch {
	case answer.Kind != history.KindInfo || !writes:
		l.end()
	case t.attempt >= uint32(l.spec.Attempts):
		sum.gaveUp++
		l.end()
	default:
		l.retry(ctx, t, op)
	}
}

// anotherPayload ends the value of a submit that comes again and asks for something else.
const anotherPayload = ", another payload"

// do makes one try and records it.
func (l *load) do(ctx context.Context, actor uint32, op Operation, due time.Duration) Answer {
	e := history.Event{
		Kind: history.KindInvoke, Unit: op.Unit, Op: op.Op, Actor: actor, Attempt: op.Attempt,
		Key: op.Key, Trace: op.Trace, At: due, Token: op.Version, Value: op.Class,
	}
	if op.Op == Amend {
		e.Value = op.Note
	}
	if op.Op == Read {
		e.Value = ""
	}
	if op.Clash {
		e.Value += anotherPayload
	}
	l.rec.Record(e)

	tctx, cancel := context.WithTimeout(ctx, l.spec.Timeout)
	a := l.client.Do(tctx, op)
	cancel()
	if a.Kind != history.KindOK && a.Kind != history.KindFail {
		a.Kind = history.KindInfo
	}
	l.rec.Record(history.Event{
		Kind: a.Kind, Unit: op.Unit, Op: op.Op, Actor: actor, Attempt: op.Attempt,
		Key: op.Key, Trace: op.Trace, Token: a.Token, Value: bounded(a.Value),
	})
	return a
}

// end counts one operation as ended, and with the last one ends the load.
func (l *load) end() {
	if l.unfinished.Add(-1) == 0 {
		l.finish()
	}
}

// retry makes a try ready again after its backoff. A timer that outlives a cancelled load finds it gone and changes nothing.
func (l *load) retry(ctx context.Context, t try, op Operation) {
	wait := backoff(op)
	t.attempt++
	t.version = op.Version
	t.due = l.now() + wait
	time.AfterFunc(wait, func() {
		if ctx.Err() == nil {
			t.ready = l.now()
			l.ready <- t
		}
	})
}

// backoff is the wait after a try that ended as info. Its jitter comes from the operation's nonce, and so from the seed, though
// nobody knows in which order clients will retry.
func backoff(op Operation) time.Duration {
	d := maxBackoff
	if shift := op.Attempt - 1; shift < 8 {
		d = min(d, firstBackoff<<shift)
	}
	jitter := rand.New(rand.NewPCG(op.Nonce, uint64(op.Attempt))).Float64()
	return d/2 + time.Duration(jitter*float64(d/2))
}

// maxValue bounds an answer in the history: a target may answer with megabytes.
const maxValue = 4 << 10

func bounded(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "... (" + strconv.Itoa(len(s)) + " bytes)"
}
