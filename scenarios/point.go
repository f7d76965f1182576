package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
)

// The keys of when, as schema.json has them too.
var whenKeys = []string{"edge", "exchange", "nth", "every", "unit", "point"}

// The points of an exchange.
const (
	before = "before" // the request is at the proxy, undelivered
	after  = "after"  // its answer is
)

var (
	// messages are the kinds that act on one message, and the point at which they do: always placed by an event, on the edge that they
	// are aimed at.
	messages = map[string]string{
		"drop-request":       before,
		"drop-response":      after,
		"error-after":        after,
		"delay-past-timeout": before,
		"late-response":      after,
		"duplicate":          before,
		"swap":               before,
	}

	// exact are the kinds that act on a process, and may be placed by time or by an event.
	exact = []string{"crash", "pause", "terminate"}
)

const (
	maxThen = 5         // how deep then may nest
	maxNth  = 1_000_000 // no run has more exchanges than this
	later   = "later"   // Spec.Again of a duplicate that comes after Spec.Delay
)

func (r *reading) acts() bool {
	_, ok := messages[r.kind.Name]
	return ok
}

// placed tells that an event says when the fault happens, and not the clock.
func (r *reading) placed() bool {
	return r.acts() || (r.Get("when") != nil || r.depth > 0) && slices.Contains(exact, r.kind.Name)
}

// when reads which message a fault waits for.
func (r *reading) when(spec *faults.Spec) *faults.When {
	n, example := r.Get("when"), `when: {exchange: "POST /orders", nth: 3}`
	if !r.acts() {
		example = `when: {edge: relay -> broker, exchange: "PUB orders.*", point: before}`
	}
	if n == nil {
		r.required(r.Object, "when", r.kind.Name, example)
		return nil
	}
	o, ok := r.parser.Object(n, "when")
	if !ok {
		return nil
	}
	r.Unknown(o, "when", whenKeys)
	w := &faults.When{From: spec.From, To: spec.To}
	r.at(o, w)
	if n := r.required(o, "exchange", "when", `exchange: "PUB orders.*"`); n != nil {
		w.Exchange, _ = r.Text(n, "exchange")
	}
	r.which(o, w)
	w.Point = r.point(o)
	return w
}

// at reads the edge of a when. What acts on a message is aimed at an edge already.
func (r *reading) at(o document.Object, w *faults.When) {
	n := o.Get("edge")
	switch {
	case n == nil && r.acts():
		return
	case n == nil:
		r.Hinted(o.Node, r.knownEdges(), "when has no edge: a %s may wait for a message on any, so add one, as in edge: relay -> broker", r.kind.Name)
		return
	}
	n = document.Resolve(n)
	text, ok := r.Text(n, "edge")
	if !ok {
		return
	}
	edge, _, ok := r.pair(n, text, "an edge is two components and an arrow, as in relay -> broker")
	switch {
	case !ok:
	case r.acts() && w.From != "" && (edge.From != w.From || edge.To != w.To):
		r.Problem(n, "%s acts on a message of the edge that it is aimed at, %s -> %s: leave edge out", r.kind.Name, w.From, w.To)
	default:
		w.From, w.To = edge.From, edge.To
	}
}

// which reads which of the exchanges are meant: the first, when the file does not say.
func (r *reading) which(o document.Object, w *faults.When) {
	every, repeated := o.Entry("every")
	switch _, counted := o.Entry("nth"); {
	case repeated && slices.Contains(exact, r.kind.Name):
		r.Problem(every.Key, "a %s at a point happens once: write nth in place of every", r.kind.Name)
	case repeated && counted:
		r.Problem(every.Key, "nth and every exclude each other: this one, or each whose number it divides")
	case !repeated && !counted:
		w.Nth = 1
	}
	w.Nth = uint64(document.Value(&r.Reader, o.Get("nth"), "nth", int(w.Nth), between(1, maxNth)))
	w.Every = uint64(document.Value(&r.Reader, o.Get("every"), "every", 0, between(1, maxNth)))
	if n := o.Get("unit"); n != nil {
		w.Unit = r.unit(document.Resolve(n))
	}
}

// unit reads the id of a unit, in the form in which the harness issues them.
func (r *reading) unit(n *document.Node) string {
	id, ok := r.Text(n, "unit")
	if claims := r.target.Claims; ok && r.known && claims.Prefix != "" {
		if _, err := history.ParseUnit(claims.Prefix, id); err != nil {
			r.Problem(n, "%s is no %s of %s: they are called %s, %s, ...", document.Quote(id), claims.Unit, r.target.Name,
				history.UnitID(claims.Prefix, 0), history.UnitID(claims.Prefix, 1))
		}
	}
	return id
}

// point reads on which side of the exchange the fault happens. A kind that acts on a message knows; where a process dies, the author must.
func (r *reading) point(o document.Object) string {
	n, only := o.Get("point"), messages[r.kind.Name]
	if n == nil {
		if only == "" {
			r.Problem(o.Node, "when has no point: add point: before (the request is at the proxy, undelivered) or point: after (its answer is)")
		}
		return only
	}
	n = document.Resolve(n)
	point, ok := r.Text(n, "point")
	switch {
	case !ok:
	case point != before && point != after:
		r.Problem(n, "point %s is none: write before (the request is at the proxy, undelivered) or after (its answer is)", document.Quote(point))
	case only != "" && point != only:
		r.Problem(n, "%s acts %s: write point: %s, or leave it out", r.kind.Name, map[string]string{
			before: "on the request, before it is delivered", after: "on the answer, after the request took effect",
		}[only], only)
	}
	return point
}

// manner reads how a placed fault goes about it.
func (r *reading) manner(spec *faults.Spec) {
	spec.Frame = r.choice("frame", "pass", "drop")
	spec.End = r.choice("end", "close", "reset", "silent")
	spec.Again = document.Value(&r.Reader, r.Get("again"), "again", "", func(text string) (string, error) {
		if text == "at-once" || text == "after-answer" {
			return text, nil
		}
		if text != "" && !unicode.IsDigit(rune(text[0])) {
			return "", fmt.Errorf("%s is none: write at-once, after-answer, or a time as in 300ms%s", document.Quote(text),
				spelling.Hint(text, []string{"at-once", "after-answer"}))
		}
		var err error
		spec.Delay, err = length(time.Millisecond, time.Minute)(text)
		return later, err
	})
}

// choice reads one of a few words; "" when the key is not there.
func (r *reading) choice(key string, words ...string) string {
	n := r.Get(key)
	if n == nil {
		return ""
	}
	n = document.Resolve(n)
	word, ok := r.Text(n, key)
	if ok && !slices.Contains(words, word) {
		r.Problem(n, "%s: %s is none: write %s%s", key, document.Quote(word), strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1], spelling.Hint(word, words))
	}
	return word
}

// then reads what is armed once this fault has bitten.
func (r *reading) then() []Fault {
	e, ok := r.Entry("then")
	switch {
	case !ok || !r.placed():
		return nil
	case r.depth == maxThen:
		r.Problem(e.Key, "then nests deeper than %d", maxThen)
		return nil
	}
	var next []Fault
	for _, item := range r.List(e.Value, "then") {
		inner := reading{parser: r.parser, target: r.target, known: r.known, load: r.load, before: len(r.Problems), depth: r.depth + 1}
		if next = append(next, inner.fault(item)...); r.crowded(item) {
			break
		}
	}
	return next
}

// crowded tells, and reports once, that there are more faults than a plan may have.
func (p *parser) crowded(item *document.Node) bool {
	if p.laid > maxFaults && !p.full {
		p.Problem(document.Resolve(item), "the scenario comes to more than %d faults here, counting repetitions", maxFaults)
		p.full = true
	}
	return p.full
}

// rivalry reports two faults that wait for the same message of a run: only one of them can have it.
func (p *parser) rivalry(planned []Fault, nodes map[string]*document.Node) {
	first := map[string]string{}
	for _, f := range planned {
		w := f.Spec.When
		if w == nil || w.Nth == 0 {
			continue
		}
		key := fmt.Sprint(w.From, " ", w.To, " ", w.Exchange, " ", w.Nth, " ", w.Unit, " ", w.Point)
		if other, taken := first[key]; taken {
			p.Problem(nodes[f.Spec.ID], "%s waits for the same message as %s, and only one of them can have it: make it another nth, or a then of %s",
				f.Spec.ID, other, other)
			continue
		}
		first[key] = f.Spec.ID
	}
}
