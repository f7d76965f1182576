package checkers

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/internal/spelling"
)

// Cond is a requirement or a threshold, understood. Its grammar:
//
//	condition = "every fault confirmed"
//	          | "operations in flight during every fault"
//	          | metric op number [unit]
//	op        = "<" | "<=" | ">" | ">=" | "=="
//	unit      = "us" | "ms" | "s" | "m" | "%"
//
// A metric measured in seconds needs a unit of time; a ratio takes % or a plain number; a count takes a plain number.
type Cond struct {
	Text   string
	Metric string  // "" for a phrase
	Op     string  // "" for a phrase
	Value  float64 // in the metric's own unit: seconds, a ratio, a count
}

// The phrases.
const (
	everyConfirmed = "every fault confirmed"
	everyInFlight  = "operations in flight during every fault"
)

// CondError says what is wrong with a condition, and where.
type CondError struct {
	Text   string // the whole condition
	Column int    // of the first bad character, from 1
	Msg    string
}

func (e *CondError) Error() string {
	return fmt.Sprintf("parse condition %q, column %d: %s", e.Text, e.Column, e.Msg)
}

// ParseCondition understands a requirement or a threshold. Every error is a *CondError.
func ParseCondition(text string) (Cond, error) {
	cond := Cond{Text: text}
	if phrase := strings.Join(strings.Fields(text), " "); phrase == everyConfirmed || phrase == everyInFlight {
		cond.Text = phrase
		return cond, nil
	}
	p := condParser{text: text}
	var err error
	if cond.Metric, err = p.metric(); err != nil {
		return Cond{}, err
	}
	if cond.Op, err = p.operator(); err != nil {
		return Cond{}, err
	}
	if cond.Value, err = p.number(cond.Metric); err != nil {
		return Cond{}, err
	}
	return cond, nil
}

type condParser struct {
	text string
	at   int
}

func (p *condParser) fail(at int, format string, args ...any) error {
	return &CondError{Text: clip(p.text, 200), Column: at + 1, Msg: fmt.Sprintf(format, args...)}
}

func (p *condParser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// take reads the characters that belong to a set.
func (p *condParser) take(in func(byte) bool) (word string, at int) {
	p.space()
	at = p.at
	for p.at < len(p.text) && in(p.text[p.at]) {
		p.at++
	}
	return p.text[at:p.at], at
}

func (p *condParser) metric() (string, error) {
	name, at := p.take(func(b byte) bool {
		return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '.'
	})
	if name == "" {
		return "", p.fail(at, "want the name of a metric, or one of the phrases %q and %q", everyConfirmed, everyInFlight)
	}
	if _, ok := metricKind(name); ok {
		return name, nil
	}
	rest := strings.Join(strings.Fields(p.text), " ")
	if hint := spelling.Hint(rest, []string{everyConfirmed, everyInFlight}); hint != "" {
		return "", p.fail(at, "no metric is called %q%s", clip(name, 60), hint)
	}
	known := make([]string, len(Metrics))
	for i, m := range Metrics {
		known[i] = m.Name
	}
	hint := spelling.Hint(name, known)
	if hint == "" {
		hint = "; the metrics are " + strings.Join(known, ", ")
	}
	return "", p.fail(at, "no metric is called %q%s", clip(name, 60), hint)
}

func (p *condParser) operator() (string, error) {
	op, at := p.take(func(b byte) bool { return b == '<' || b == '>' || b == '=' || b == '!' })
	if !slices.Contains([]string{"<", "<=", ">", ">=", "=="}, op) {
		hint := ""
		if op == "=" {
			hint = `, did you mean "=="?`
		}
		return "", p.fail(at, "want one of <, <=, >, >=, == after the metric%s", hint)
	}
	return op, nil
}

// scales holds how much each unit is worth in a metric's own unit.
var scales = map[string]map[string]float64{
	"s":     {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60},
	"ratio": {"%": 0.01, "": 1},
	"count": {"": 1},
}

func (p *condParser) number(metric string) (float64, error) {
	digits, at := p.take(func(b byte) bool { return b >= '0' && b <= '9' || b == '.' || b == '-' })
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, p.fail(at, "want a number")
	}
	unit, at := p.take(func(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '%' })
	if p.space(); p.at < len(p.text) {
		return 0, p.fail(p.at, "nothing may follow %q", strings.TrimSpace(p.text[:p.at]))
	}
	m, _ := metricKind(metric)
	scale, ok := scales[m.Unit][unit]
	if !ok {
		want := map[string]string{"s": "us, ms, s or m", "ratio": "% or nothing", "count": "no unit"}[m.Unit]
		return 0, p.fail(at, "%s is measured as %s: want %s after the number", metric, m.Unit, want)
	}
	return n * scale, nil
}

// evaluate tells what became of a condition that was understood, or of one that was not.
func evaluate(text string, metrics []Metric, faults []FaultResult) Condition {
	cond, err := ParseCondition(text)
	out := Condition{Text: text}
	var bad *CondError
	switch {
	case errors.As(err, &bad):
		out.Reason = fmt.Sprintf("not understood, column %d: %s", bad.Column, bad.Msg)
	case cond.Metric == "":
		cond.phrase(&out, faults)
	default:
		cond.compare(&out, metrics)
	}
	return out
}

func (cond Cond) phrase(out *Condition, faults []FaultResult) {
	var short []string
	for _, f := range faults {
		switch {
		case cond.Text == everyConfirmed && f.Verdict != Confirmed:
			short = append(short, fmt.Sprintf("%s was %s", f.ID, f.Verdict))
		case cond.Text == everyInFlight && f.InFlight == 0:
			short = append(short, f.ID+" held while no operation was in flight")
		}
	}
	out.Met = len(short) == 0 && len(faults) > 0
	out.Actual = fmt.Sprintf("%d of %d", len(faults)-len(short), len(faults))
	out.Reason = list(short)
	if len(faults) == 0 {
		out.Reason = "there was no fault"
	}
}

func (cond Cond) compare(out *Condition, metrics []Metric) {
	k := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == cond.Metric })
	if k < 0 || metrics[k].NA {
		out.Actual = naText
		out.Reason = "there was nothing to measure " + cond.Metric + " on"
		return
	}
	m := metrics[k]
	out.Actual = m.text()
	switch cond.Op {
	case "<":
		out.Met = m.Value < cond.Value
	case "<=":
		out.Met = m.Value <= cond.Value
	case ">":
		out.Met = m.Value > cond.Value
	case ">=":
		out.Met = m.Value >= cond.Value
	case "==":
		out.Met = math.Abs(m.Value-cond.Value) <= 1e-9*math.Max(1, math.Abs(cond.Value))
	}
	if !out.Met {
		out.Reason = fmt.Sprintf("%s is %s", m.Name, out.Actual)
	}
}

const naText = "not measured"

// text writes a metric as people read it.
func (m Metric) text() string {
	switch {
	case m.NA:
		return naText
	case m.Unit == "s" && m.Value < 1:
		return strconv.FormatFloat(m.Value*1e3, 'f', 1, 64) + "ms"
	case m.Unit == "s":
		return strconv.FormatFloat(m.Value, 'f', 3, 64) + "s"
	case m.Unit == "ratio":
		return strconv.FormatFloat(m.Value*100, 'f', 2, 64) + "%"
	}
	return strconv.FormatFloat(m.Value, 'f', -1, 64)
}
