package checkers_test

import (
	"fmt"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
)

// A guarantee of one's own: nobody is refunded who was not charged before.
var refundAfterCharge = checkers.Guarantee{
	Name:    "refund-after-charge",
	Promise: "Nobody is refunded who was not charged before.",
	Finds:   "An applied refund of a unit that had no applied charge before it.",
	Needs:   []string{history.FeedEffects},
	Check: func(c *checkers.Case) checkers.Judgement {
		checked := 0
		var found []checkers.Breach
		for u := range c.Units() {
			charged := false
			for e := range c.Events(u) {
				if e.Kind != history.KindEffect || e.Outcome != history.OutcomeApplied || e.Step != "charge" {
					continue
				}
				if checked++; e.Op == "undo" && !charged {
					found = append(found, checkers.Breach{Unit: u, Events: []uint64{e.Seq},
						Sentence: fmt.Sprintf("%s was refunded %s and never charged", c.Name(u), e.Value)})
				}
				charged = charged || e.Op == "do"
			}
		}
		return c.Judge("charges and refunds", checked, found)
	},
}

func ExampleSpec_extra() {
	h := history.New(history.Header{Claims: history.Claims{Unit: "order", Prefix: "o-"}})
	h.Append(history.Event{Kind: history.KindInvoke, Actor: 1, Op: "submit", Unit: 16})
	h.Append(history.Event{Kind: history.KindOK, Actor: 1, Op: "submit", Unit: 16})
	h.Append(history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Op: "undo", Step: "charge", Unit: 16, Value: "49.90"})

	r := checkers.Judge(h, checkers.Spec{Guarantees: []string{"refund-after-charge"}, Extra: []checkers.Guarantee{refundAfterCharge}})
	for _, j := range r.Guarantees {
		fmt.Println(j.Guarantee, j.Status, "of", j.Checked, j.What)
		for _, f := range j.Findings {
			fmt.Println(f.Unit, f.Events, f.Sentence)
		}
	}
	// Output:
	// refund-after-charge violated of 1 charges and refunds
	// o-17 [2] order o-17 was refunded 49.90 and never charged
}
