package checkers

import (
	"fmt"
	"slices"
	"strings"
)

// reasons collects, for each verdict that has a claim, why.
type reasons map[Verdict][]string

func (r reasons) add(v Verdict, format string, args ...any) {
	r[v] = append(r[v], fmt.Sprintf(format, args...))
}

// precedence orders the verdicts: the first with a reason is the verdict.
var precedence = []Verdict{Violation, Errored, Aborted, Inconclusive, Missed}

// verdict weighs everything. The reasons of lesser verdicts follow those of the one that counts.
func (c *Case) verdict(spec Spec, r *Result) (Verdict, []string) {
	why := make(reasons)
	c.weighGuarantees(why, spec, r)
	c.weighRun(why, spec)
	weighFaults(why, r.Faults)
	weighConditions(why, r)
	c.weighEvidence(why, spec, r)
	all := []string{}
	for _, v := range precedence {
		all = append(all, why[v]...)
	}
	for _, v := range precedence {
		if len(why[v]) > 0 {
			return v, all
		}
	}
	held := 0
	for _, j := range r.Guarantees {
		if j.Status == Holds {
			held++
		}
	}
	return Pass, []string{fmt.Sprintf("%s acknowledged; every guarantee that could be tested holds (%d of %d)", c.count(r.Counts.Acknowledged), held,
		len(r.Guarantees))}
}

func (c *Case) weighGuarantees(why reasons, spec Spec, r *Result) {
	held := 0
	for _, j := range r.Guarantees {
		switch j.Status {
		case Violated:
			first := ""
			if len(j.Findings) > 0 {
				first = ": " + j.Findings[0].Sentence
			}
			why.add(Violation, "%s is violated %s%s", j.Guarantee, times(j.Total), first)
		case Unknown:
			why.add(Inconclusive, "nobody knows whether %s holds: %s", j.Guarantee, j.Reason)
		case NotTested:
			if slices.Contains(spec.Guarantees, j.Guarantee) {
				why.add(Inconclusive, "%s was asked for and could not be tested: %s", j.Guarantee, j.Reason)
			}
		case Holds:
			held++
		}
	}
	if held == 0 && len(why) == 0 {
		why.add(Inconclusive, "not one guarantee could be tested")
	}
}

func (c *Case) weighRun(why reasons, spec Spec) {
	if spec.Failed != "" {
		why.add(Errored, "the run failed: %s", spec.Failed)
	}
	if c.baselineFails != none {
		why.add(Errored, "the target did not work before any fault was injected: %s",
			clip(coalesce(c.str(c.H.Value[c.baselineFails]), "the baseline failed"), 300))
	}
	for _, i := range c.exits {
		why.add(Errored, "%s went at %s without being told to: %s", clip(c.str(c.H.Comp[i]), 60), when(c.at(i)), clip(c.str(c.H.Value[i]), 300))
	}
	if spec.Aborted != "" {
		why.add(Aborted, "the run was aborted: %s", spec.Aborted)
	}
}

// unasked tells from an exit's value that nobody had told the process to go.
func unasked(value string) bool { return strings.Contains(value, "not asked for") }

// weighFaults: a fault that did nothing is never a pass.
func weighFaults(why reasons, faults []FaultResult) {
	for _, f := range faults {
		if f.Verdict != Confirmed {
			why.add(Inconclusive, "fault %s (%s %s) was %s: %s", clip(f.ID, 20), clip(f.Kind, 40), clip(f.Target, 80), f.Verdict, f.Reason)
		}
	}
}

func weighConditions(why reasons, r *Result) {
	for _, q := range r.Require {
		if !q.Met {
			why.add(Inconclusive, "the requirement %q was not met: %s", q.Text, q.Reason)
		}
	}
	for _, t := range r.Thresholds {
		switch {
		case t.Met:
		case t.Actual == "" || t.Actual == naText:
			why.add(Inconclusive, "the threshold %q could not be judged: %s", t.Text, t.Reason)
		default:
			why.add(Missed, "the threshold %q was missed: %s", t.Text, t.Reason)
		}
	}
}

// weighEvidence asks whether there was enough to judge at all.
func (c *Case) weighEvidence(why reasons, spec Spec, r *Result) {
	if r.Counts.Acknowledged == 0 {
		why.add(Inconclusive, "no %s was acknowledged: nothing was promised that could have been broken", c.noun)
	}
	if c.H.Lost != "" {
		why.add(Inconclusive, "the end of the history is missing: %s", clip(c.H.Lost, 300))
	}
	if spec.Late > 0 {
		k := slices.IndexFunc(r.Metrics, func(m Metric) bool { return m.Name == "lateness.p99" })
		switch m := r.Metrics[k]; {
		case m.NA:
			why.add(Inconclusive, "nobody measured how late the harness was")
		case m.Value > spec.Late.Seconds():
			why.add(Inconclusive, "the harness itself was late: p99 %s, and the bound is %v", m.text(), spec.Late)
		}
	}
}
