package file

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/targets/compose"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of target files, for editors and other tools. What it refers to of claims stands in
// history/schema.json.
func Schema() []byte { return slices.Clone(schema) }

// definition is a target file as it is written: schema.json says what each key means.
type definition struct {
	Target      string                       `json:"target"`
	About       string                       `json:"about"`
	Compose     string                       `json:"compose"`
	Profiles    []string                     `json:"profiles"`
	Variables   map[string]string            `json:"variables"`
	Components  map[string]component         `json:"components"`
	Edges       []edge                       `json:"edges"`
	Mix         map[string]map[string]string `json:"mix"`
	Submit      operation                    `json:"submit"`
	Read        *operation                   `json:"read"`
	Amend       *operation                   `json:"amend"`
	Sinks       map[string]sinkSpec          `json:"sinks"`
	Effects     []effectFeed                 `json:"effects"`
	States      *stateFeed                   `json:"states"`
	Observed    []stepFeed                   `json:"observed"`
	Audit       []auditFeed                  `json:"audit"`
	Spans       []spanFeed                   `json:"spans"`
	Executions  []executionFeed              `json:"executions"`
	DeadLetters *letterFeed                  `json:"dead_letters"`
	Totals      []totalFeed                  `json:"totals"`
	Idle        idleSpec                     `json:"idle"`
	Claims      history.Claims               `json:"claims"`
	Defects     map[string]defect            `json:"defects"`

	dir     string   // of the file
	names   []string // of the components, then of the sinks, in the order of the file
	mix     []string // of the kinds of unit, in the order of the file
	defects []string // in the order of the file
}

type component struct {
	About    string            `json:"about"`
	Command  []string          `json:"command"`
	Env      map[string]string `json:"env"`
	Dir      string            `json:"dir"`
	Ready    *ready            `json:"ready"`
	Faults   *[]string         `json:"faults"`
	Database string            `json:"database"`
	Broker   string            `json:"broker"`
	Address  string            `json:"address"`
	Port     int               `json:"port"`

	Container *inContainer `json:"container"`

	service *compose.Service // of the compose file; nil: none
	said    bool             // its port was
}

// inContainer is how a component is run with --env docker; of a service, what is different.
type inContainer struct {
	Image   string            `json:"image"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env"`
}

// servesDatabase tells that its database is at its own address, and so nobody's but the run's.
func (c component) servesDatabase() bool {
	return strings.Contains(c.Database, "${listen}") || strings.Contains(c.Database, "${listen.port}")
}

type ready struct {
	HTTP    string   `json:"http"`
	Exec    []string `json:"exec"`
	Control bool     `json:"control"`
}

type edge struct {
	From     string           `json:"from"`
	To       string           `json:"to"`
	Protocol targets.Protocol `json:"protocol"`

	derived bool // from the compose file
}

// operation is how clients ask for something: a request, and what its answers mean.
type operation struct {
	To      string            `json:"to"`
	Request string            `json:"request"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	OK      []string          `json:"ok"`
	Fail    []string          `json:"fail"`
	Absent  []string          `json:"absent"`
	Answer  string            `json:"answer"`
	State   string            `json:"state"`
	Version string            `json:"version"`
	Note    string            `json:"note"`
	Lags    bool              `json:"lags"`
}

type sinkSpec struct {
	About  string   `json:"about"`
	Port   int      `json:"port"`
	Names  []string `json:"names"`
	Routes []route  `json:"routes"`
}

type route struct {
	Request   string     `json:"request"`
	Step      string     `json:"step"`
	Undo      bool       `json:"undo"`
	Unit      string     `json:"unit"`
	Key       string     `json:"key"`
	Value     string     `json:"value"`
	Token     string     `json:"token"`
	Trace     string     `json:"trace"`
	Component string     `json:"component"`
	Repeats   bool       `json:"repeats"`
	Execution *execution `json:"execution"`
	Refuse    []refuse   `json:"refuse"`
	Answer    answer     `json:"answer"`
}

// execution says that a request is one, from its beginning to its end.
type execution struct {
	Step    string `json:"step"`
	Number  string `json:"number"`
	Attempt string `json:"attempt"`
	Worker  string `json:"worker"`
}

type refuse struct {
	When   string `json:"when"`
	Is     string `json:"is"`
	Status int    `json:"status"`
	Body   string `json:"body"`
}

type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// source is where rows come from: a component's HTTP interface, a database, or a broker's messages.
type source struct {
	Component string            `json:"component"`
	Request   string            `json:"request"`
	Headers   map[string]string `json:"headers"`
	Items     string            `json:"items"`
	Control   bool              `json:"control"`
	Database  string            `json:"database"`
	Query     string            `json:"query"`
	Broker    string            `json:"broker"`
	Stream    string            `json:"stream"`
	Subject   string            `json:"subject"`
	Channel   string            `json:"channel"`
	List      string            `json:"list"`
	Exchange  string            `json:"exchange"`
	Routing   string            `json:"routing"`
	Durable   bool              `json:"durable"`
}

type effectFeed struct {
	From  source            `json:"from"`
	When  map[string]string `json:"when"`
	ID    string            `json:"id"`
	Unit  string            `json:"unit"`
	Step  string            `json:"step"`
	Undo  bool              `json:"undo"`
	Key   string            `json:"key"`
	Value string            `json:"value"`
	Token string            `json:"token"`
	Trace string            `json:"trace"`
}

type stateFeed struct {
	From    source `json:"from"`
	Unit    string `json:"unit"`
	State   string `json:"state"`
	Version string `json:"version"`
}

type stepFeed struct {
	From  source   `json:"from"`
	Step  string   `json:"step"`
	Unit  string   `json:"unit"`
	State string   `json:"state"`
	Force []string `json:"in_force"`
}

type auditFeed struct {
	From       source            `json:"from"`
	When       map[string]string `json:"when"`
	ID         string            `json:"id"`
	Unit       string            `json:"unit"`
	Transition string            `json:"transition"`
	Step       string            `json:"step"`
	Source     string            `json:"source"`
	Sequence   string            `json:"sequence"`
	At         string            `json:"at"`
	Trace      string            `json:"trace"`
}

// spanFeed is what a span tells of a unit by being there.
type spanFeed struct {
	When map[string]string `json:"when"`
	Unit string            `json:"unit"`
	Says string            `json:"says"`
	Step string            `json:"step"`
}

// executionFeed is where it is told that executions begin and end.
type executionFeed struct {
	From       source            `json:"from"`
	When       map[string]string `json:"when"`
	ID         string            `json:"id"`
	Unit       string            `json:"unit"`
	Step       string            `json:"step"`
	What       string            `json:"what"`
	Start      []string          `json:"start"`
	Finish     []string          `json:"finish"`
	Checkpoint []string          `json:"checkpoint"`
	Number     string            `json:"number"`
	Attempt    string            `json:"attempt"`
	Worker     string            `json:"worker"`
	Trace      string            `json:"trace"`
}

type letterFeed struct {
	From source            `json:"from"`
	When map[string]string `json:"when"`
	Unit string            `json:"unit"`
}

type totalFeed struct {
	Name  string `json:"name"`
	From  source `json:"from"`
	Value string `json:"value"`
}

type idleSpec struct {
	Silence history.Duration `json:"silence"`
	Queued  []countFeed      `json:"queued"`
}

type countFeed struct {
	From  source `json:"from"`
	Value string `json:"value"`
}
