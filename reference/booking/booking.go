// Package booking sells seats that are held for a while first.
//
// Promise: a seat that is held is sold or given back, once, whatever becomes of the processes. No confirmation takes effect at the party
// outside once the time of its hold is up. A hold that is being confirmed does not expire under the confirmation, nor the other way round.
//
// How: whether a hold is confirmed or expires is decided in one transaction, here: it is moved from held to confirming, on a lease, while
// there is time left for a call, or from held to expired, when its time is up. But between the look at the clock and the moment at which a
// confirmation lands lie a network and any number of pauses. So the call carries the end of the hold, and the party that it lands at
// refuses it from then on: a time is checked where the effect is, or it is not checked. What is confirming does not expire by the clock: the
// confirmation may have landed, with its answer lost. It is asked for again under the same key until the other side has said which: done,
// which is a fact, even if the answer comes late; or refused, which is final, because nothing of it can land any more.
//
// Cost: a hold that is being confirmed when the other side goes away is bound until it comes back. Breaks: where the other side's clock is
// behind ours, by as much as it is.
//
// It must never know what a confirmation does.
package booking

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

// The states of a booking.
const (
	Held       = "held"
	Confirming = "confirming" // the party outside is being asked
	Confirmed  = "confirmed"
	Expired    = "expired" // its seat is free again
)

// Schema is the tables of bookings and of seats. Of suites there are few.
var Schema = store.Schema{Name: "booking", SQL: `
	CREATE TABLE bookings (
		number      INTEGER PRIMARY KEY,
		booking_id  TEXT NOT NULL UNIQUE,
		class       TEXT NOT NULL,
		abandoned   INTEGER NOT NULL,
		state       TEXT NOT NULL,
		version     INTEGER NOT NULL DEFAULT 1,
		valid_until INTEGER NOT NULL,
		attempts    INTEGER NOT NULL DEFAULT 0,
		trace       TEXT NOT NULL
	);
	CREATE INDEX bookings_open ON bookings (number) WHERE state IN ('held', 'confirming');
	CREATE TABLE seats (class TEXT PRIMARY KEY, free INTEGER NOT NULL, held INTEGER NOT NULL, sold INTEGER NOT NULL) WITHOUT ROWID;
	INSERT INTO seats VALUES ('economy', 1000000, 0, 0), ('suite', 12, 0, 0)`}

// Wish is what a client asks for.
type Wish struct {
	BookingID string `json:"booking_id"`
	Class     string `json:"class"`
	Abandoned bool   `json:"abandoned,omitempty"` // the customer will look elsewhere, and not say so
}

// Validate says what is wrong with a wish.
func (w Wish) Validate() error {
	if w.BookingID == "" || w.Class == "" {
		return errors.New("booking_id and class are needed")
	}
	return nil
}

// Booking is a seat that is held, or was.
type Booking struct {
	Wish
	State      string    `json:"state"`
	Version    uint64    `json:"version"`
	ValidUntil time.Time `json:"valid_until"`       // when the hold is over
	Attempt    int       `json:"attempt,omitempty"` // how often it was asked to be confirmed
	Trace      string    `json:"trace,omitempty"`
}

// Grant is a booking that somebody may confirm.
type Grant struct {
	Booking
	Token uint64 `json:"token"`
}

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("no such booking")
	ErrTaken   = errors.New("booking exists already, under another idempotency key")
	ErrSoldOut = errors.New("no seat of this class is free")
	ErrLost    = lease.ErrLost // somebody else confirms the booking since
)

// Settle moves the seat of a booking that ends, as part of tx; see MoveSeat.
type Settle func(tx *store.Tx, b Booking, end string) error

// MoveSeat gives the seat back or counts it as sold, whoever ended the booking, and why.
func MoveSeat(tx *store.Tx, b Booking, end string) error {
	sold := 0
	if end == Confirmed {
		sold = 1
	}
	_, err := tx.Exec(`UPDATE seats SET held = held - 1, free = free + ?, sold = sold + ? WHERE class = ?`, 1-sold, sold, b.Class)
	return err
}

// Over tells whether an open booking expires at now; see HeldTooLong.
type Over func(b Booking, now time.Time) bool

// HeldTooLong lets only those expire that nobody has begun to confirm.
func HeldTooLong(b Booking, now time.Time) bool { return b.State == Held && !now.Before(b.ValidUntil) }

// Office keeps the bookings and the seats.
type Office struct {
	DB     *store.DB
	Trail  audit.Trail
	Hold   time.Duration // for how long a seat is held
	Call   time.Duration // what a confirmation may take: one that could not end in time is not begun
	Lease  time.Duration // for how long nobody else confirms a booking
	Settle Settle
	Over   Over
}

// Take holds a seat, once for each key, and returns the answer that every request with this key gets.
func (o *Office) Take(ctx context.Context, key, trace string, w Wish) (answer []byte, err error) {
	body, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("hold seat: %w", err)
	}
	err = o.DB.Write(ctx, func(tx *store.Tx) error {
		b := Booking{Wish: w, State: Held, Version: 1, ValidUntil: time.Now().Add(o.Hold).Truncate(time.Millisecond).UTC()}
		if answer, err = json.Marshal(b); err != nil {
			return err
		}
		before, err := idempotency.Claim(tx, key, idempotency.Fingerprint(body), answer)
		if err != nil {
			return err
		}
		if before != nil {
			answer = before
			return nil
		}
		b.Trace = trace
		return o.hold(tx, b)
	})
	if err != nil {
		return nil, fmt.Errorf("hold seat: %w", err)
	}
	return answer, nil
}

func (o *Office) hold(tx *store.Tx, b Booking) error {
	added, err := tx.Exec(`INSERT INTO bookings (booking_id, class, abandoned, state, valid_until, trace) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, b.BookingID, b.Class, b.Abandoned, b.State, b.ValidUntil.UnixMilli(), b.Trace)
	if err != nil {
		return err
	}
	if added == 0 {
		return ErrTaken
	}
	held, err := tx.Exec(`UPDATE seats SET free = free - 1, held = held + 1 WHERE class = ? AND free > 0`, b.Class)
	if err != nil {
		return err
	}
	if held == 0 {
		return ErrSoldOut
	}
	return o.note(tx, b, Held, "until "+b.ValidUntil.Format(time.RFC3339Nano))
}

// Status reads a booking.
func (o *Office) Status(ctx context.Context, id string) (Booking, error) {
	b, err := scan(func(into ...any) error {
		return o.DB.Row(ctx, selectBooking+` WHERE booking_id = ?`, []any{id}, into...)
	})
	if err != nil && !errors.Is(err, ErrUnknown) {
		err = fmt.Errorf("read booking: %w", err)
	}
	return b, err
}

const selectBooking = `SELECT booking_id, class, abandoned, state, version, valid_until, attempts, trace FROM bookings`

func scan(row func(into ...any) error) (b Booking, err error) {
	var until int64
	err = row(&b.BookingID, &b.Class, &b.Abandoned, &b.State, &b.Version, &until, &b.Attempt, &b.Trace)
	b.ValidUntil = time.UnixMilli(until).UTC()
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknown
	}
	return b, err
}

// Claim grants the oldest booking that can be confirmed and that nobody is confirming, or nil. From then on it does not expire. What
// was granted before is granted again, however late: somebody must find out what became of it.
func (o *Office) Claim(ctx context.Context, owner string) (grant *Grant, err error) {
	err = o.DB.Write(ctx, func(tx *store.Tx) error {
		now := time.Now()
		b, err := scan(func(into ...any) error {
			return tx.Row(selectBooking+` LEFT JOIN leases ON resource = booking_id
				WHERE (state = 'held' AND abandoned = 0 AND valid_until > ? OR state = 'confirming')
				AND (owner IS NULL OR owner = '' OR expires_at <= ?) ORDER BY number LIMIT 1`,
				[]any{now.Add(o.Call).UnixMilli(), now.UnixMilli()}, into...)
		})
		if errors.Is(err, ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		l, err := lease.Acquire(tx, b.BookingID, owner, o.Lease)
		if err != nil {
			return err
		}
		lease.Count(ctx, tx, l)
		b.Attempt++
		transition := "asked-again"
		if b.State == Held {
			b.State, b.Version, transition = Confirming, b.Version+1, Confirming
		}
		_, err = tx.Exec(`UPDATE bookings SET state = ?, version = ?, attempts = ? WHERE booking_id = ?`, b.State, b.Version, b.Attempt, b.BookingID)
		if err != nil {
			return err
		}
		grant = &Grant{b, l.Token}
		return o.note(tx, b, transition, "by "+owner)
	})
	if err != nil {
		return nil, fmt.Errorf("claim booking: %w", err)
	}
	return grant, nil
}

// Report is what the other side has answered, and whom.
type Report struct {
	BookingID string `json:"booking_id"`
	Owner     string `json:"owner"`
	Token     uint64 `json:"token"`
	Detail    string `json:"detail,omitempty"`
}

// Confirm ends a booking whose confirmation took effect.
func (o *Office) Confirm(ctx context.Context, r Report) error { return o.report(ctx, r, Confirmed) }

// Refuse ends a booking whose confirmation was refused for good, and gives its seat back.
func (o *Office) Refuse(ctx context.Context, r Report) error { return o.report(ctx, r, Expired) }

func (o *Office) report(ctx context.Context, r Report, end string) error {
	err := o.DB.Write(ctx, func(tx *store.Tx) error {
		if err := lease.Release(tx, lease.Lease{Resource: r.BookingID, Owner: r.Owner, Token: r.Token}); err != nil {
			return err
		}
		b, err := load(tx, r.BookingID)
		if err != nil || b.State != Confirming { // an end is an end
			return err
		}
		return o.end(tx, b, end, r.Detail)
	})
	if err != nil {
		return fmt.Errorf("end booking %s: %w", r.BookingID, err)
	}
	return nil
}

// Due lists bookings whose time is up.
func (o *Office) Due(ctx context.Context) (ids []string, err error) {
	now := time.Now()
	rows, err := o.DB.Query(ctx, selectBooking+` WHERE state IN ('held', 'confirming') AND valid_until <= ? ORDER BY number`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read bookings: %w", err)
	}
	defer rows.Close()
	ids = []string{}
	for rows.Next() && len(ids) < 100 {
		b, err := scan(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read bookings: %w", err)
		}
		if o.Over(b, now) {
			ids = append(ids, b.BookingID)
		}
	}
	return ids, rows.Err()
}

// Expire ends a booking whose time is up, and gives its seat back. Of any other it leaves everything as it is.
func (o *Office) Expire(ctx context.Context, id string) error {
	err := o.DB.Write(ctx, func(tx *store.Tx) error {
		b, err := load(tx, id)
		if err != nil || b.State == Confirmed || b.State == Expired || !o.Over(b, time.Now()) {
			return err
		}
		return o.end(tx, b, Expired, "its time is up")
	})
	if err != nil {
		return fmt.Errorf("expire booking %s: %w", id, err)
	}
	return nil
}

func load(tx *store.Tx, id string) (Booking, error) {
	return scan(func(into ...any) error { return tx.Row(selectBooking+` WHERE booking_id = ?`, []any{id}, into...) })
}

// end ends a booking and the hold on its seat.
func (o *Office) end(tx *store.Tx, b Booking, end, detail string) error {
	_, err := tx.Exec(`UPDATE bookings SET state = ?, version = version + 1 WHERE booking_id = ?`, end, b.BookingID)
	if err != nil {
		return err
	}
	if err := o.Settle(tx, b, end); err != nil {
		return err
	}
	if err := o.note(tx, b, end, detail); err != nil {
		return err
	}
	return o.note(tx, b, "released", "")
}

func (o *Office) note(tx *store.Tx, b Booking, transition, detail string) error {
	return o.Trail.Append(tx, audit.Entry{OrderID: b.BookingID, Transition: transition, Attempt: max(b.Attempt, 1), Detail: detail, Trace: b.Trace})
}
