package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/undo"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

// How long the parts of a run may take that are not load, fault or drain.
const (
	baselineWithin = 10 * time.Second
	healWithin     = 15 * time.Second
	observeWithin  = 15 * time.Second
	closeWithin    = 30 * time.Second
)

// Options says what to run and how.
type Options struct {
	Plan        scenarios.Plan
	Target      targets.Target
	Root        string        // directory that the run directory is made in
	Binary      string        // what runs the target's components
	BinaryArgs  []string      // that come before a component's own
	BinaryEnv   []string      // NAME=value, before a component's own
	Environment string        // name, for the manifest
	Host        NewHost       // makes what runs the components; nil: processes of this machine
	Removers    undo.Removers // of what a killed run left outside of this machine's processes
	Args        []string      // of the command, for the manifest
	Repeat      string        // command that repeats the run
	Tool        string        // version of the harness
	Observer    Observer      // may be nil
	StartWithin time.Duration // for all components to be ready; 0: 20 s
	Spans       bool          // have the components send their spans, and keep them
	Exchanges   bool          // record every exchange, even if no fault is placed by one
	Shown       bool          // another run has shown that the target works without faults: there is no baseline
	Swept       bool          // somebody has cleaned up what earlier runs left below Root

	// Watch is shown every event as it is recorded, with the run's clock; what it answers, if not empty, is why the load and the faults must
	// end early. It is called from several goroutines and must not block. It may be nil.
	Watch func(e history.Event, now func() time.Duration) (why string)
}

// NewHost makes what runs the components of one run.
type NewHost func(context.Context, environment.Site) (environment.Host, error)

// Observer is shown the progress of a run. Its methods are called from several goroutines and must not block.
type Observer interface {
	Phase(name, detail string)
	Fault(id, kind, target, what string)
	Counts(Counts)
	Note(text string)
}

// Finished is a run that is over: its history is sealed and its manifest written. Nothing has been judged, and the target still
// runs until Close.
type Finished struct {
	Dir   string
	close func() error
}

// Close ends what the run started. It is idempotent.
func (f *Finished) Close() error { return f.close() }

// run is one run under way.
type run struct {
	Options
	dir      string
	manifest rundir.Manifest
	undo     *undo.Log
	rec      *history.Recorder
	tap      *tap
	proxies  *proxy.Proxies
	env      *environment.Components
	sys      targets.Instance
	spans    *otlp.Receiver // nil: nobody wants them
	guard    *faults.Guard
	began    time.Time

	stopFollow func() // ends the copying of the audit trail, and waits for it
	units      history.Unit

	asked     context.Context // of the caller: when it ends, somebody has stopped the run
	stoppedIn string          // the phase in which that happened
	aborted   string          // why a stop condition ended the load
	fatal     func(error)     // ends the run as an error, from any goroutine
}

// Run runs a plan. It returns an error only where there is nothing to judge: no run directory, no history. Everything else that
// goes wrong is in the manifest, beside a sealed history. Cancelling ctx aborts the run: what is in force is healed, what was
// recorded is sealed.
func Run(ctx context.Context, o Options) (*Finished, error) {
	if o.Observer == nil {
		o.Observer = silent{}
	}
	if o.StartWithin == 0 {
		o.StartWithin = 20 * time.Second
	}
	r := &run{Options: o, began: time.Now(), asked: ctx}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	f := &Finished{Dir: r.dir, close: sync.OnceValue(r.close)}
	runCtx, fatal := context.WithCancelCause(ctx)
	defer fatal(nil)
	r.fatal = fatal
	var watching sync.WaitGroup
	watching.Go(func() { r.watch(runCtx) })

	err := r.phases(runCtx)
	r.ended(runCtx, err)
	fatal(nil)
	watching.Wait()
	if err := r.seal(); err != nil {
		return f, errors.Join(err, f.Close())
	}
	return f, nil
}

// open makes the run directory, and saves the plan before anything starts.
func (r *run) open(ctx context.Context) error {
	if !r.Swept {
		r.sweep(ctx)
	}
	dir, err := rundir.Create(r.Root, r.Plan.Scenario, r.began)
	if err != nil {
		return err
	}
	// Components run in their own directories.
	if r.dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("find run directory: %w", err)
	}
	r.manifest = r.newManifest(filepath.Base(dir))
	if err := rundir.WriteJSON(r.dir, rundir.ManifestFile, r.manifest); err != nil {
		return err
	}
	if err := rundir.WriteJSON(r.dir, rundir.PlanFile, r.Plan); err != nil {
		return err
	}
	if r.undo, err = undo.Open(r.dir); err != nil {
		return err
	}
	r.rec, err = history.Create(filepath.Join(r.dir, rundir.HistoryFile), history.Header{
		Run: r.manifest.Run, Scenario: r.Plan.Scenario, Seed: r.Plan.Seed, Tool: "wreckon " + r.Tool, Claims: r.Target.Claims,
	})
	if err != nil {
		return errors.Join(err, r.undo.Close())
	}
	r.tap = &tap{Recorder: r.rec, obs: r.Observer, watch: r.Watch}
	r.dir = dir // as the person named it
	return nil
}

// sweep ends what earlier runs left.
func (r *run) sweep(ctx context.Context) {
	left, err := undo.CleanTree(ctx, r.Root, r.Removers)
	if err != nil {
		r.Observer.Note("cleaning up after an earlier run: " + err.Error())
		return
	}
	for _, l := range left {
		r.Observer.Note("left by an earlier run: " + l)
	}
}

// phases runs the phases that may fail, one after the other, and those that must happen whatever failed.
func (r *run) phases(ctx context.Context) error {
	if err := r.phase(ctx, "start", r.start); err != nil {
		return err
	}
	var err error
	if !r.Shown {
		err = r.phase(ctx, "baseline", r.baseline)
	}
	if err == nil {
		err = r.phase(ctx, "chaos", r.chaos)
		// Faults are undone whatever happened, and whoever stopped the run.
		undone := context.WithoutCancel(ctx)
		err = errors.Join(err, r.phase(undone, "heal", r.heal))
	}
	if err == nil {
		err = r.phase(ctx, "quiesce", r.quiesce)
	}
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), observeWithin)
	defer cancel()
	if ctx.Err() != nil { // stopped: what can be read at once is better than nothing
		var quick context.CancelFunc
		final, quick = context.WithTimeout(final, time.Second)
		defer quick()
	}
	return errors.Join(err, r.phase(final, "observe", r.observe))
}

// phase runs one phase and records it.
func (r *run) phase(ctx context.Context, name string, f func(context.Context) (string, error)) error {
	began := r.rec.Now()
	r.tap.Record(history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: name, Outcome: history.OutcomeBegin})
	how, err := guarded(ctx, f)
	e := history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: name, Outcome: history.OutcomeEnd, Value: how}
	if r.asked.Err() != nil && r.stoppedIn == "" {
		r.stoppedIn = name
	}
	switch {
	case err != nil && r.asked.Err() != nil: // that it was stopped is no failure of the target
		e.Value = "stopped"
	case err != nil:
		e.Outcome, e.Value = history.OutcomeFailed, clip(err.Error(), maxText)
		err = fmt.Errorf("%s: %w", name, err)
	}
	r.tap.Record(e)
	r.manifest.Phases = append(r.manifest.Phases, rundir.Phase{Name: name, Took: r.rec.Now() - began})
	return err
}

// guarded turns a panic into an error: a bug of ours must not cost the history, nor leave a process behind.
func guarded(ctx context.Context, f func(context.Context) (string, error)) (how string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}

// ended says in the manifest how the run ended.
func (r *run) ended(ctx context.Context, err error) {
	switch {
	case r.stoppedIn != "":
		r.manifest.Aborted = "stopped by a signal in the phase " + r.stoppedIn
		return
	case ctx.Err() != nil:
		r.manifest.Error = clip(context.Cause(ctx).Error(), maxText)
	case err != nil:
		r.manifest.Error = clip(err.Error(), maxText)
	}
	r.manifest.Aborted = clip(r.aborted, maxText)
}

// seal closes the history and writes the manifest. From here on there is something to judge.
func (r *run) seal() error {
	if r.stopFollow != nil {
		r.stopFollow()
	}
	if err := r.rec.Seal(); err != nil && r.manifest.Error == "" {
		r.manifest.Error = "seal history: " + err.Error()
	}
	if r.env != nil {
		r.manifest.Images = r.env.Images()
	}
	r.keepSpans()
	r.manifest.Ended = time.Now()
	return rundir.WriteJSON(r.dir, rundir.ManifestFile, r.manifest)
}

// close ends every process, proxy and sink. The undo record goes only when all of it is gone.
func (r *run) close() error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if r.env != nil {
		errs = append(errs, r.env.Close(ctx))
	}
	if r.sys != nil {
		errs = append(errs, r.sys.Close())
	}
	if r.proxies != nil {
		errs = append(errs, r.proxies.Close())
	}
	errs = append(errs, r.closeSpans(ctx))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("tear down: %w", err)
	}
	if err := r.undo.Close(); err != nil {
		return fmt.Errorf("tear down: %w", err)
	}
	return nil
}

// countsEvery is how often the observer is shown the counts.
const countsEvery = 200 * time.Millisecond

// watch shows the counts, and ends the run when the history can no longer be written: what cannot be recorded cannot be judged.
func (r *run) watch(ctx context.Context) {
	tick := time.NewTicker(countsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Observer.Counts(r.counts())
		case <-r.rec.Failed():
			r.fatal(fmt.Errorf("record history: %w", r.rec.Err()))
			return
		}
	}
}

// token is the run's secret. It protects sinks and control servers from whatever else lives on this host, and decides nothing.
func token() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make the run's token: %w", err)
	}
	return hex.EncodeToString(b), nil
}

func (r *run) note(op string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(err.Error())
	}
	r.tap.Record(history.Event{Kind: history.KindNote, Unit: history.NoUnit, Op: op, Value: string(b)})
}

// maxText bounds what of a target's or a system's own words goes into an event or the manifest.
const maxText = 4 << 10

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "… (cut)"
	}
	return s
}
