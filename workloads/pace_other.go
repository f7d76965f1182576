//go:build !linux

package workloads

import (
	"context"
	"time"
)

// pacer waits for instants with the runtime's timers, which is as exact as it gets without system calls of Linux.
type pacer struct {
	now   func() time.Duration
	timer *time.Timer
}

func newPacer(now func() time.Duration) *pacer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &pacer{now: now, timer: t}
}

// wait returns at the instant, or with false soon after ctx ends.
func (p *pacer) wait(ctx context.Context, until time.Duration) bool {
	left := until - p.now()
	if left <= 0 {
		return ctx.Err() == nil
	}
	p.timer.Reset(left)
	select {
	case <-ctx.Done():
		return false
	case <-p.timer.C:
		return true
	}
}

func (p *pacer) stop() { p.timer.Stop() }
