package file

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wreckon/wreckon/history"
)

const execMode = pgx.QueryExecModeExec

// rowReader reads rows that only ever become more, each once.
type rowReader struct {
	mu     sync.Mutex // Follow reads, and Observe
	cursor string
	seen   map[string]struct{}
}

// fresh reads the rows that were not there before. id is the field that is a row's own.
func (r *rowReader) fresh(ctx context.Context, s *sources, from source, id string, each func(row) error) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows, err := s.rows(ctx, from, r.cursor)
	if err != nil {
		return 0, err
	}
	if r.seen == nil {
		r.seen = map[string]struct{}{}
	}
	for _, x := range rows {
		own := x.at(id)
		if own == "" {
			return n, fmt.Errorf("read rows of %s: a row has no %s: %s", from.who(), id, clip(x.text, 200))
		}
		if _, known := r.seen[own]; !known {
			if err := each(x); err != nil { // it stays unread: whoever reads at the end is told
				return n, err
			}
			r.seen[own] = struct{}{}
			n++
		}
		r.cursor = own
	}
	if n > 0 {
		s.activity.touch()
	}
	return n, nil
}

// unitOf reads a unit's id as it came. A foreign one is left as evidence in front of the value.
func (i *instance) unitOf(id, value string) (history.Unit, string) {
	u, err := history.ParseUnit(i.claims.Prefix, id)
	if err != nil {
		return history.NoUnit, clip("foreign id: "+strconv.Quote(id)+" "+value, 300)
	}
	return u, value
}

// traceID is the trace of a W3C traceparent, which is what stays the same from span to span. Anything else is taken as it is.
func traceID(text string) string {
	if p := strings.Split(text, "-"); len(p) == 4 && len(p[1]) == 32 {
		return p[1]
	}
	return clip(text, 100)
}

// effectReader copies effects that are read as rows into the history.
type effectReader struct {
	*instance
	spec *effectFeed
	rowReader
}

func (e *effectReader) read(ctx context.Context) (int, error) {
	if e.spec.From.flows() {
		return 0, nil // it comes by itself
	}
	return e.fresh(ctx, e.sources, e.spec.From, e.spec.ID, e.record)
}

// record records a row, or a message.
func (e *effectReader) record(x row) error {
	if !x.is(e.spec.When) {
		return nil
	}
	op := "do"
	if e.spec.Undo {
		op = "undo"
	}
	unit, value := e.unitOf(x.at(e.spec.Unit), clip(x.at(e.spec.Value), 1000))
	token, _ := strconv.ParseUint(x.at(e.spec.Token), 10, 64)
	e.w.Recorder.Record(history.Event{
		Kind: history.KindEffect, Outcome: history.OutcomeApplied, Unit: unit, Op: op, Step: e.spec.Step, Component: e.spec.From.who(),
		Key: clip(x.at(e.spec.Key), 1000), Value: value, Token: token, Trace: traceID(x.at(e.spec.Trace)),
	})
	return nil
}

// auditReader copies an audit trail into the history.
type auditReader struct {
	*instance
	spec *auditFeed
	rowReader
}

// trail is how far the audit trail of each source was read, from whichever feed.
type trail struct {
	mu   sync.Mutex
	last map[string]uint64 // source -> its last number
}

// next numbers what a source recorded, in the order in which it is read.
func (t *trail) next(source string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[source] + 1
}

func (t *trail) saw(source string, number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[string]uint64{}
	}
	t.last[source] = max(t.last[source], number)
}

func (a *auditReader) read(ctx context.Context) (int, error) {
	if a.spec.From.flows() {
		return 0, nil // it comes by itself
	}
	return a.fresh(ctx, a.sources, a.spec.From, a.spec.ID, a.record)
}

// record records a row, or a message.
func (a *auditReader) record(x row) error {
	if !x.is(a.spec.When) {
		return nil
	}
	from := x.at(a.spec.Source)
	if from == "" {
		from = a.spec.From.who()
	}
	number := a.trail.next(from)
	if a.spec.Sequence != "" {
		var err error
		if number, err = strconv.ParseUint(x.at(a.spec.Sequence), 10, 64); err != nil || number == 0 {
			return fmt.Errorf("read audit trail of %s: %s is no number from 1: %s", a.spec.From.who(), a.spec.Sequence, clip(x.text, 200))
		}
	}
	a.trail.saw(from, number)
	e := history.Event{
		Kind: history.KindAudit, Unit: history.NoUnit, Op: x.at(a.spec.Transition), Step: x.at(a.spec.Step), Component: from, Token: number,
		Value: x.text, Trace: traceID(x.at(a.spec.Trace)),
	}
	if unit, err := history.ParseUnit(a.claims.Prefix, x.at(a.spec.Unit)); err == nil {
		e.Unit = unit
	}
	if t, err := time.Parse(time.RFC3339Nano, x.at(a.spec.At)); err == nil {
		e.At = time.Duration(a.w.Clock.At(t.UnixNano()))
	}
	a.w.Recorder.Record(e)
	return nil
}

// heads says where each source's trail ends. It is read from the trail's own place, so that its last row is the source's last word.
func (i *instance) heads() {
	for _, f := range i.Audit {
		if f.Source == "" {
			i.trail.saw(f.From.who(), 0) // it is there, even if it has recorded nothing
		}
	}
	for _, from := range keysOf(i.trail.last) {
		i.w.Recorder.Record(history.Event{Kind: history.KindObserve, Unit: history.NoUnit, Op: "audit-head", Component: from, Token: i.trail.last[from]})
	}
}

// observed reads the steps that no sink sees.
func (i *instance) observed(ctx context.Context) error {
	for _, f := range i.Observed {
		rows, err := i.sources.rows(ctx, f.From, "")
		if err != nil {
			return err
		}
		for _, x := range rows {
			value := x.at(f.State)
			if slices.Contains(f.Force, value) {
				value = "in-force"
			}
			unit, value := i.unitOf(x.at(f.Unit), value)
			i.w.Recorder.Record(history.Event{Kind: history.KindObserve, Unit: unit, Op: "step", Step: f.Step, Component: f.From.who(), Value: value})
		}
	}
	return nil
}

// letters reads the dead letters.
func (i *instance) letters(ctx context.Context) error {
	f := i.DeadLetters
	if f == nil {
		return nil
	}
	rows := i.letterbox
	if !f.From.flows() {
		var err error
		if rows, err = i.sources.rows(ctx, f.From, ""); err != nil {
			return err
		}
	}
	for _, x := range rows {
		if !x.is(f.When) {
			continue
		}
		unit, value := i.unitOf(x.at(f.Unit), x.text)
		i.w.Recorder.Record(history.Event{Kind: history.KindObserve, Unit: unit, Op: "dead-letter", Component: f.From.who(), Value: value})
	}
	return nil
}

// Totals reads the numbers that sums are made of. Effects come first: a number that is ahead of what is known of them would be too much.
func (i *instance) Totals(ctx context.Context) error {
	if len(i.definition.Totals) == 0 {
		return nil
	}
	for _, e := range i.effects {
		if err := drain(ctx, e.read); err != nil {
			return err
		}
	}
	for _, f := range i.definition.Totals {
		n, err := i.count(ctx, f.From, f.Value)
		if err != nil {
			return fmt.Errorf("read total %s: %w", f.Name, err)
		}
		i.w.Recorder.Record(history.Event{Kind: history.KindObserve, Unit: history.NoUnit, Op: "total", Component: f.From.who(), Key: f.Name, Value: n})
	}
	return nil
}

// count reads one number.
func (i *instance) count(ctx context.Context, from source, path string) (string, error) {
	rows, err := i.sources.rows(ctx, from, "")
	if err != nil {
		return "", err
	}
	if len(rows) != 1 {
		return "", fmt.Errorf("want one row, not %d", len(rows))
	}
	n, err := rows[0].number(path)
	return n.String(), err
}
