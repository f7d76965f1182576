package runner

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Counts is how far a run has come.
type Counts struct {
	Operations, OK, Fail, Info uint64
	Effects, Deduplicated      uint64
	Audits                     uint64
}

// tap is the recorder as the rest of the run sees it: it also shows faults to the observer, and everything to whoever watches the
// stop conditions.
type tap struct {
	*history.Recorder
	obs   Observer
	watch func(history.Event, func() time.Duration) string
	stop  atomic.Pointer[context.CancelCauseFunc] // ends what a stop condition may end; nil while there is nothing of it
}

// stopCondition is why the load and the faults were ended early.
type stopCondition string

func (s stopCondition) Error() string { return string(s) }

// Record records an event.
func (t *tap) Record(e history.Event) uint64 {
	seq := t.Recorder.Record(e)
	if t.watch != nil {
		if why := t.watch(e, t.Now); why != "" {
			if stop := t.stop.Load(); stop != nil {
				(*stop)(stopCondition(why))
			}
		}
	}
	switch {
	case e.Kind == history.KindFault:
		t.obs.Fault(e.Key, e.Op, e.Component, e.Outcome.String())
	case e.Kind == history.KindPhase && e.Outcome == history.OutcomeBegin:
		t.obs.Phase(e.Op, "")
	}
	return seq
}

func (r *run) counts() Counts {
	c := r.rec.Counts()
	return Counts{
		Operations: c.Kind(history.KindInvoke), OK: c.Kind(history.KindOK), Fail: c.Kind(history.KindFail), Info: c.Kind(history.KindInfo),
		Effects:      c.Outcome(history.KindEffect, history.OutcomeApplied),
		Deduplicated: c.Outcome(history.KindEffect, history.OutcomeDeduplicated),
		Audits:       c.Kind(history.KindAudit),
	}
}

type silent struct{}

func (silent) Phase(string, string)                 {}
func (silent) Fault(string, string, string, string) {}
func (silent) Counts(Counts)                        {}
func (silent) Note(string)                          {}
