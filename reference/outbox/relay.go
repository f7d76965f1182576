package outbox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// batch bounds how much is read at once, and so how much a crash publishes twice.
const batch = 128

// Publisher hands a message to the broker. It returns nil only when the broker has said that it stored it.
type Publisher interface {
	Publish(ctx context.Context, m message.Message) error
}

// Forward publishes rows, oldest first, and marks them. It returns how many it dealt with; see PublishThenMark.
type Forward func(ctx context.Context, rows []Row, pub Publisher, mark Mark, log *slog.Logger) (int, error)

// Mark marks rows as sent.
type Mark func(ctx context.Context, rows []Row) error

// Relay moves rows from an outbox to the broker. One at a time per database: two would both keep the promise, and halve nothing.
type Relay struct {
	DB      *store.DB
	Sender  string // of the messages; the service's name
	Pub     Publisher
	Pick    Pick // "": Unmarked
	Forward Forward
	Backoff *policy.Backoff

	// Added wakes it. Without such a channel, because the rows are added by another process, it looks every Poll, and after a
	// while without rows, up to four times as seldom. With one, Poll is only the safety net.
	Added <-chan struct{}
	Poll  time.Duration
	Log   *slog.Logger
}

// Run relays until ctx ends, and then what is already there, until nothing is left, drain ends, or the broker does not take it. What is
// left is not lost: the next Run sends it.
func (r *Relay) Run(ctx, drain context.Context) error {
	failures, idle := 0, 0
	for {
		n, err := r.step(drain)
		switch {
		case err != nil:
			failures++
			r.Log.Warn("outbox is not moving", "failures", failures, "error", err)
			if ctx.Err() != nil {
				return nil
			}
			_ = r.Backoff.Wait(ctx, failures) // if ctx ends it is tried once more
		case n > 0:
			failures, idle = 0, 0
		case ctx.Err() != nil:
			return nil
		default:
			idle++
			r.wait(ctx, idle)
		}
	}
}

func (r *Relay) wait(ctx context.Context, idle int) {
	poll := r.Poll
	if r.Added == nil && idle > 100 {
		poll *= 4
	}
	t := time.NewTimer(poll)
	defer t.Stop()
	select {
	case <-r.Added:
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Relay) step(ctx context.Context) (int, error) {
	rows, err := read(ctx, r.DB, cmp.Or(r.Pick, Unmarked), r.Sender, batch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return r.Forward(ctx, rows, r.Pub, r.mark, r.Log)
}

func (r *Relay) mark(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	now := time.Now().UnixMilli()
	return r.DB.Write(ctx, func(tx *store.Tx) error {
		for _, row := range rows {
			if _, err := tx.Exec(`UPDATE outbox SET sent_at = ? WHERE id = ?`, now, row.ID); err != nil {
				return fmt.Errorf("mark outbox rows: %w", err)
			}
		}
		return nil
	})
}

// PublishThenMark is the way that keeps the promise: nothing is marked that the broker has not confirmed. It stops at the first
// message that is not confirmed, because the ones behind it must not overtake it.
func PublishThenMark(ctx context.Context, rows []Row, pub Publisher, mark Mark, _ *slog.Logger) (int, error) {
	var sent []Row
	var failed error
	for _, parcel := range Parcels(rows) {
		if failed = pub.Publish(ctx, parcel.Message); failed != nil {
			break
		}
		sent = append(sent, parcel.Rows...)
	}
	// What was confirmed is marked even when the rest failed, so that it is not sent again.
	return len(sent), errors.Join(failed, mark(ctx, sent))
}

// Parcel is a message as it goes over the wire, and the rows that are sent when it is.
type Parcel struct {
	message.Message
	Rows []Row
}

// Parcels turns rows into messages: each row its own, in order, and after them the bulk rows of each subject as one.
func Parcels(rows []Row) []Parcel {
	var single, bulk []Parcel
	lane := map[string]int{}
	for _, row := range rows {
		if !row.Bulk {
			single = append(single, Parcel{Message: row.Message, Rows: []Row{row}})
			continue
		}
		i, ok := lane[row.Subject]
		if !ok {
			i = len(bulk)
			lane[row.Subject] = i
			bulk = append(bulk, Parcel{Message: message.Message{Subject: row.Subject}})
		}
		bulk[i].Rows = append(bulk[i].Rows, row)
	}
	for i := range bulk {
		bulk[i].seal()
	}
	return append(single, bulk...)
}

// seal joins the rows. The id names the first and the last of them: the same rows together are the same message. After a crash they
// may be joined differently, and arrive twice under two ids; a reader of bulk messages must know its lines apart.
func (p *Parcel) seal() {
	first, last := p.Rows[0], p.Rows[len(p.Rows)-1]
	p.ID = first.Message.ID + ".." + strconv.FormatInt(last.ID, 10)
	lines := make([][]byte, len(p.Rows))
	for i, row := range p.Rows {
		lines[i] = row.Data
	}
	p.Data = bytes.Join(lines, []byte("\n"))
}
