package region

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// standing is what a process knows of its region's part.
type standing struct {
	epoch  uint64    // of which it is the active one; 0: of none that it knows
	until  time.Time // when the lease is over, by this clock
	turns  uint64    // taken in this epoch
	joined bool      // nothing is committed here that the other does not have
	told   bool      // and the coordinator knows

	heard   time.Time // when the coordinator was asked for what it answered last
	settled bool      // it said that somebody is active, and that the other has everything
}

func (r *Region) standing() standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// leads tells whether the region is active, by the clock, and in which epoch.
func (r *Region) leads() (epoch uint64, ok bool) {
	t := r.standing()
	return t.epoch, t.leads()
}

func (t standing) leads() bool { return t.epoch > 0 && time.Now().Before(t.until) }

// Active tells whether the region was active when it last knew, and has not heard of another since.
func (r *Region) Active() bool { return r.standing().epoch > 0 }

// turn numbers what is said in an epoch.
func (r *Region) turn() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.term.turns++
	return r.term.turns
}

// joins notes whether the other region has everything, and whether the coordinator knows.
func (r *Region) joins(epoch uint64, joined, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term.epoch == epoch {
		r.term.joined, r.term.told = joined, told
	}
}

// stepDown ends an epoch of which we were active.
func (r *Region) stepDown(epoch uint64, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term.epoch == epoch && epoch > 0 {
		r.Log.Warn("this region is not active any more", "epoch", epoch, "why", why)
		r.term = standing{heard: r.term.heard}
	}
}

// yields tells whether a page of an epoch is listened to. A newer one ends our own.
func (r *Region) yields(epoch uint64) bool {
	own := r.standing().epoch
	if epoch < own {
		return false
	}
	if epoch > own {
		r.stepDown(own, ErrOld)
	}
	return true
}

// Heard tells whether the coordinator has ever answered.
func (r *Region) Heard(context.Context) error {
	if r.standing().heard.IsZero() {
		return errors.New("the coordinator has not answered yet")
	}
	return nil
}

// Settled tells whether there is an active region and another that has everything, as far as is known here.
func (r *Region) Settled() bool {
	t := r.standing()
	if t.epoch > 0 {
		return t.leads() && t.joined && t.told
	}
	return t.settled && time.Since(t.heard) < r.Lease
}

// renew asks for the seat, or for more time in it.
func (r *Region) renew(ctx context.Context) error {
	asked := time.Now()
	seat, err := r.Seat.Renew(ctx, Renewal{Region: r.Name, Owner: r.Owner})
	if err != nil {
		return err
	}
	if seat.Owner != r.Owner {
		r.stepDown(r.standing().epoch, ErrOld)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.term.heard, r.term.settled = asked, seat.Joined
		return nil
	}
	if seat.Epoch != r.standing().epoch { // whatever the one before us still says is refused from here on
		err := r.DB.Write(ctx, func(tx *store.Tx) error { return show(tx, seat.Epoch, 0) })
		if err != nil {
			return fmt.Errorf("begin epoch %d: %w", seat.Epoch, err)
		}
		r.Log.Info("this region is active", "epoch", seat.Epoch)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if seat.Epoch != r.term.epoch {
		r.term = standing{epoch: seat.Epoch}
	}
	r.term.until, r.term.heard = asked.Add(r.Lease-r.Lease/10), asked // over here before it is over there
	return nil
}

// Ask has a transfer posted in an epoch, once, however often it is asked, by whichever region.
type Ask func(ctx context.Context, epoch uint64, e Entry) (gateway.Answer, error)

// Call makes the call for a transfer; see Fenced.
type Call func(region string, epoch uint64, e Entry) gateway.Call

// Fenced asks under the same key in every region, and to be refused where a newer epoch was seen.
func Fenced(_ string, epoch uint64, e Entry) gateway.Call {
	return gateway.Call{OrderID: e.TransferID, Key: e.TransferID + "/post", Token: epoch, Fenced: true, Trace: e.Trace}
}

// Run does what a region does beside answering, until told ends, and finishes what it has begun for as long as work lasts.
func (r *Region) Run(told, work context.Context) error {
	var loops, posts sync.WaitGroup
	defer posts.Wait()
	defer loops.Wait()
	repeat := func(every time.Duration, what string, do func(ctx context.Context) error) {
		loops.Go(func() {
			for {
				if err := do(work); err != nil {
					r.Log.InfoContext(work, "could not "+what, "error", err)
				}
				if policy.Sleep(told, every) != nil {
					return
				}
			}
		})
	}
	repeat(r.Lease/5, "ask for the seat", r.renew)
	repeat(r.Lease/10, "copy the journal", r.accompany)
	slots := make(chan struct{}, r.Slots)
	repeat(r.Poll, "look for transfers", func(ctx context.Context) error { return r.look(ctx, slots, &posts) })
	return nil
}

// accompany sees to it that the other region has everything, and that the coordinator knows.
func (r *Region) accompany(ctx context.Context) error {
	epoch, ok := r.leads()
	switch t := r.standing(); {
	case !ok || t.told:
		return nil
	case !t.joined:
		return r.catchUp(ctx)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if t := r.standing(); t.epoch != epoch || !t.joined {
		return nil
	}
	return r.announce(ctx, epoch)
}

// look has transfers posted that nobody is posting.
func (r *Region) look(ctx context.Context, slots chan struct{}, posts *sync.WaitGroup) error {
	epoch, ok := r.leads()
	if !ok {
		return nil
	}
	open, err := r.list(ctx, selectTransfer+` WHERE state = 'pending' ORDER BY transfer_id LIMIT 100`)
	if err != nil {
		return err
	}
	for _, e := range open {
		if _, busy := r.busy.LoadOrStore(e.TransferID, true); busy {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			r.busy.Delete(e.TransferID)
			return nil
		}
		posts.Go(func() {
			defer func() { <-slots; r.busy.Delete(e.TransferID) }()
			r.post(ctx, epoch, e)
		})
	}
	return nil
}

// post has one transfer posted and writes down that it was. What was not answered is asked again, here or by whoever is active then.
func (r *Region) post(ctx context.Context, epoch uint64, e Entry) {
	r.Meter.InHand.Add(1)
	defer func() {
		r.Meter.InHand.Add(-1)
		r.Meter.Done.Add(1)
	}()
	_, err := r.Ask(ctx, epoch, e)
	if errors.Is(err, gateway.ErrSuperseded) {
		r.stepDown(epoch, err)
	}
	if err == nil {
		err = r.write(ctx, func(tx *store.Tx) (*Entry, error) {
			now, err := load(tx, e.TransferID)
			if err != nil || now.State != Pending { // an end is an end
				return nil, err
			}
			now.State, now.Version = Posted, now.Version+1
			return &now, r.note(tx, &now, Posted)
		})
	}
	if err != nil {
		r.Log.InfoContext(ctx, "transfer was not posted", "transfer", e.TransferID, "epoch", epoch, "error", err)
		_ = r.Backoff.Wait(ctx, 1) // the next look finds it again
	}
}
