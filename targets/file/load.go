package file

import (
	"encoding/json"
	"path/filepath"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/targets"
)

// Load reads and checks a target file. The target is of use exactly when there are no problems.
func Load(path string) (targets.Target, document.Problems) {
	src, err := document.ReadFile(path)
	if err != nil {
		return targets.Target{}, document.Problems{{File: path, Message: err.Error()}}
	}
	return Parse(path, src)
}

// Parse checks the text of a target file and makes a target of it. name is its path: what the file names by path is found from its
// directory.
func Parse(name string, src []byte) (targets.Target, document.Problems) {
	d, problems := define(name, src)
	if len(problems) > 0 {
		return targets.Target{}, problems
	}
	t := d.target()
	t.File, t.Defects = name, d.mistakes(filepath.Dir(name))
	return t, nil
}

// define reads a target file as it is written, and checks it.
func define(name string, src []byte) (*definition, document.Problems) {
	c := &checker{Reader: document.Reader{Kind: "target file", Begins: "a target file begins with its name, as in target: shop"}}
	c.root = c.Reader.Read(name, src)
	if c.root == nil {
		return nil, c.Problems
	}
	form, err := document.NewSchema(schema, history.Schema())
	if err == nil {
		if value := c.Hold(c.root, form, "target", "a target file"); value != nil {
			c.definition = &definition{}
			err = json.Unmarshal(value, c.definition)
		}
	}
	if err == nil && c.definition != nil {
		c.dir, err = filepath.Abs(filepath.Dir(name))
	}
	if err != nil { // what the schema allows and the program does not know
		c.Problem(c.root, "%s", document.OneLine(err))
	}
	if len(c.Problems) == 0 {
		c.complete()
	}
	if len(c.Problems) == 0 {
		c.check()
	}
	c.Problems.Sort()
	return c.definition, c.Problems
}

// complete fills in what the file leaves to its defaults.
func (c *checker) complete() {
	c.names = append(document.Keys(document.Find(c.root, "components")), c.sinkNames()...)
	if len(c.definition.Mix) > 0 {
		c.mix = document.Keys(document.Find(c.root, "mix"))
	}
	if len(c.Defects) > 0 {
		c.defects = document.Keys(document.Find(c.root, "defects"))
	}
	c.compose()
	for i := range c.Edges {
		if c.Edges[i].Protocol == "" {
			c.Edges[i].Protocol = targets.TCP
		}
	}
	claims := &c.Claims
	if claims.Unit == "" {
		claims.Unit = "unit"
	}
	if claims.Prefix == "" {
		claims.Prefix = claims.Unit[:1] + "-"
	}
}

// sinkNames are the names of the sinks, in the order of the file.
func (c *checker) sinkNames() []string {
	if len(c.Sinks) == 0 {
		return nil
	}
	return document.Keys(document.Find(c.root, "sinks"))
}

// client is the name that the workload's clients have in edges.
const client = "client"

// target is what the rest of the harness sees of a file.
func (d *definition) target() targets.Target {
	t := targets.Target{Name: d.Target, About: d.About, Claims: d.Claims, Mix: d.mix, Contained: d.Compose != "", Spans: len(d.Spans) > 0, New: d.start}
	if t.About == "" {
		t.About = "A system described by a target file."
	}
	for _, name := range d.names {
		if sink, ok := d.Sinks[name]; ok {
			c := targets.Component{Name: name, About: sink.About, External: true}
			d.found(&c)
			t.Topology.Components = append(t.Topology.Components, c)
			continue
		}
		of := d.Components[name]
		c := targets.Component{Name: name, About: of.About, External: of.Address != "", Foreign: of.Address != "", Sessions: of.servesDatabase()}
		if of.Faults != nil {
			c.Faults = append([]string{}, *of.Faults...)
		}
		d.found(&c)
		t.Topology.Components = append(t.Topology.Components, c)
	}
	t.Topology.Components = append(t.Topology.Components, targets.Component{Name: client, About: "the workload's clients", External: true})
	for _, e := range d.Edges {
		t.Topology.Edges = append(t.Topology.Edges, targets.Edge{From: e.From, To: e.To, Protocol: e.Protocol})
	}
	t.Claims.Target, t.Claims.Feeds = d.Target, d.feeds()
	if d.Read == nil {
		t.Lacks = append(t.Lacks, "read")
	}
	if d.Amend == nil {
		t.Lacks = append(t.Lacks, "amend")
	}
	return t
}

// feeds are what can be observed of the target: exactly what the file declares.
func (d *definition) feeds() []string {
	routed, tokens, traces, starts := false, false, false, len(d.Executions) > 0
	for _, s := range d.Sinks {
		for _, r := range s.Routes {
			routed, tokens, traces, starts = true, tokens || r.Token != "", traces || r.Trace != "", starts || r.Execution != nil
		}
	}
	for _, e := range d.Effects {
		routed, tokens, traces = true, tokens || e.Token != "", traces || e.Trace != ""
	}
	for _, a := range d.Audit {
		traces = traces || a.Trace != ""
	}
	var feeds []string
	for _, f := range []struct {
		name  string
		there bool
	}{
		{history.FeedEffects, routed}, {history.FeedAudit, len(d.Audit) > 0}, {history.FeedSpans, len(d.Spans) > 0}, {history.FeedStarts, starts}, {history.FeedStates, d.States != nil || d.Read != nil},
		{history.FeedSteps, len(d.Observed) > 0}, {history.FeedReads, d.Read != nil && !d.Read.Lags}, {history.FeedTokens, tokens},
		{history.FeedLetters, d.DeadLetters != nil}, {history.FeedTotals, len(d.Totals) > 0}, {history.FeedTraces, traces},
	} {
		if f.there {
			feeds = append(feeds, f.name)
		}
	}
	return feeds
}
