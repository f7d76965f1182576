package defects

import (
	"context"
	"errors"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
)

// EarlyEventDropped makes services forget news of orders that they have not heard of when it has come a few times.
var EarlyEventDropped = Defect{
	Name: "early-event-dropped",
	Story: "There was an alarm for events about orders that do not exist; they came from a test environment, by the thousand, and each was " +
		"delivered again and again, since it could not be worked on. So what is still about an unknown order the fourth time is logged and dropped. The news " +
		"that an order is there comes by one queue, the news that it was reserved by another, and once in a while the second is quicker. " +
		"Payments hears of a reservation of an order that it does not know, drops it, hears of the order a moment later, and waits for the " +
		"reservation. Nobody is at work on that order, and there is nobody whose business it would be to know.",
	Reveals: []string{"choreography-early-events"},
	Falls:   "no-lost-work",
	Of:      "choreography",
	Apply:   func(p *parts.Parts) { p.Listen = dropWhatIsEarly },
}

func dropWhatIsEarly(a *choreography.Dancer) broker.Handler {
	news := choreography.News(a)
	return func(ctx context.Context, d message.Delivery) error {
		err := news(ctx, d)
		if errors.Is(err, choreography.ErrEarly) && d.Number >= 4 {
			return nil
		}
		return err
	}
}
