package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
)

// What CI systems take of one test case before they cut or refuse it.
const (
	junitMessage = 1 << 10
	junitBody    = 16 << 10
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Hostname   string          `xml:"hostname,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Classname string      `xml:"classname,attr"`
	Name      string      `xml:"name,attr"`
	Time      string      `xml:"time,attr"`
	File      string      `xml:"file,attr,omitempty"`
	Failure   *junitEvent `xml:"failure"`
	Error     *junitEvent `xml:"error"`
	Skipped   *junitEvent `xml:"skipped"`
}

type junitEvent struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Body    string `xml:",cdata"`
}

// JUnit writes runs as JUnit XML, a suite each. Guarantees, requirements and thresholds are test cases, and so is the run itself:
// a violated guarantee or a missed threshold is a failure, a run that ended as error or was aborted an error, and whatever could
// not be decided or was not tested is skipped, with its reason. No two cases of a file share class and name, because some readers
// keep only the first of them.
func JUnit(w io.Writer, runs []Run) error {
	doc := junitSuites{Name: "wreckon"}
	var all time.Duration
	names := classnames(runs)
	for i, r := range runs {
		s := suite(r, names[i])
		doc.Tests, doc.Failures, doc.Errors, doc.Skipped = doc.Tests+s.Tests, doc.Failures+s.Failures, doc.Errors+s.Errors, doc.Skipped+s.Skipped
		doc.Suites = append(doc.Suites, s)
		all += elapsed(r)
	}
	doc.Time = seconds(all)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// classnames are the scenarios' names, with the seed and at last the run where they would not be unique.
func classnames(runs []Run) []string {
	forms := []func(int, Run) string{
		func(_ int, r Run) string { return scenario(r) },
		func(_ int, r Run) string { return fmt.Sprintf("%s.seed-%d", scenario(r), seed(r)) },
		func(i int, r Run) string {
			return fmt.Sprintf("%s.seed-%d.%s", scenario(r), seed(r), firstOf(r.Manifest.Run, strconv.Itoa(i+1)))
		},
		func(i int, r Run) string { return fmt.Sprintf("%s.seed-%d.%d", scenario(r), seed(r), i+1) },
	}
	var names []string
	for _, form := range forms {
		names = names[:0]
		seen := map[string]bool{}
		for i, r := range runs {
			name := clip(legal(form(i, r)), 200)
			names = append(names, name)
			seen[name] = true
		}
		if len(seen) == len(runs) {
			break
		}
	}
	return names
}

func suite(r Run, class string) junitSuite {
	s := junitSuite{Name: class, Time: seconds(elapsed(r)), Hostname: legal(r.Manifest.Host)}
	if !r.Manifest.Started.IsZero() {
		s.Timestamp = r.Manifest.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, p := range [][2]string{
		{"seed", strconv.FormatUint(seed(r), 10)}, {"run", r.Manifest.Run}, {"target", target(r)}, {"defect", defect(r)},
		{"verdict", string(known(r.Result.Verdict))}, {"faults", strconv.Itoa(len(r.Result.Faults))}, {"repeat", r.Manifest.Repeat},
	} {
		if p[1] != "" {
			s.Properties = append(s.Properties, junitProperty{p[0], clip(legal(p[1]), junitMessage)})
		}
	}
	seen := map[string]int{}
	add := func(c junitCase) {
		c.Name = clip(legal(c.Name), 250)
		if seen[c.Name]++; seen[c.Name] > 1 {
			c.Name = fmt.Sprintf("%s (%d)", c.Name, seen[c.Name])
		}
		c.Classname, c.Time, c.File = class, seconds(0), legal(r.Plan.File)
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	add(runCase(r))
	for _, j := range r.Result.Guarantees {
		add(guaranteeCase(j))
	}
	for _, c := range r.Result.Require {
		add(conditionCase("require: ", c))
	}
	for _, c := range r.Result.Thresholds {
		add(conditionCase("threshold: ", c))
	}
	return s
}

// runCase is the run itself: there in every file, so that a run which judged nothing is not mistaken for one with nothing to fail.
func runCase(r Run) junitCase {
	c := junitCase{Name: "run"}
	body := strings.Join(append(append([]string{}, r.Result.Reasons...), r.Result.Warnings...), "\n")
	switch v := known(r.Result.Verdict); v {
	case checkers.Errored, checkers.Aborted:
		c.Error = event(string(v), why(r), body)
	case checkers.Inconclusive:
		c.Skipped = event("", "inconclusive: "+why(r), "")
	}
	return c
}

func guaranteeCase(j checkers.Judgement) junitCase {
	c := junitCase{Name: j.Guarantee}
	switch j.Status {
	case checkers.Holds:
	case checkers.Violated:
		message := firstOf(j.Reason, j.Promise)
		if len(j.Findings) > 0 {
			message = j.Findings[0].Sentence
		}
		if n := max(j.Total, len(j.Findings)); n > 1 {
			message = clip(message, junitMessage-100) + fmt.Sprintf(" (and %d more)", n-1)
		}
		c.Failure = event("violation", message, storyText(j))
	case checkers.NotTested:
		c.Skipped = event("", "not tested: "+firstOf(j.Reason, "it cannot be judged on this target"), "")
	default:
		c.Skipped = event("", "inconclusive: "+firstOf(j.Reason, "the checker came to no conclusion"), "")
	}
	return c
}

// conditionCase maps a requirement or a threshold. A requirement that was not met proves nothing either way: it is skipped.
func conditionCase(prefix string, cond checkers.Condition) junitCase {
	c := junitCase{Name: prefix + cond.Text}
	if cond.Met {
		return c
	}
	says := firstOf(cond.Reason, "it is "+firstOf(cond.Actual, "not known"))
	if prefix == "threshold: " {
		c.Failure = event("missed", cond.Text+": "+says, "")
	} else {
		c.Skipped = event("", "inconclusive: "+cond.Text+": "+says, "")
	}
	return c
}

func storyText(j checkers.Judgement) string {
	var b strings.Builder
	for _, f := range j.Findings {
		if b.Len() > junitBody {
			break
		}
		fmt.Fprintf(&b, "\n%s\n", line(f.Sentence))
		for _, l := range f.Story {
			fmt.Fprintf(&b, "  %9s  %-12s  %s", at(l.T), whoOf(l), line(l.Text))
			if l.Note != "" {
				fmt.Fprintf(&b, "  %s", line(l.Note))
			}
			if l.Proof {
				b.WriteString("  <-")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func event(kind, message, body string) *junitEvent {
	return &junitEvent{Type: kind, Message: within(line(message), junitMessage), Body: within(legal(body), junitBody)}
}

// within clips so that the remark about what is missing stays within the limit too.
func within(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return clip(s, n-40)
}

// legal drops what XML 1.0 cannot hold.
func legal(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0xD7FF || c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= 0x10FFFF {
			return c
		}
		return -1
	}, s)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
