package defects

import (
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// RetryOvertaken makes the ingester put batches that failed aside, and go on with the next.
var RetryOvertaken = Defect{
	Name: "retry-overtaken",
	Story: "One batch that failed held up everything behind it, and somebody had read that this is called head-of-line blocking and that one does " +
		"something against it: what fails goes to a queue for retries, which is worked on when there is nothing else to do. Throughput " +
		"was never better. That the readings of one account must be billed in their order was the reason for having a queue for each account " +
		"in the first place; a tariff that depends on what came before is now applied to what came after.",
	Reveals: []string{"metering-batches"},
	Falls:   "ordered-delivery",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterCut = newOnesFirst },
}

func newOnesFirst(tx *store.Tx, account string) (metering.Batch, error) {
	if b, err := metering.CutNext(tx, account); err != nil || b != (metering.Batch{}) {
		return b, err
	}
	return metering.Unanswered(tx, account)
}
