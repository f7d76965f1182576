// Package jobs runs long work in chunks, on workers that may die, hang, or be told to stop at any time.
//
// Promise: a job that was accepted is finished, whatever becomes of its workers. Each chunk has its effect once. What is done again
// after a crash is at most the chunks since the last checkpoint. A worker that is told to stop finishes the chunk in hand, saves its
// place and hands its jobs over, so that nobody waits for its leases to expire.
//
// How: a job is a row; whoever works on it holds a lease on it, with a fencing token that grows with each holder. Everything that a worker
// says about a job (I am alive, I got this far, it is finished) carries the token, and is refused once somebody else holds a newer one:
// a worker that was asleep can neither move the job's place back nor finish what another is working on. A checkpoint is saved after
// the chunks that it covers, never before. A chunk's effect is asked for under a key made of the job and the chunk alone, so that doing it
// again is asking again. When all are done, the worker asks the other side what it has, and does what is missing, before the job counts
// as finished: what was done by many, over a long time, is not believed because a number says so. A data migration is such a job. Leases
// expire by the queue's clock alone, however wrong those of the workers are.
//
// Cost: one call to verify, a lease to extend while work goes on, one write for each checkpoint, and after a crash the wait until the lease expires. Breaks:
// if the party that a chunk has its effect at forgets keys sooner than a job can be resumed.
//
// It must never know what a chunk does.
package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

// Chunks is how many chunks a job has, and Every how many lie between one checkpoint and the next.
const (
	Chunks = 8
	Every  = 2
)

// The states of a job.
const (
	Queued      = "queued"  // nobody has begun, or whoever had was stopped
	Running     = "running" // somebody has; whether he still does, his lease says
	Completed   = "completed"
	Quarantined = "quarantined" // it cannot be done: a person must look
)

// Schema is the table of jobs.
var Schema = store.Schema{Name: "jobs", SQL: `
	CREATE TABLE jobs (
		number   INTEGER PRIMARY KEY,
		job_id   TEXT NOT NULL UNIQUE,
		state    TEXT NOT NULL,
		version  INTEGER NOT NULL,
		place    INTEGER NOT NULL DEFAULT 0,
		attempts INTEGER NOT NULL DEFAULT 0,
		reason   TEXT NOT NULL DEFAULT '',
		trace    TEXT NOT NULL,
		body     BLOB NOT NULL
	);
	CREATE INDEX jobs_open ON jobs (number) WHERE state IN ('queued', 'running')`}

// Job is what a client asks for.
type Job struct {
	JobID   string `json:"job_id"`
	Account string `json:"account"` // whose data it is
	Amount  int64  `json:"amount"`  // of each chunk, in units of the account
}

// Validate says what is wrong with a job.
func (j Job) Validate() error {
	if j.JobID == "" || j.Account == "" || j.Amount <= 0 {
		return errors.New("job_id, account and an amount above 0 are needed")
	}
	return nil
}

// Grant is a job that a worker may work on, for as long as its lease lasts.
type Grant struct {
	Job
	Token   uint64        `json:"token"`
	Place   int           `json:"place"`   // chunks that the last checkpoint covers
	Attempt int           `json:"attempt"` // how often the job has been granted, this time included
	Lease   time.Duration `json:"lease"`
	Trace   string        `json:"trace"`
}

// Status is a job as clients see it.
type Status struct {
	JobID   string `json:"job_id"`
	State   string `json:"state"`
	Version uint64 `json:"version"`
	Place   int    `json:"place"`
}

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("no such job")
	ErrTaken   = errors.New("job exists already, under another idempotency key")
	ErrLost    = lease.ErrLost // somebody else works on the job since
)

// Fence decides, as part of tx, whether a worker may still speak for a job; see Fenced.
type Fence func(tx *store.Tx, l lease.Lease) error

// Fenced lets only the holder of the newest token speak, and gives it the lease for longer.
func Fenced(tx *store.Tx, l lease.Lease) error { return lease.Extend(tx, l) }

// Queue keeps the jobs.
type Queue struct {
	DB    *store.DB
	Trail audit.Trail
	Lease time.Duration // how long a worker may be silent before another takes over
	Fence Fence
	Clock Clock
}

// Clock says what time it is for a lease, when somebody asked at a time by his own clock; see OwnClock.
type Clock func(asked time.Time) time.Time

// OwnClock is that of the queue's machine. No two clocks show the same, so the leases are judged by one, and nobody else's is asked.
func OwnClock(time.Time) time.Time { return time.Now() }

// Submit accepts a job, once for each key, and returns the answer that every request with this key gets.
func (q *Queue) Submit(ctx context.Context, key, trace string, j Job) (answer []byte, err error) {
	body, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("accept job: %w", err)
	}
	if answer, err = json.Marshal(Status{JobID: j.JobID, State: Queued, Version: 1}); err != nil {
		return nil, fmt.Errorf("accept job: %w", err)
	}
	err = q.DB.Write(ctx, func(tx *store.Tx) error {
		before, err := idempotency.Claim(tx, key, idempotency.Fingerprint(body), answer)
		if err != nil {
			return err
		}
		if before != nil {
			answer = before
			return nil
		}
		added, err := tx.Exec(`INSERT INTO jobs (job_id, state, version, trace, body) VALUES (?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
			j.JobID, Queued, trace, body)
		if err != nil {
			return err
		}
		if added == 0 {
			return ErrTaken
		}
		return q.note(tx, "accepted", Grant{Job: j, Attempt: 1, Trace: trace}, "")
	})
	if err != nil {
		return nil, fmt.Errorf("accept job: %w", err)
	}
	return answer, nil
}

// Status reads a job.
func (q *Queue) Status(ctx context.Context, id string) (Status, error) {
	s := Status{JobID: id}
	err := q.DB.Row(ctx, `SELECT state, version, place FROM jobs WHERE job_id = ?`, []any{id}, &s.State, &s.Version, &s.Place)
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrUnknown
	}
	if err != nil {
		return s, fmt.Errorf("read job: %w", err)
	}
	return s, nil
}

// Claim grants the oldest job that is open and that nobody holds, or nil. at is when the owner asked, by his clock.
func (q *Queue) Claim(ctx context.Context, owner string, at time.Time) (grant *Grant, err error) {
	err = q.DB.Write(ctx, func(tx *store.Tx) error {
		now := q.Clock(at)
		var g Grant
		var body []byte
		var state string
		err := tx.Row(`SELECT body, state, place, attempts + 1, trace FROM jobs LEFT JOIN leases ON resource = job_id
			WHERE state IN ('queued', 'running') AND (owner IS NULL OR owner = '' OR expires_at <= ?) ORDER BY number LIMIT 1`,
			[]any{now.UnixMilli()}, &body, &state, &g.Place, &g.Attempt, &g.Trace)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, &g.Job); err != nil {
			return err
		}
		l, err := lease.AcquireAt(tx, g.JobID, owner, now, q.Lease)
		if err != nil {
			return err
		}
		lease.Count(ctx, tx, l)
		g.Token, g.Lease = l.Token, q.Lease
		moved := 0 // only what clients see is a new version
		if state != Running {
			moved = 1
		}
		_, err = tx.Exec(`UPDATE jobs SET state = ?, version = version + ?, attempts = ? WHERE job_id = ?`, Running, moved, g.Attempt, g.JobID)
		if err != nil {
			return err
		}
		grant = &g
		return q.note(tx, "claimed", g, fmt.Sprintf("by %s from chunk %d", owner, g.Place+1))
	})
	if err != nil {
		return nil, fmt.Errorf("claim job: %w", err)
	}
	return grant, nil
}

// Report is what a worker says about a job that it was granted.
type Report struct {
	JobID  string `json:"job_id"`
	Owner  string `json:"owner"`
	Token  uint64 `json:"token"`
	Place  int    `json:"place"` // chunks that are done, all up to this one
	Reason string `json:"reason,omitempty"`

	At time.Time `json:"at"` // when it was said, by the worker's clock
}

func (q *Queue) held(r Report) lease.Lease {
	return lease.Lease{Resource: r.JobID, Owner: r.Owner, Token: r.Token, Expires: q.Clock(r.At).Add(q.Lease)}
}

// Extend keeps the lease of a worker that is alive.
func (q *Queue) Extend(ctx context.Context, r Report) error {
	return q.report(ctx, "extend", r, func(*store.Tx, Grant) error { return nil })
}

// Checkpoint saves a job's place: a worker that resumes it begins behind it.
func (q *Queue) Checkpoint(ctx context.Context, r Report) error {
	return q.report(ctx, "checkpoint", r, func(tx *store.Tx, g Grant) error { return q.save(tx, g, r) })
}

func (q *Queue) save(tx *store.Tx, g Grant, r Report) error {
	if _, err := tx.Exec(`UPDATE jobs SET place = ? WHERE job_id = ?`, r.Place, r.JobID); err != nil {
		return err
	}
	return q.note(tx, "checkpointed", g, fmt.Sprint(r.Place))
}

// Finish ends a job whose chunks are all done.
func (q *Queue) Finish(ctx context.Context, r Report) error {
	if r.Place != Chunks {
		return fmt.Errorf("finish job %s: %d of its %d chunks are done", r.JobID, r.Place, Chunks)
	}
	return q.report(ctx, "finish", r, func(tx *store.Tx, g Grant) error { return q.leave(tx, g, r, Completed) })
}

// HandBack makes a job free for another worker at once, at the place where this one stopped.
func (q *Queue) HandBack(ctx context.Context, r Report) error {
	return q.report(ctx, "hand back", r, func(tx *store.Tx, g Grant) error {
		if r.Place > g.Place {
			if err := q.save(tx, g, r); err != nil {
				return err
			}
		}
		return q.leave(tx, g, r, Queued)
	})
}

// SetAside gives a job that cannot be done to a person.
func (q *Queue) SetAside(ctx context.Context, r Report) error {
	return q.report(ctx, "set aside", r, func(tx *store.Tx, g Grant) error { return q.leave(tx, g, r, Quarantined) })
}

// transitions are what the audit trail calls the ways in which a worker leaves a job.
var transitions = map[string]string{Completed: "completed", Queued: "handed-back", Quarantined: "quarantined"}

func (q *Queue) leave(tx *store.Tx, g Grant, r Report, state string) error {
	_, err := tx.Exec(`UPDATE jobs SET state = ?1, version = version + 1, place = CASE WHEN place < ?2 THEN ?2 ELSE place END, reason = ?3
		WHERE job_id = ?4`, state, r.Place, r.Reason, r.JobID)
	if err != nil {
		return err
	}
	if err := lease.Release(tx, q.held(r)); err != nil && !errors.Is(err, lease.ErrLost) { // Fence has said who may speak
		return err
	}
	return q.note(tx, transitions[state], g, r.Reason)
}

// report runs fn for a worker that may still speak for its job, in one transaction.
func (q *Queue) report(ctx context.Context, verb string, r Report, fn func(*store.Tx, Grant) error) error {
	err := q.DB.Write(ctx, func(tx *store.Tx) error {
		if err := q.Fence(tx, q.held(r)); err != nil {
			return err
		}
		g := Grant{Token: r.Token}
		g.JobID = r.JobID
		var state string
		err := tx.Row(`SELECT state, place, attempts, trace FROM jobs WHERE job_id = ?`, []any{r.JobID}, &state, &g.Place, &g.Attempt, &g.Trace)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrUnknown
		}
		if err != nil || state == Completed || state == Quarantined { // an end is an end
			return err
		}
		return fn(tx, g)
	})
	if err != nil {
		return fmt.Errorf("%s job %s: %w", verb, r.JobID, err)
	}
	return nil
}

func (q *Queue) note(tx *store.Tx, transition string, g Grant, detail string) error {
	return q.Trail.Append(tx, audit.Entry{OrderID: g.JobID, Transition: transition, Attempt: g.Attempt, Detail: detail, Trace: g.Trace})
}

// Open is how many jobs have not ended.
func (q *Queue) Open(ctx context.Context) (int64, error) {
	return q.DB.Count(ctx, `SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')`)
}

// Observe emits the state of every job, and a letter for each that was set aside.
func (q *Queue) Observe(ctx context.Context, emit func(any) error) error {
	rows, err := q.DB.Query(ctx, `SELECT job_id, state, version, place, attempts, reason, trace, body FROM jobs ORDER BY number`)
	if err != nil {
		return fmt.Errorf("read jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, state, reason, trace, body string
		var version uint64
		var place, attempts int
		if err := rows.Scan(&id, &state, &version, &place, &attempts, &reason, &trace, &body); err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		if err := emit(map[string]any{"op": "state", "order_id": id, "value": state, "version": version}); err != nil {
			return err
		}
		if state != Quarantined {
			continue
		}
		err := emit(map[string]any{"op": "dead-letter", "order_id": id, "value": reason, "attempts": attempts, "trace": trace, "payload": body})
		if err != nil {
			return err
		}
	}
	return rows.Err()
}
