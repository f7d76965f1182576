// Package orders is the language the services share: what an order is, and the messages about it. It must never know who sends them.
package orders

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
)

// Order is what a client asks for.
type Order struct {
	OrderID  string `json:"order_id"`
	Customer string `json:"customer"`
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
	Amount   int64  `json:"amount"` // cents
	Card     string `json:"card"`
	Address  string `json:"address"`

	// ValidUntil is from when on nobody wants it any more: no step of it is begun then, and what was done is undone. Zero: never.
	ValidUntil time.Time `json:"valid_until,omitzero"`
}

// Overdue says whether nobody wants the order any more.
func (o Order) Overdue(now time.Time) bool {
	return !o.ValidUntil.IsZero() && !now.Before(o.ValidUntil)
}

// The states of an order.
const (
	Pending     = "pending"
	Completed   = "completed"   // reserved, charged and shipped
	Compensated = "compensated" // nothing of it is in force
	Quarantined = "quarantined" // set aside for a person
)

// The steps of an order.
const (
	Reserve = "reserve"
	Charge  = "charge"
	Ship    = "ship"
	Refund  = "refund"
	Release = "release"
)

// The outcomes of steps.
const (
	Reserved      = "reserved"
	OutOfStock    = "out-of-stock"
	Charged       = "charged"
	Declined      = "declined"
	Shipped       = "shipped"
	Undeliverable = "undeliverable"
	Refunded      = "refunded"
	Released      = "released"
	SetAside      = "set-aside" // the command is a dead letter
	Retry         = "retry"     // a person wants it tried again
	Overdue       = "overdue"   // its time was up before the next step
	GiveUp        = "give-up"   // a person has decided that it will not be done
)

// The subjects of messages. A command or event carries an Order, a reply a Reply, and SubjectClosed a Closed.
const (
	SubjectCreated = "orders.created"
	SubjectClosed  = "orders.closed"
)

// CommandSubject is the subject of the command to do a step.
func CommandSubject(step string) string {
	service := map[string]string{Reserve: "inventory", Release: "inventory", Charge: "payments", Refund: "payments", Ship: "shipping"}[step]
	return "commands." + service + "." + step
}

// StepOf is the step that a command asks for.
func StepOf(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// Reply says how a step ended.
type Reply struct {
	OrderID string `json:"order_id"`
	Step    string `json:"step"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail,omitempty"`
}

// Message is the reply as a service sends it.
func (r Reply) Message(service, trace string) (message.Message, error) {
	return encode("replies."+service, trace, r)
}

// Closed says in which state an order ended.
type Closed struct {
	OrderID string `json:"order_id"`
	State   string `json:"state"`
	Detail  string `json:"detail,omitempty"`
}

// Message is the event as the saga sends it.
func (c Closed) Message(trace string) (message.Message, error) {
	return encode(SubjectClosed, trace, c)
}

// Created is the event that a new order is there. It has the same id however often it is made.
func (o Order) Created(trace string) (message.Message, error) {
	m, err := encode(SubjectCreated, trace, o)
	m.ID = "created-" + o.OrderID
	return m, err
}

// Command is the command to do a step of the order.
func (o Order) Command(step, trace string) (message.Message, error) {
	return encode(CommandSubject(step), trace, o)
}

func encode(subject, trace string, v any) (message.Message, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return message.Message{}, fmt.Errorf("encode %s: %w", subject, err)
	}
	return message.Message{Subject: subject, Trace: trace, Data: data}, nil
}

// Decode reads a message. What cannot be read now cannot be read later: the error is permanent.
func Decode[T Order | Reply | Closed](m message.Message) (T, error) {
	var v T
	if err := json.Unmarshal(m.Data, &v); err != nil {
		return v, inbox.Permanent(fmt.Errorf("decode %s: %w", m.Subject, err))
	}
	return v, nil
}

// The bounds of an order's fields.
const (
	maxText     = 256
	maxQuantity = 10_000
	maxAmount   = 1_000_000_000
)

// Validate says everything that is wrong with an order; nil: nothing.
func (o Order) Validate() error {
	var wrong []error
	for _, f := range []struct{ name, value string }{
		{"order_id", o.OrderID}, {"customer", o.Customer}, {"sku", o.SKU}, {"card", o.Card}, {"address", o.Address},
	} {
		if why := unfit(f.value); why != "" {
			wrong = append(wrong, fmt.Errorf("%s %s", f.name, why))
		}
	}
	if strings.Contains(o.OrderID, "/") {
		wrong = append(wrong, errors.New("order_id holds a slash"))
	}
	if o.Quantity < 1 || o.Quantity > maxQuantity {
		wrong = append(wrong, fmt.Errorf("quantity is not between 1 and %d", maxQuantity))
	}
	if o.Amount < 1 || o.Amount > maxAmount {
		wrong = append(wrong, fmt.Errorf("amount is not between 1 and %d cents", maxAmount))
	}
	return errors.Join(wrong...)
}

func unfit(s string) string {
	switch {
	case s == "":
		return "is missing"
	case len(s) > maxText:
		return fmt.Sprintf("is longer than %d bytes", maxText)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "holds characters that are not text"
	}
	return ""
}
