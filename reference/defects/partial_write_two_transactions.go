package defects

import (
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// PartialWriteTwoTransactions makes the ingester write the balance of an account before a batch is sent, and the end of the batch after it.
var PartialWriteTwoTransactions = Defect{
	Name: "partial-write-two-transactions",
	Story: "Customers look at their balance, and it should not lag behind their bill. So the balance is written when a batch leaves, and the batch " +
		"is closed when it was answered: two writes to one database, each of which is safe. Between them lies a call over the network. A " +
		"process that dies there, or a call that fails, leaves a batch that is open, and that is sent again, as it should be; the gateway " +
		"knows its key. The balance has no key. It grows each time, and what customers see is what they were billed and a little more.",
	Reveals: []string{"metering-batches"},
	Falls:   "conserved-totals",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterSettle = balanceFirst },
}

func balanceFirst(send func() error, write metering.Write, balance, end func(*store.Tx) error) error {
	if err := write(balance); err != nil {
		return err
	}
	if err := send(); err != nil {
		return err
	}
	return write(end)
}
