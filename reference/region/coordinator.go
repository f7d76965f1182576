package region

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

// SeatSchema is who is active, and whether the other region has everything. It begins with east.
var SeatSchema = store.Schema{Name: "seat", SQL: `
	CREATE TABLE seat (id INTEGER PRIMARY KEY, region TEXT NOT NULL, owner TEXT NOT NULL, epoch INTEGER NOT NULL, joined INTEGER NOT NULL,
		turn INTEGER NOT NULL);
	INSERT INTO seat VALUES (1, 'east', '', 0, 0, 0)`}

// Coordinator says which region is active.
//
// Promise: there is one at a time, each with a higher epoch than those before, and only a region that has everything. How: the seat is a
// lease, and its fencing token is the epoch.
type Coordinator struct {
	DB    *store.DB
	Lease time.Duration // how long the active region may be silent before the other takes over
}

// Renewal is a process of a region that asks for the seat.
type Renewal struct {
	Region string `json:"region"`
	Owner  string `json:"owner"`
}

// Seat is who has the seat.
type Seat struct {
	Region string `json:"region"`
	Owner  string `json:"owner"`
	Epoch  uint64 `json:"epoch"`
	Joined bool   `json:"joined"` // the other region has everything
}

// Report is what the active region says of the other.
type Report struct {
	Owner string `json:"owner"`
	Epoch uint64 `json:"epoch"`
	Turn  uint64 `json:"turn"` // grows within an epoch: what was said earlier and comes later changes nothing
}

// seat is the resource that the lease is on.
const seat = "seat"

// Renew gives whoever has the seat more time, or the seat to whoever may take it, and says who has it.
func (c *Coordinator) Renew(ctx context.Context, r Renewal) (s Seat, err error) {
	err = c.DB.Write(ctx, func(tx *store.Tx) error {
		err := tx.Row(`SELECT region, owner, epoch, joined FROM seat`, nil, &s.Region, &s.Owner, &s.Epoch, &s.Joined)
		if err != nil {
			return err
		}
		if s.Owner == r.Owner {
			return lease.Extend(tx, lease.Lease{Resource: seat, Owner: r.Owner, Token: s.Epoch, Expires: time.Now().Add(c.Lease)})
		}
		if s.Region != r.Region && !s.Joined {
			return nil // it does not have everything
		}
		l, err := lease.Acquire(tx, seat, r.Owner, c.Lease)
		if errors.As(err, new(*lease.HeldError)) {
			return nil
		}
		if err != nil {
			return err
		}
		lease.Count(ctx, tx, l)
		s = Seat{Region: r.Region, Owner: r.Owner, Epoch: l.Token}
		_, err = tx.Exec(`UPDATE seat SET region = ?, owner = ?, epoch = ?, joined = 0, turn = 0`, s.Region, s.Owner, s.Epoch)
		return err
	})
	if err != nil {
		return Seat{}, fmt.Errorf("renew seat: %w", err)
	}
	return s, nil
}

// Alone notes that the other region does not have everything any more.
func (c *Coordinator) Alone(ctx context.Context, r Report) error { return c.note(ctx, r, 0) }

// Joined notes that the other region has everything, and may be promoted.
func (c *Coordinator) Joined(ctx context.Context, r Report) error { return c.note(ctx, r, 1) }

func (c *Coordinator) note(ctx context.Context, r Report, joined int) error {
	err := c.DB.Write(ctx, func(tx *store.Tx) error {
		changed, err := tx.Exec(`UPDATE seat SET joined = ?, turn = ? WHERE owner = ? AND epoch = ? AND turn <= ?`,
			joined, r.Turn, r.Owner, r.Epoch, r.Turn)
		if err == nil && changed == 0 {
			err = ErrOld
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note what the other region has: %w", err)
	}
	return nil
}
