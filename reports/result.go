package reports

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

// ResultFormat is the version of result.json. Within one version fields are only ever added.
const ResultFormat = 1

// ResultSchema is the JSON Schema (draft 2020-12) of result.json, as it is published.
//
//go:embed result.schema.json
var ResultSchema []byte

// Document is result.json. Durations are integer nanoseconds, instants of a run nanoseconds since its start, booleans mean good
// when true, and no list is ever null.
type Document struct {
	Format    int              `json:"format"`
	Tool      string           `json:"tool"`
	Run       string           `json:"run"`
	Scenario  string           `json:"scenario"`
	Seed      uint64           `json:"seed"`
	Started   time.Time        `json:"started,omitzero"`
	Ended     time.Time        `json:"ended,omitzero"`
	Verdict   checkers.Verdict `json:"verdict"`
	Exit      int              `json:"exit"`
	Result    checkers.Result  `json:"result"`
	Manifest  rundir.Manifest  `json:"manifest"`
	Artifacts []Artifact       `json:"artifacts"`
}

// Artifact is one file of the run directory.
type Artifact struct {
	Name   string `json:"name"` // relative to the run directory
	About  string `json:"about"`
	Bytes  int64  `json:"bytes,omitempty"`  // for files that no later step writes again
	SHA256 string `json:"sha256,omitempty"` // of the plan and the history, which are what a verdict rests on
}

// ResultJSON writes result.json: everything that the other reports say, in full, for programs.
func ResultJSON(w io.Writer, r Run) error {
	m := r.Manifest
	if m.Args == nil {
		m.Args = []string{}
	}
	v := known(r.Result.Verdict)
	doc := Document{
		Format: ResultFormat, Tool: m.Tool, Run: m.Run, Scenario: scenario(r), Seed: seed(r), Started: m.Started, Ended: m.Ended,
		Verdict: v, Exit: v.ExitCode(), Result: whole(r.Result), Manifest: m, Artifacts: artifacts(r.Dir),
	}
	doc.Result.Verdict = v
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// whole replaces what JSON readers trip over: lists that are null, numbers that are none.
func whole(res checkers.Result) checkers.Result {
	res.Reasons = list(res.Reasons)
	res.Faults = list(res.Faults)
	res.Require = list(res.Require)
	res.Thresholds = list(res.Thresholds)
	res.Metrics = append([]checkers.Metric{}, res.Metrics...)
	for i, m := range res.Metrics {
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			res.Metrics[i].Value, res.Metrics[i].NA = 0, true
		}
	}
	res.Guarantees = append([]checkers.Judgement{}, res.Guarantees...)
	for i, j := range res.Guarantees {
		fs := append([]checkers.Finding(nil), j.Findings...)
		for k, f := range fs {
			fs[k].Events, fs[k].Faults, fs[k].Story = list(f.Events), list(f.Faults), list(f.Story)
		}
		res.Guarantees[i].Findings = fs
	}
	return res
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// artifacts lists the files of a run directory: the reports, which are being written, and whatever else is there.
func artifacts(dir string) []Artifact {
	out := []Artifact{
		{Name: rundir.ReportFile, About: "the report for people: one page, no network"},
		{Name: rundir.ResultFile, About: "everything the reports say, for programs"},
		{Name: rundir.JUnitFile, About: "one test case for each guarantee, requirement and threshold"},
		{Name: rundir.SummaryFile, About: "the summary in Markdown"},
	}
	if dir == "" {
		return out
	}
	for _, a := range []struct {
		name, about string
		fixed       bool
	}{
		{rundir.HistoryFile, "the record of everything that happened", true},
		{rundir.PlanFile, "what was to be done, and when", true},
		{rundir.ManifestFile, "versions, arguments and how the run ended", false},
		{rundir.LogsDir, "what the components printed", false},
		{rundir.DataDir, "what the components stored", false},
	} {
		info, err := os.Stat(filepath.Join(dir, a.name))
		if err != nil {
			continue
		}
		f := Artifact{Name: a.name, About: a.about}
		if info.IsDir() {
			f.Name += "/"
		}
		if a.fixed && info.Mode().IsRegular() {
			f.Bytes, f.SHA256 = info.Size(), digest(filepath.Join(dir, a.name))
		}
		out = append(out, f)
	}
	return out
}

// digest is the SHA-256 of a file, "" where it cannot be read: a report is worth having without it.
func digest(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
