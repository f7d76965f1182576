package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
)

type proveFlags struct {
	runs, seeds, parallel int
	seed                  uint64
	out                   string
}

// nearlyEvery is the share of runs in which a defect must be found, and in which the correct system must come to a pass. The rest
// allows for a machine that was busy with something else: a run that could not be judged says so and is counted, never hidden.
const nearlyEvery = 0.9

func newProve() *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove the checkers: every defect is found, the correct system passes",
		Long: `Run the reference with each of its defects under the scenario that reveals it, and without any under the same scenarios over many
seeds, and print the matrix: what was found, by which guarantee, and how often.

Exit 0 if every defect was found by its guarantee in nearly every run and no guarantee spoke on the correct system; 1 if a
defect survived or a guarantee gave a false alarm; 4 if runs could not be made.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return prove(cmd, f) },
	}
	cmd.Flags().IntVar(&f.runs, "runs", 20, "runs of each defect")
	cmd.Flags().IntVar(&f.seeds, "seeds", 50, "seeds of each scenario on the correct system")
	cmd.Flags().IntVar(&f.parallel, "parallel", runtime.NumCPU(), "runs at once")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "first seed")
	cmd.Flags().StringVar(&f.out, "out", "runs/prove", "directory that the run directories go into")
	return cmd
}

// cell is one row of the matrix: a scenario, with a defect or without.
type cell struct {
	defect, scenario string
	falls            string // the guarantee that must fall; "" on the correct system
	runs             int

	verdicts map[checkers.Verdict]int
	fell     map[string]int // guarantee -> runs in which it fell
	took     []time.Duration
	broken   []error  // runs that gave no result
	odd      []string // directories of runs that did not end as they should
}

func prove(cmd *cobra.Command, f proveFlags) error {
	if f.runs < 1 || f.seeds < 1 || f.parallel < 1 {
		return usage(fmt.Errorf("--runs %d --seeds %d --parallel %d: want at least 1 of each, or nothing is proven", f.runs, f.seeds, f.parallel))
	}
	self, err := os.Executable()
	if err != nil {
		return failed(fmt.Errorf("find the wreckon binary: %w", err))
	}
	cells := matrix(f)
	var mu sync.Mutex
	done, total := 0, 0
	for _, c := range cells {
		total += c.runs
	}
	slots := make(chan struct{}, max(1, f.parallel))
	var all sync.WaitGroup
	for _, c := range cells {
		for n := range c.runs {
			select {
			case slots <- struct{}{}:
			case <-cmd.Context().Done():
			}
			if cmd.Context().Err() != nil {
				break
			}
			all.Go(func() {
				defer func() { <-slots }()
				began := time.Now()
				doc, err := proveOnce(cmd.Context(), self, f, c, f.seed+uint64(n))
				mu.Lock()
				defer mu.Unlock()
				c.count(doc, err, time.Since(began))
				done++
				if done%10 == 0 || done == total {
					fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d runs\n", done, total)
				}
			})
		}
	}
	all.Wait()
	if cmd.Context().Err() != nil {
		return exitError{checkers.Aborted.ExitCode(), errors.New("stopped before the matrix was complete")}
	}
	return judgeMatrix(cmd.OutOrStdout(), cells)
}

// matrix is what has to be run: each defect under each scenario that claims to show it, and every shipped scenario on the correct system.
func matrix(f proveFlags) []*cell {
	var cells []*cell
	for _, d := range reference.Defects() {
		for _, s := range d.Reveals {
			cells = append(cells, newCell(d.Name, s, d.Falls, f.runs))
		}
	}
	for _, s := range scenarios.Shipped() {
		cells = append(cells, newCell("", s.Name, "", f.seeds))
	}
	return cells
}

func newCell(defect, scenario, falls string, runs int) *cell {
	return &cell{defect: defect, scenario: scenario, falls: falls, runs: runs,
		verdicts: map[checkers.Verdict]int{}, fell: map[string]int{}}
}

// proveOnce makes one run in a process of its own, so that runs at once share nothing but the machine.
func proveOnce(ctx context.Context, self string, f proveFlags, c *cell, seed uint64) (reports.Document, error) {
	args := []string{"run", c.scenario, "--seed", strconv.FormatUint(seed, 10), "--out", f.out, "-o", "json"}
	if c.defect != "" {
		args = append(args, "--defect", c.defect)
	}
	child := exec.CommandContext(ctx, self, args...)
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = 30 * time.Second
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.Output()
	var doc reports.Document
	if jerr := json.Unmarshal(out, &doc); jerr != nil {
		return doc, fmt.Errorf("wreckon %s: %w: %s", strings.Join(args, " "), errors.Join(err, jerr), stderr.Bytes())
	}
	return doc, nil
}

func (c *cell) count(doc reports.Document, err error, took time.Duration) {
	if err != nil {
		c.broken = append(c.broken, err)
		return
	}
	c.verdicts[doc.Verdict]++
	c.took = append(c.took, took)
	found := false
	for _, g := range doc.Result.Guarantees {
		if g.Status == checkers.Violated {
			c.fell[g.Guarantee]++
			found = found || g.Guarantee == c.falls
		}
	}
	if (c.defect != "" && !found) || (c.defect == "" && doc.Verdict != checkers.Pass) {
		c.odd = append(c.odd, fmt.Sprintf("%s (%s: %s)", doc.Run, doc.Verdict, strings.Join(doc.Result.Reasons, "; ")))
	}
}

// judgeMatrix prints the matrix and turns it into an exit code.
func judgeMatrix(w io.Writer, cells []*cell) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "defect\tscenario\tguarantee\tfound\tmedian\talso fell")
	for _, c := range cells {
		if c.defect != "" {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%d of %d\t%.1f s\t%s\n", c.defect, c.scenario, c.falls, c.fell[c.falls], c.runs, c.median(), c.others())
		}
	}
	fmt.Fprintln(tw, "\t\t\t\t\t")
	fmt.Fprintln(tw, "correct system\tscenario\tfindings\tpassed\tmedian\totherwise")
	for _, c := range cells {
		if c.defect == "" {
			fmt.Fprintf(tw, "\t%s\t%d\t%d of %d\t%.1f s\t%s\n", c.scenario, c.verdicts[checkers.Violation], c.verdicts[checkers.Pass], c.runs, c.median(), c.otherwise())
		}
	}
	if err := tw.Flush(); err != nil {
		return failed(err)
	}
	return verdictOfMatrix(w, cells)
}

func verdictOfMatrix(w io.Writer, cells []*cell) error {
	var wrong []string
	broken := 0
	for _, c := range cells {
		need := int(math.Ceil(nearlyEvery * float64(c.runs))) // of one run, that one: none is never enough
		switch {
		case c.defect != "" && c.fell[c.falls] < need:
			wrong = append(wrong, fmt.Sprintf("defect %s survived: %s found it in %d of %d runs, want %d", c.defect, c.falls, c.fell[c.falls], c.runs, need))
		case c.defect == "" && c.verdicts[checkers.Violation] > 0:
			wrong = append(wrong, fmt.Sprintf("false alarm: %s on the correct system: %v", c.scenario, c.fell))
		case c.defect == "" && c.verdicts[checkers.Pass] < need:
			wrong = append(wrong, fmt.Sprintf("%s passed on the correct system in %d of %d runs, want %d", c.scenario, c.verdicts[checkers.Pass], c.runs, need))
		}
		for _, o := range c.odd {
			fmt.Fprintf(w, "odd: %s%s\n", c.name(), o)
		}
		for _, err := range c.broken {
			broken++
			fmt.Fprintf(w, "broken: %s%v\n", c.name(), err)
		}
	}
	for _, s := range wrong {
		fmt.Fprintln(w, "✗ "+s)
	}
	switch {
	case len(wrong) > 0:
		return exitError{code: checkers.Violation.ExitCode()}
	case broken > 0:
		return failed(fmt.Errorf("%d runs gave no result", broken))
	}
	fmt.Fprintln(w, "✓ every defect was found by its guarantee; no guarantee spoke on the correct system")
	return nil
}

func (c *cell) name() string {
	if c.defect == "" {
		return ""
	}
	return c.defect + " in "
}

func (c *cell) median() float64 {
	if len(c.took) == 0 {
		return 0
	}
	slices.Sort(c.took)
	return c.took[len(c.took)/2].Seconds()
}

// others are the further guarantees that fell, and in how many runs.
func (c *cell) others() string {
	var parts []string
	for g, n := range c.fell {
		if g != c.falls {
			parts = append(parts, fmt.Sprintf("%s %d", g, n))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (c *cell) otherwise() string {
	var parts []string
	for v, n := range c.verdicts {
		if v != checkers.Pass {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
