package file

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// followEvery is how often what the target records is asked for news while the run goes on.
const followEvery = 200 * time.Millisecond

// instance is a target of a file in one run.
type instance struct {
	*definition
	w        targets.Wiring
	claims   history.Claims
	activity activity
	sinks    map[string]*sink
	sources  *sources
	clients  *clients
	lines    []*line
	effects  []*effectReader
	audit    []*auditReader
	runs     []*executionReader
	states   *stateReader
	trail    trail

	letterbox []row // dead letters that came as messages
}

// start wires a target up.
func (d *definition) start(w targets.Wiring) (targets.Instance, error) {
	i := &instance{definition: d, w: w, claims: d.target().Claims, sinks: map[string]*sink{}}
	i.activity.touch()
	i.sources = newSources(i)
	i.clients = newClients(i)
	for n := range d.Effects {
		i.effects = append(i.effects, &effectReader{instance: i, spec: &d.Effects[n]})
	}
	for n := range d.Audit {
		i.audit = append(i.audit, &auditReader{instance: i, spec: &d.Audit[n]})
	}
	for n := range d.Executions {
		i.runs = append(i.runs, &executionReader{instance: i, spec: &d.Executions[n]})
	}
	i.attach()
	i.states = newStateReader(i)
	for name, spec := range d.Sinks {
		s, err := listenSink(i, name, spec)
		if err != nil {
			return nil, errors.Join(err, i.Close())
		}
		i.sinks[name] = s
	}
	return i, nil
}

// Sinks are the parties that Wreckon plays, and the components that it did not start.
func (i *instance) Sinks() map[string]string {
	at := map[string]string{}
	for name, s := range i.sinks {
		at[name] = s.addr
	}
	for name, of := range i.Components {
		if of.Address != "" {
			at[name] = of.Address
		}
	}
	return at
}

func (i *instance) Close() error {
	var errs []error
	for _, s := range i.sinks {
		errs = append(errs, s.close())
	}
	for _, l := range i.lines {
		l.close()
	}
	i.clients.close()
	i.sources.close()
	return errors.Join(errs...)
}

func (i *instance) Client() workloads.Client { return i.clients }

// Launches says how each component is started. Everything in it was checked when the file was read.
func (i *instance) Launches() []targets.Launch {
	var list []targets.Launch
	for _, name := range i.names {
		of, ok := i.Components[name]
		if !ok || of.Address != "" {
			continue
		}
		of = i.Defects[i.w.Defect].Components[name].of(of)
		words := i.expander(name)
		l := targets.Launch{Component: name, Ready: i.ready(name)}
		if of.service != nil {
			l.Path, l.Container = name, i.service(of, words)
			list = append(list, l)
			continue
		}
		if len(of.Command) > 0 {
			l.Path = words(of.Command[0])
		}
		if strings.ContainsRune(l.Path, '/') {
			l.Path = i.path(l.Path)
		}
		for _, word := range of.Command[min(1, len(of.Command)):] {
			l.Args = append(l.Args, words(word))
		}
		for _, key := range keysOf(of.Env) {
			l.Env = append(l.Env, key+"="+words(of.Env[key]))
		}
		if of.Dir != "" {
			l.Dir = i.path(words(of.Dir))
		}
		if in := of.Container; in != nil {
			l.Container = &targets.Container{Image: in.Image}
			for _, word := range in.Command {
				l.Container.Args = append(l.Container.Args, words(word))
			}
			for _, key := range keysOf(in.Env) {
				l.Container.Env = append(l.Container.Env, key+"="+words(in.Env[key]))
			}
		}
		list = append(list, l)
	}
	return list
}

// path finds what the file names, from its directory.
func (d *definition) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(d.dir, p)
}

// expander replaces the names that the words of a component may hold.
func (i *instance) expander(component string) func(string) string {
	names := map[string]string{"data": filepath.Join(i.w.Data, component), "file": i.dir, "token": i.w.Token}
	address(names, "listen", i.w.Listen[component])
	address(names, "control", i.w.Control[component])
	for _, e := range i.Edges {
		if e.From == component {
			address(names, "to."+e.To, i.w.Dial[targets.Edge{From: e.From, To: e.To}.Name()])
		}
	}
	return func(text string) string {
		s, err := expand(text, in(names))
		if err != nil {
			return text
		}
		return s
	}
}

// Operate has nothing to do: what people do to a target at work is not described.
func (i *instance) Operate(ctx context.Context) { <-ctx.Done() }

// attach connects the feeds that read messages with the lines that these come from.
func (i *instance) attach() {
	lines := map[string]*line{}
	for _, e := range i.effects {
		if e.spec.From.flows() {
			i.listen(lines, feed{history.FeedEffects, e.spec.From, e.record})
		}
	}
	for _, a := range i.audit {
		if a.spec.From.flows() {
			i.listen(lines, feed{history.FeedAudit, a.spec.From, a.record})
		}
	}
	for _, r := range i.runs {
		if r.spec.From.flows() {
			i.listen(lines, feed{history.FeedStarts, r.spec.From, r.record})
		}
	}
	if f := i.DeadLetters; f != nil && f.From.flows() {
		i.listen(lines, feed{history.FeedLetters, f.From, func(x row) error {
			i.letterbox = append(i.letterbox, x)
			return nil
		}})
	}
	for _, l := range i.lines {
		l.open()
	}
}

// Subscribe listens to the brokers that messages are read from.
func (i *instance) Subscribe(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range i.lines {
		g.Go(func() error { return l.subscribe(ctx) })
	}
	return g.Wait()
}

// Follow copies what the target records into the history as it grows. A component that is down is what the run is about.
func (i *instance) Follow(ctx context.Context) {
	var lines sync.WaitGroup
	defer lines.Wait()
	for _, l := range i.lines {
		lines.Go(func() { l.follow(ctx) })
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = i.news(ctx)
		}
	}
}

// news reads what there is to read of effects and audit trails, once.
func (i *instance) news(ctx context.Context) error {
	var errs []error
	for _, e := range i.effects {
		_, err := e.read(ctx)
		errs = append(errs, err)
	}
	for _, a := range i.audit {
		_, err := a.read(ctx)
		errs = append(errs, err)
	}
	for _, r := range i.runs {
		_, err := r.read(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Observe reads what the target has come to, to its end.
func (i *instance) Observe(ctx context.Context) error {
	told, err := i.spans()
	errs := []error{err}
	for _, l := range i.lines {
		l.finish(ctx)
	}
	for _, r := range i.runs {
		errs = append(errs, drain(ctx, r.read))
	}
	for _, e := range i.effects {
		errs = append(errs, drain(ctx, e.read))
	}
	errs = append(errs, i.states.observe(ctx), i.observed(ctx), i.letters(ctx), i.Totals(ctx))
	for _, e := range told {
		i.w.Recorder.Record(e)
	}
	var trails []error
	for _, a := range i.audit {
		trails = append(trails, drain(ctx, a.read))
	}
	if err := errors.Join(trails...); err != nil {
		return errors.Join(append(errs, err)...)
	}
	i.heads()
	return errors.Join(errs...)
}

// drain reads until there is nothing new.
func drain(ctx context.Context, read func(context.Context) (int, error)) error {
	for {
		if n, err := read(ctx); n == 0 || err != nil {
			return err
		}
	}
}

// direct is how the harness itself asks components, past every proxy.
func direct() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext}}
}
