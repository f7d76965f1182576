package file

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// checker finds what is wrong with a file whose form is right: names that nobody has, places that are none, abilities that contradict
// each other.
type checker struct {
	document.Reader
	*definition
	root *document.Node
}

// wrong notes what is wrong at a place of the file, and what would be right.
func (c *checker) wrong(path []any, hint, format string, args ...any) {
	c.Hinted(document.Find(c.root, path...), hint, format, args...)
}

func at(path ...any) []any { return path }

// below is a path, continued. It shares nothing with the path.
func below(path []any, more ...any) []any { return append(slices.Clip(slices.Clone(path)), more...) }

func (c *checker) check() {
	for name, of := range c.Components {
		c.component(name, of)
	}
	for name := range c.Sinks {
		c.named(at("sinks", name), name)
	}
	c.edges()
	c.operation("submit", &c.Submit)
	c.operation("read", c.definition.Read)
	c.operation("amend", c.Amend)
	for name, s := range c.Sinks {
		c.sink(name, s)
	}
	c.feedsOf()
	c.claims()
	c.classes()
	for _, name := range c.defects {
		c.mistake(name, c.Defects[name])
	}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// named refuses names that scenarios could not write, or that belong to somebody else.
func (c *checker) named(path []any, name string) {
	_, component := c.Components[name]
	_, sink := c.Sinks[name]
	switch {
	case name == client:
		c.wrong(path, "", "client is the name of the workload's clients: choose another")
	case !nameForm.MatchString(name):
		c.wrong(path, "", "%s is no name: use small letters and digits, joined by single hyphens", document.Quote(name))
	case component && sink:
		c.wrong(path, "", "%s is a component and a sink: choose another name for one of them", name)
	}
}

func (c *checker) component(name string, of component) {
	path := at("components", name)
	c.named(path, name)
	switch {
	case of.service != nil:
		if len(of.Command) > 0 || len(of.Env) > 0 || of.Dir != "" || of.Address != "" {
			c.wrong(path, "", "%s is a service of %s: what is different of it is said as container: {command, env, image}", name, c.Compose)
		}
	case of.Address != "" && len(of.Command) > 0:
		c.wrong(below(path, "address"), "", "%s has a command and an address: Wreckon starts it, or it runs already", name)
	case of.Address != "":
		if _, port, err := net.SplitHostPort(of.Address); err != nil || port == "" {
			c.wrong(below(path, "address"), "", "%s is no address: write HOST:PORT", document.Quote(of.Address))
		}
		if len(of.Env) > 0 || of.Dir != "" || of.Ready != nil || of.Faults != nil || of.Container != nil || of.Database != "" || of.Broker != "" {
			c.wrong(path, "", "%s runs already: env, dir, ready, container, faults, database and broker are for what Wreckon starts", name)
		}
	case len(of.Command) == 0 && c.Compose == "":
		c.wrong(path, "", "%s has no command: say how it is started, as in command: [./%s], or its address, if it runs already", name, name)
	}
	names := c.namesFor(name)
	c.words(path, of.Command, of.Env, names)
	if in := of.Container; in != nil {
		c.words(below(path, "container"), in.Command, in.Env, names)
		if in.Image == "" && of.service == nil {
			c.wrong(below(path, "container"), "", "container has no image")
		}
	}
	c.expands(below(path, "dir"), of.Dir, names)
	c.expands(below(path, "database"), of.Database, names)
	c.expands(below(path, "broker"), of.Broker, names)
	if of.Broker != "" && c.protocol(name) == "" {
		c.wrong(below(path, "broker"), "", "%s is no broker that Wreckon can read: write nats://${listen}, redis://${listen}/0 or amqp://USER:PASSWORD@${listen}/",
			document.Quote(of.Broker))
	}
	if of.Ready == nil {
		return
	}
	if (of.Ready.HTTP == "") == (len(of.Ready.Exec) == 0) {
		c.wrong(below(path, "ready"), "", "ready is one of http and exec: a path, or a command")
	}
	for i, word := range of.Ready.Exec {
		c.expands(below(path, "ready", "exec", i), word, names)
	}
}

// words checks a command and an environment.
func (c *checker) words(path []any, command []string, env map[string]string, names []string) {
	for i, word := range command {
		c.expands(below(path, "command", i), word, names)
	}
	for key, word := range env {
		c.expands(below(path, "env", key), word, names)
	}
}

// namesFor are the names that the words of a component may hold.
func (c *checker) namesFor(name string) []string {
	names := map[string]string{"data": "", "file": "", "token": ""}
	address(names, "listen", "")
	address(names, "control", "")
	for _, e := range c.Edges {
		if e.From == name {
			address(names, "to."+e.To, "")
		}
	}
	return keysOf(names)
}

func keysOf[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// expands reports names in a text that stand for nothing.
func (c *checker) expands(path []any, text string, known []string) {
	_, err := expand(text, func(name string) (string, bool) { return "", slices.Contains(known, name) })
	var name unknownName
	switch {
	case errors.As(err, &name) && strings.HasPrefix(string(name), "to."):
		c.wrong(path, document.KnownNames(known), "%v: there is no such edge", err)
	case errors.As(err, &name):
		c.wrong(path, document.KnownNames(known), "%v%s", err, spelling.Hint(string(name), known))
	case err != nil:
		c.wrong(path, "", "%v", err)
	}
}

func (c *checker) edges() {
	seen := map[string]int{}
	for i, e := range c.Edges {
		path := at("edges", i)
		if e.From != client {
			if of, ok := c.Components[e.From]; !ok || of.Address != "" {
				c.nobody(below(path, "from"), e.From, append(c.started(), client))
			}
		}
		if _, component := c.Components[e.To]; !component {
			if _, sink := c.Sinks[e.To]; !sink {
				c.nobody(below(path, "to"), e.To, c.names)
			}
		}
		if e.From == e.To {
			c.wrong(path, "", "%s does not connect to itself through a proxy", e.From)
		}
		name := targets.Edge{From: e.From, To: e.To}.Name()
		if first, again := seen[name]; again {
			c.wrong(path, "", "the edge %s is there twice: it was given in entry %d", name, first+1)
		}
		seen[name] = i
	}
}

// nobody reports a name that is none of those that could be meant.
func (c *checker) nobody(path []any, name string, known []string) {
	c.wrong(path, document.KnownNames(known), "%s is none of them%s", document.Quote(name), spelling.Hint(name, known))
}

// started are the components that Wreckon starts.
func (c *checker) started() []string {
	var names []string
	for _, name := range c.names {
		if of, ok := c.Components[name]; ok && of.Address == "" {
			names = append(names, name)
		}
	}
	return names
}

// callers are who has an edge to somebody.
func (d *definition) callers(to string) []string {
	var names []string
	for _, e := range d.Edges {
		if e.To == to {
			names = append(names, e.From)
		}
	}
	return names
}

// operationNames are what the text of an operation may hold, beside the names of the mix.
var operationNames = []string{"unit", "number", "class", "key", "attempt", "amount", "nonce", "trace", "traceparent", "note", "version", "token"}

func (c *checker) operation(what string, o *operation) {
	if o == nil {
		return
	}
	if _, ok := c.Components[o.To]; !ok {
		c.nobody(at(what, "to"), o.To, keysOf(c.Components))
	} else if !slices.Contains(c.callers(o.To), client) {
		c.wrong(at(what, "to"), "", "clients have no edge to %s: add {from: client, to: %s, protocol: http} to edges", o.To, o.To)
	}
	for _, e := range c.Edges {
		if e.From == client && e.To == o.To && e.Protocol != targets.HTTP {
			c.wrong(at(what, "to"), "", "the edge %s -> %s must be of protocol http: operations are HTTP requests", client, o.To)
		}
	}
	names := slices.Clone(operationNames)
	for _, class := range c.definition.Mix {
		names = append(names, keysOf(class)...)
	}
	c.expands(at(what, "request"), o.Request, names)
	c.expands(at(what, "body"), o.Body, names)
	for key, text := range o.Headers {
		c.expands(at(what, "headers", key), text, names)
	}
	for key, text := range map[string]string{"answer": o.Answer, "state": o.State, "version": o.Version, "note": o.Note} {
		if text == "" {
			continue
		}
		if err := place(text, "body", "header"); err != nil {
			c.wrong(at(what, key), "", "%v", err)
		}
	}
	switch {
	case what == "read" && o.State == "":
		c.wrong(at(what), "", "read has no state: say where the answer has it, as in state: body.state")
	case what == "amend" && (o.Version == "" || c.readsNothing()):
		c.wrong(at(what), "", "amend needs version, here and in read, and note in read: without them nobody can tell a lost update")
	}
}

// classes checks that every kind of unit fills in every name that is used.
func (c *checker) classes() {
	every := map[string]bool{}
	for _, class := range c.definition.Mix {
		for name := range class {
			every[name] = true
		}
	}
	for _, name := range keysOf(every) {
		if slices.Contains(operationNames, name) {
			c.wrong(at("mix"), "", "%s stands for something already: choose another name", name)
		}
		for _, class := range c.mix {
			if _, ok := c.definition.Mix[class][name]; !ok {
				c.wrong(at("mix", class), "", "%s does not say %s, and others do", class, name)
			}
		}
	}
}

func (c *checker) sink(name string, s sinkSpec) {
	if len(c.callers(name)) == 0 {
		c.wrong(at("sinks", name), "", "nobody has an edge to %s: add one, as in {from: %s, to: %s, protocol: http}", name, firstOf(c.started(), "shop"), name)
	}
	mux := http.NewServeMux()
	for i, r := range s.Routes {
		path := at("sinks", name, "routes", i)
		if err := register(mux, r.Request, http.NotFoundHandler()); err != nil {
			c.wrong(below(path, "request"), "", "%v", err)
		}
		c.step(below(path, "step"), r.Step)
		for key, text := range map[string]string{"unit": r.Unit, "key": r.Key, "value": r.Value, "token": r.Token, "trace": r.Trace} {
			if text == "" {
				continue
			}
			if err := place(text, "body", "header", "path", "query"); err != nil {
				c.wrong(below(path, key), "", "%v", err)
			}
		}
		for k, refusal := range r.Refuse {
			if err := place(refusal.When, "body", "header", "path", "query"); err != nil {
				c.wrong(below(path, "refuse", k, "when"), "", "%v", err)
			}
			c.expands(below(path, "refuse", k, "body"), refusal.Body, answerNames)
		}
		if r.Repeats && r.Key == "" {
			c.wrong(below(path, "repeats"), "", "repeats says what becomes of a key that comes again, and no key is declared")
		}
		if x := r.Execution; x != nil {
			for key, text := range map[string]string{"number": x.Number, "attempt": x.Attempt, "worker": x.Worker} {
				if text == "" {
					continue
				}
				if err := place(text, "body", "header", "path", "query"); err != nil {
					c.wrong(below(path, "execution", key), "", "%v", err)
				}
			}
		}
		callers := c.callers(name)
		switch {
		case r.Component != "" && !slices.Contains(callers, r.Component):
			c.nobody(below(path, "component"), r.Component, callers)
		case r.Component == "" && len(callers) > 1:
			c.wrong(path, "", "%s all have an edge to %s: say which of them asks for this, as in component: %s", strings.Join(callers, ", "), name, callers[0])
		}
		c.expands(below(path, "answer", "body"), r.Answer.Body, answerNames)
	}
}

// register puts a handler behind a pattern. A pattern that is none, or that is there already, is an error.
func register(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", pattern, p)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

func firstOf(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return names[0]
}

// step reports a step that the claims do not have. Where they have none, any is one.
func (c *checker) step(path []any, name string) {
	var known []string
	for _, s := range c.Claims.Steps {
		known = append(known, s.Name)
	}
	if len(known) > 0 && !slices.Contains(known, name) {
		c.wrong(path, document.KnownNames(known), "claims.steps have no %s%s", document.Quote(name), spelling.Hint(name, known))
	}
}

// readsNothing tells that reads do not show what amendments change.
func (d *definition) readsNothing() bool {
	return d.Read == nil || d.Read.Version == "" || d.Read.Note == ""
}
