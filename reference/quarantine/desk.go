package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

// Schema is who has agreed to what.
var Schema = store.Schema{Name: "quarantine", SQL: `
	CREATE TABLE approvals (letter TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (letter, actor)) WITHOUT ROWID`}

// The rights a person may have.
const (
	Resolve = "resolve" // to decide what becomes of an order
	Approve = "approve" // to agree to what another decides
)

// Person is somebody who works here.
type Person struct {
	Name   string   `json:"name"`
	Token  string   `json:"token"`
	Rights []string `json:"rights"`
}

// May says whether the person has a right.
func (p Person) May(right string) bool { return slices.Contains(p.Rights, right) }

// Decision is what a person wants to become of an order.
type Decision struct {
	Who      Person
	How      string // orders.Retry or orders.GiveUp
	Step     string // that was set aside
	Amount   int64  // of the order, in cents
	Approved []string
}

// Why a decision does not count.
var (
	ErrNoRight    = errors.New("this person has no right to")
	ErrAlone      = errors.New("at this amount another person must approve first")
	ErrNotCertain = errors.New("what has become of this step is not known: it can only be tried again")
	ErrNoLetter   = errors.New("nothing of this order is set aside here")
)

// Rule says whether a decision counts; nil: it does. See FourEyes.
type Rule func(Decision) error

// approvalAbove is the amount, in cents, from which on giving up needs two people.
const approvalAbove = 50_00

// FourEyes is the rule that keeps the promise.
func FourEyes(d Decision) error {
	switch {
	case !d.Who.May(Resolve):
		return ErrNoRight
	case d.How == orders.GiveUp && d.Amount >= approvalAbove && !slices.ContainsFunc(d.Approved, func(name string) bool { return name != d.Who.Name }):
		return ErrAlone
	}
	return nil
}

// Desk is where people decide what becomes of the letters of a service.
type Desk struct {
	Service string
	DB      *store.DB
	Box     *outbox.Box
	Trail   audit.Trail
	Rule    Rule
}

// Approve notes that a person agrees to give an order up.
func (k Desk) Approve(ctx context.Context, who Person, orderID string) error {
	return k.settle(ctx, who, orderID, func(tx *store.Tx, l inbox.Letter, amount int64) error {
		if !who.May(Approve) {
			return ErrNoRight
		}
		if _, err := tx.Exec(`INSERT INTO approvals (letter, actor, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			l.ID, who.Name, time.Now().UnixMilli()); err != nil {
			return fmt.Errorf("approve: %w", err)
		}
		return k.audit(tx, l, who, amount, "approved", orders.GiveUp)
	})
}

// Resolve has the command of an order tried again, or given up. What is done, and by whom, is one transaction.
func (k Desk) Resolve(ctx context.Context, who Person, orderID, how string) error {
	return k.settle(ctx, who, orderID, func(tx *store.Tx, l inbox.Letter, amount int64) error {
		d := Decision{Who: who, How: how, Step: orders.StepOf(l.Subject), Amount: amount}
		var err error
		if d.Approved, err = approvals(tx, l); err != nil {
			return err
		}
		if err := k.Rule(d); err != nil {
			return err
		}
		// A reservation that was set aside was not made: it is a row of our own. Of what was asked of the gateway nobody knows.
		if how == orders.GiveUp && d.Step != orders.Reserve {
			return ErrNotCertain
		}
		return k.release(tx, l, who, amount, "resolved", how)
	})
}

// TakeUp has the command of an order tried again because its effect was found where it lands: to try again is to be told what became of it,
// which needs nobody's right.
func (k Desk) TakeUp(ctx context.Context, who, orderID string) error {
	return k.settle(ctx, Person{Name: who}, orderID, func(tx *store.Tx, l inbox.Letter, amount int64) error {
		return k.release(tx, l, Person{Name: who}, amount, "reconciled", orders.Retry)
	})
}

func (k Desk) release(tx *store.Tx, l inbox.Letter, who Person, amount int64, transition, how string) error {
	if err := l.Settle(tx, how+" by "+who.Name); err != nil {
		return err
	}
	if err := k.audit(tx, l, who, amount, transition, how); err != nil {
		return err
	}
	reply := orders.Reply{OrderID: l.OrderID, Step: orders.StepOf(l.Subject), Outcome: how, Detail: "by " + who.Name}
	m, err := reply.Message(k.Service, l.Trace)
	if err != nil {
		return err
	}
	return k.Box.Add(tx, m)
}

// settle does something with the letter of an order. A refusal goes on record, too.
func (k Desk) settle(ctx context.Context, who Person, orderID string, do func(*store.Tx, inbox.Letter, int64) error) error {
	var refusal error
	err := k.DB.Write(ctx, func(tx *store.Tx) error {
		l, ok, err := inbox.Of(tx, orderID)
		if err != nil {
			return err
		}
		if !ok {
			refusal = ErrNoLetter
			return nil
		}
		var about struct {
			Amount int64 `json:"amount"`
		}
		if err := json.Unmarshal(l.Data, &about); err != nil {
			return fmt.Errorf("read dead letter of %s: %w", orderID, err)
		}
		err = do(tx, l, about.Amount)
		for _, known := range []error{ErrNoRight, ErrAlone, ErrNotCertain} {
			if errors.Is(err, known) {
				refusal = known
				return k.audit(tx, l, who, about.Amount, "turned-down", known.Error())
			}
		}
		return err
	})
	return errors.Join(err, refusal)
}

func (k Desk) audit(tx *store.Tx, l inbox.Letter, who Person, amount int64, transition, detail string) error {
	return k.Trail.Append(tx, audit.Entry{
		OrderID: l.OrderID, Transition: transition, Step: orders.StepOf(l.Subject), Attempt: l.Attempts, Detail: detail, Trace: l.Trace,
		Actor: who.Name, Amount: amount,
	})
}

// approvals lists who has agreed.
func approvals(tx *store.Tx, l inbox.Letter) (names []string, err error) {
	var list string
	if err := tx.Row(`SELECT coalesce(string_agg(actor, ?), '') FROM approvals WHERE letter = ?`, []any{"\n", l.ID}, &list); err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == '\n' }), nil
}
