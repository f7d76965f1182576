package file

import (
	"slices"
	"strings"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// broker reports what no broker of that kind has, or what cannot be read from it.
func (c *checker) broker(path []any, s source) {
	if of, ok := c.Components[s.Broker]; !ok || of.Broker == "" {
		c.wrong(below(path, "broker"), "", "%s is no broker: say how Wreckon connects to it, as in broker: nats://${listen}", s.Broker)
		return
	}
	if s.Request != "" || s.Query != "" || s.Items != "" || len(s.Headers) > 0 || s.Control {
		c.wrong(path, "", "request, headers, items, control and query are for components and databases")
	}
	of := map[targets.Protocol]struct {
		may  []string
		want string
	}{
		targets.NATS: {[]string{"subject", "stream"}, "subject (what is published there, while somebody listens) or stream (what JetStream stores), or both: the messages of a stream with that subject"},
		targets.RESP: {[]string{"stream", "channel", "list"}, "stream, channel or, for dead letters, list"},
		targets.AMQP: {[]string{"exchange", "routing", "durable"}, "exchange, and routing where not all that is published to it is meant"},
	}[c.protocol(s.Broker)]
	said := map[string]bool{"subject": s.Subject != "", "stream": s.Stream != "", "channel": s.Channel != "", "list": s.List != "",
		"exchange": s.Exchange != "", "routing": s.Routing != "", "durable": s.Durable}
	for _, key := range keysOf(said) {
		if said[key] && !slices.Contains(of.may, key) {
			c.wrong(below(path, key), "", "%s has no %s: say %s", s.Broker, key, of.want)
		}
	}
	places := 0
	for _, key := range []string{"subject", "stream", "channel", "list", "exchange"} {
		if said[key] {
			places++
		}
	}
	if both := said["subject"] && said["stream"]; places == 0 || places > 1 && !both {
		c.wrong(path, "", "say where its messages are read: %s", of.want)
	}
	if s.List != "" && path[0] != "dead_letters" {
		c.wrong(below(path, "list"), "", "a list is for dead_letters, which are read at the end: from others its consumers take what Wreckon has not read")
	}
	if !slices.Contains([]any{"effects", "audit", "dead_letters", "executions"}, path[0]) {
		c.wrong(path, "", "messages are for what happens, effects, audit, executions and dead_letters: all of this is asked for when it is wanted")
	}
}

// fields checks what is read of a row or of a message.
func (c *checker) fields(path []any, from source, id string, when map[string]string, fields map[string]string) {
	switch {
	case from.Broker == "" && id == "":
		c.wrong(path, "", "id is missing: the field that is a row's own, so that each row is taken once")
	case from.Broker != "" && id != "":
		c.wrong(below(path, "id"), "", "a message is taken once, and what is published twice is two: leave id out")
	}
	if from.Broker != "" {
		c.places(path, when, fields)
	}
}

// span reports what no span has, and what nobody would compare with anything.
func (c *checker) span(path []any, f spanFeed) {
	check := func(path []any, text string) {
		where, name, _ := strings.Cut(text, ".")
		if !(where == "attributes" && name != "") && !slices.Contains([]string{"name", "service", "kind", "status", "message"}, text) {
			c.wrong(path, "", "%q is no place in a span: write attributes.NAME, name, service, kind, status or message", clip(text, 60))
		}
	}
	check(below(path, "unit"), f.Unit)
	for _, at := range keysOf(f.When) {
		check(below(path, "when", at), at)
	}
	if f.Step != "" {
		c.step(below(path, "step"), f.Step)
	}
	var known []string
	for _, s := range c.Claims.Steps {
		known = append(known, s.AuditDo, s.AuditUndo)
	}
	for _, t := range c.Claims.States.Audits {
		known = append(known, t)
	}
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(s string) bool { return s == "" })
	if !slices.Contains(known, f.Says) {
		c.wrong(below(path, "says"), document.KnownNames(known), "nothing is claimed of %s, so that nothing could contradict it: claims.steps name it as audit_do or audit_undo, claims.states.audits as what leads to a state%s",
			document.Quote(f.Says), spelling.Hint(f.Says, known))
	}
}

// executions checks a feed of executions.
func (c *checker) executions(path []any, f executionFeed) {
	c.source(below(path, "from"), f.From)
	c.fields(path, f.From, f.ID, f.When, map[string]string{"unit": f.Unit, "what": f.What, "number": f.Number, "attempt": f.Attempt, "worker": f.Worker, "trace": f.Trace})
	if len(f.Start)+len(f.Finish)+len(f.Checkpoint) == 0 {
		c.wrong(path, "", "say what begins and ends an execution: the texts of %s that are a start, a finish, a checkpoint", f.What)
	}
	if len(f.Checkpoint) > 0 && f.Number == "" {
		c.wrong(below(path, "checkpoint"), "", "a checkpoint has a number: that of the last chunk that it covers")
	}
}

// places reports places that no message has.
func (c *checker) places(path []any, when, fields map[string]string) {
	for _, key := range keysOf(fields) {
		c.messagePlace(below(path, key), fields[key])
	}
	for _, at := range keysOf(when) {
		c.messagePlace(below(path, "when", at), at)
	}
}

func (c *checker) messagePlace(path []any, text string) {
	if text == "" || text == "subject" || text == "id" || strings.HasPrefix(text, "body.") || strings.HasPrefix(text, "header.") {
		return
	}
	c.wrong(path, "", "%q is no place in a message: write body.NAME, header.NAME, subject or id", clip(text, 60))
}
