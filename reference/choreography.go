package reference

import (
	"slices"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/orders"
)

// choreographed are the streams of an order service without an orchestrator: everybody listens to everybody.
func choreographed() []broker.Stream {
	readers := map[string][]string{
		"ORDERS":  {"inventory-orders", "payments-orders", "shipping-orders"},
		"REPLIES": {"api", "inventory-news", "payments-news", "shipping-news"},
	}
	all := slices.Clone(streams)
	for i, s := range all {
		if others, ok := readers[s.Name]; ok {
			all[i].Consumers = others
		}
	}
	return all
}

// steps has a service do its steps: when it is told to or, in a choreography, when it hears what they follow.
func (p *process) steps(receive broker.Receive, do broker.Handler, first string, steps choreography.Steps) {
	name := p.cfg.component
	if !p.cfg.choreography {
		p.consume("COMMANDS", name, "commands."+name+".>", receive, do)
		return
	}
	dancer := &choreography.Dancer{DB: p.db, Inbox: p.inbox, Steps: steps, First: first, Do: do}
	p.consume("ORDERS", name+"-orders", orders.SubjectCreated, receive, dancer.Created)
	p.consume("REPLIES", name+"-news", "replies.>", receive, p.cfg.parts.Listen(dancer))
}
