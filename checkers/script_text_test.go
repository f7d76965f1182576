package checkers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// parseScript reads a history from text, one event on a line. The files in testdata hold such text:
//
//	[time] client submit|read UNIT [key=K] [try=N] [at=TIME]      c3 submit o-17
//	[time] client amend UNIT vVERSION NOTE [key=K] [try=N]        c3 amend o-17 v1 leave-it-at-the-door
//	[time] client ok|fail|info [VALUE] [vVERSION]                 c3 ok pending v1
//	[time] effect STEP do|undo UNIT VALUE [key=K] [dedup|refused] effect charge do o-17 4990 key=o-17/charge
//	[time] audit SOURCE TRANSITION UNIT [step=S] [n=N] [body=B] [hash=H] [at=TIME]
//	[time] fault ID KIND TARGET begin|confirmed|end|healed|failed [EVIDENCE]
//	[time] exchange EDGE SIGNATURE UNIT|- [n=N] [asked=TIME] [delivered=TIME] [answered=TIME] [returned=TIME] [deliveries=N] [fault=ID] [refused]
//	                                                              exchange "payments -> gateway" "POST /charges" o-17 n=12
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
// next number of its source and the hash that follows from the event before, where the line does not say otherwise. An exchange went well
// at the time of its event, where the line does not say otherwise; an instant that is - never came.
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
	case "exchange":
		return s.exchangeLine(w)
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

func (s *script) exchangeLine(w *words) error {
	e := history.Event{Kind: history.KindExchange, Unit: history.NoUnit, Component: w.next(), Op: w.next(), Token: 1}
	refused := w.flag("refused")
	if w.rest[0] != "-" {
		e.Unit = w.unit()
	}
	s.add(e)
	value := `{"protocol":"http"`
	for _, instant := range []string{"asked", "delivered", "answered", "returned"} {
		at := s.now
		if text, ok := w.opt[instant]; ok {
			t, err := strconv.ParseFloat(text, 64)
			if err != nil {
				continue
			}
			at = time.Duration(t * 1e9)
		}
		value += fmt.Sprintf(`,"%s_ns":%d`, instant, at)
	}
	deliveries := 1
	if w.opt["delivered"] == "-" {
		deliveries = 0
	}
	if text, ok := w.opt["deliveries"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		deliveries = n
	}
	value += fmt.Sprintf(`,"deliveries":%d,"returned":%t,"refused":%t`, deliveries, w.opt["returned"] != "-", refused)
	if id, ok := w.opt["fault"]; ok {
		value += fmt.Sprintf(`,"fault":%q`, id)
	}
	last := &s.events[len(s.events)-1]
	last.Value = value + "}"
	if n, ok := w.opt["n"]; ok {
		number, err := strconv.ParseUint(n, 10, 64)
		last.Token = number
		return err
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

// options are the names of name=value words.
var options = []string{"key", "try", "at", "step", "n", "body", "hash", "asked", "delivered", "answered", "returned", "deliveries", "fault"}

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
		if name, value, ok := strings.Cut(word, "="); ok && slices.Contains(options, name) {
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
