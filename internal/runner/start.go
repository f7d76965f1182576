package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/targets"
)

// start wires everything together and starts the components: addresses first, then sinks, then a proxy for each edge, then the
// components, all at once. Ready means that each component's readiness probe has answered.
func (r *run) start(ctx context.Context) (string, error) {
	secret, err := token()
	if err != nil {
		return "", err
	}
	if err := r.newEnvironment(ctx); err != nil {
		return "", err
	}
	wants := wantsOf(r.Target.Topology)
	places, err := r.env.Place(ctx, wants)
	if err != nil {
		return "", err
	}
	w := targets.Wiring{
		Data: r.data(), Contained: r.env.Contained(), Token: secret, Defect: r.Plan.Defect, Recorder: r.tap, Clock: clock{r.rec}, Spans: r.toldBySpans,
		Listen: map[string]string{}, Control: map[string]string{}, Dial: map[string]string{},
	}
	for _, want := range wants {
		c := want.Name
		w.Listen[c], w.Control[c] = places[c].Listen, places[c].Control
		if err := os.MkdirAll(filepath.Join(w.Data, c), 0o755); err != nil {
			return "", fmt.Errorf("make data directory: %w", err)
		}
	}
	if r.sys, err = r.Target.New(w); err != nil {
		return "", err
	}
	if err := r.proxy(w, places); err != nil {
		return "", err
	}
	if err := r.receiveSpans(); err != nil {
		return "", err
	}
	for _, l := range r.sys.Launches() {
		p := r.process(l, w.Data)
		spans, err := r.spansFrom(l.Component, places[l.Component])
		if err != nil {
			return "", err
		}
		p.Env = slices.Concat(spans, p.Env)
		r.env.Add(p)
	}
	if err := r.env.StartAll(ctx); err != nil {
		return "", err
	}
	if err := r.sys.Subscribe(ctx); err != nil {
		return "", err
	}
	r.follow()
	return fmt.Sprintf("%d components ready", len(wants)), nil
}

// wantsOf is what the components that are not the harness's need of their places.
func wantsOf(t targets.Topology) []environment.Want {
	var wants []environment.Want
	for _, c := range t.Components {
		if c.External {
			continue
		}
		w := environment.Want{Name: c.Name, Port: c.Port, Hostname: c.Hostname}
		for _, e := range t.Edges {
			if to, ok := t.Component(e.To); ok && e.From == c.Name && len(to.Names) > 0 {
				w.Dials = append(w.Dials, environment.Dial{To: e.To, Names: to.Names, Port: to.Port})
			}
		}
		wants = append(wants, w)
	}
	return wants
}

// newEnvironment makes the environment that the components will run in.
func (r *run) newEnvironment(ctx context.Context) error {
	newHost := r.Host
	if newHost == nil {
		newHost = environment.NewMachine
	}
	host, err := newHost(ctx, environment.Site{Run: r.manifest.Run, Data: r.data(), Binary: r.Binary, Undo: r.undo})
	if err != nil {
		return err
	}
	r.env = environment.New(environment.Options{
		LogDir: filepath.Join(r.absolute(), rundir.LogsDir), ReadyWithin: r.StartWithin, Host: host, Record: r.tap, OnExit: r.died,
	})
	return nil
}

// data is where the components keep what they store.
func (r *run) data() string { return filepath.Join(r.absolute(), rundir.DataDir) }

// process is how the environment runs what a target wants to be run.
func (r *run) process(l targets.Launch, data string) environment.Process {
	p := environment.Process{
		Name: l.Component, Path: l.Path, Args: l.Args, Env: l.Env, Dir: l.Dir, Container: l.Container, Ready: l.Ready,
	}
	if p.Path == "" {
		p.Path, p.Args, p.Env = r.Binary, slices.Concat(r.BinaryArgs, l.Args), slices.Concat(r.BinaryEnv, l.Env)
	}
	if p.Dir == "" {
		p.Dir = filepath.Join(data, l.Component)
	}
	return p
}

// proxy puts a proxy on every edge. Where the wiring is a map, the target sees what is put into it here.
func (r *run) proxy(w targets.Wiring, places map[string]environment.Place) error {
	r.proxies = r.newProxies()
	sinks := r.sys.Sinks()
	for _, e := range r.Target.Topology.Edges {
		upstream, ok := w.Listen[e.To]
		if sink, hosted := sinks[e.To]; hosted {
			upstream, ok = sink, true
		}
		if !ok {
			return fmt.Errorf("wire %s: nothing listens for %s", e.Name(), e.To)
		}
		near := environment.Loopback // of what the harness itself dials
		if place, ok := places[e.From]; ok {
			near = place.Near
		}
		addr, err := r.proxies.AddAt(near, e, upstream)
		if err != nil {
			return fmt.Errorf("wire %s: %w", e.Name(), err)
		}
		w.Dial[e.Name()] = addr
		if at := places[e.From].Lent[e.To]; at != nil { // there the component finds it by its names
			if err := r.proxies.Lend(e, at); err != nil {
				return fmt.Errorf("wire %s: %w", e.Name(), err)
			}
			w.Dial[e.Name()] = at.Addr().String()
		}
	}
	return nil
}

// newProxies makes proxies that understand messages where the plan, or somebody, asks for it. Others cost less.
func (r *run) newProxies() *proxy.Proxies {
	if !r.Exchanges && !slices.ContainsFunc(r.Plan.Faults, func(s faults.Spec) bool { return s.When != nil }) {
		return proxy.New()
	}
	prefix := r.Target.Claims.Prefix
	return proxy.NewWith(wire.Options{Record: r.tap, Unit: unitIn(prefix), Prefix: prefix, Now: r.rec.Now})
}

// follow copies the target's audit trail from now until the run is sealed.
func (r *run) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.sys.Follow(ctx) })
	r.stopFollow = sync.OnceFunc(func() {
		cancel()
		done.Wait()
	})
}

// died ends the run: a component that dies without being told to is a failure that no fault explains.
func (r *run) died(component string, how error) {
	r.fatal(fmt.Errorf("%s died without being told to: %w", component, how))
}
