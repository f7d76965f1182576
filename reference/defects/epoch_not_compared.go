package defects

import (
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/region"
)

// EpochNotCompared leaves it to the coordinator that one region is active: each asks under keys of its own, and nobody compares epochs.
var EpochNotCompared = Defect{
	Name: "epoch-not-compared",
	Story: "There is a coordinator, and its whole purpose is that one region is active at a time. So each region has a prefix of its own for the " +
		"keys of its requests, which helps when logs are searched, and the field for the epoch is sent and not asked to be compared. Then the active " +
		"region freezes, with a request in a queue on its way. The other is promoted as it should be and does everything that is open. " +
		"And then the queue lets the request go. The coordinator could say who may begin something. It cannot call back what has begun.",
	Reveals: []string{"regions-zombie"},
	Falls:   "fencing",
	Of:      "regions",
	Apply: func(p *parts.Parts) {
		p.RegionCall = func(name string, epoch uint64, e region.Entry) gateway.Call {
			call := region.Fenced(name, epoch, e)
			call.Key, call.Fenced = name+"/"+call.Key, false
			return call
		}
	},
}
