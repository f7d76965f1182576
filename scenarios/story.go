package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/faults"
)

// story is what happens when a message comes: the faults that are placed by events, each with those that follow it indented below.
// Numbers go on behind the given one.
func story(specs []faults.Spec, prefix string, number, depth int) []Step {
	var steps []Step
	for _, f := range specs {
		if f.When == nil {
			continue
		}
		number++
		at, word := prefix+strconv.Itoa(number), "when"
		if depth > 0 {
			word = strings.Repeat("  ", depth) + "then"
		}
		text := fmt.Sprintf("%-9s %-7s %s: %s", word, f.ID, waiting(*f.When), bites(f))
		steps = append(steps, Step{at, f.ID, text})
		steps = append(steps, story(f.Then, at+".", 0, depth+1)...)
	}
	return steps
}

// waiting is a point as a person would say it.
func waiting(w faults.When) string {
	which := fmt.Sprintf("%s #%d", w.Exchange, max(w.Nth, w.Every))
	if w.Unit != "" {
		which += " of " + w.Unit
	}
	if w.Every > 0 {
		which += fmt.Sprintf(", and each %d after it,", w.Every)
	}
	if w.Point == after {
		which = "the answer to " + which
	}
	return fmt.Sprintf("%s on %s -> %s is at the proxy (%s)", which, w.From, w.To, w.Point)
}

// bites is what a fault does at its point, as a person would write it.
func bites(f faults.Spec) string {
	switch f.Kind {
	case "drop-request", "drop-response":
		return f.Kind + map[string]string{
			"": ", then close the connection", "close": ", then close the connection", "reset": ", then reset the connection",
			"silent": ", and keep the connection open and silent",
		}[f.End]
	case "delay-past-timeout", "late-response":
		return fmt.Sprintf("%s by %v", f.Kind, f.Delay)
	case "duplicate":
		switch f.Again {
		case later:
			return fmt.Sprintf("%s, the second one %v later", f.Kind, f.Delay)
		case "after-answer":
			return f.Kind + ", the second one after the answer"
		}
		return f.Kind + " at once"
	}
	if !slices.Contains(exact, f.Kind) {
		return f.Kind
	}
	parts := f.Kind + " " + f.Component
	if f.Grace > 0 {
		parts += fmt.Sprintf(" with %v to drain", f.Grace)
	}
	frame := "let the message through"
	if f.Frame == "drop" {
		frame = "drop the message"
	}
	parts += ", then " + frame
	switch {
	case f.Kind == "pause":
		return parts + fmt.Sprintf("; continue after %v", f.For)
	case f.For > 0:
		return parts + fmt.Sprintf("; start again after %v", f.For)
	}
	return parts + "; start again at once"
}
