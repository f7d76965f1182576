// Package quarantine tells the rest of the system that a command was set aside, and lets people decide what becomes of it.
//
// Promise: a command that becomes a dead letter is answered, so that its order ends as quarantined and does not hang; the letter, the
// answer and the audit entry are one transaction. It leaves the quarantine by the decision of a person who has the right to it, or because
// its effect was found where it lands (TakeUp); to give up an order of a high amount takes a second person who agreed before. Who decided, who
// agreed, and who was turned down, is in the audit trail; the decision, its record and what follows from it are one transaction, too.
//
// Cost: somebody has to look. Breaks: what has become of a call to a party outside is not known when it is set aside, so that it can
// be tried again, under its old key, and not given up. Where it was done after all, package reconcile finds it.
//
// It must never know how a command is worked on.
package quarantine

import (
	"encoding/json"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

// SetAside makes what a service's inbox does with a dead letter; see Answer.
type SetAside func(service string, box *outbox.Box, trail audit.Trail) func(tx *store.Tx, letter *inbox.Letter) error

// Answer is what a service's inbox does with a dead letter. A letter in which not even the order can be read is only kept.
func Answer(service string, box *outbox.Box, trail audit.Trail) func(tx *store.Tx, letter *inbox.Letter) error {
	return func(tx *store.Tx, letter *inbox.Letter) error {
		var about struct {
			OrderID string `json:"order_id"`
		}
		if err := json.Unmarshal(letter.Data, &about); err != nil || about.OrderID == "" {
			return nil
		}
		letter.OrderID = about.OrderID
		step := orders.StepOf(letter.Subject)
		err := trail.Append(tx, audit.Entry{
			OrderID: about.OrderID, Transition: orders.SetAside, Step: step,
			Attempt: letter.Attempts, Detail: letter.Reason, Trace: letter.Trace,
		})
		if err != nil {
			return err
		}
		reply := orders.Reply{OrderID: about.OrderID, Step: step, Outcome: orders.SetAside, Detail: letter.Reason}
		m, err := reply.Message(service, letter.Trace)
		if err != nil {
			return err
		}
		return box.Add(tx, m)
	}
}
