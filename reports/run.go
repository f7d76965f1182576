package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/scenarios"
)

// Run is one judged run: all that a report is made of. No writer changes it.
type Run struct {
	Dir      string // the run directory, as the reader is to see it; "" for a history that came from elsewhere
	Manifest rundir.Manifest
	Plan     scenarios.Plan
	Result   checkers.Result
	History  *history.History // nil where there is none: the charts are then left out
	Spans    []otlp.Span      // that the components told, where somebody wanted them
}

// Options says how reports are written. Its zero value shows everything, and inlines at most DefaultRows rows.
type Options struct {
	Redact bool // payloads (the Value of events) are replaced, also where a sentence quotes them; ids and keys stay
	Rows   int  // most operations and points that report.html carries for its charts; 0: DefaultRows
}

// DefaultRows is how many operations and points report.html carries before it thins them.
const DefaultRows = 300_000

// Write writes result.json, junit.xml, summary.md and report.html into dir, each whole or not at all, and returns the paths of
// those it wrote. A writer that fails does not stop the others; their errors are joined. The verdict is r.Result's, whatever happens.
func Write(dir string, r Run, o Options) ([]string, error) {
	if o.Redact {
		r = redact(r)
	}
	writers := []struct {
		name  string
		write func(io.Writer) error
	}{
		{rundir.ResultFile, func(w io.Writer) error { return ResultJSON(w, r) }},
		{rundir.JUnitFile, func(w io.Writer) error { return JUnit(w, []Run{r}) }},
		{rundir.SummaryFile, func(w io.Writer) error { return Markdown(w, r) }},
		{rundir.ReportFile, func(w io.Writer) error { return HTML(w, r, o) }},
	}
	var paths []string
	var errs []error
	for _, f := range writers {
		if err := writeFile(dir, f.name, f.write); err != nil {
			errs = append(errs, err)
			continue
		}
		paths = append(paths, filepath.Join(dir, f.name))
	}
	return paths, errors.Join(errs...)
}

// writeFile keeps a writer that panics on odd data from taking the verdict with it.
func writeFile(dir, name string, write func(io.Writer) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write %s: %v", name, p)
		}
	}()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return rundir.WriteFile(dir, name, b.Bytes())
}
