package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
)

const (
	script = `<script>alert(1)</script>`
	image  = `<img src=x onerror=alert(2)>`
)

// hostile is a run in which every text that somebody else chooses tries to get out of its place.
func hostile() Run {
	evil := script + image + `"'></script></style></title><!--` + "\x1b[31m\x00\u202e|`*_]]>${{}}"
	r := sample(true)
	h := history.New(history.Header{Claims: history.Claims{Prefix: evil, Unit: evil}, Tool: evil})
	for i := range 40 {
		e := history.Event{T: time.Duration(i) * ms, Kind: history.KindInvoke, Unit: history.Unit(i), Actor: 1, Op: evil, Step: evil, Component: evil, Key: evil, Value: evil, Attempt: 1}
		h.Append(e)
		e.Kind = history.KindOK
		h.Append(e)
		e.Kind, e.Outcome = history.KindEffect, history.OutcomeApplied
		h.Append(e)
		e.Kind = history.KindPhase
		h.Append(e)
	}
	r.History = h
	m := &r.Manifest
	for _, s := range []*string{&m.Run, &m.Scenario, &m.Target, &m.Defect, &m.Environment, &m.Repeat, &m.Tool, &m.Go, &m.OS, &m.Host, &m.Git, &m.Error, &m.Aborted, &r.Dir} {
		*s = evil
	}
	m.Args, m.Warnings = []string{evil}, []string{evil}
	p := &r.Plan
	for _, s := range []*string{&p.Scenario, &p.About, &p.Hypothesis, &p.File, &p.Target, &p.Defect} {
		*s = evil
	}
	p.Workload.Mix = map[string]int{evil: 1}
	res := &r.Result
	res.Reasons, res.Warnings = []string{evil}, []string{evil}
	for i := range res.Guarantees {
		j := &res.Guarantees[i]
		j.Guarantee, j.Promise, j.What, j.Reason = evil, evil, evil, evil
		for k := range j.Findings {
			f := &j.Findings[k]
			f.Guarantee, f.Unit, f.Sentence, f.Twin, f.Events = evil, evil, evil, evil, []uint64{2}
			for _, story := range [][]checkers.StoryLine{f.Story, f.TwinStory} {
				for n := range story {
					story[n].Who, story[n].Text, story[n].Note = evil, evil, evil
				}
			}
		}
	}
	for i := range res.Faults {
		f := &res.Faults[i]
		f.ID, f.Kind, f.Target, f.Reason, f.Probe, f.HealProbe = evil, evil, evil, evil, evil, evil
		p.Faults[i].ID = evil
	}
	for _, cs := range [][]checkers.Condition{res.Require, res.Thresholds} {
		for i := range cs {
			cs[i].Text, cs[i].Actual, cs[i].Reason = evil, evil, evil
		}
	}
	for i := range res.Metrics {
		res.Metrics[i].Name, res.Metrics[i].Unit, res.Metrics[i].Doc = evil, evil, evil
	}
	return r
}

// many is a run of n operations by eight clients, with one finding.
func many(n int) Run {
	r := sample(true)
	h := history.New(history.Header{Claims: history.Claims{Prefix: "o-"}})
	for i := range n {
		kind := history.KindOK
		if i%97 == 0 {
			kind = history.KindFail
		}
		e := history.Event{T: time.Duration(i) * 20 * time.Microsecond, Kind: history.KindInvoke, Unit: history.Unit(i), Actor: uint32(i%8 + 1), Op: "submit", Attempt: 1}
		h.Append(e)
		e.T, e.Kind = e.T+time.Duration(1+i%13)*time.Microsecond, kind
		h.Append(e)
	}
	r.History = h
	f := &r.Result.Guarantees[0].Findings[0]
	f.Events = []uint64{uint64(2 * (n / 3)), uint64(2*(n/3) + 1)}
	r.Result.Guarantees[1].Findings = nil
	return r
}

func rendered(t *testing.T, r Run, o Options) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, HTML(&b, r, o))
	return b.String()
}

func TestPageOrder(t *testing.T) {
	page := rendered(t, sample(true), Options{})
	last := 0
	for _, id := range []string{"verdict", "findings", "guarantees", "conditions", "faults", "timeline", "latency", "indicators", "configuration", "again", "files"} {
		at := strings.Index(page, ` id="`+id+`"`)
		require.Greater(t, at, last, "section %s is missing or out of order", id)
		last = at
	}
}

func TestPageSaysEveryVerdict(t *testing.T) {
	for v, why := range map[checkers.Verdict]string{
		checkers.Pass: "every guarantee named was checked and holds", checkers.Violation: "was charged twice", checkers.Inconclusive: "could not be shown",
		checkers.Errored: "no free port", checkers.Aborted: "interrupted by a person", checkers.Missed: "a threshold was missed", "": "no free port",
	} {
		r := sample(v == checkers.Violation)
		r.Result.Verdict, r.Result.Reasons = v, nil
		r.Manifest.Error, r.Manifest.Aborted = "no free port", "interrupted by a person"
		page := rendered(t, r, Options{})
		if v == "" {
			v = checkers.Errored
		}
		assert.Contains(t, page, `<strong class="badge">`+strings.ToUpper(string(v))+`</strong>`)
		assert.Contains(t, page, `class="card banner v-`+string(v)+`"`)
		assert.Contains(t, strings.ToLower(page[:strings.Index(page, `id="guarantees"`)]), why, string(v))
	}
}

func TestPageTellsTheFindings(t *testing.T) {
	r := sample(true)
	page := rendered(t, r, Options{})
	for _, f := range findings(r) {
		assert.Contains(t, page, f.Sentence[1:])
		for _, l := range f.Story {
			assert.Contains(t, page, at(l.T))
		}
	}
	assert.Contains(t, page, "its retry used the same key")
	assert.Contains(t, page, "In force</span> f2 lost-response payments -&gt; gateway")
	assert.Equal(t, 3, strings.Count(page, `<svg class="story-svg"`), "a picture for each finding, and one for the twin")
	assert.Contains(t, page, "<b>traced</b>: the target reports no traces")
	assert.Contains(t, page, "31 in flight, 0 hurt, 17 units open, 6 connections, 4.3 kB")
	assert.Contains(t, page, r.Manifest.Repeat)
	lacks(t, rendered(t, sample(false), Options{}), `id="findings"`)
}

func TestPageShowsHowFarAnOrderGoes(t *testing.T) {
	r := sample(true)
	f := &r.Result.Guarantees[0].Findings[0]
	f.Order = []checkers.Ordered{
		{Who: "client 1", Op: "submit", Says: "→ pending v1", Begin: 1 * ms, End: 4 * ms, Place: 1},
		{Who: "client <2>", Op: "amend", Says: "v1 → ?", Begin: 2 * ms, End: 9 * ms, Open: true},
		{Who: "client 3", Op: "read", Says: "→ pending v7", Begin: 5 * ms, End: 9 * ms},
	}
	page := rendered(t, r, Options{})
	assert.Equal(t, 1, strings.Count(page, "How far an order of its operations goes"))
	assert.Contains(t, page, ">1</text><title>client 1, 0.001s to 0.004s: submit → pending v1</title>")
	assert.Contains(t, page, `stroke-dasharray="4 3"/>`)
	assert.Contains(t, page, "client &lt;2&gt;, from 0.002s: amend v1 → ?; nobody knows whether it happened")
	assert.Equal(t, 1, strings.Count(page, ">✗</text>"), "what nobody knows of may simply not have happened")
	lacks(t, rendered(t, sample(true), Options{}), "How far an order")
}

func TestPageFoldsWhatRepeats(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for range 5 {
		j.Findings = append(j.Findings, j.Findings[0])
	}
	var all []string
	for i := range r.Result.Faults {
		all = append(all, r.Result.Faults[i].ID)
	}
	j.Findings[0].Faults = all
	page := rendered(t, r, Options{})
	assert.Equal(t, 5, strings.Count(page, "<details><summary>Its story</summary>"), "the first of each guarantee is open")
	assert.Less(t, strings.LastIndex(page, "</span> no-lost-work"), strings.Index(page, "<summary>Its story</summary>"), "and comes before those that repeat")
	assert.Contains(t, page, "f3 partition relay &lt;-&gt; broker, f4, f5</span>", "many faults are named shortly")
}

func TestPageIsSelfContained(t *testing.T) {
	page := rendered(t, sample(true), Options{})
	for _, url := range regexp.MustCompile(`(?i)https?://[^"'\s<]*`).FindAllString(page, -1) {
		assert.Equal(t, "http://www.w3.org/2000/svg", url)
	}
	for _, banned := range []string{"<link", "<iframe", "@import", " src=", "fetch(", "innerHTML", "insertAdjacentHTML", "document.write", " style=", " onclick=", "eval("} {
		lacks(t, page, banned)
	}
	assert.Contains(t, page, `content="default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-`)
	assert.Less(t, len(pageCSS), 20_000)
	assert.Less(t, len(dataJS)+len(chartsJS)+len(pageJS), 40_000)
	assert.Less(t, len(page), 200_000)
}

func TestHostileTextIsInert(t *testing.T) {
	page := rendered(t, hostile(), Options{})
	assert.Equal(t, 3, strings.Count(page, "<script"), "the data, the rows and the page's own")
	assert.Equal(t, 3, strings.Count(page, "</script>"))
	assert.Equal(t, 1, strings.Count(page, "</style>"))
	lacks(t, page, "<img")
	lacks(t, page, "\x1b")
	lacks(t, page, "\u202e")
	assert.Contains(t, page, "&lt;script&gt;alert(1)&lt;/script&gt;")
}

func TestTenMegabytesAreClipped(t *testing.T) {
	big := strings.Repeat("x<y ", 10<<20/4)
	r := sample(true)
	f := &r.Result.Guarantees[0].Findings[0]
	f.Sentence, f.Story[0].Text, f.Story[0].Who, f.Twin = big, big, big, big
	r.Result.Reasons, r.Result.Warnings, r.Manifest.Error, r.Result.Faults[0].Probe = []string{big}, []string{big}, big, big
	r.History.Append(history.Event{T: time.Minute, Kind: history.KindInvoke, Actor: 99, Op: big, Component: big, Value: big})
	for name, write := range map[string]func(io.Writer) error{
		"report.html": func(w io.Writer) error { return HTML(w, r, Options{}) },
		"summary.md":  func(w io.Writer) error { return Markdown(w, r) },
		"junit.xml":   func(w io.Writer) error { return JUnit(w, []Run{r}) },
		"terminal":    func(w io.Writer) error { return Summary(w, r, TermOptions{}) },
	} {
		var b bytes.Buffer
		require.NoError(t, write(&b), name)
		assert.Less(t, b.Len(), 400_000, name)
		assert.Contains(t, b.String(), "10.5 MB more)", "%s says that there is more", name)
	}
}

func TestPageOfNothing(t *testing.T) {
	for name, r := range map[string]Run{
		"zero run":      {},
		"empty history": {History: history.New(history.Header{})},
		"no units": func() Run {
			h := history.New(history.Header{})
			h.Append(history.Event{T: ms, Kind: history.KindProcess, Outcome: history.OutcomeStarted, Component: "api", Unit: history.NoUnit})
			h.Append(history.Event{T: 2 * ms, Kind: history.KindNote, Unit: history.NoUnit, Value: "nothing else"})
			return Run{History: h, Result: checkers.Result{Verdict: checkers.Errored}}
		}(),
		"one instant": func() Run {
			h := history.New(history.Header{})
			h.Append(history.Event{Kind: history.KindInvoke, Actor: 1})
			return Run{History: h}
		}(),
	} {
		page := rendered(t, r, Options{})
		assert.Contains(t, page, "ERROR", "%s: what was never judged is no pass", name)
		assert.Contains(t, page, "No guarantee was judged.", name)
	}
}

func TestPageThinsAndSaysSo(t *testing.T) {
	page := rendered(t, many(3000), Options{Rows: 1000})
	assert.Contains(t, page, "Showing 1,000 of 3,000 operations and events")
	lacks(t, rendered(t, many(900), Options{Rows: 1000}), "Showing ")
}

func TestRedaction(t *testing.T) {
	r := sample(true)
	f := &r.Result.Guarantees[0].Findings[0]
	f.Sentence += ", 70.96 each"
	r.Result.Reasons[0] = f.Sentence
	amount := regexp.MustCompile(`"amount":"([\d.]+)"`).FindStringSubmatch(f.Story[len(f.Story)-1].Text)[1]
	f.Sentence = strings.Replace(f.Sentence, "70.96", amount, 1)
	r.Result.Reasons[0] = f.Sentence
	dir := t.TempDir()
	paths, err := Write(dir, r, Options{Redact: true})
	require.NoError(t, err)
	for _, p := range paths {
		b := readFile(t, p)
		lacks(t, b, amount)
		lacks(t, b, "amount")
		assert.Contains(t, b, f.Unit, "%s: ids stay", p)
	}
	assert.Contains(t, readFile(t, paths[3]), redacted)
	assert.Contains(t, f.Story[len(f.Story)-1].Text, amount, "the run itself is not changed")
}

func TestRedactionReplacesWholeWordsOnly(t *testing.T) {
	for _, c := range [][3]string{
		{"charges 49.90, key o-17/charge/1", "49.90", "charges [redacted], key o-17/charge/1"},
		{"charges 4 to client 4x and f4 and 14.4 and 4.", "4", "charges [redacted] to client 4x and f4 and 14.4 and [redacted]."},
		{"4 4 4", "4", "[redacted] [redacted] [redacted]"},
		{"", "4", ""},
	} {
		assert.Equal(t, c[2], replaceWord(c[0], c[1]))
	}
}

// unpacked reads the page's rows as its script does.
func unpacked(t *testing.T, page string) (meta, []row) {
	t.Helper()
	var m meta
	require.NoError(t, json.Unmarshal([]byte(between(page, `<script type="application/json" id="meta">`, `</script>`)), &m))
	zip, err := base64.StdEncoding.DecodeString(between(page, `<script type="text/plain" id="rows">`, `</script>`))
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(zip))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	n := m.N
	require.Len(t, b, 24*n)
	rows := make([]row, n)
	u32 := func(column, i int) uint32 { return binary.LittleEndian.Uint32(b[4*(column*n+i):]) }
	u16 := func(column, i int) uint16 { return binary.LittleEndian.Uint16(b[16*n+2*(column*n+i):]) }
	var at, seq uint32
	for i := range rows {
		at, seq = at+u32(0, i), seq+u32(3, i)
		rows[i] = row{t: int64(at) * m.Tick, d: int64(u32(1, i)) * m.Tick, unit: u32(2, i), seq: seq, lane: u16(0, i), name: u16(1, i), finding: u16(2, i), class: class(b[22*n+i]), attempt: b[23*n+i]}
	}
	return m, rows
}

func between(s, a, b string) string {
	s = s[strings.Index(s, a)+len(a):]
	return s[:strings.Index(s, b)]
}

func TestRowsSayWhatHappened(t *testing.T) {
	h := history.New(history.Header{Claims: history.Claims{Prefix: "o-"}})
	add := func(t time.Duration, e history.Event) { e.T = t; h.Append(e) }
	add(0, history.Event{Kind: history.KindInvoke, Actor: 3, Unit: 6, Op: "submit", Attempt: 2})
	add(1*ms, history.Event{Kind: history.KindInvoke, Actor: 1, Unit: 7, Op: "read"})
	add(2*ms, history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Unit: 6, Op: "do", Step: "charge", Component: "payments"})
	add(3*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomePaused, Component: "saga", Unit: history.NoUnit})
	add(4*ms, history.Event{Kind: history.KindInfo, Actor: 3, Unit: 6, Op: "submit"})
	add(5*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeKilled, Component: "saga", Unit: history.NoUnit})
	add(7*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeReady, Component: "saga", Unit: history.NoUnit})
	add(9*ms, history.Event{Kind: history.KindOK, Actor: 8, Op: "stray"})
	r := Run{History: h, Result: checkers.Result{Guarantees: []checkers.Judgement{{Findings: []checkers.Finding{{Events: []uint64{2, 4}}}}}}}
	m, rows := unpacked(t, rendered(t, r, Options{}))
	assert.Equal(t, []string{"client 1", "client 3", "payments", "saga", "client 8"}, m.Lanes)
	type short struct {
		t, d  time.Duration
		lane  string
		name  string
		class class
		proof uint16
	}
	var got []short
	for _, w := range rows {
		got = append(got, short{time.Duration(w.t), time.Duration(w.d), m.Lanes[w.lane], m.Names[w.name], w.class, w.finding})
	}
	assert.Equal(t, []short{
		{0, 4 * ms, "client 3", "submit", classInfo, 1},
		{1 * ms, 8 * ms, "client 1", "read", classOpen, 0},
		{2 * ms, 0, "payments", "do charge, applied", classApplied, 1},
		{3 * ms, 2 * ms, "saga", "paused", classPaused, 0},
		{5 * ms, 2 * ms, "saga", "down", classDown, 0},
		{9 * ms, 0, "client 8", "stray", classOK, 0},
	}, got)
	assert.EqualValues(t, 6, rows[0].unit)
	assert.EqualValues(t, 2, rows[0].attempt)
}

func TestThinningKeepsWhatMatters(t *testing.T) {
	r := many(20_000)
	set := gather(r.History, findings(r), r.Result.Faults, 1000)
	assert.Len(t, set.rows, 1000)
	assert.Equal(t, 20_000, set.all)
	proofs, failed := 0, 0
	for _, w := range set.rows {
		if w.finding > 0 {
			proofs++
		}
		if w.class == classFail {
			failed++
		}
	}
	assert.Equal(t, 1, proofs, "the finding's operation is there")
	assert.InDelta(t, 1000.0/97, float64(failed), 10, "the share of what failed stays what it was")
	assert.Less(t, set.rows[0].t, int64(time.Millisecond))
	assert.Greater(t, set.rows[999].t, set.end*99/100, "the end is there as the beginning is")
}

func TestLongRunsFitTheirTicks(t *testing.T) {
	h := history.New(history.Header{})
	h.Append(history.Event{Kind: history.KindInvoke, Actor: 1, Op: "submit"})
	h.Append(history.Event{T: 60 * time.Hour, Kind: history.KindOK, Actor: 1, Op: "submit"})
	m, rows := unpacked(t, rendered(t, Run{History: h}, Options{}))
	assert.EqualValues(t, 100_000, m.Tick)
	assert.EqualValues(t, 60*time.Hour, rows[0].d)
}

func TestHundredsOfClientsShareLanes(t *testing.T) {
	h := history.New(history.Header{})
	for i := range 500 {
		h.Append(history.Event{T: time.Duration(i), Kind: history.KindInvoke, Actor: uint32(i + 1)})
	}
	set := gather(h, nil, nil, DefaultRows)
	assert.Len(t, set.lanes, 63)
	assert.Equal(t, "clients 1–8", set.lanes[0])
	assert.Equal(t, "clients 497–500", set.lanes[62])
}

func TestForeignUnitsKeepTheirNames(t *testing.T) {
	r := many(10)
	r.History.UnitNames = []string{"ORD/9", script}
	m, _ := unpacked(t, rendered(t, r, Options{}))
	assert.Equal(t, []string{"ORD/9", script}, m.Units)
}
