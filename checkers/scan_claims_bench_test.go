package checkers

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/wreckon/wreckon/history"
)

// dress is how a long history is told otherwise than plain: what its target claims beside, and what its events carry for that.
type dress struct {
	name  string
	claim func(*history.Claims)
	event func(*history.Event)
}

var plain = dress{claim: func(*history.Claims) {}, event: func(*history.Event) {}}

// dresses are one claim each, and all of them.
var dresses = []dress{
	{"retries", func(c *history.Claims) { c.Retries = []history.Retries{{Step: "charge", Max: 4}} }, plain.event},
	{"dead letters", func(c *history.Claims) {
		c.DeadLetters = &history.DeadLetters{Context: []string{"reason"}, MaxRate: 0.1}
		c.Feeds = append(c.Feeds, history.FeedLetters)
	}, plain.event},
	{"privileges", func(c *history.Claims) {
		c.States.Quarantined = "quarantined"
		c.Privileges = []history.Privilege{{Action: "released", Actors: []string{"ann"}, From: "quarantined"}}
	}, plain.event},
	{"deadlines", func(c *history.Claims) {
		c.Deadlines = []history.Deadline{{Name: "time to charge", From: "submit", To: "effect charge", Within: history.Duration(time.Minute)}}
	}, plain.event},
	{"fencing", func(c *history.Claims) {
		c.Fencing = []history.Fencing{{Step: "charge"}}
		c.Feeds = append(c.Feeds, history.FeedTokens)
	}, plain.event},
	{"recovery and drain", func(c *history.Claims) {
		c.Recovery = &history.Recovery{Success: history.Duration(time.Minute), Backlog: history.Duration(time.Minute), Loss: new(history.Duration)}
		c.Drain = []history.Drain{{Grace: history.Duration(time.Minute)}}
	}, plain.event},
	{"totals", func(c *history.Claims) {
		most := 1e15
		c.Totals = []history.Total{{Name: "takings", AtMost: &most, Terms: []history.Term{{Effects: "charge"}}}}
		c.Feeds = append(c.Feeds, history.FeedTotals)
	}, plain.event},
	{"traces", func(c *history.Claims) { c.Feeds = append(c.Feeds, history.FeedTraces) }, func(e *history.Event) {
		if e.Unit != history.NoUnit && e.Kind != history.KindObserve {
			e.Trace = history.UnitID("o-", e.Unit) // the correlation id of an order is its own
		}
	}},
}

// everything is all of the claims at once.
func everything() dress {
	return dress{"all of these", func(c *history.Claims) {
		for _, d := range dresses {
			d.claim(c)
		}
	}, func(e *history.Event) {
		for _, d := range dresses {
			d.event(e)
		}
	}}
}

// inOrder claims that charges land in the order of their numbers, which is not what their tokens are for elsewhere.
func inOrder() dress {
	posted := uint64(0)
	return dress{"order", func(c *history.Claims) {
		c.Ordering = []history.Ordering{{Step: "charge", Key: "component"}}
		c.Feeds = append(c.Feeds, history.FeedTokens)
	}, func(e *history.Event) {
		if e.Kind == history.KindEffect {
			posted++
			e.Token = posted
		}
	}}
}

// spanned gives each event a W3C traceparent with a span of its own.
func spanned() dress {
	span := 0
	return dress{"traces with spans", dresses[len(dresses)-1].claim, func(e *history.Event) {
		if e.Unit != history.NoUnit && e.Kind != history.KindObserve {
			span++
			e.Trace = fmt.Sprintf("00-%032x-%016x-01", e.Unit+1, span)
		}
	}}
}

// BenchmarkClaims judges a million events under one claim after the other, from their bytes, beside the same history without them.
func BenchmarkClaims(b *testing.B) {
	for _, d := range append(append([]dress{{"none", plain.claim, plain.event}}, dresses...), inOrder(), spanned(), everything()) {
		var file bytes.Buffer
		if err := long(&file, 1_000_000, d); err != nil {
			b.Fatal(err)
		}
		r, err := history.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(d.name, func(b *testing.B) {
			perReader(b, r, func() { judgeLong(b, r) })
			b.ReportMetric(float64(file.Len())/float64(r.Len()), "B/event")
		})
	}
}
