package file

import (
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// feedsOf checks everything that is read as rows.
func (c *checker) feedsOf() {
	for i, f := range c.Effects {
		c.source(at("effects", i, "from"), f.From)
		c.step(at("effects", i, "step"), f.Step)
		c.fields(at("effects", i), f.From, f.ID, f.When, map[string]string{"unit": f.Unit, "key": f.Key, "value": f.Value, "token": f.Token, "trace": f.Trace})
	}
	if f := c.States; f != nil {
		c.source(at("states", "from"), f.From)
	}
	for i, f := range c.Observed {
		c.source(at("observed", i, "from"), f.From)
		c.step(at("observed", i, "step"), f.Step)
		if !slices.ContainsFunc(c.Claims.Steps, func(s history.Step) bool { return s.Name == f.Step && s.Observed }) {
			c.wrong(at("observed", i, "step"), "", "claims.steps must say observed: true of %s", f.Step)
		}
	}
	for i, f := range c.Audit {
		c.source(at("audit", i, "from"), f.From)
		c.fields(at("audit", i), f.From, f.ID, f.When, map[string]string{"unit": f.Unit, "transition": f.Transition, "step": f.Step, "source": f.Source,
			"sequence": f.Sequence, "at": f.At, "trace": f.Trace})
	}
	for i, f := range c.definition.Spans {
		c.span(at("spans", i), f)
	}
	for i, f := range c.Executions {
		c.executions(at("executions", i), f)
	}
	if f := c.DeadLetters; f != nil {
		c.source(at("dead_letters", "from"), f.From)
		if f.From.Broker != "" {
			c.places(at("dead_letters"), f.When, map[string]string{"unit": f.Unit})
		}
	}
	for i, f := range c.Totals {
		c.source(at("totals", i, "from"), f.From)
	}
	for i, f := range c.Idle.Queued {
		c.source(at("idle", "queued", i, "from"), f.From)
	}
	c.orders()
	c.instants()
	if len(c.Idle.Queued) == 0 && c.Idle.Silence <= 0 {
		c.wrong(at("idle"), "", "idle says nothing: give silence, longer than any retry of the target waits, or queued, numbers that are 0 when it is done; "+
			"without either nobody knows when work that is missing is lost")
	}
}

// orders refuses effects whose order nobody would know: between rows that are read now and then and requests at a sink there is none, and
// none between two queries, or two places of brokers. Where nothing is ever undone, messages need none.
func (c *checker) orders() {
	lines := map[string]bool{}
	rows, undo := 0, false
	for _, s := range c.Sinks {
		for _, r := range s.Routes {
			undo = undo || r.Undo
		}
	}
	for _, e := range c.Effects {
		undo = undo || e.Undo
		if e.From.flows() {
			lines[c.lineOf(e.From)] = true
		} else {
			rows++
		}
	}
	switch {
	case rows == 0 && len(lines) == 0:
	case rows == 0 && (!undo || len(lines) == 1 && len(c.Sinks) == 0):
	case rows == 0 && len(c.Sinks) > 0:
		c.wrong(at("effects"), "", "effects that are messages do not go together with sinks where something is undone: nobody could say which came first")
	case rows == 0:
		c.wrong(at("effects"), "", "effects that come from several places of a broker cannot be put in order, and something is undone: read them from one stream, or one connection")
	case len(lines) > 0:
		c.wrong(at("effects"), "", "effects that are read as rows do not go together with messages: nobody could say which came first")
	case len(c.Effects) > 0 && len(c.Sinks) > 0:
		c.wrong(at("effects"), "", "effects that are read as rows do not go together with sinks: nobody could say which came first")
	case len(c.Effects) > 1:
		c.wrong(at("effects", 1), "", "effects are read by one query at most: nobody could say what came first of two; join them, with a field for the step")
	}
}

// instants refuses claims that need to know when an effect landed, or an execution began, where that is only known of when it was read.
func (c *checker) instants() {
	read := map[string]bool{} // step -> nobody sees it happen
	for _, e := range c.Effects {
		read[e.Step] = true
	}
	for i, d := range c.Claims.Deadlines {
		for key, instant := range map[string]string{"from": d.From, "to": d.To} {
			kind, step, _ := strings.Cut(instant, " ")
			if (kind == "effect" || kind == "undo") && read[step] {
				c.wrong(at("claims", "deadlines", i, key), "", "when the effect of %s landed is not known: it is read after the fact, and a sink would see it happen", step)
			}
		}
	}
	for i, r := range c.Claims.Retries {
		waits := r.Base > 0 || r.Jitter
		if waits && (len(c.Executions) > 0 || r.Step == "" && len(read) > 0 || read[r.Step]) {
			c.wrong(at("claims", "retries", i), "", "when attempts began is not known: they are read after the fact, and only a sink sees them happen; claim max alone")
		}
	}
}

// source reports a source of rows that is none.
func (c *checker) source(path []any, s source) {
	named := 0
	for _, name := range []string{s.Component, s.Database, s.Broker} {
		if name != "" {
			named++
		}
	}
	switch {
	case named != 1:
		c.wrong(path, "", "rows come from a component, by its HTTP interface, from a database, or from a broker: say one of them")
	case s.Broker != "":
		c.broker(path, s)
	case s.messages() != [6]string{} || s.List != "" || s.Durable:
		c.wrong(path, "", "stream, subject, channel, list, exchange, routing and durable are for what a broker has")
	case s.Component != "":
		if !slices.Contains(c.started(), s.Component) {
			c.nobody(below(path, "component"), s.Component, c.started())
		}
		if !strings.HasPrefix(s.Request, "GET ") || s.Query != "" {
			c.wrong(path, "", "a component is asked by a request, as in request: GET /entries")
		}
		c.expands(below(path, "request"), s.Request, []string{"cursor", "token"})
		for key, text := range s.Headers {
			c.expands(below(path, "headers", key), text, []string{"token"})
		}
		if strings.Contains(s.Request, "${cursor}") && path[0] != "audit" && path[0] != "effects" && path[0] != "executions" {
			c.wrong(below(path, "request"), "", "${cursor} is for what grows, audit, effects and executions: all of this is read anew each time")
		}
	default:
		if of, ok := c.Components[s.Database]; !ok || of.Database == "" {
			c.wrong(below(path, "database"), "", "%s has no database: say how Wreckon connects to it, as in database: postgres://USER@${listen}/NAME", s.Database)
		}
		if s.Query == "" || s.Request != "" || s.Items != "" {
			c.wrong(path, "", "a database is asked by a query, as in query: SELECT id, state FROM orders")
		}
	}
}

// claims refuses what the file decides elsewhere, and what could never be seen.
func (c *checker) claims() {
	if c.Claims.Target != "" {
		c.wrong(at("claims", "target"), "", "the target has its name already: target: %s", c.Target)
	}
	if len(c.Claims.Feeds) > 0 {
		c.wrong(at("claims", "feeds"), "", "what can be observed follows from what the file declares: leave feeds out")
	}
	shown := map[string]bool{}
	for _, s := range c.Sinks {
		for _, r := range s.Routes {
			shown[r.Step] = shown[r.Step] || !r.Undo
		}
	}
	for _, f := range c.Effects {
		shown[f.Step] = shown[f.Step] || !f.Undo
	}
	for _, f := range c.Observed {
		shown[f.Step] = true
	}
	for i, s := range c.Claims.Steps {
		if s.Required && !shown[s.Name] {
			c.wrong(at("claims", "steps", i), "", "%s is required, and nothing shows it: no sink, no effects, nothing observed; it would always be missing", s.Name)
		}
	}
}
