package workloads

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// pacer waits for instants. The runtime's timers are late by up to a millisecond, because the network poller rounds its timeout
// up to one (https://go.dev/issue/53824); nanosleep on a thread of its own, without the kernel's timer slack, by tens of
// microseconds.
type pacer struct {
	now    func() time.Duration
	coarse *time.Timer
}

// fine is how long before an instant the pacer changes from a runtime timer, which a context can interrupt, to nanosleep.
const fine = 3 * time.Millisecond

// newPacer makes a pacer for the calling goroutine, which it ties to its thread. The thread ends with the goroutine: its slack is
// changed for good.
func newPacer(now func() time.Duration) *pacer {
	runtime.LockOSThread()
	// Failure costs 50 µs of accuracy, and lateness is measured anyway.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &pacer{now: now, coarse: t}
}

// wait returns at the instant, or with false soon after ctx ends.
func (p *pacer) wait(ctx context.Context, until time.Duration) bool {
	for {
		left := until - p.now()
		switch {
		case left <= 0:
			return ctx.Err() == nil
		case left > fine:
			p.coarse.Reset(left - fine*2/3)
			select {
			case <-ctx.Done():
				return false
			case <-p.coarse.C:
			}
		default:
			ts := unix.NsecToTimespec(int64(left))
			_ = unix.Nanosleep(&ts, nil) // a signal may end it early: the loop looks at the clock again
		}
	}
}

func (p *pacer) stop() { p.coarse.Stop() }
