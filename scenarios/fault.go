package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// The keys beside the one that names the kind, as schema.json has them too.
var (
	commonKeys = []string{"at", "for", "every", "times"}
	placeKeys  = []string{"when", "then"} // in place of all of these but for
	paramKeys  = []string{"restart", "delay", "rate", "flap", "grace", "cpus", "frame", "end", "again"}
)

const (
	rolling = "rolling-restart" // the one kind that is aimed at several components
	all     = "all"             // every component of the target that is a process of its own

	maxFaults = 500 // of a plan, with every repetition counted
)

var (
	// restarts are the kinds whose fault ends by starting the component again. They take restart as another word for for.
	restarts = []string{"crash", "terminate", "out-of-memory"}

	// momentary are the kinds that have done something even if they are over at once. All others must hold for some time.
	momentary = []string{"crash", "terminate", "out-of-memory", "end-sessions", "reset", rolling}
)

func (p *parser) faults(o document.Object, target targets.Target, known bool, load time.Duration) []Fault {
	n := o.Get("faults")
	if n == nil {
		return nil
	}
	var planned []Fault
	nodes, last := map[string]*document.Node{}, 0
	for _, item := range p.List(n, "faults") {
		r := reading{parser: p, target: target, known: known, load: load, before: len(p.Problems)}
		for _, f := range r.fault(item) {
			f.number(&last)
			planned = append(planned, f)
			nodes[f.Spec.ID] = r.aim
		}
		if p.crowded(item) {
			return nil
		}
	}
	p.overlaps(planned, nodes)
	p.rivalry(planned, nodes)
	return planned
}

// number gives a fault the next free id, and then those that follow it: a story is numbered as it is read.
func (f *Fault) number(last *int) {
	*last++
	f.Spec.ID = fmt.Sprintf("f%d", *last)
	for i := range f.Then {
		f.Then[i].number(last)
	}
}

// reading is one entry of faults while it is read.
type reading struct {
	*parser
	target targets.Target
	known  bool          // the target is
	load   time.Duration // 0: not known
	before int           // how many problems there were before this entry
	depth  int           // how many faults must have bitten before this one is armed

	document.Object
	kind faults.Kind
	aim  *document.Node // what stands behind the kind
}

// fault reads one entry. It gives several faults when the entry repeats, none when something is wrong.
func (r *reading) fault(n *document.Node) []Fault {
	var ok bool
	if r.Object, ok = r.parser.Object(n, "a fault"); !ok || !r.findKind() {
		return nil
	}
	r.keys()
	if r.depth > 0 && !r.placed() {
		r.Problem(r.aim, "%s is placed by time alone: it follows no other fault", r.kind.Name)
		return nil
	}
	f := Fault{Spec: faults.Spec{Kind: r.kind.Name, Line: r.Node.Line}}
	r.aimAt(&f.Spec)
	r.params(&f.Spec)
	f.For = r.holds()
	var laid []Fault
	if r.placed() {
		f.Spec.When = r.when(&f.Spec)
		r.manner(&f.Spec)
		laid = []Fault{f}
	}
	if len(r.Problems) == r.before && r.known {
		r.applies(f)
	}
	if r.placed() {
		r.ends(f)
		laid[0].Then = r.then()
	} else {
		laid = r.repeat(f, r.begins())
	}
	r.laid += max(len(laid), 1)
	if len(r.Problems) > r.before {
		return nil
	}
	return laid
}

// applies asks the kind whether this fault is possible on this target, however long the seed lets it hold.
func (r *reading) applies(f Fault) {
	if r.kind.Applies == nil {
		return
	}
	for _, held := range []time.Duration{f.For.Min, f.For.Max} {
		f.Spec.For = held
		if err := r.kind.Applies(f.Spec, r.target.Topology); err != nil {
			r.Problem(r.aim, "%s", document.OneLine(err))
			return
		}
	}
}

// findKind finds the one key that names a kind of fault.
func (r *reading) findKind() bool {
	names := r.v.kindNames()
	var strangers []document.Entry
	for _, e := range r.Entries {
		switch k, ok := r.v.kind(e.Key.Value); {
		case ok && r.aim != nil:
			r.Problem(e.Key, "a fault is of one kind, and this one is %s already: begin another entry with - %s", r.kind.Name, k.Name)
			return false
		case ok:
			r.kind, r.aim = k, document.Resolve(e.Value)
		case !slices.Contains(commonKeys, e.Key.Value) && !slices.Contains(paramKeys, e.Key.Value) && !slices.Contains(placeKeys, e.Key.Value):
			strangers = append(strangers, e)
		}
	}
	if r.aim != nil {
		return true
	}
	if e, ok := r.Entry("kind"); ok && document.Scalar(e.Value) {
		r.Hinted(e.Key, document.KnownNames(names), "the kind of a fault is its key: write - %s: and what it is aimed at", document.Resolve(e.Value).Value)
		return false
	}
	if len(strangers) == 0 {
		r.Hinted(r.Node, document.KnownNames(names), "a fault begins with its kind and what it is aimed at, as in - crash: relay")
		return false
	}
	wrong := strangers[0].Key
	r.Hinted(wrong, document.KnownNames(names), "unknown fault kind %s%s", document.Quote(wrong.Value), spelling.Hint(wrong.Value, names))
	return false
}

// keys reports keys that this kind does not take.
func (r *reading) keys() {
	takes := r.takes()
	for _, e := range r.Entries {
		switch key := e.Key.Value; {
		case slices.Contains(takes, key):
		case key == "at" && r.acts():
			r.Problem(e.Key, "%s acts on one message, and a message comes when it comes: place it with when", r.kind.Name)
		case key == "at" && r.depth > 0:
			r.Problem(e.Key, "what follows another fault waits for a message of its own: place it with when")
		case key == "at" && r.placed():
			r.Problem(e.Key, "at and when exclude each other: a fault is placed by time or by an event")
		case (key == "every" || key == "times") && r.placed():
			r.Problem(e.Key, "%s repeats a fault by time, and this one is placed by an event: write one for each", key)
		case slices.Contains(placeKeys, key) && !slices.Contains(exact, r.kind.Name):
			r.Problem(e.Key, "%s is placed by time alone: it takes no %s", r.kind.Name, key)
		case (key == "then" || key == "frame") && slices.Contains(exact, r.kind.Name):
			r.Problem(e.Key, "%s goes with when: this %s is placed by time", key, r.kind.Name)
		case slices.Contains(paramKeys, key), slices.Contains(commonKeys, key), slices.Contains(placeKeys, key):
			r.Hinted(e.Key, "it takes: "+strings.Join(takes[1:], ", "), "%s takes no %s", r.kind.Name, key)
		default:
			r.Hinted(e.Key, document.KnownNames(takes[1:]), "unknown key %s in %s%s", document.Quote(key), r.kind.Name, spelling.Hint(key, takes))
		}
	}
}

// Keys are what an entry of a kind takes beside the key that names it: placed by time, and placed by an event. nil: it cannot be
// placed so.
func Keys(k faults.Kind) (byTime, byEvent []string) {
	params := slices.Clone(k.Params)
	if slices.Contains(restarts, k.Name) {
		params = append(params, "restart")
	}
	switch _, acts := messages[k.Name]; {
	case acts:
		return nil, slices.Concat(placeKeys, params)
	case slices.Contains(exact, k.Name):
		byEvent = slices.Concat(placeKeys, []string{"for", "frame"}, params)
	}
	return slices.Concat(commonKeys, params), byEvent
}

// takes are the keys of an entry of this kind, its own first.
func (r *reading) takes() []string {
	byTime, byEvent := Keys(r.kind)
	if r.placed() {
		return slices.Concat([]string{r.kind.Name}, byEvent)
	}
	return slices.Concat([]string{r.kind.Name}, byTime)
}

// params reads what only some kinds take. A delay, a rate and a share are the point of the kinds that take them.
func (r *reading) params(spec *faults.Spec) {
	takes := r.takes()
	for _, need := range []struct{ key, example string }{{"delay", "delay: 300ms"}, {"rate", "rate: 16KB/s"}, {"cpus", "cpus: 0.05"}} {
		if slices.Contains(takes, need.key) {
			r.required(r.Object, need.key, r.kind.Name, need.example)
		}
	}
	spec.Delay = document.Value(&r.Reader, r.Get("delay"), "delay", 0, length(time.Millisecond, time.Minute))
	spec.Rate = document.Value(&r.Reader, r.Get("rate"), "rate", 0, bandwidth)
	spec.Flap = document.Value(&r.Reader, r.Get("flap"), "flap", 0, length(10*time.Millisecond, time.Minute))
	var grace time.Duration // the target's own
	if c, ok := r.target.Topology.Component(spec.Component); ok && slices.Contains(takes, "grace") {
		grace = c.Grace
	}
	spec.Grace = document.Value(&r.Reader, r.Get("grace"), "grace", grace, length(time.Millisecond, time.Minute))
	spec.CPUs = document.Value(&r.Reader, r.Get("cpus"), "cpus", 0, processors)
}
