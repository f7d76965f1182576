package checkers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

var authorisedActions = Guarantee{
	Name:    "authorised-actions",
	Promise: "What needs a right is done by those who have it, and its record says who.",
	Finds: "A privileged action whose audit record names no actor, or one who is not among those that the target claims may do it. A unit " +
		"that was in a state which is left by such an action only, and left it without the action's record. An action that needs a second " +
		"person's consent and has none: no approval of that unit, one by the same actor, or one that the same source recorded after " +
		"the action. An attempt that was turned down is no action. What is missing is only judged once the trail must have arrived in full; the " +
		"order of an action and an approval from two sources is not known, and not judged.",
	Needs: []string{history.FeedAudit},
	Check: checkAuthorisedActions,
}

func checkAuthorisedActions(c *Case) Judgement {
	const name = "authorised-actions"
	if len(c.claims.Privileges) == 0 {
		return Judgement{Status: NotTested, Reason: "the target claims no action that needs a right (claims: privileges)"}
	}
	a := authority{Case: c, late: c.trailMissing(), of: make(map[history.Ref][]record)}
	a.collect()
	for _, p := range c.claims.Privileges {
		a.judge(p)
	}
	for _, state := range a.guarded() {
		a.departures(state)
	}
	j := c.judgement(name, "privileged actions", a.checked, a.suspects)
	if a.open != "" {
		return j.unknown(a.open)
	}
	return j
}

// authority judges the privileged actions of a history.
type authority struct {
	*Case
	late     string                   // why what is missing may only be on its way; empty: it must have arrived
	of       map[history.Ref][]record // transition -> its records, redeliveries left out
	checked  int
	suspects []suspect
	open     string // why something could not be decided
}

// record is an audit event of an action or an approval.
type record struct {
	i      uint32
	unit   history.Unit // as the case numbers it
	actor  string
	amount *big.Rat // nil: none
}

// collect reads the records of every action and approval that the claims name.
func (a *authority) collect() {
	for _, p := range a.claims.Privileges {
		for _, name := range []string{p.Action, p.Approval} {
			if name != "" {
				a.of[a.refs.ref(name)] = nil
			}
		}
	}
	take := func(i uint32) {
		op := a.H.Op[i]
		if known, ok := a.of[op]; ok {
			r := record{i: i, unit: a.col[i]}
			r.actor, r.amount = signed(a.str(a.H.Value[i]))
			a.of[op] = append(known, r)
		}
	}
	for k := range a.chains {
		ch := &a.chains[k]
		for _, i := range ch.events {
			take(i)
		}
		for _, f := range ch.forks {
			take(f.other)
		}
		for _, i := range ch.unnumbered {
			take(i)
		}
	}
}

// signed finds who acted, and over what amount, in an audit record: the fields "actor" and "amount" of its JSON, the outermost there are.
func signed(text string) (actor string, amount *big.Rat) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "", nil
	}
	actor = strings.TrimSpace(field(v, "actor"))
	amount, _ = decimal(field(v, "amount"))
	return actor, amount
}

// field finds a text or number by its name, level by level.
func field(v any, name string) string {
	for level, depth := []any{v}, 0; len(level) > 0 && depth < 8; depth++ {
		var next []any
		for _, v := range level {
			object, ok := v.(map[string]any)
			if !ok {
				continue
			}
			switch x := object[name].(type) {
			case string:
				return x
			case json.Number:
				return x.String()
			}
			for _, key := range slices.Sorted(maps.Keys(object)) {
				next = append(next, object[key])
			}
		}
		level = next
	}
	return ""
}

func (a *authority) add(r record, say func() string, more ...uint32) {
	u := -1
	if r.unit != history.NoUnit {
		u = int(r.unit)
	}
	a.suspects = append(a.suspects, suspect{unit: u, events: append(more, r.i), say: say})
}

// action names what was done: "released" of order o-17.
func (a *authority) action(r record) string {
	text := fmt.Sprintf("%q", clip(a.str(a.H.Op[r.i]), 60))
	if r.unit != history.NoUnit {
		text += " of " + a.name(int(r.unit))
	}
	return text
}

// judge asks of each action of one kind who did it, and with whose consent.
func (a *authority) judge(p history.Privilege) {
	approvals := make(map[history.Unit][]record)
	if p.Approval != "" {
		for _, r := range a.of[a.refs.ref(p.Approval)] {
			approvals[r.unit] = append(approvals[r.unit], r)
		}
	}
	for _, r := range a.of[a.refs.ref(p.Action)] {
		a.checked++
		switch {
		case r.actor == "":
			a.add(r, func() string { return a.action(r) + " is recorded, and not by whom it was done" })
			continue
		case len(p.Actors) > 0 && !slices.Contains(p.Actors, r.actor):
			a.add(r, func() string {
				return fmt.Sprintf("%s was done by %s, who has no right to: only %s may", a.action(r), clip(r.actor, 60), clip(list(p.Actors), 120))
			})
			continue
		}
		if p.Approval != "" {
			a.consent(p, r, approvals[r.unit])
		}
	}
}

// consent asks whether a second person agreed before.
func (a *authority) consent(p history.Privilege, r record, approvals []record) {
	if above, ok := claimed(p.Above); p.Above != 0 && ok {
		if r.amount != nil && r.amount.Cmp(above) < 0 {
			return
		}
		if r.amount == nil {
			if !slices.ContainsFunc(approvals, func(x record) bool { return a.agrees(x, r) }) {
				a.undecided(a.action(r) + ": the record names no amount, so that nobody knows whether it needed a second person's consent")
			}
			return
		}
	}
	if slices.ContainsFunc(approvals, func(x record) bool { return a.agrees(x, r) }) {
		return
	}
	if a.late != "" {
		a.undecided(a.late)
		return
	}
	var seen []uint32
	for _, x := range approvals {
		seen = append(seen, x.i)
	}
	a.add(r, func() string {
		over := ""
		if r.amount != nil {
			over = ", over " + figure(r.amount) + ","
		}
		text := fmt.Sprintf("%s%s was done by %s and needed somebody else's consent first (%q): ", a.action(r), over, clip(r.actor, 60), clip(p.Approval, 60))
		switch {
		case len(approvals) == 0:
			return text + "nobody gave it"
		case slices.ContainsFunc(approvals, func(x record) bool { return x.actor != "" && x.actor != r.actor }):
			return text + "it was given afterwards"
		case slices.ContainsFunc(approvals, func(x record) bool { return x.actor == r.actor }):
			return text + "only the same person gave it"
		}
		return text + "its record does not say who gave it"
	}, seen...)
}

// agrees tells that an approval may stand for an action: another actor's, and not known to have come later.
func (a *authority) agrees(x, r record) bool {
	later := a.H.Comp[x.i] == a.H.Comp[r.i] && a.H.Token[x.i] > a.H.Token[r.i] && a.H.Token[r.i] > 0
	return x.actor != "" && x.actor != r.actor && !later
}

func (a *authority) undecided(why string) { a.open = coalesce(a.open, why) }
