package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// pointsLoad is how much of a scenario's load is run to see which messages there are.
const pointsLoad = 3 * time.Second

func newPoints() *cobra.Command {
	var named []string
	cmd := &cobra.Command{
		Use:   "points SCENARIO",
		Short: "List the messages that a fault can wait for",
		Long: `Run a scenario once without its faults, at most three seconds of its load, and print which messages pass over each edge: what a
fault placed by an event (when, in docs/scenarios.md) can wait for. Nothing of the run is kept.`,
		Example: "  wreckon list points quick",
		Args:    oneArg("a scenario"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return shippedNames(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := loadScenario(args[0])
			if err != nil {
				return usage(err)
			}
			plan := faultFree(s.Plan(1, ""))
			target, err := targetOf(plan)
			if err == nil {
				err = confirmed(target, named)
			}
			if err != nil {
				return usage(err)
			}
			h, err := watched(cmd.Context(), plan, target)
			if err != nil {
				return failed(fmt.Errorf("list points of %s: %w", args[0], err))
			}
			return printPoints(cmd.OutOrStdout(), plan, target, pointsOf(h))
		},
	}
	addExternal(cmd, &named)
	return cmd
}

// faultFree is what a plan does when nothing goes wrong, and only its beginning.
func faultFree(plan scenarios.Plan) scenarios.Plan {
	plan.Faults, plan.Require, plan.Thresholds = nil, nil, nil
	left := pointsLoad
	for i := range plan.Workload.Phases {
		phase := &plan.Workload.Phases[i]
		phase.For = min(phase.For, left)
		left -= phase.For
	}
	plan.Workload.Phases = slices.DeleteFunc(plan.Workload.Phases, func(p workloads.Phase) bool { return p.For == 0 })
	return plan
}

// watched runs a plan with every exchange recorded, and gives its history. What the run left on disk is gone then.
func watched(ctx context.Context, plan scenarios.Plan, target targets.Target) (h *history.History, err error) {
	root, err := os.MkdirTemp("", "wreckon-points-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the wreckon binary: %w", err)
	}
	env, err := runsIn(target, plan.Environment)
	if err != nil {
		return nil, err
	}
	live := reports.NewLive(os.Stderr, terminal(os.Stderr), coloured(os.Stderr))
	host, err := hostOf(env, pulls[0], live.Note)
	if err != nil {
		live.Close()
		return nil, err
	}
	run, err := runner.Run(ctx, runner.Options{
		Plan: plan, Target: target, Root: root, Binary: binary, BinaryArgs: []string{"reference"}, BinaryEnv: componentEnv,
		Environment: env, Host: host, Removers: removers(),
		Args: os.Args[1:], Tool: toolVersion(), Observer: &observer{Live: live}, Exchanges: true,
	})
	live.Close()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	m, err := rundir.ReadManifest(run.Dir)
	if err != nil {
		return nil, err
	}
	if how := cmp.Or(m.Error, m.Aborted); how != "" {
		return nil, errors.New(how)
	}
	return history.Open(filepath.Join(run.Dir, rundir.HistoryFile))
}

// point is a signature on an edge, and what was seen of it during the load.
type point struct {
	edge, signature string
	seen, answered  int
	units           []string // of the first few that carry a unit: "#1 o-17"
}

// maxExamples is how many units are shown for a signature.
const maxExamples = 3

// pointsOf gathers the exchanges that were asked during the load, by edge and signature. Their numbers count from the start of the
// load, as those of a when do.
func pointsOf(h *history.History) map[string][]*point {
	type exchange struct {
		history.Event
		Asked    int64 `json:"asked_ns"`
		Returned bool  `json:"returned"`
	}
	var from, until time.Duration
	var all []exchange
	for i := range h.Len() {
		switch e := h.Event(i); {
		case e.Kind == history.KindPhase && e.Op == "chaos" && e.Outcome == history.OutcomeBegin:
			from = e.T
		case e.Kind == history.KindPhase && e.Op == "chaos":
			until = e.T
		case e.Kind == history.KindExchange:
			x := exchange{Event: e}
			if json.Unmarshal([]byte(e.Value), &x) == nil {
				all = append(all, x)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b exchange) int { return cmp.Compare(a.Token, b.Token) })
	byName := map[[2]string]*point{}
	edges := map[string][]*point{}
	for _, x := range all {
		if asked := time.Duration(x.Asked); asked < from || asked >= until {
			continue
		}
		name := [2]string{x.Component, x.Op}
		p := byName[name]
		if p == nil {
			p = &point{edge: x.Component, signature: x.Op}
			byName[name] = p
			edges[x.Component] = append(edges[x.Component], p)
		}
		p.seen++
		if x.Returned {
			p.answered++
		}
		if x.Unit != history.NoUnit && len(p.units) < maxExamples {
			p.units = append(p.units, fmt.Sprintf("#%d %s", p.seen, h.UnitName(x.Unit)))
		}
	}
	for _, points := range edges {
		slices.SortFunc(points, func(a, b *point) int { return cmp.Compare(a.signature, b.signature) })
	}
	return edges
}

func printPoints(w io.Writer, plan scenarios.Plan, target targets.Target, edges map[string][]*point) error {
	fmt.Fprintf(w, "%s on %s, without faults: what passed over each edge in %v of load\n", plan.Scenario, plan.Target, plan.Workload.Duration())
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	var first *point
	var on targets.Edge
	for _, e := range target.Topology.Edges {
		fmt.Fprintf(tw, "\n%s\n", e.Name())
		points := edges[e.Name()]
		if len(points) == 0 {
			fmt.Fprintln(tw, "  nothing that is understood")
		}
		for _, p := range points {
			fmt.Fprintf(tw, "  %s\t%d\t%s\t%s\n", p.signature, p.seen, p.answers(), strings.Join(p.units, ", "))
		}
		if first == nil && len(points) > 0 {
			first, on = points[0], e
		}
	}
	if err := tw.Flush(); err != nil {
		return failed(fmt.Errorf("print points: %w", err))
	}
	if first != nil {
		fmt.Fprint(w, first.howTo(on, target.Topology))
	}
	return nil
}

func (p *point) answers() string {
	switch p.answered {
	case p.seen:
		return "answered"
	case 0:
		return "no answer"
	}
	return fmt.Sprintf("%d answered", p.answered)
}

// howTo shows faults that wait for a point: one that acts on its message, and one on the process that asks, or on the one that is asked
// where only that is the target's.
func (p *point) howTo(e targets.Edge, t targets.Topology) string {
	kind, victim := "drop-response", e.From
	if p.answered == 0 {
		kind = "drop-request"
	}
	if c, _ := t.Component(victim); c.External {
		victim = e.To
	}
	return fmt.Sprintf(`
A fault waits for one of them so; * in an exchange stands for any run of characters:

  - %[1]s: %[2]s
    when: {exchange: %[3]q, nth: 1}
  - crash: %[4]s
    when: {edge: %[2]s, exchange: %[3]q, nth: 2, point: before}
`, kind, e.Name(), p.signature, victim)
}
