package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// repeater asks for each unit twice, under the same key, as a client does whose first answer was lost; the history has it once. And it looks
// on for a while after the target was said to be idle.
type repeater struct {
	lingers time.Duration

	mu sync.Mutex
	n  repeats
}

// repeats is what the second requests were told.
type repeats struct {
	same, other, failed, unsure int
	example                     string // of answers that differ, or of a failure
}

func (r *repeater) counts() repeats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *repeater) wrap(t targets.Target) targets.Target {
	start := t.New
	t.New = func(w targets.Wiring) (targets.Instance, error) {
		i, err := start(w)
		if err != nil {
			return nil, err
		}
		return &repeating{i, r}, nil
	}
	return t
}

type repeating struct {
	targets.Instance
	*repeater
}

func (r *repeating) Client() workloads.Client {
	return repeatingClient{r.Instance.Client(), r.repeater}
}

func (r *repeating) Observe(ctx context.Context) error {
	look := time.NewTimer(r.lingers)
	defer look.Stop()
	select {
	case <-look.C:
	case <-ctx.Done():
	}
	return r.Instance.Observe(ctx)
}

type repeatingClient struct {
	workloads.Client
	*repeater
}

func (c repeatingClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	first := c.Client.Do(ctx, op)
	if op.Op != workloads.Submit || first.Kind != history.KindOK {
		return first
	}
	again := op
	again.Attempt++
	second := c.Client.Do(ctx, again)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case second.Kind == history.KindFail:
		c.n.failed++
		c.n.example = second.Value
	case second.Kind != history.KindOK:
		c.n.unsure++
	case second.Value == first.Value && second.Token == first.Token:
		c.n.same++
	default:
		c.n.other++
		c.n.example = first.Value + " and then " + second.Value
	}
	return first
}
