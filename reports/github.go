package reports

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
)

// githubAnnotations is how many annotations a run prints: GitHub shows ten errors of a step and hides the rest without a word.
const githubAnnotations = 8

// GitHub shows a run where it is part of a GitHub Actions job: the Markdown summary is appended to the step's summary, and what
// went wrong is written to w (the step's output) as annotations on the scenario file. Anywhere else it does nothing. env is os.Getenv.
func GitHub(w io.Writer, env func(string) string, r Run) error {
	if env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	for _, a := range annotations(r) {
		if _, err := fmt.Fprintln(w, a); err != nil {
			return fmt.Errorf("write annotations: %w", err)
		}
	}
	path := env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("append to the step summary: %w", err)
	}
	err = Markdown(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("append to the step summary: %w", err)
	}
	return nil
}

// annotations are the findings, or the one reason why there is no pass. The last of many says how many are not there.
func annotations(r Run) []string {
	v := known(r.Result.Verdict)
	if v == checkers.Pass {
		return nil
	}
	fs := findings(r)
	if len(fs) == 0 {
		return []string{annotation(r, 0, string(v), scenario(r)+": "+why(r))}
	}
	all := total(r.Result)
	show := min(len(fs), githubAnnotations)
	if all > githubAnnotations {
		show = min(show, githubAnnotations-1)
	}
	var out []string
	for i, f := range fs[:show] {
		out = append(out, annotation(r, faultLine(r, f), fmt.Sprintf("%d %s", i+1, f.Guarantee), f.Sentence))
	}
	if all > show {
		out = append(out, annotation(r, 0, string(v), fmt.Sprintf("%s more in the report", num(all-show))))
	}
	return out
}

// faultLine is where the scenario file asks for the first fault that was in force: the line a reader wants to see.
func faultLine(r Run, f checkers.Finding) int {
	for _, id := range f.Faults {
		for _, s := range faults.All(r.Plan.Faults) {
			if s.ID == id && s.Line > 0 {
				return s.Line
			}
		}
	}
	return 0
}

func annotation(r Run, line int, title, message string) string {
	var props []string
	if r.Plan.File != "" {
		props = append(props, "file="+escapeProperty(r.Plan.File), fmt.Sprintf("line=%d", max(1, line)))
	}
	props = append(props, "title="+escapeProperty(clip(title, 200)))
	return "::error " + strings.Join(props, ",") + "::" + escapeData(clip(message, junitMessage))
}

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func escapeData(s string) string     { return dataEscapes.Replace(s) }
func escapeProperty(s string) string { return propertyEscapes.Replace(s) }
