package file

import (
	"context"
	"slices"
	"strconv"

	"github.com/wreckon/wreckon/history"
)

// executionReader copies executions into the history.
type executionReader struct {
	*instance
	spec *executionFeed
	rowReader
}

func (r *executionReader) read(ctx context.Context) (int, error) {
	if r.spec.From.flows() {
		return 0, nil // it comes by itself
	}
	return r.fresh(ctx, r.sources, r.spec.From, r.spec.ID, r.record)
}

// record records a row, or a message.
func (r *executionReader) record(x row) error {
	if !x.is(r.spec.When) {
		return nil
	}
	e := history.Event{Step: r.spec.Step, Component: r.spec.From.who(), Trace: traceID(x.at(r.spec.Trace))}
	switch what := x.at(r.spec.What); {
	case slices.Contains(r.spec.Start, what):
		e.Kind = history.KindStart
	case slices.Contains(r.spec.Finish, what):
		e.Kind = history.KindFinish
	case slices.Contains(r.spec.Checkpoint, what):
		e.Kind, e.Op = history.KindFinish, "checkpoint"
	default:
		return nil
	}
	e.Unit, e.Value = r.unitOf(x.at(r.spec.Unit), "")
	if who := x.at(r.spec.Worker); who != "" {
		e.Component = clip(who, 100)
	}
	e.Attempt = attemptOf(x.at(r.spec.Attempt))
	e.Token, _ = strconv.ParseUint(x.at(r.spec.Number), 10, 64)
	r.w.Recorder.Record(e)
	return nil
}

// attemptOf reads which try it is: the first, where nothing is said.
func attemptOf(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 1
	}
	return uint32(n)
}
