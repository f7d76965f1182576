package file

import (
	"fmt"
	"time"

	"github.com/wreckon/wreckon/history"
)

// spans are what the components' spans tell of units. They are read before anything else at the end: what they tell of has happened by then, and
// is seen by whoever looks after that.
func (i *instance) spans() (told []history.Event, err error) {
	if len(i.Spans) == 0 {
		return nil, nil
	}
	lines, err := i.w.Spans()
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	for _, line := range lines {
		x := row{decode(line), string(line)}
		for _, f := range i.Spans {
			if e, ok := i.tells(f, x); ok {
				told = append(told, e)
			}
		}
	}
	return told, nil
}

// tells says what a span tells of a unit, if it does. One that failed tells of nothing that was done, unless the file asks for it.
func (i *instance) tells(f spanFeed, x row) (e history.Event, ok bool) {
	if _, asked := f.When["status"]; !x.is(f.When) || !asked && x.at("status") == "error" {
		return e, false
	}
	unit, err := history.ParseUnit(i.claims.Prefix, x.at(f.Unit))
	if err != nil {
		return e, false // it is about something else
	}
	e = history.Event{Kind: history.KindObserve, Op: "told", Key: f.Says, Unit: unit, Step: f.Step, Component: clip(x.at("service"), 100),
		Value: clip(x.at("name"), 200), Trace: clip(x.at("trace"), 100)}
	if t, err := time.Parse(time.RFC3339Nano, x.at("end")); err == nil {
		e.At = time.Duration(i.w.Clock.At(t.UnixNano()))
	}
	return e, true
}
