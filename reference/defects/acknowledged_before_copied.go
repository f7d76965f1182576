package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/region"
)

// AcknowledgedBeforeCopied has the other region get what was committed a little later.
var AcknowledgedBeforeCopied = Defect{
	Name: "acknowledged-before-copied",
	Story: "A round trip to another region for each write is what nobody wants to pay. The copy is made in the background, a few times a second, and " +
		"is never far behind: the graph of the lag is flat. Customers are answered when the write is committed here. A region is lost about once in " +
		"two years, the other takes over within seconds, the exercise is called a success. What had been acknowledged in the last fifth of a " +
		"second is nowhere, and nobody knows what it was.",
	Reveals: []string{"regions-lost-leader"},
	Falls:   "no-lost-work",
	Of:      "regions",
	Apply:   func(p *parts.Parts) { p.RegionCopy = behind },
}

// lag is how often what was committed is sent.
const lag = 200 * time.Millisecond

func behind(send region.Send) region.Send {
	var mu sync.Mutex
	var waiting []region.Entry
	return func(_ context.Context, e region.Entry) error {
		mu.Lock()
		defer mu.Unlock()
		if waiting = append(waiting, e); len(waiting) > 1 {
			return nil
		}
		time.AfterFunc(lag, func() {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range waiting {
				if send(context.Background(), e) != nil {
					break
				}
			}
			waiting = nil
		})
		return nil
	}
}
