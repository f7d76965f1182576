package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/workloads"
)

// Step is one line of a printed plan.
type Step struct {
	Number string // 1, 2, 4.1, 4.2: phases of a run, and what is in them
	Name   string // of a phase: plan, start, baseline, chaos, heal, quiesce, observe, seal, judge; of a fault: its id
	Text   string
}

// Steps is the plan as a person reads it: the phases of a run, in order, and below chaos everything that happens: by time, and then
// what happens when a message comes.
func (p Plan) Steps() []Step {
	defect := ""
	if p.Defect != "" {
		defect = ", with the defect " + p.Defect + " switched on"
	}
	in := ""
	if p.Environment != "" {
		in = " in the environment " + p.Environment
	}
	steps := []Step{
		{"1", "plan", fmt.Sprintf("seed %d%s", p.Seed, defect)},
		{"2", "start", p.Target + in + ", every connection between its components through a proxy"},
		{"3", "baseline", "a short load without faults: it must succeed"},
		{"4", "chaos", p.chaos()},
	}
	timeline := p.timeline()
	for i, s := range timeline {
		s.Number = "4." + strconv.Itoa(i+1)
		steps = append(steps, s)
	}
	steps = append(steps, story(p.Faults, "4.", len(timeline), 0)...)
	return append(steps,
		Step{"5", "heal", "every fault undone, and seen to be gone"},
		Step{"6", "quiesce", fmt.Sprintf("until nothing is open any more, %v at most", p.Quiesce)},
		Step{"7", "observe", "final states and the whole audit trail"},
		Step{"8", "seal", "the history"},
		Step{"9", "judge", p.judged()},
	)
}

func (p Plan) judged() string {
	if len(p.Guarantees) == 0 {
		return "every guarantee that can be tested"
	}
	return document.Plural(len(p.Guarantees), "guarantee") + ": " + strings.Join(p.Guarantees, ", ")
}

func (p Plan) chaos() string {
	w := p.Workload
	return fmt.Sprintf("%v of load: %s, about %s", w.Duration(), document.Plural(w.Units(), "unit"), document.Plural(expectedOperations(w), "operation"))
}

// clients is who drives the load, and with what.
func (p Plan) clients() []string {
	w := p.Workload
	lines := []string{fmt.Sprintf("%s; a try times out after %v, an operation is given up after %s",
		document.Plural(w.Clients, "client"), w.Timeout, tries(w.Attempts))}
	if len(w.Mix) > 0 {
		lines = append(lines, mixture(w.Mix))
	}
	lines = append(lines, fmt.Sprintf("%g status reads and %g conditional updates for each unit", w.Reads, w.Amends))
	if w.Repeats+w.Clashes > 0 {
		lines = append(lines, fmt.Sprintf("%g submits under the key of an acknowledged one, and %g more with another payload, for each unit", w.Repeats, w.Clashes))
	}
	return lines
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// expectedOperations counts status reads and conditional updates too, but no retries: faults decide about those.
func expectedOperations(w workloads.Spec) int {
	return int(float64(w.Units()) * (1 + w.Reads + w.Amends + w.Repeats + w.Clashes))
}

// mixture writes the mix as a person thinks of it, the most frequent kind first.
func mixture(mix map[string]int) string {
	names, total := slices.Collect(maps.Keys(mix)), 0
	for _, weight := range mix {
		total += weight
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(mix[b]-mix[a], strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if mix[name] > 0 {
			parts = append(parts, fmt.Sprintf("%.0f%% %s", 100*float64(mix[name])/float64(max(total, 1)), name))
		}
	}
	return strings.Join(parts, ", ")
}

// timeline is what happens during chaos, by time: phases of the load, and the faults that are placed so.
func (p Plan) timeline() []Step {
	type moment struct {
		at   time.Duration
		step Step
	}
	var moments []moment
	var begin time.Duration
	for _, phase := range p.Workload.Phases {
		text := fmt.Sprintf("%-9s load    %s for %v", begin, perSecond(phase.Rate), phase.For)
		moments = append(moments, moment{begin, Step{Name: "load", Text: text}})
		begin += phase.For
	}
	for _, f := range p.Faults {
		if f.When != nil {
			continue
		}
		moments = append(moments, moment{f.At, Step{Name: f.ID, Text: fmt.Sprintf("%-9s %-7s %s", f.At, f.ID, sentence(f))}})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	steps := make([]Step, 0, len(moments))
	for _, m := range moments {
		steps = append(steps, m.step)
	}
	return steps
}

func perSecond(rate float64) string {
	return strconv.FormatFloat(rate, 'f', -1, 64) + "/s"
}

// sentence is a fault as a person would write it.
func sentence(f faults.Spec) string {
	parts := []string{f.Kind, f.Target()}
	if len(f.Components) > 0 {
		parts[1] = strings.Join(f.Components, ", ")
	}
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	again := slices.Contains(restarts, f.Kind) || f.Kind == rolling
	add(f.Delay > 0, "by %v", f.Delay)
	add(f.Rate > 0, "to %d B/s", f.Rate)
	add(f.CPUs > 0, "to %g processors", f.CPUs)
	add(f.For > 0 && !again, "for %v", f.For)
	add(f.For > 0 && again, "and start again after %v", f.For)
	add(f.For == 0 && again, "and start again at once")
	add(f.Flap > 0, "opening and closing every %v", f.Flap)
	add(f.Grace > 0, "with %v to drain", f.Grace)
	return strings.Join(parts, " ")
}

// String is the whole plan, as --dry-run prints it.
func (p Plan) String() string { return p.Marked("", "") }

// WriteTo writes the whole plan, as --dry-run prints it.
func (p Plan) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, p.String())
	if err != nil {
		return int64(n), fmt.Errorf("print plan: %w", err)
	}
	return int64(n), nil
}

// Marked is the plan with an arrow at the step of this name, a phase or the id of a fault, and below it why. Without such a step it is
// the plan.
func (p Plan) Marked(name, why string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s on %s, seed %d\n", p.Scenario, p.Target, p.Seed)
	for _, text := range []string{p.About, p.Hypothesis} {
		if text != "" {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	b.WriteString("\n")
	for _, s := range p.Steps() {
		arrow := "  "
		if s.Name == name && name != "" {
			arrow = "→ "
		}
		if label, below := s.Name, strings.Contains(s.Number, "."); below {
			fmt.Fprintf(&b, "%s     %-5s %s\n", arrow, s.Number, s.Text)
		} else {
			fmt.Fprintf(&b, "%s%s  %-9s %s\n", arrow, s.Number, label, s.Text)
		}
		if arrow != "  " && why != "" {
			fmt.Fprintf(&b, "           ↑ %s\n", why)
		}
	}
	section(&b, "workload", p.clients())
	section(&b, "require", p.Require)
	section(&b, "thresholds", p.bounds())
	return b.String()
}

// bounds are the thresholds, and which of them end the run.
func (p Plan) bounds() []string {
	texts := slices.Clone(p.Thresholds)
	for i, text := range texts {
		if slices.Contains(p.Abort, text) {
			texts[i] += ", or the run is aborted"
		}
	}
	return texts
}

func section(b *bytes.Buffer, what string, texts []string) {
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  %s\n", what)
	for _, text := range texts {
		fmt.Fprintf(b, "    %s\n", text)
	}
}
