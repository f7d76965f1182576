// Package metering collects the readings of meters, and bills them in small batches, account by account.
//
// Promise: a reading that was acknowledged is billed once, or set aside because the party outside will not have it. The readings of an
// account are billed in the order in which they were accepted, without a gap, whatever was delivered again, late or twice on the way. What
// was billed adds up to what was accepted.
//
// How: the intake gives each reading the next number of its account, in the transaction that accepts it. The ingester puts what arrives in
// its own table and waits for the number that is next: the broker may deliver in any order. When the window is over, what is there
// without a gap becomes a batch, and the batch is written down before it is sent, so that its content, and with it its key, is the same
// however often it is sent and by whichever process. The next one of the account is not cut before this one was answered. Balance,
// batch, audit entries and the news for the intake are one transaction.
//
// Cost: a reading waits for its window, and for those before it: an account whose batch gets no answer stands still, and the others do not.
// Breaks: where two ingesters work on one account; and where the party outside forgets keys.
//
// It must never know what a unit of a reading is worth.
package metering

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
)

// The states of a reading.
const (
	Received    = "received"
	Settled     = "settled"     // it was billed
	Quarantined = "quarantined" // it was refused: a person must look
)

// The subjects of messages: a Numbered goes out, a Settlement comes back.
const (
	SubjectReceived = "readings.received"
	SubjectSettled  = "readings.settled"
)

// Reading is what a meter sends.
type Reading struct {
	ReadingID string `json:"reading_id"`
	Account   string `json:"account"`
	Meter     string `json:"meter"`
	Amount    int64  `json:"amount"`
}

// Validate says what is wrong with a reading.
func (r Reading) Validate() error {
	if r.ReadingID == "" || r.Account == "" || r.Meter == "" || r.Amount <= 0 {
		return errors.New("reading_id, account, meter and an amount above 0 are needed")
	}
	return nil
}

// Numbered is a reading with its number among those of its account, from 1.
type Numbered struct {
	Reading
	Number uint64 `json:"number"`
}

// Settlement says what became of the readings of a batch.
type Settlement struct {
	Account string   `json:"account"`
	First   uint64   `json:"first"`
	Last    uint64   `json:"last"`
	Refused []uint64 `json:"refused,omitempty"`
}

func encode(subject, trace string, v any) (message.Message, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return message.Message{}, fmt.Errorf("encode %s: %w", subject, err)
	}
	return message.Message{Subject: subject, Trace: trace, Data: data}, nil
}

// decode reads a message. What cannot be read now cannot be read later: the error is permanent.
func decode[T Numbered | Settlement](m message.Message) (v T, err error) {
	if err := json.Unmarshal(m.Data, &v); err != nil {
		return v, inbox.Permanent(fmt.Errorf("decode %s: %w", m.Subject, err))
	}
	return v, nil
}
