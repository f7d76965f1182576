package policy

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Gate refuses new work while too much waits to be passed on.
//
// Promise: what is refused has not begun, and may be asked for again. What waits stays within Limit and what comes in between two looks. How: it
// reads how much waits, not more often than every Fresh, and adds what it has let in since. Cost: one count for each Fresh. Breaks: it counts
// what waits and does not know how fast that moves; if the count cannot be read it lets everybody in, and the work itself fails or not.
//
// A nil Gate refuses nothing. It is safe for concurrent use.
type Gate struct {
	Limit int64         // how much may wait; 0: any amount
	Fresh time.Duration // how old a count may be
	After time.Duration // when it is worth asking again
	Depth func(ctx context.Context) (int64, error)

	mu      sync.Mutex
	waiting int64
	read    time.Time
}

// FullError says that work was refused, and after what time it is worth asking again.
type FullError struct {
	Waiting int64
	After   time.Duration
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%d messages wait to be sent: try again in %s", e.Waiting, e.After)
}

// Admit lets one piece of work in, or refuses it with a *FullError.
func (g *Gate) Admit(ctx context.Context) error {
	if g == nil || g.Limit == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.read) >= g.Fresh {
		waiting, err := g.Depth(ctx)
		if err != nil {
			return nil // the work will say what is wrong
		}
		g.waiting, g.read = waiting, now
	}
	if g.waiting >= g.Limit {
		return &FullError{g.waiting, g.After}
	}
	g.waiting++
	return nil
}
