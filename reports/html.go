package reports

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
)

var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/data.js
	dataJS string
	//go:embed page/charts.js
	chartsJS string
	//go:embed page/page.js
	pageJS string
)

const (
	pageFindings = 60      // findings that the page tells
	pageTexts    = 200     // warnings that it lists
	pageUnits    = 100_000 // foreign unit ids that its charts know
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"text": line, "upper": func(s string) string { return upperFirst(line(s)) },
	"at": at, "took": took, "num": num, "size": bytesOf,
	"mark": mark, "met": metMark, "statusWord": statusWord, "faultMark": faultMark, "faultWord": faultWord,
	"bite": bite, "recovery": recovery, "count": count,
	"join": func(ss []string) string { return line(strings.Join(ss, ", ")) },
}).Parse(pageHTML))

// page is what page.html shows.
type page struct {
	Run
	Title, Word, Verdict, Why, Outcome, Counts string
	Scenario, Target, Defect                   string
	Seed                                       uint64
	Exit                                       int
	Took                                       time.Duration
	Tiles                                      []tile
	Findings                                   []findingView
	FindingsTotal, FindingsLeft                int
	Tested, NotTested                          []checkers.Judgement
	Faults                                     []faultView
	Indicators, Others                         []indicator
	Warnings                                   []string
	Config                                     []pair
	PlanJSON                                   string
	CheckAgain                                 string
	Files                                      []Artifact
	Redacted                                   bool

	CSP      template.HTML
	Style    template.CSS
	Script   template.JS
	Meta     template.JS
	Rows     template.HTML // base64: nothing in it can end an element
	Overview template.HTML
	Charts   bool
	Shown    int
	All      int
	Classes  []legend
	Bands    []bandView
}

type tile struct{ Value, Label, Tone string }
type pair struct{ Name, Value string }
type legend struct{ Class, Label string }
type bandView struct {
	Color int
	Label string
}

type findingView struct {
	checkers.Finding
	N         int
	Picture   template.HTML
	TwinPic   template.HTML
	OrderPic  template.HTML
	Folded    bool // not the first of its guarantee: there to be opened
	Story     []checkers.StoryLine
	StoryMore int
	TwinLines []checkers.StoryLine
	Spans     []spanView
	InForce   []string // the faults, as a person writes them; where they are many, the ids of the later ones
}

type faultView struct {
	checkers.FaultResult
	Color    int
	Shape    string
	From, To time.Duration
	Spans    bool
}

// HTML writes report.html: one page that holds everything it needs, opens from a file, and makes no request. The verdict, the
// findings and the tables are text that reads without scripts and without styles; the charts are drawn from packed columns.
// The page carries a content security policy that names its own script by hash, so that no text of a run can ever run.
func HTML(w io.Writer, r Run, o Options) error {
	p, err := buildPage(r, o)
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, p)
}

func buildPage(r Run, o Options) (*page, error) {
	v := known(r.Result.Verdict)
	p := &page{
		Run: r, Word: word(v), Verdict: string(v), Why: why(r), Outcome: outcome(r), Counts: countsLine(r),
		Scenario: scenario(r), Target: target(r), Defect: defect(r), Seed: seed(r), Exit: v.ExitCode(), Took: elapsed(r),
		Files: artifacts(r.Dir), Redacted: o.Redact, Style: template.CSS(pageCSS),
		Script: template.JS("(() => {\n'use strict';\n" + dataJS + chartsJS + pageJS + "})();\n"),
	}
	p.Indicators, p.Others = indicators(r.Result.Metrics)
	p.Title = p.Word + " · " + p.Scenario
	p.CSP = contentPolicy(string(p.Style), string(p.Script))
	p.Warnings = append(append([]string{}, r.Result.Warnings...), r.Manifest.Warnings...)
	p.Warnings = p.Warnings[:min(pageTexts, len(p.Warnings))]
	if r.Dir != "" {
		p.CheckAgain = "wreckon check " + r.Dir
	}
	for _, j := range r.Result.Guarantees {
		if j.Status == checkers.NotTested {
			p.NotTested = append(p.NotTested, j)
		} else {
			p.Tested = append(p.Tested, j)
		}
	}
	p.Tiles = tiles(r)
	p.Config = config(r)
	plan, err := json.MarshalIndent(r.Plan, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	p.PlanJSON = strings.Map(visible, clip(string(plan), 100_000))

	end := endOf(r)
	bands := p.faults(end)
	p.findings(r, bands)
	return p, p.charts(r, o, bands)
}

// endOf is the last instant that the run knows of.
func endOf(r Run) time.Duration {
	var end time.Duration
	if h := r.History; h != nil && h.Len() > 0 {
		end = time.Duration(h.T[h.Len()-1])
	}
	for _, f := range r.Result.Faults {
		end = max(end, f.Begin, f.End, f.Healed)
	}
	return end
}

func (p *page) faults(end time.Duration) []band {
	var bands []band
	for i, f := range p.Result.Faults {
		view := faultView{FaultResult: f, Color: i % len(bandColors)}
		for _, s := range faults.All(p.Plan.Faults) {
			if s.ID == f.ID {
				view.Shape = shape(s)
			}
		}
		view.From, view.To, view.Spans = span(f, end)
		if view.Spans {
			b := band{f.ID, f.ID + " " + f.Kind + " " + f.Target, view.From, view.To, view.Color, nil}
			for _, x := range f.Bites {
				b.bites = append(b.bites, x.T)
			}
			bands = append(bands, b)
			p.Bands = append(p.Bands, bandView{b.color, b.label})
		}
		p.Faults = append(p.Faults, view)
	}
	return bands
}

func (p *page) findings(r Run, bands []band) {
	all := findings(r)
	p.FindingsTotal = total(r.Result)
	seen := map[string]bool{}
	for i, f := range all[:min(pageFindings, len(all))] {
		view := findingView{Finding: f, N: i + 1, Story: f.Story[:min(storyMost, len(f.Story))], TwinLines: f.TwinStory[:min(storyMost, len(f.TwinStory))]}
		view.Folded = seen[f.Guarantee]
		seen[f.Guarantee] = true
		view.StoryMore = len(f.Story) - len(view.Story)
		view.Spans = spansOf(r.Spans, f.Unit)
		var inForce []band
		for _, b := range bands {
			for _, id := range f.Faults {
				if b.id == id {
					inForce = append(inForce, b)
					if len(inForce) <= 3 {
						view.InForce = append(view.InForce, b.label)
					} else {
						view.InForce = append(view.InForce, b.id)
					}
				}
			}
		}
		view.Picture = storySVG(f.Sentence, view.Story, inForce)
		view.OrderPic = orderSVG(f.Order)
		view.TwinPic = storySVG(f.Twin, view.TwinLines, bands)
		p.Findings = append(p.Findings, view)
	}
	p.FindingsLeft = p.FindingsTotal - len(p.Findings)
}

func (p *page) charts(r Run, o Options, bands []band) error {
	h := r.History
	if h == nil {
		return p.writeMeta(meta{})
	}
	most := o.Rows
	if most <= 0 {
		most = DefaultRows
	}
	fs := findings(r)
	fs = fs[:min(pageFindings, len(fs))]
	set := gather(h, fs, r.Result.Faults, most)
	set.end = max(set.end, int64(endOf(r)))
	p.Shown, p.All = len(set.rows), set.all
	p.Charts = len(set.rows) > 0 && set.end > 0
	if !p.Charts {
		return p.writeMeta(meta{})
	}
	text, tick, err := pack(set)
	if err != nil {
		return err
	}
	p.Rows = template.HTML(text)
	m := meta{
		N: len(set.rows), Tick: tick, End: set.end, Prefix: clip(line(h.Header.Claims.Prefix), 60),
		Lanes: set.lanes, Names: set.names, Phases: phases(h, set.end), Findings: metaFindings(h, fs),
	}
	for _, name := range h.UnitNames[:min(pageUnits, len(h.UnitNames))] {
		m.Units = append(m.Units, clip(line(name), 60))
	}
	for _, b := range bands {
		f := metaFault{clip(line(b.id), 20), clip(line(b.label), 120), int64(b.from), int64(b.to), b.color, []int64{}}
		for _, t := range b.bites {
			f.Bites = append(f.Bites, int64(t))
		}
		m.Faults = append(m.Faults, f)
	}
	p.Overview = overviewSVG(set, bands, m.Findings)
	for c, label := range classLabels {
		if set.count[c] > 0 && label != "" {
			p.Classes = append(p.Classes, legend{fmt.Sprintf("c%d", c), label})
		}
	}
	return p.writeMeta(m)
}

// classLabels name the classes in the legend; those without a label need none.
var classLabels = [numClasses]string{
	classOK: "ok", classFail: "failed", classInfo: "unknown outcome", classOpen: "never answered", classApplied: "effect applied",
	classDeduplicated: "effect deduplicated", classRefused: "effect refused", classAudit: "audit event", classExecution: "execution, exchange",
	classDown: "component down", classPaused: "component paused", classBite: "exchange that a fault touched",
}

func (p *page) writeMeta(m meta) error {
	m.Lanes, m.Names, m.Faults, m.Findings, m.Phases = list(m.Lanes), list(m.Names), list(m.Faults), list(m.Findings), list(m.Phases)
	b, err := json.Marshal(m) // escapes <, > and &: nothing in it can end the element
	if err != nil {
		return fmt.Errorf("encode chart data: %w", err)
	}
	p.Meta = template.JS(b)
	return nil
}

// metaFindings gives each finding the stretch of the run that its story covers.
func metaFindings(h *history.History, fs []checkers.Finding) []metaFinding {
	var out []metaFinding
	for _, f := range fs {
		var m metaFinding
		first := true
		see := func(t int64) {
			if first {
				m, first = metaFinding{t, t}, false
			}
			m.T0, m.T1 = min(m.T0, t), max(m.T1, t)
		}
		for _, l := range f.Story {
			see(int64(l.T))
		}
		for _, seq := range f.Events {
			if seq < uint64(h.Len()) {
				see(h.T[seq])
			}
		}
		out = append(out, m)
	}
	return out
}

// contentPolicy allows the page's own style and script, and nothing else at all.
func contentPolicy(style, script string) template.HTML {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return template.HTML(fmt.Sprintf(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; form-action 'none'; style-src %s; script-src %s">`,
		hash(style), hash(script)))
}
