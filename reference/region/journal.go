package region

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/store"
)

// Page is entries of the journal on their way to the other region. Pages of an epoch are numbered, so that one that was held up on its way
// cannot undo what came behind it.
type Page struct {
	Epoch   uint64  `json:"epoch"`
	Turn    uint64  `json:"turn"`
	Anew    bool    `json:"anew,omitempty"` // they begin the journal: what is there is thrown away
	Entries []Entry `json:"entries"`
}

// pageSize bounds what a page holds.
const pageSize = 40

// Send has the other region take an entry. When it returns nil, the entry may be committed here.
type Send func(ctx context.Context, e Entry) error

// Copy decides when an entry is sent; see BeforeCommit.
type Copy func(send Send) Send

// BeforeCommit sends it while its transaction is open: what was committed here is there.
func BeforeCommit(send Send) Send { return send }

// write commits one entry, if this region is active and the other has taken it. change makes the entry as part of tx; nil: there is none.
func (r *Region) write(ctx context.Context, change func(tx *store.Tx) (*Entry, error)) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if _, ok := r.leads(); !ok {
		return ErrElsewhere
	}
	return r.DB.Write(ctx, func(tx *store.Tx) error {
		e, err := change(tx)
		if err != nil || e == nil {
			return err
		}
		if err := keep(tx, *e); err != nil {
			return err
		}
		return r.Send(context.WithoutCancel(ctx), *e)
	})
}

// Hand sends an entry to the other region. If that cannot be reached, the coordinator is told that it does not have everything, and must not
// be promoted; then this one goes on alone.
func (r *Region) Hand(ctx context.Context, e Entry) error {
	t := r.standing()
	if !t.leads() { // it learned so since the transaction began: nobody has allowed it to go on alone
		return ErrElsewhere
	}
	if !t.joined {
		return nil
	}
	err := r.Peer.Mirror(ctx, Page{Epoch: t.epoch, Turn: r.turn(), Entries: []Entry{e}})
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrOld) {
		r.stepDown(t.epoch, err)
		return fmt.Errorf("%w: %v", ErrElsewhere, err) // it was refused there, and is not committed here
	}
	r.Log.WarnContext(ctx, "the other region does not answer", "error", err)
	if alone := r.Seat.Alone(ctx, Report{Owner: r.Owner, Epoch: t.epoch, Turn: r.turn()}); alone != nil {
		return fmt.Errorf("go on alone: %w", errors.Join(alone, err))
	}
	r.joins(t.epoch, false, false)
	return nil
}

// keep writes an entry down: in the journal, and what it makes of its transfer.
func keep(tx *store.Tx, e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if _, err := tx.Exec(`INSERT INTO journal (seq, entry) VALUES (?, ?)`, e.Line.Seq, text); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO transfers (transfer_id, account, amount, state, version, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (transfer_id) DO UPDATE SET state = ?4, version = ?5`, e.TransferID, e.Account, e.Amount, e.State, e.Version, e.Trace)
	if err != nil {
		return fmt.Errorf("write transfer: %w", err)
	}
	return nil
}

// Mirror takes a page of the active region's journal. Whoever comes with an older epoch than was seen here is not active any more.
func (r *Region) Mirror(ctx context.Context, p Page) error {
	if !r.yields(p.Epoch) {
		return ErrOld
	}
	err := r.DB.Write(ctx, func(tx *store.Tx) error {
		if err := show(tx, p.Epoch, p.Turn); err != nil {
			return err
		}
		if p.Anew {
			for _, table := range []string{"transfers", "journal", "idempotency", "audit"} {
				if _, err := tx.Exec(`DELETE FROM ` + table); err != nil {
					return fmt.Errorf("throw %s away: %w", table, err)
				}
			}
		}
		for _, e := range p.Entries {
			if err := adopt(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take copy: %w", err)
	}
	return nil
}

// show notes an epoch and a turn, or refuses them if something newer was shown before.
func show(tx *store.Tx, epoch, turn uint64) error {
	var newest, last uint64
	if err := tx.Row(`SELECT epoch, turn FROM shown`, nil, &newest, &last); err != nil {
		return fmt.Errorf("read epoch: %w", err)
	}
	switch {
	case epoch < newest:
		return ErrOld
	case epoch == newest && turn < last:
		return ErrDiverged
	}
	_, err := tx.Exec(`UPDATE shown SET epoch = ?, turn = ?`, epoch, turn)
	return err
}

// adopt adds an entry of the active region. One that is here already must be the same.
func adopt(tx *store.Tx, e Entry) error {
	switch added, err := audit.Adopt(tx, e.Line); {
	case errors.Is(err, audit.ErrBroken):
		return errors.Join(ErrDiverged, err)
	case err != nil || !added:
		return err
	}
	if e.Key != "" {
		if _, err := idempotency.Claim(tx, e.Key, e.Print, e.Answer); err != nil {
			return err
		}
	}
	return keep(tx, e)
}

// page reads entries behind a number.
func (r *Region) page(ctx context.Context, after uint64) (entries []Entry, err error) {
	rows, err := r.DB.Query(ctx, `SELECT entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?`, after, pageSize)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var text []byte
		var e Entry
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

// catchUp copies the journal to the other region, from its beginning, and has it take part from then on.
func (r *Region) catchUp(ctx context.Context) error {
	t := r.standing()
	for after, anew := uint64(0), true; ; anew = false {
		entries, err := r.page(ctx, after)
		if err != nil {
			return err
		}
		if len(entries) < pageSize {
			return r.join(ctx, t.epoch, after, anew)
		}
		if err := r.Peer.Mirror(ctx, Page{Epoch: t.epoch, Turn: r.turn(), Anew: anew, Entries: entries}); err != nil {
			return err
		}
		after = entries[len(entries)-1].Line.Seq
	}
}

// join sends what is left while nobody writes.
func (r *Region) join(ctx context.Context, epoch, after uint64, anew bool) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	for {
		entries, err := r.page(ctx, after)
		if err == nil && (len(entries) > 0 || anew) {
			err = r.Peer.Mirror(ctx, Page{Epoch: epoch, Turn: r.turn(), Anew: anew, Entries: entries})
		}
		if err != nil {
			return err
		}
		if len(entries) < pageSize {
			break
		}
		after, anew = entries[len(entries)-1].Line.Seq, false
	}
	// From here on nothing is committed that the other does not have: the coordinator may know of it already when its answer gets lost.
	r.joins(epoch, true, false)
	return r.announce(ctx, epoch)
}

// announce tells the coordinator that the other region has everything.
func (r *Region) announce(ctx context.Context, epoch uint64) error {
	err := r.Seat.Joined(ctx, Report{Owner: r.Owner, Epoch: epoch, Turn: r.turn()})
	if err == nil {
		r.joins(epoch, true, true)
	}
	return err
}
