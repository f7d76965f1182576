package checkers

import (
	"fmt"
	"time"
)

// Ordered is one operation of a unit whose operations no order explains, with its place in the longest order that explains some of them,
// as Porcupine found it: what cannot be placed is where the contradiction is.
type Ordered struct {
	Who   string        `json:"who"`             // client 3, at the end
	Op    string        `json:"op"`              // submit, read, amend
	Says  string        `json:"says,omitempty"`  // what it named, and what it was told
	Begin time.Duration `json:"begin"`           // when it was called
	End   time.Duration `json:"end"`             // when it was answered; with Open, the end of what is shown
	Open  bool          `json:"open,omitempty"`  // nobody knows whether it happened
	Place int           `json:"place,omitempty"` // from 1; 0: it has none
}

// pictured tells the operations and their places; nothing where there are no places.
func (c *Case) pictured(list []call, places []int) []Ordered {
	if len(places) == 0 {
		return nil
	}
	var last time.Duration
	for _, x := range list {
		if !x.info {
			last = max(last, time.Duration(c.H.T[x.end]))
		}
	}
	out := make([]Ordered, len(list))
	for k, x := range list {
		o := Ordered{Who: client(c.H.Actor[x.op.call]), Op: c.str(c.H.Op[x.op.call]), Begin: time.Duration(c.H.T[x.begin]), End: last,
			Open: x.info, Place: places[k], Says: c.exchanged(x)}
		if !x.info {
			o.End = time.Duration(c.H.T[x.end])
		}
		if x.final {
			o.Who, o.Op = "at the end", "state"
		}
		out[k] = o
	}
	return out
}

// exchanged is what an operation named and what it was told, in a few signs.
func (c *Case) exchanged(x call) string {
	version := ""
	if x.version > 0 {
		version = fmt.Sprintf(" v%d", x.version)
	}
	switch {
	case x.kind == lifeAmend && x.info:
		return fmt.Sprintf("v%d → ?", x.expected)
	case x.kind == lifeAmend:
		return fmt.Sprintf("v%d →%s", x.expected, version)
	case x.kind == lifeRefused:
		return fmt.Sprintf("v%d refused:%s", x.expected, version)
	case x.info:
		return "→ ?"
	case x.kind == lifeAbsent:
		return "→ not there"
	}
	return "→ " + clip(stateIn(c.str(c.H.Value[x.op.ret])), 24) + version
}
