package checkers

import (
	"fmt"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// act is what a kind of fault does to one message, and how its exchange shows that it did.
type act struct {
	point string
	did   string                                              // in a few words, for a table: "answer dropped"
	says  func(name string, b *bite) string                   // in a sentence, for a story
	shows func(c *Case, b *bite) (v FaultVerdict, why string) // confirmed, masked or misfired
}

// acts are the kinds that act on messages. Each is over by itself, so that no probe shows it gone: the exchange that it touched is
// what shows it.
var acts = map[string]act{
	"drop-request": {pointBefore, "request dropped",
		func(name string, _ *bite) string { return name + " is lost before it arrives" },
		func(_ *Case, b *bite) (FaultVerdict, string) {
			return meant(b.Deliveries == 0, Misfired, "the request was delivered all the same")
		}},
	"drop-response": {pointAfter, "answer dropped",
		func(name string, _ *bite) string { return "the answer to " + name + " is lost" },
		func(c *Case, b *bite) (FaultVerdict, string) {
			if b.Returned {
				return Misfired, "the answer was delivered all the same"
			}
			return c.heard(b)
		}},
	"error-after": {pointAfter, "answered with an error",
		func(name string, b *bite) string {
			if !b.Returned {
				return name + " took effect, and its caller went before it was told that it had failed"
			}
			return name + " took effect, but its caller is told that it failed"
		},
		func(c *Case, b *bite) (FaultVerdict, string) {
			switch {
			case !b.Refused:
				return Misfired, "the caller was given the true answer"
			case !b.Returned:
				return Masked, "the caller had gone before the error could reach it"
			}
			return c.heard(b)
		}},
	"delay-past-timeout": {pointBefore, "request delivered late",
		func(name string, b *bite) string {
			if b.Deliveries == 0 {
				return name + " is held until its caller has given up, and never delivered"
			}
			return name + " is held until its caller has given up, then delivered"
		},
		func(_ *Case, b *bite) (FaultVerdict, string) {
			return meant(b.Deliveries > 0, Masked, "the request was held and never delivered: its connection was gone")
		}},
	"late-response": {pointAfter, "answer late",
		func(name string, b *bite) string {
			if !b.Returned {
				return "the answer to " + name + " is held until its caller has given up, and cannot be delivered any more"
			}
			return "the answer to " + name + " is held until its caller has given up, then delivered"
		},
		func(c *Case, b *bite) (FaultVerdict, string) { return c.heard(b) }},
	"duplicate": {pointBefore, "request delivered twice",
		func(name string, b *bite) string {
			if b.Deliveries < 2 {
				return name + " is to be delivered again by the harness, and is not"
			}
			return fmt.Sprintf("%s is delivered %s: its caller asked once, the harness repeats it", name, times(b.Deliveries))
		},
		func(_ *Case, b *bite) (FaultVerdict, string) {
			return meant(b.Deliveries > 1, Masked, "the request was not delivered again: its connection was gone")
		}},
	"swap": {pointBefore, "request overtaken by the next",
		func(name string, _ *bite) string { return name + " waits for the next one to overtake it" },
		func(c *Case, b *bite) (FaultVerdict, string) {
			if b.Deliveries == 0 {
				return Masked, "the request was held and never delivered: its connection was gone"
			}
			return meant(c.overtaken(b), Masked, "no other request of the edge overtook it")
		}},
}

func meant(shown bool, otherwise FaultVerdict, why string) (FaultVerdict, string) {
	if shown {
		return Confirmed, ""
	}
	return otherwise, why
}

func holdsRequest(kind string) bool { return kind == "delay-past-timeout" || kind == "swap" }

// heard tells whether somebody was there to miss an answer. Only for the clients of the run is it known when they gave up.
func (c *Case) heard(b *bite) (FaultVerdict, string) {
	u := c.col[b.i]
	if from, _ := ends(c.str(c.H.Comp[b.i])); from != clientName || u == history.NoUnit || b.Answered == 0 {
		return Confirmed, ""
	}
	at, known := time.Duration(b.Answered), false
	for _, k := range c.operationsOf(int(u)) {
		o := c.ops[k]
		if c.at(o.call) <= at && (o.ret == none || c.at(o.ret) >= at) {
			return Confirmed, ""
		}
		known = true
	}
	return meant(!known, Masked, "the client had given up before the answer came")
}

// clientName is the component that stands for the clients of the run.
const clientName = "client"

// maxOvertakers bounds the exchanges that are read to see which was delivered first.
const maxOvertakers = 10_000

// overtaken tells that another request of the same edge was asked later and delivered earlier.
func (c *Case) overtaken(b *bite) bool {
	read := 0
	for i := c.since(time.Duration(b.Asked)); i < uint32(c.H.Len()) && read < maxOvertakers; i++ {
		if c.H.Kind[i] != history.KindExchange || c.H.Comp[i] != c.H.Comp[b.i] || i == b.i {
			continue
		}
		read++
		if x, ok := c.exchangeAt(i); ok && x.Asked > b.Asked && x.Deliveries > 0 && x.Delivered < b.Delivered {
			return true
		}
	}
	return false
}

// doing is what a process fault does to its component.
var doing = map[string]string{"crash": "killed", "pause": "paused", "terminate": "terminated"}

// done says in a few words what a fault did at an exchange.
func (c *Case) done(s *span, b *bite) string {
	if a, ok := acts[s.kind]; ok {
		return a.did
	}
	return c.struck(s) + ", " + c.passed(b)
}

func (c *Case) struck(s *span) string {
	if did, ok := doing[s.kind]; ok {
		return clip(s.target, 60) + " " + did
	}
	return clip(strings.TrimSpace(s.kind+" "+s.target), 60)
}

// passed says what became of the message that waited while a process fault struck.
func (c *Case) passed(b *bite) string {
	switch after := c.point(b) == pointAfter; {
	case b.Deliveries == 0:
		return "request not delivered"
	case after && !b.Returned:
		return "answer not delivered"
	case after:
		return "then the answer is delivered"
	}
	return "then the request is delivered"
}

// saysBite is the sentence of a bite.
func (c *Case) saysBite(s *span, b *bite, name string) string {
	if a, ok := acts[s.kind]; ok {
		return a.says(name, b)
	}
	did := clip(s.target, 60) + " is " + doing[s.kind]
	if doing[s.kind] == "" {
		did = clip(s.kind, 40) + " strikes"
	}
	switch c.point(b) {
	case pointBefore:
		did += " before " + name + " arrives"
	case pointAfter:
		did += " once " + name + " is answered, before its caller knows"
	default:
		did += " at " + name
	}
	return did + "; " + c.passed(b)
}
