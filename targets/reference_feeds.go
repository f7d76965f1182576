package targets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// auditPage is how many audit records are asked for at once.
const auditPage = 1000

// maxLine bounds one line of a feed.
const maxLine = 16 << 20

func (r *reference) decode(ctx context.Context, component, path string, into any) error {
	resp, err := r.get(ctx, component, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxLine)).Decode(into); err != nil {
		return fmt.Errorf("read %s of %s: %w", path, component, err)
	}
	return nil
}

// lines reads a feed of JSON objects, one a line.
func lines[T any](ctx context.Context, r *reference, component, path string, each func(T)) (n int, err error) {
	resp, err := r.get(ctx, component, path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	sc := bufio.NewScanner(resp.Body)
	sc.Buffer(make([]byte, 64<<10), maxLine)
	for sc.Scan() {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			return n, fmt.Errorf("read %s of %s, line %d: %w", path, component, n+1, err)
		}
		each(v)
		n++
	}
	if err := sc.Err(); err != nil {
		return n, fmt.Errorf("read %s of %s: %w", path, component, err)
	}
	return n, nil
}

// auditLine is one record of the audit trail, as the audit component serves it.
type auditLine struct {
	Cursor uint64 `json:"cursor"`
	Source string `json:"source"`
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Body   string `json:"body"` // the exact text that was hashed
}

// auditBody is what of the body the history has columns for.
type auditBody struct {
	At         string `json:"at"`
	OrderID    string `json:"order_id"`
	Transition string `json:"transition"`
	Step       string `json:"step"`
	Attempt    uint32 `json:"attempt"`
	Detail     string `json:"detail"`
	Trace      string `json:"trace"`
}

// readAudit copies the audit records after the cursor into the history.
func (r *reference) readAudit(ctx context.Context) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	read, errs := 0, []error(nil)
	for _, c := range r.trails {
		n, err := r.readTrail(ctx, c)
		read, errs = read+n, append(errs, err)
	}
	return read, errors.Join(errs...)
}

func (r *reference) readTrail(ctx context.Context, component string) (int, error) {
	return lines(ctx, r, component, fmt.Sprintf("/audit?after=%d&limit=%d", r.after, auditPage), func(l auditLine) {
		r.after = max(r.after, l.Cursor)
		var b auditBody
		_ = json.Unmarshal([]byte(l.Body), &b) // a body that is no JSON is judged as it is: the checker sees the text
		unit, err := history.ParseUnit(r.prefix, b.OrderID)
		if err != nil {
			unit = history.NoUnit
		} else if b.Transition == "set-aside" {
			r.setAside = append(r.setAside, letter{unit: unit, at: l.Source})
		}
		r.w.Recorder.Record(history.Event{
			Kind: history.KindAudit, Unit: unit, Op: b.Transition, Step: b.Step, Component: l.Source, Attempt: b.Attempt,
			Token: l.Seq, Key: l.Hash, Value: l.Body, Trace: traceID(b.Trace), At: r.at(b.At),
		})
		if b.Transition == "checkpointed" {
			place, _ := strconv.ParseUint(b.Detail, 10, 32) // 0, which covers nothing, where it is no number
			r.w.Recorder.Record(history.Event{Kind: history.KindFinish, Op: "checkpoint", Unit: unit, Step: "chunk", Component: l.Source,
				Attempt: b.Attempt, Token: place, Trace: traceID(b.Trace)})
		}
	})
}

// traceID is the trace of a W3C traceparent, which is what stays the same from span to span. Anything else is taken as it is.
func traceID(traceparent string) string {
	if p := strings.Split(traceparent, "-"); len(p) == 4 && len(p[1]) == 32 {
		return p[1]
	}
	return clip(traceparent, 100)
}

// at places a target's own time on the run's clock; 0 where it said none.
func (r *reference) at(s string) time.Duration {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0
	}
	return time.Duration(r.w.Clock.At(t.UnixNano()))
}

// observation is one line of final state, as every component tells it.
type observation struct {
	Op      string `json:"op"`
	OrderID string `json:"order_id"`
	Step    string `json:"step"`
	Key     string `json:"key"`
	Value   string `json:"value"`
	Version uint64 `json:"version"`
	Source  string `json:"source"`
	Seq     uint64 `json:"seq"`
	Hash    string `json:"hash"`
	Count   uint64 `json:"count"`

	Record json.RawMessage `json:"record"` // what there is to say of a dead letter
}

// observe copies what a component has come to into the history: the lines that are wanted; nil: all.
func (r *reference) observe(ctx context.Context, component string, wanted func(observation) bool) error {
	_, err := lines(ctx, r, component, "/observe", func(o observation) {
		if wanted != nil && !wanted(o) {
			return
		}
		e := history.Event{Kind: history.KindObserve, Unit: history.NoUnit, Op: o.Op, Step: o.Step, Component: component,
			Value: o.Value + string(o.Record), Key: o.Hash + o.Key, Token: o.Version + o.Seq + o.Count} // a line has at most one of each
		if o.Source != "" {
			e.Component = o.Source
		}
		if o.OrderID != "" {
			unit, err := history.ParseUnit(r.prefix, o.OrderID)
			if err != nil {
				e.Value = clip("foreign id: "+strconv.Quote(o.OrderID)+" "+o.Value, 300)
			}
			e.Unit = unit
		}
		r.w.Recorder.Record(e)
	})
	return err
}
