package file

import (
	"sync/atomic"
	"time"
)

// activity is when anything was last seen of a target, and how often something was.
type activity struct {
	count atomic.Int64
	last  atomic.Pointer[time.Time]
}

func (a *activity) touch() {
	now := time.Now()
	a.last.Store(&now)
	a.count.Add(1)
}

// silentFor is how long nothing was seen.
func (a *activity) silentFor() time.Duration { return time.Since(*a.last.Load()) }
