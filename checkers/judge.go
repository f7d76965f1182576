package checkers

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/spelling"
)

// judge prepares the history once, lets every checker speak, and comes to a verdict.
func judge(h *history.History, spec Spec) Result {
	return judgeWith(h, spec, with(Guarantees, spec.Extra))
}

func judgeWith(h *history.History, spec Spec, table []Guarantee) (r Result) {
	r, _ = judgePart(h, nil, spec, table)
	return r
}

// judgePart judges a history, or a part of one of which a scan knows the rest.
func judgePart(h *history.History, w *whole, spec Spec, table []Guarantee) (r Result, c *Case) {
	start := time.Now()
	c, err := prepared(h, w, spec.Budget)
	if err != nil {
		r = Result{Reasons: []string{}, Guarantees: []Judgement{}, Faults: []FaultResult{}, Require: []Condition{}, Thresholds: []Condition{}}
		r.Verdict, r.Reasons = Errored, append(r.Reasons, err.Error())
		r.Counts.Events = h.Len()
		r.Took = time.Since(start)
		return r, nil
	}
	c.bound = spec.Late
	c.place(spec.Planned)
	r.Counts = c.counts()
	r.Guarantees = c.judgeAll(spec, table)
	r.Faults = c.faultResults(spec.Planned)
	r.Metrics = c.metrics(r.Counts, r.Faults)
	r.Require, r.Thresholds = []Condition{}, []Condition{}
	for _, text := range spec.Require {
		r.Require = append(r.Require, evaluate(text, r.Metrics, r.Faults))
	}
	for _, text := range spec.Thresholds {
		r.Thresholds = append(r.Thresholds, evaluate(text, r.Metrics, r.Faults))
	}
	r.Warnings = c.warnings()
	r.Verdict, r.Reasons = c.verdict(spec, &r)
	r.Took = time.Since(start)
	return r, c
}

// prepared turns a history that breaks the preparation into an error: a verdict is given whatever the history holds.
func prepared(h *history.History, w *whole, budget time.Duration) (c *Case, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("prepare the history: %v", p)
		}
	}()
	return preparePart(context.Background(), h, w, budget), nil
}

// judgeAll lets the guarantees that the spec names speak, or all.
func (c *Case) judgeAll(spec Spec, table []Guarantee) []Judgement {
	chosen := table
	if len(spec.Guarantees) > 0 {
		chosen = nil
		for _, name := range spec.Guarantees {
			chosen = append(chosen, find(table, name))
		}
	}
	out := make([]Judgement, 0, len(chosen))
	for _, g := range chosen {
		j := c.judgeOne(g, c.patience())
		j.Guarantee, j.Promise = g.Name, g.Promise
		for k := range j.Findings {
			j.Findings[k].Guarantee = g.Name
		}
		out = append(out, j)
	}
	return out
}

func find(table []Guarantee, name string) Guarantee {
	for _, g := range table {
		if g.Name == name {
			return g
		}
	}
	return Guarantee{Name: name, Check: func(*Case) Judgement {
		return Judgement{Status: Unknown, Reason: "there is no such guarantee" + spelling.Hint(name, names())}
	}}
}

// patience is how long one checker may take before it counts as hanging: its budget, and far more than reading the history takes.
func (c *Case) patience() time.Duration {
	budget := c.budget
	if budget <= 0 {
		budget = searchFallback
	}
	return budget + budget/2 + time.Duration(c.H.Len())*10*time.Microsecond
}

// judgeOne runs one checker. One that panics, or does not come back in time, has judged nothing: its guarantee is unknown, and the
// others are still heard. A checker that hangs is told to stop through the case's context; Go has no means to make it.
func (c *Case) judgeOne(g Guarantee, patience time.Duration) Judgement {
	for _, need := range g.Needs {
		feeds := strings.Split(need, " or ")
		if !slices.ContainsFunc(feeds, c.has) {
			docs := make([]string, len(feeds))
			for k, feed := range feeds {
				docs[k] = feedDoc(feed)
			}
			return Judgement{Status: NotTested, Reason: "this history shows no " + need + ": " + list(docs)}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	own := c.within(ctx)
	done := make(chan Judgement, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- Judgement{Status: Unknown, Reason: "the checker failed: " + clip(fmt.Sprint(p), 300) + origin(debug.Stack())}
			}
		}()
		done <- g.Check(own)
	}()
	select {
	case j := <-done:
		return c.limit(g, c.unsure(g, j))
	case <-ctx.Done():
		return Judgement{Status: Unknown, Reason: fmt.Sprintf("the checker did not come to an end within %v", patience.Round(time.Millisecond))}
	}
}

// within is the case for one checker, with a context of its own.
func (c *Case) within(ctx context.Context) *Case {
	own := *c
	own.ctx = ctx
	return &own
}

// limit says what a guarantee that holds does not hold for: what was not judged is not ok.
func (c *Case) limit(g Guarantee, j Judgement) Judgement {
	if j.Status != Holds {
		return j
	}
	if c.malformed.steps > 0 && slices.ContainsFunc(g.Needs, func(need string) bool { return strings.HasPrefix(need, history.FeedEffects) }) {
		return j.unknown(fmt.Sprintf("%d effects belong to steps beyond the %d that are judged", c.malformed.steps, maxSteps))
	}
	if c.H.Lost != "" {
		j.Reason = "as far as the history goes: its end is missing"
	}
	return j
}

// origin finds the line of ours in which a checker failed.
func origin(stack []byte) string {
	after := false
	for l := range strings.Lines(string(stack)) {
		if strings.HasPrefix(l, "panic(") {
			after = true
		}
		if after && strings.Contains(l, ".go:") && !strings.Contains(l, "/runtime/") {
			l, _, _ = strings.Cut(strings.TrimSpace(l), " +0x")
			return " (" + l[strings.LastIndexByte(l, '/')+1:] + ")"
		}
	}
	return ""
}

func feedDoc(feed string) string {
	switch feed {
	case history.FeedEffects:
		return "effects are not recorded at a sink"
	case history.FeedAudit:
		return "the target's audit trail is not read"
	case history.FeedSpans:
		return "the target's spans are not read"
	case history.FeedStates:
		return "final states of units are not read"
	case history.FeedSteps:
		return "final states of steps are not read"
	case history.FeedReads:
		return "no client reads or updates units while the run goes on"
	case history.FeedTokens:
		return "effects do not carry their fencing token or number"
	case history.FeedStarts:
		return "executions are not recorded as they begin and end"
	case history.FeedLetters:
		return "dead letters are not read with their context"
	case history.FeedTotals:
		return "sums over the target are not read"
	case history.FeedTraces:
		return "events carry no correlation id"
	}
	return "it is not observed"
}

// warnings say what limits the verdict without changing it.
func (c *Case) warnings() (list []string) {
	warn := func(n int, what string) {
		if n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, what))
		}
	}
	list = append(list, c.H.Warnings...)
	warn(c.malformed.nested, "operations began while their client had another one open; the other counts as unanswered")
	warn(c.malformed.unpaired, "answers belong to no open operation and were not judged")
	warn(c.malformed.steps, fmt.Sprintf("effects belong to steps beyond the %d that are judged", maxSteps))
	undeclared := 0
	for u := range c.units {
		if c.units[u].flags&undeclaredName != 0 {
			undeclared++
		}
	}
	if len(c.claims.States.Open) > 0 {
		warn(undeclared, c.nouns+" ended in a state that the target does not declare; they count as open")
	}
	return list
}
