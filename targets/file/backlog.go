package file

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Backlog asks how busy the target is, by what the file says of that. Where it says how long a silence means that there is nothing more to
// do, the target counts as busy until it has been silent for so long.
func (i *instance) Backlog(ctx context.Context) (targets.Backlog, error) {
	var b targets.Backlog
	for _, f := range i.Idle.Queued {
		text, err := i.count(ctx, f.From, f.Value)
		if err != nil {
			return b, err
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 || n > math.MaxInt32 {
			return b, fmt.Errorf("ask %s whether it is idle: %s is no count", f.From.who(), text)
		}
		b.Queued += int(math.Ceil(n))
	}
	var err error
	if b.Open, err = i.states.open(ctx); err != nil {
		return b, err
	}
	if i.activity.silentFor() < time.Duration(i.Idle.Silence) {
		b.InProgress = 1
	}
	if b.Quiet() { // effects that are read as rows are seen late: what looks like rest is none before they are all there
		for _, e := range i.effects {
			if err := drain(ctx, e.read); err != nil {
				return b, err
			}
		}
	}
	b.Done = int(i.activity.count.Load())
	return b, nil
}
