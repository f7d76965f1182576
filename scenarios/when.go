package scenarios

import (
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/internal/document"
)

// beginning is when a fault begins, and where the file says so.
type beginning struct {
	Range
	node *document.Node
}

// begins reads at: an instant, a range, or a list of both.
func (r *reading) begins() []beginning {
	n := r.Get("at")
	if n == nil {
		if r.Get("when") == nil { // which is a problem of its own
			r.required(r.Object, "at", r.kind.Name, "at: 3s")
		}
		return nil
	}
	items := []*document.Node{n}
	if !document.Scalar(n) {
		items = r.List(n, "at")
	}
	var begins []beginning
	for _, item := range items[:min(len(items), maxFaults+1)] {
		begins = append(begins, beginning{document.Value(&r.Reader, item, "at", Range{}, span), document.Resolve(item)})
	}
	return begins
}

// holds reads for, and restart where it is another word for it.
func (r *reading) holds() Range {
	if r.acts() {
		return Range{}
	}
	key, read := "for", lasting
	if e, ok := r.Entry("restart"); ok && slices.Contains(restarts, r.kind.Name) {
		if r.Get("for") != nil {
			r.Problem(e.Key, "restart and for are two words for one thing: keep one of them")
		}
		key = "restart"
	}
	n := r.Get(key)
	switch may := slices.Contains(momentary, r.kind.Name); {
	case may:
		read = span
	case n == nil:
		r.required(r.Object, "for", r.kind.Name, "for: 1s")
	}
	return document.Value(&r.Reader, n, key, Range{}, read)
}

// lasting is a span that does not hold zero.
func lasting(text string) (Range, error) {
	held, err := span(text)
	if err == nil && held.Min <= 0 {
		return Range{}, fmt.Errorf("time %s must be above zero", document.Quote(text))
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
	e, repeated := r.Entry("every")
	t, counted := r.Entry("times")
	switch {
	case repeated && !counted:
		r.Problem(e.Key, "every says how often and not until when: add times: 3")
	case counted && !repeated:
		r.Problem(t.Key, "times says how many and not how far apart: add every: 2s")
	case repeated:
		return document.Value(&r.Reader, e.Value, "every", 0, length(time.Millisecond, maxDuration)),
			document.Value(&r.Reader, t.Value, "times", 1, between(1, maxFaults))
	}
	return 0, 1
}

// ends reports a placed fault that would hold on long after the load, even if its message came at once.
func (r *reading) ends(f Fault) {
	if r.load > 0 && f.For.Max > r.load+Overrun {
		r.Problem(r.aim, "the fault would hold for %v: the load ends at %v, and a fault may outlast it by at most %v", f.For.Max, r.load, Overrun)
	}
}

// inTime reports a fault that may begin when the load is over, or may hold on long after it. n counts its repetitions.
func (r *reading) inTime(f Fault, at *document.Node, n int) bool {
	who := "the fault"
	if n > 1 {
		who = fmt.Sprintf("repetition %d of the fault", n)
	}
	switch ends := f.At.Max + f.For.Max; {
	case r.load == 0:
	case f.At.Max >= r.load:
		r.Problem(at, "%s would begin at %v, when the load of %v is over", who, f.At.Max, r.load)
		return false
	case ends > r.load+Overrun:
		r.Problem(at, "%s would hold until %v: the load ends at %v, and a fault may outlast it by at most %v", who, ends, r.load, Overrun)
		return false
	}
	return true
}
