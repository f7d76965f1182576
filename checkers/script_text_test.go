package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// parseScript reads a history from text, one event on a line. The files in testdata hold such text:
//
//	[time] client submit|read UNIT [PAYLOAD] [key=K] [try=N] [at=TIME] [trace=T]
//	                                                              c3 submit o-17
//	[time] client amend UNIT vVERSION NOTE [key=K] [try=N] [trace=T]
//	                                                              c3 amend o-17 v1 leave-it-at-the-door
//	[time] client ok|fail|info [VALUE] [vVERSION] [trace=T]       c3 ok pending v1
//	[time] effect STEP do|undo UNIT VALUE [key=K] [t=TOKEN] [trace=T] [by=COMPONENT] [at=TIME] [dedup|refused]
//	                                                              effect charge do o-17 4990 key=o-17/charge
//	[time] start|finish STEP UNIT [key=K] [t=TOKEN] [trace=T] [by=COMPONENT] [try=N] [op=OP]
//	                                                              start charge o-17 by=payments-2 t=4
//	[time] audit SOURCE TRANSITION UNIT [step=S] [n=N] [body=B] [hash=H] [at=TIME] [trace=T] [actor=A] [amount=N]
//	[time] checkpoint SOURCE [root=R] [entries=N] [OTHER N]...    what it says of all trails so far, and of others: checkpoint audit api 7
//	[time] fault ID KIND TARGET begin|confirmed|end|healed|failed [EVIDENCE]
//	[time] exchange EDGE SIGNATURE UNIT|- [n=N] [asked=TIME] [delivered=TIME] [answered=TIME] [returned=TIME] [deliveries=N] [fault=ID] [refused]
//	                                                              exchange "payments -> gateway" "POST /charges" o-17 n=12
//	[time] process COMPONENT OUTCOME [VALUE] [t=PID]
//	[time] lateness DURATION                                      how late the harness itself was at worst
//	[time] happy|declined UNIT CLIENT                             a whole order that goes well; its end is observed by itself
//	[time] settled|idle|deadline                                  quiescence, and the observation begins
//	[time] stopped                                                the observation begins at once
//	[time] state UNIT STATE [vVERSION]
//	[time] step UNIT STEP in-force|none
//	[time] dead UNIT VALUE                                        dead o-17 {"reason": "poison", "attempts": 5}
//	[time] total NAME VALUE                                       total stock 412
//	[time] told SOURCE TRANSITION UNIT [step=S]                   what a span tells of a unit
//	[time] missed FEED [WHY] [t=1]                                a hole in a feed: missed effects "the broker was gone"
//	[time] head SOURCE [n=N] [hash=H];  heads                     the last number of one source, or of all so far
//	[time] end                                                    the observation ends
//	claims {JSON}                                                 further claims: steps by their name, feeds beside those that are there
//	lost REASON;  feeds A,B;  bare                                no end; other feeds; no claims at all
//
// A time is in seconds; without one an event comes a millisecond after the one before. A word may be quoted, or be a JSON object. An
// audit event takes the next number of its source and the hash that follows from the event before, where the line does not say
// otherwise; its actor and amount stand in its record. An exchange went well at the time of its event, where the line does not say
// otherwise; an instant that is - never came. An answer bears the trace of its call.
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
		return s.effectLine(w)
	case "start", "finish":
		kind := map[string]history.Kind{"start": history.KindStart, "finish": history.KindFinish}[verb]
		step := w.next()
		s.add(history.Event{Kind: kind, Step: step, Unit: w.unit(), Component: performer[step], Op: w.opt["op"], Key: w.opt["key"],
			Attempt: w.attempt()})
		return s.identify(w)
	case "audit":
		return s.auditLine(w)
	case "checkpoint":
		return s.checkpointLine(w)
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
		e.Outcome = map[string]history.Outcome{"started": history.OutcomeStarted, "ready": history.OutcomeReady, "killed": history.OutcomeKilled,
			"paused": history.OutcomePaused, "resumed": history.OutcomeResumed, "terminated": history.OutcomeTerminated,
			"exited": history.OutcomeExited}[w.next()]
		e.Value = w.next()
		s.add(e)
		return s.identify(w)
	case "lateness":
		late, err := time.ParseDuration(w.next())
		s.add(history.Event{Kind: history.KindNote, Unit: history.NoUnit, Op: "lateness", Value: fmt.Sprintf(`{"max":%d}`, late)})
		return err
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
	case "total":
		name := w.next()
		s.observe("total", history.NoUnit, "", w.next(), "", 0, name)
	case "told":
		source, transition := w.next(), w.next()
		s.observe("told", w.unit(), w.opt["step"], "", source, 0, transition)
	case "missed":
		feed := w.next()
		s.observe("missed", history.NoUnit, "", w.next(), "broker", 0, feed)
		return s.identify(w)
	case "claims":
		return s.claims(w.next())
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
	switch op := w.next(); op {
	case "ok", "fail", "info":
		kind := map[string]history.Kind{"ok": history.KindOK, "fail": history.KindFail, "info": history.KindInfo}[op]
		version := w.version()
		s.answer(actor, kind, w.next(), version)
	case "amend":
		version, u, note := w.version(), w.unit(), w.next()
		s.invoke(actor, op, u, w.opt["key"], w.attempt())
		s.last().Token, s.last().Value = version, note
	default:
		s.invoke(actor, op, w.unit(), w.opt["key"], w.attempt())
		s.last().Value = w.next()
	}
	return s.identify(w)
}

func (s *script) effectLine(w *words) error {
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
	return s.identify(w)
}

func (s *script) last() *history.Event { return &s.events[len(s.events)-1] }

// identify gives the last event what a line of any kind may say of it.
func (s *script) identify(w *words) (err error) {
	e := s.last()
	if t, ok := w.opt["t"]; ok {
		if e.Token, err = strconv.ParseUint(t, 10, 64); err != nil {
			return err
		}
	}
	if by, ok := w.opt["by"]; ok {
		e.Component = by
	}
	if trace, ok := w.opt["trace"]; ok {
		e.Trace = trace
	}
	if at, ok := w.opt["at"]; ok {
		seconds, err := strconv.ParseFloat(at, 64)
		e.At = time.Duration(seconds * 1e9)
		return err
	}
	return nil
}

// claims merges further claims into the header's.
func (s *script) claims(text string) error {
	c := &s.header.Claims
	steps, feeds := c.Steps, c.Feeds
	c.Steps, c.Feeds = nil, nil
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(c)
	for _, step := range c.Steps {
		steps = append(slices.DeleteFunc(steps, func(old history.Step) bool { return old.Name == step.Name }), step)
	}
	c.Steps, c.Feeds = steps, append(feeds, c.Feeds...)
	return err
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
	last := s.last()
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
	e := s.last()
	if more := w.record(); more != "" {
		e.Value = strings.TrimSuffix(e.Value, "}") + more + "}"
		e.Key = chained(before.hash, e.Value)
	}
	if body, ok := w.opt["body"]; ok {
		e.Value = body
		e.Key = chained(before.hash, body)
	}
	if hash, ok := w.opt["hash"]; ok {
		e.Key = hash
	}
	t.hash = e.Key
	if err := s.identify(w); err != nil {
		return err
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

// checkpointLine is a statement about all trails so far. What it says otherwise about some is covered by hashes that nobody has.
func (s *script) checkpointLine(w *words) error {
	source := w.next()
	st, hashes := statement{Heads: map[string]uint64{}}, map[string]string{}
	for name, t := range s.trail {
		st.Heads[name], hashes[name] = t.n, t.hash
	}
	for name := w.next(); name != ""; name = w.next() {
		n, err := strconv.ParseUint(w.next(), 10, 64)
		if err != nil {
			return err
		}
		st.Heads[name] = n
	}
	for _, n := range st.Heads {
		st.Entries += n
	}
	st.Root = st.rootOf(hashes)
	if root, ok := w.opt["root"]; ok {
		st.Root = root
	}
	if n, ok := w.opt["entries"]; ok {
		st.Entries, _ = strconv.ParseUint(n, 10, 64)
	}
	body, err := json.Marshal(map[string]any{"checkpoint": st})
	if err != nil {
		return err
	}
	t := s.source(source)
	t.n, t.hash = t.n+1, chained(t.hash, string(body))
	s.add(history.Event{Kind: history.KindAudit, Component: source, Op: checkpointOp, Unit: history.NoUnit, Token: t.n, Key: t.hash, Value: string(body)})
	return nil
}
