package conformance

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// spans counts what spans told of units.
func (t tried) spans() Ability {
	if !slices.Contains(t.Claims.Feeds, history.FeedSpans) {
		return Ability{"spans", Declined, "not declared"}
	}
	units, told := map[history.Unit]bool{}, map[string]int{}
	for _, e := range t.events(kind(history.KindObserve, "told")) {
		told[e.Key]++
		units[e.Unit] = true
	}
	if len(told) == 0 {
		return Ability{"spans", Unknown, "not one told of a unit that clients asked for: are they sent over OTLP/HTTP, and are name, attributes and unit the right places?"}
	}
	return Ability{"spans", Works, fmt.Sprintf("of %d units they tell %s: that can contradict what happened, and its absence proves nothing", len(units), counted(told))}
}

// executions counts those that were seen to begin and to end.
func (t tried) executions() Ability {
	if !slices.Contains(t.Claims.Feeds, history.FeedStarts) {
		return Ability{"executions", Declined, "not declared: who worked when is not known"}
	}
	starts := len(t.events(kind(history.KindStart, "")))
	checkpoints := len(t.events(kind(history.KindFinish, "checkpoint")))
	finishes := len(t.events(kind(history.KindFinish, ""))) - checkpoints
	a := Ability{"executions", Works, fmt.Sprintf("%d starts, %d finishes, %d checkpoints", starts, finishes, checkpoints)}
	switch {
	case starts == 0:
		a.Status = Unknown
	case finishes == 0:
		a.Saw += ": one whose end is not seen is known to have run at its beginning only"
	}
	if len(t.Claims.Checkpoints) > 0 && checkpoints == 0 {
		a.Status = Unknown
		a.Saw += "; claims.checkpoints promise some"
	}
	return a
}

// holes says which feeds may have missed something, and what that means.
func holes(s sighting, status Status, means string) (list []Ability) {
	first := map[string]history.Event{}
	for _, e := range s.events(kind(history.KindObserve, "missed")) {
		if _, known := first[e.Key]; !known {
			first[e.Key] = e
		}
	}
	for _, feed := range slices.Sorted(maps.Keys(first)) {
		e := first[feed]
		list = append(list, Ability{feed + " of " + e.Component, status, fmt.Sprintf("some may have gone by unseen, at %v: %s; %s", e.T.Round(time.Millisecond), e.Value, means)})
	}
	return list
}
