// Package rundir is the layout of a run's directory on disk: which file holds what, and the manifest that says what the run was.
// It must never know how a run is made, judged or reported.
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files of a run directory.
const (
	ManifestFile = "manifest.json" // versions, seed, arguments, how it ended
	PlanFile     = "plan.json"     // written before anything starts
	HistoryFile  = "history.wrk"   // the record
	SpansFile    = "spans.jsonl"   // what the components' spans tell, where somebody wanted them
	UndoFile     = "undo.jsonl"    // what has to be undone if the harness dies; gone after a clean end
	LogsDir      = "logs"          // what the components printed
	DataDir      = "data"          // what the components stored; removed after a passing run
	ResultFile   = "result.json"
	ReportFile   = "report.html"
	JUnitFile    = "junit.xml"
	SummaryFile  = "summary.md"
)

// Manifest says what a run was and how it ended. It is written when the run starts and again when it ends.
type Manifest struct {
	Format      int               `json:"format"`
	Run         string            `json:"run"` // name of the directory
	Scenario    string            `json:"scenario"`
	Target      string            `json:"target"`
	Defect      string            `json:"defect,omitempty"`
	Environment string            `json:"environment"`
	Seed        uint64            `json:"seed"`
	Args        []string          `json:"args"`
	Repeat      string            `json:"repeat"` // the command that repeats it
	Tool        string            `json:"tool"`
	Go          string            `json:"go"`
	OS          string            `json:"os"`
	CPUs        int               `json:"cpus"`
	Host        string            `json:"host"`
	Git         string            `json:"git,omitempty"`    // commit of the working directory, with + where it was changed
	Images      map[string]string `json:"images,omitempty"` // component -> digest of the image of its container
	Started     time.Time         `json:"started"`
	Ended       time.Time         `json:"ended,omitzero"`
	Error       string            `json:"error,omitempty"`    // why it ended as error
	Aborted     string            `json:"aborted,omitempty"`  // who or what stopped it
	Warnings    []string          `json:"warnings,omitempty"` // a failed teardown: never a lost verdict
	Spans       *int              `json:"spans,omitempty"`    // that had come when the history was sealed; nil: nobody wanted them
	Phases      []Phase           `json:"phases,omitempty"`   // what took how long
}

// Phase is how long one phase of the run took.
type Phase struct {
	Name string        `json:"name"`
	Took time.Duration `json:"took"`
}

// ErrNotRun tells that a directory is not a run directory.
var ErrNotRun = errors.New("not a run directory")

// ReadManifest reads the manifest of a run directory.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	err := ReadJSON(dir, ManifestFile, &m)
	return m, err
}

// WriteJSON writes v to a file of a run directory, whole or not at all.
func WriteJSON(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return WriteFile(dir, name, append(b, '\n'))
}

// WriteFile writes a file of a run directory, whole or not at all.
func WriteFile(dir, name string, b []byte) error {
	tmp, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(b); err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(dir, name string, into any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w: it has no %s", dir, ErrNotRun, name)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}
