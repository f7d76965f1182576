package checkers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// script builds a history event by event. Its text form, one event on a line, is what the files in testdata hold:
//
//	[time] client submit|read UNIT [key=K] [try=N] [at=TIME]      c3 submit o-17
//	[time] client amend UNIT vVERSION NOTE [key=K] [try=N]        c3 amend o-17 v1 leave-it-at-the-door
//	[time] client ok|fail|info [VALUE] [vVERSION]                 c3 ok pending v1
//	[time] effect STEP do|undo UNIT VALUE [key=K] [dedup|refused] effect charge do o-17 4990 key=o-17/charge
//	[time] audit SOURCE TRANSITION UNIT [step=S] [n=N] [body=B] [hash=H] [at=TIME]
//	[time] fault ID KIND TARGET begin|confirmed|end|healed|failed [EVIDENCE]
//	[time] process COMPONENT OUTCOME VALUE
//	[time] happy|declined UNIT CLIENT                             a whole order that goes well; its end is observed by itself
//	[time] settled|idle|deadline                                  quiescence, and the observation begins
//	[time] stopped                                                the observation begins at once
//	[time] state UNIT STATE [vVERSION]
//	[time] step UNIT STEP in-force|none
//	[time] dead UNIT REASON
//	[time] head SOURCE [n=N] [hash=H];  heads                     the last number of one source, or of all so far
//	[time] end                                                    the observation ends
//	lost REASON;  feeds A,B;  bare                                no end; other feeds; no claims at all
//
// A time is in seconds; without one an event comes a millisecond after the one before. A word may be quoted. An audit event takes the
// next number of its source and the hash that follows from the event before, where the line does not say otherwise.
type script struct {
	header history.Header
	lost   string
	now    time.Duration
	events []history.Event
	trail  map[string]*trail
	ends   []func()
}

// trail is where a source's audit trail stands.
type trail struct {
	n    uint64
	hash string
}

// testClaims are those of an order service with one observed step and one at-least-once step.
func testClaims() history.Claims {
	return history.Claims{
		Target: "orders", Unit: "order", Prefix: "o-",
		Steps: []history.Step{
			{Name: "reserve", Does: "reserved", Undoes: "released", Component: "inventory", Required: true, Observed: true, AuditDo: "reserved", AuditUndo: "released"},
			{Name: "charge", Does: "charged", Undoes: "refunded", Component: "payments", Required: true, AuditDo: "charged", AuditUndo: "refunded"},
			{Name: "ship", Does: "shipped", Component: "shipping", Required: true, AuditDo: "shipped"},
			{Name: "notify", Does: "notified", Component: "shipping", Promise: "at-least-once"},
		},
		States: history.States{
			Open: []string{"pending"}, Completed: "completed", Compensated: "compensated", Quarantined: "quarantined",
			Audits: map[string]string{"pending": "accepted", "completed": "completed", "compensated": "compensated", "quarantined": "quarantined"},
		},
		Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedSteps, history.FeedReads},
	}
}

func newScript() *script {
	s := &script{header: history.Header{Format: 1, Claims: testClaims()}, trail: map[string]*trail{}}
	s.phase("chaos", history.OutcomeBegin, "")
	return s
}

func (s *script) history() *history.History {
	h := history.New(s.header)
	for _, e := range s.events {
		h.Append(e)
	}
	h.Sealed, h.Lost = s.lost == "", s.lost
	return h
}

func (s *script) add(e history.Event) {
	s.now += time.Millisecond
	e.T = s.now
	s.events = append(s.events, e)
}

func (s *script) phase(op string, o history.Outcome, value string) {
	s.add(history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: op, Outcome: o, Value: value})
}

func (s *script) invoke(actor int, op string, u history.Unit, key string, attempt uint32) {
	s.add(history.Event{Kind: history.KindInvoke, Actor: uint32(actor), Op: op, Unit: u, Key: key, Attempt: attempt})
}

func (s *script) answer(actor int, kind history.Kind, value string, version uint64) {
	e := history.Event{Kind: kind, Actor: uint32(actor), Unit: history.NoUnit, Value: value, Token: version}
	for _, x := range slices.Backward(s.events) { // the end names what its invoke named
		if x.Kind == history.KindInvoke && x.Actor == e.Actor {
			e.Op, e.Unit, e.Attempt, e.Key = x.Op, x.Unit, x.Attempt, x.Key
			break
		}
	}
	s.add(e)
}

func (s *script) effect(step, op string, u history.Unit, value, key string, o history.Outcome) {
	component := map[string]string{"charge": "payments", "ship": "shipping", "notify": "shipping"}[step]
	s.add(history.Event{Kind: history.KindEffect, Step: step, Op: op, Unit: u, Value: value, Key: key, Outcome: o, Component: component})
}

func (s *script) audit(source, transition string, u history.Unit, step string) {
	t := s.source(source)
	t.n++
	body := fmt.Sprintf(`{"order_id":%q,"transition":%q,"n":%d}`, history.UnitID("o-", u), transition, t.n)
	t.hash = chained(t.hash, body)
	s.add(history.Event{Kind: history.KindAudit, Component: source, Op: transition, Unit: u, Step: step, Token: t.n, Key: t.hash, Value: body})
}

func (s *script) source(name string) *trail {
	if s.trail[name] == nil {
		s.trail[name] = &trail{}
	}
	return s.trail[name]
}

func chained(previous, body string) string {
	sum := sha256.Sum256([]byte(previous + "\n" + body))
	return hex.EncodeToString(sum[:])
}

func (s *script) observe(op string, u history.Unit, step, value, component string, token uint64, key string) {
	s.add(history.Event{Kind: history.KindObserve, Op: op, Unit: u, Step: step, Value: value, Component: component, Token: token, Key: key})
}

// happy is an order that goes well; declined is one whose card is.
func (s *script) happy(u history.Unit, actor int) {
	id := history.UnitID("o-", u)
	s.invoke(actor, "submit", u, id, 1)
	s.audit("api", "accepted", u, "")
	s.answer(actor, history.KindOK, "pending", 1)
	s.audit("inventory", "reserved", u, "reserve")
	s.effect("charge", "do", u, "4990", id+"/charge", history.OutcomeApplied)
	s.audit("payments", "charged", u, "charge")
	s.effect("ship", "do", u, "", id+"/ship", history.OutcomeApplied)
	s.audit("shipping", "shipped", u, "ship")
	s.audit("api", "completed", u, "")
	s.invoke(actor, "read", u, "", 1)
	s.answer(actor, history.KindOK, "completed|", 2)
	s.ends = append(s.ends, func() {
		s.observe("state", u, "", "completed", "api", 2, "")
		s.observe("step", u, "reserve", "in-force", "inventory", 0, "")
	})
}

func (s *script) declined(u history.Unit, actor int) {
	id := history.UnitID("o-", u)
	s.invoke(actor, "submit", u, id, 1)
	s.audit("api", "accepted", u, "")
	s.answer(actor, history.KindOK, "pending", 1)
	s.audit("inventory", "reserved", u, "reserve")
	s.effect("charge", "do", u, "4990", id+"/charge", history.OutcomeRefused)
	s.audit("inventory", "released", u, "reserve")
	s.audit("api", "compensated", u, "")
	s.ends = append(s.ends, func() {
		s.observe("state", u, "", "compensated", "api", 2, "")
		s.observe("step", u, "reserve", "none", "inventory", 0, "")
	})
}

// rest ends the load: quiescence, and what is known of the end.
func (s *script) rest(how string) {
	s.phase("chaos", history.OutcomeEnd, "")
	if how != "stopped" {
		s.phase("quiesce", history.OutcomeBegin, "")
		s.phase("quiesce", history.OutcomeEnd, how)
	}
	s.phase("observe", history.OutcomeBegin, "")
	for _, end := range s.ends {
		end()
	}
}

func (s *script) heads() {
	names := make([]string, 0, len(s.trail))
	for name := range s.trail {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.observe("audit-head", history.NoUnit, "", "", name, s.trail[name].n, s.trail[name].hash)
	}
}

// finish ends a run in which the target came to rest.
func (s *script) finish() *history.History {
	s.rest("settled")
	s.heads()
	s.phase("observe", history.OutcomeEnd, "")
	return s.history()
}

// parseScript reads the text form.
func parseScript(text string) (*script, error) {
	s := newScript()
	for n, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if err := s.line(l); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n+1, l, err)
		}
	}
	return s, nil
}

func (s *script) line(l string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("does not fit the grammar: %v", p)
		}
	}()
	w := newWords(l)
	if t, err := strconv.ParseFloat(w.rest[0], 64); err == nil {
		w.next()
		s.now = time.Duration(t*1e9) - time.Millisecond
	}
	switch verb := w.next(); verb {
	case "effect":
		outcome := history.OutcomeApplied
		if w.flag("dedup") {
			outcome = history.OutcomeDeduplicated
		} else if w.flag("refused") {
			outcome = history.OutcomeRefused
		}
		step, op, id := w.next(), w.next(), w.next()
		u, err := history.ParseUnit("o-", id)
		value := w.next()
		if err != nil {
			value = id
		}
		s.effect(step, op, u, value, w.opt["key"], outcome)
	case "audit":
		return s.auditLine(w)
	case "fault":
		e := history.Event{Kind: history.KindFault, Unit: history.NoUnit, Key: w.next(), Op: w.next(), Component: w.next()}
		e.Outcome = map[string]history.Outcome{"begin": history.OutcomeBegin, "confirmed": history.OutcomeConfirmed, "end": history.OutcomeEnd,
			"healed": history.OutcomeHealed, "failed": history.OutcomeFailed}[w.next()]
		e.Value = w.next()
		s.add(e)
	case "process":
		e := history.Event{Kind: history.KindProcess, Unit: history.NoUnit, Component: w.next()}
		e.Outcome = map[string]history.Outcome{"exited": history.OutcomeExited, "killed": history.OutcomeKilled, "ready": history.OutcomeReady}[w.next()]
		e.Value = w.next()
		s.add(e)
	case "happy":
		s.happy(w.unit(), w.actor())
	case "declined":
		s.declined(w.unit(), w.actor())
	case "settled", "idle", "deadline", "stopped":
		s.rest(verb)
	case "state":
		s.observe("state", w.unit(), "", w.next(), "api", w.version(), "")
	case "step":
		s.observe("step", w.unit(), w.next(), w.next(), "inventory", 0, "")
	case "dead":
		s.observe("dead-letter", w.unit(), "", w.next(), "saga", 0, "")
	case "head":
		name := w.next()
		t := *s.source(name)
		if n := w.opt["n"]; n != "" {
			t.n, err = strconv.ParseUint(n, 10, 64)
		}
		if h, ok := w.opt["hash"]; ok {
			t.hash = h
		}
		s.observe("audit-head", history.NoUnit, "", "", name, t.n, t.hash)
	case "heads":
		s.heads()
	case "end":
		s.phase("observe", history.OutcomeEnd, "")
	case "lost":
		s.lost = w.next()
	case "feeds":
		s.header.Claims.Feeds = strings.Split(w.next(), ",")
	case "bare":
		s.header.Claims = history.Claims{Prefix: "o-"}
		s.events = nil // no phases either
	default:
		return s.clientLine(verb, w)
	}
	return err
}

func (s *script) clientLine(verb string, w *words) error {
	actor, err := strconv.Atoi(strings.TrimPrefix(verb, "c"))
	if err != nil {
		return fmt.Errorf("no such verb")
	}
	attempt := uint32(1)
	if n, err := strconv.Atoi(w.opt["try"]); err == nil {
		attempt = uint32(n)
	}
	switch op := w.next(); op {
	case "ok", "fail", "info":
		kind := map[string]history.Kind{"ok": history.KindOK, "fail": history.KindFail, "info": history.KindInfo}[op]
		version := w.version()
		s.answer(actor, kind, w.next(), version)
	case "amend":
		version, u, note := w.version(), w.unit(), w.next()
		s.invoke(actor, op, u, w.opt["key"], attempt)
		s.events[len(s.events)-1].Token, s.events[len(s.events)-1].Value = version, note
	default:
		s.invoke(actor, op, w.unit(), w.opt["key"], attempt)
		if at, err := strconv.ParseFloat(w.opt["at"], 64); err == nil {
			s.events[len(s.events)-1].At = time.Duration(at * 1e9)
		}
	}
	return nil
}

func (s *script) auditLine(w *words) error {
	source, transition, u := w.next(), w.next(), w.unit()
	t := s.source(source)
	before := *t
	s.audit(source, transition, u, w.opt["step"])
	e := &s.events[len(s.events)-1]
	if body, ok := w.opt["body"]; ok {
		e.Value = body
		e.Key = chained(before.hash, body)
	}
	if hash, ok := w.opt["hash"]; ok {
		e.Key = hash
	}
	t.hash = e.Key
	if at, err := strconv.ParseFloat(w.opt["at"], 64); err == nil {
		e.At = time.Duration(at * 1e9)
	}
	if n, ok := w.opt["n"]; ok {
		number, err := strconv.ParseUint(n, 10, 64)
		e.Token, t.n = number, max(number, before.n)
		if number <= before.n { // said before: again, or another event under its number
			t.hash = before.hash
			for _, x := range s.events[:len(s.events)-1] {
				if x.Kind == history.KindAudit && x.Component == source && x.Token == number && w.opt["body"] == "" {
					x.T = e.T
					*e = x
				}
			}
		}
		return err
	}
	return nil
}

// words are the words of a line: plain ones in order, flags, and name=value ones.
type words struct {
	rest []string
	opt  map[string]string
}

func newWords(l string) *words {
	w := &words{opt: map[string]string{}}
	for l = strings.TrimSpace(l); l != ""; l = strings.TrimSpace(l) {
		var word string
		if q, err := strconv.QuotedPrefix(l); err == nil {
			word, _ = strconv.Unquote(q)
			w.rest, l = append(w.rest, word), l[len(q):]
			continue
		}
		word, l, _ = strings.Cut(l, " ")
		if name, value, ok := strings.Cut(word, "="); ok && slices.Contains([]string{"key", "try", "at", "step", "n", "body", "hash"}, name) {
			w.opt[name] = value
			continue
		}
		w.rest = append(w.rest, word)
	}
	return w
}

// next takes the next plain word; "" where there is none.
func (w *words) next() string {
	if len(w.rest) == 0 {
		return ""
	}
	word := w.rest[0]
	w.rest = w.rest[1:]
	return word
}

func (w *words) flag(name string) bool {
	k := slices.Index(w.rest, name)
	if k >= 0 {
		w.rest = slices.Delete(w.rest, k, k+1)
	}
	return k >= 0
}

// version takes the word that is one: v12.
func (w *words) version() uint64 {
	for k, word := range w.rest {
		if n, err := strconv.ParseUint(strings.TrimPrefix(word, "v"), 10, 64); err == nil && word[0] == 'v' {
			w.rest = slices.Delete(w.rest, k, k+1)
			return n
		}
	}
	return 0
}

func (w *words) unit() history.Unit {
	u, err := history.ParseUnit("o-", w.next())
	if err != nil {
		panic(err)
	}
	return u
}

func (w *words) actor() int {
	n, err := strconv.Atoi(strings.TrimPrefix(w.next(), "c"))
	if err != nil {
		panic(err)
	}
	return n
}
