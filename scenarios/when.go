package scenarios

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// beginning is when a fault begins, and where the file says so.
type beginning struct {
	Range
	node *yaml.Node
}

// begins reads at: an instant, a range, or a list of both.
func (r *reading) begins() []beginning {
	n := r.get("at")
	if n == nil {
		if r.get("when") == nil { // which is a problem of its own
			r.required(r.object, "at", r.kind.Name, "at: 3s")
		}
		return nil
	}
	items := []*yaml.Node{n}
	if !scalar(n) {
		items = r.list(n, "at")
	}
	var begins []beginning
	for _, item := range items[:min(len(items), maxFaults+1)] {
		begins = append(begins, beginning{value(r.parser, item, "at", Range{}, span), resolve(item)})
	}
	return begins
}

// holds reads for, and restart where it is another word for it.
func (r *reading) holds() Range {
	if r.acts() {
		return Range{}
	}
	key, read := "for", lasting
	if e, ok := r.entry("restart"); ok && slices.Contains(restarts, r.kind.Name) {
		if r.get("for") != nil {
			r.problem(e.key, "restart and for are two words for one thing: keep one of them")
		}
		key = "restart"
	}
	n := r.get(key)
	switch may := slices.Contains(momentary, r.kind.Name); {
	case may:
		read = span
	case n == nil:
		r.required(r.object, "for", r.kind.Name, "for: 1s")
	}
	return value(r.parser, n, key, Range{}, read)
}

// lasting is a span that does not hold zero.
func lasting(text string) (Range, error) {
	held, err := span(text)
	if err == nil && held.Min <= 0 {
		return Range{}, fmt.Errorf("time %s must be above zero", quote(text))
	}
	return held, err
}

// repeat lays a fault out: once for each beginning, and each of these times over, every so often.
func (r *reading) repeat(f Fault, begins []beginning) []Fault {
	every, times := r.repetition()
	var laid []Fault
	for _, begin := range begins {
		for i := range times {
			shift := time.Duration(i) * every
			f.At = Range{begin.Min + shift, begin.Max + shift}
			laid = append(laid, f)
			if !r.inTime(f, begin.node, i+1) || len(laid) > maxFaults {
				return laid
			}
		}
	}
	return laid
}

func (r *reading) repetition() (every time.Duration, times int) {
	e, repeated := r.entry("every")
	t, counted := r.entry("times")
	switch {
	case repeated && !counted:
		r.problem(e.key, "every says how often and not until when: add times: 3")
	case counted && !repeated:
		r.problem(t.key, "times says how many and not how far apart: add every: 2s")
	case repeated:
		return value(r.parser, e.value, "every", 0, length(time.Millisecond, maxDuration)),
			value(r.parser, t.value, "times", 1, between(1, maxFaults))
	}
	return 0, 1
}

// ends reports a placed fault that would hold on long after the load, even if its message came at once.
func (r *reading) ends(f Fault) {
	if r.load > 0 && f.For.Max > r.load+Overrun {
		r.problem(r.aim, "the fault would hold for %v: the load ends at %v, and a fault may outlast it by at most %v", f.For.Max, r.load, Overrun)
	}
}

// inTime reports a fault that may begin when the load is over, or may hold on long after it. n counts its repetitions.
func (r *reading) inTime(f Fault, at *yaml.Node, n int) bool {
	who := "the fault"
	if n > 1 {
		who = fmt.Sprintf("repetition %d of the fault", n)
	}
	switch ends := f.At.Max + f.For.Max; {
	case r.load == 0:
	case f.At.Max >= r.load:
		r.problem(at, "%s would begin at %v, when the load of %v is over", who, f.At.Max, r.load)
		return false
	case ends > r.load+Overrun:
		r.problem(at, "%s would hold until %v: the load ends at %v, and a fault may outlast it by at most %v", who, ends, r.load, Overrun)
		return false
	}
	return true
}
