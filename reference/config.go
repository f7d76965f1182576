package reference

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/reference/defects"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/store"
)

// config is what a component is told.
type config struct {
	component     string
	listen        string
	control       string
	controlPublic bool
	data          string
	store         string
	broker        string
	gateway       string
	queue         string
	bookings      string
	coordinator   string
	east, west    string
	sync          store.Sync
	parts         *parts.Parts
	level         slog.Level
	seed          uint64
	workers       int
	choreography  bool
	breakerAfter  int
	gatewayTries  int
	outboxLimit   int64

	clockOffset time.Duration // any

	ackWait, lease, gatewayTimeout, retryBase, retryCap, drain, poll, chunk, hold, window, checkpoint time.Duration

	controlToken, gatewayToken string

	operators []quarantine.Person

	getenv func(string) string // for what is set in a standard way: where spans go
}

func parse(args []string, getenv func(string) string, stderr io.Writer) (config, error) {
	every := slices.Concat(Components, JobComponents, BookingComponents, MeterComponents, RegionComponents)
	if len(args) == 0 || !slices.Contains(every, args[0]) {
		if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
			fmt.Fprintf(stderr, "usage: COMPONENT [flags]\ncomponents: %s\n", strings.Join(every, ", "))
			return config{}, flag.ErrHelp
		}
		return config{}, fmt.Errorf("usage: COMPONENT [flags]; name one of: %s", strings.Join(every, ", "))
	}
	c := config{
		component:    args[0],
		parts:        parts.Right(),
		controlToken: getenv("CONTROL_TOKEN"),
		gatewayToken: getenv("GATEWAY_TOKEN"),
		getenv:       getenv,
	}
	if people := getenv("OPERATORS"); people != "" {
		if err := json.Unmarshal([]byte(people), &c.operators); err != nil {
			return config{}, fmt.Errorf("read OPERATORS: %w", err)
		}
	}
	flags := flag.NewFlagSet(c.component, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.listen, "listen", "", "`address` to serve at: HTTP for api, queue, bookings, intake, coordinator, east and west, NATS for broker")
	flags.StringVar(&c.control, "control", "", "`address` of the control server")
	flags.BoolVar(&c.controlPublic, "control-public", false, "allow the control server beyond loopback")
	flags.StringVar(&c.data, "data", "", "`directory` for the component's files; api and relay share one")
	flags.StringVar(&c.store, "store", "", "`URL` of a PostgreSQL database, which gets a schema for each service; the password is PGPASSWORD in the environment (default: files of SQLite in --data)")
	flags.StringVar(&c.broker, "broker", "", "`host:port` of the broker")
	flags.StringVar(&c.gateway, "gateway", "", "`URL` of the gateway, for payments, shipping, workers, confirmer, ingester, east and west")
	flags.StringVar(&c.queue, "queue", "", "`URL` of the queue, for workers")
	flags.StringVar(&c.bookings, "bookings", "", "`URL` of the bookings, for confirmer and reclaimer")
	flags.StringVar(&c.coordinator, "coordinator", "", "`URL` of the coordinator, for east and west")
	flags.StringVar(&c.east, "east", "", "`URL` of the region east, for west")
	flags.StringVar(&c.west, "west", "", "`URL` of the region west, for east")
	flags.Func("defect", "build the component wrong: "+strings.Join(defects.Names(), ", "), c.defect)
	flags.Func("sync", "synchronous setting of SQLite: full (default), normal or off", c.setSync)
	flags.TextVar(&c.level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	flags.Uint64Var(&c.seed, "seed", 1, "of the jitter in waits")
	flags.IntVar(&c.workers, "workers", 8, "messages worked on at once, for each consumer")
	flags.BoolVar(&c.choreography, "choreography", false, "do without a saga: services do what follows from what they hear of each other")
	flags.IntVar(&c.breakerAfter, "breaker-after", 10, "calls in a row without an answer, after which the gateway is left alone for a while")
	flags.IntVar(&c.gatewayTries, "gateway-tries", intent.MaxTries, "calls to the gateway for one message, after which it is set aside")
	flags.Int64Var(&c.outboxLimit, "outbox-limit", 10_000, "messages that may wait to be sent before the api takes no more orders; 0: any number")
	flags.DurationVar(&c.ackWait, "ack-wait", time.Second, "silence after which the broker delivers a message again")
	flags.DurationVar(&c.lease, "lease", 2*time.Second, "how long a worker may be silent before another takes over")
	flags.DurationVar(&c.gatewayTimeout, "gateway-timeout", 400*time.Millisecond, "of one call to the gateway")
	flags.DurationVar(&c.retryBase, "retry-base", 50*time.Millisecond, "wait after a first failure")
	flags.DurationVar(&c.retryCap, "retry-cap", time.Second, "longest wait after a failure")
	flags.DurationVar(&c.drain, "drain", 5*time.Second, "how long stopping may take")
	flags.DurationVar(&c.poll, "poll", 5*time.Millisecond, "how often the relay looks for rows of another process, and a worker for work")
	flags.DurationVar(&c.chunk, "chunk", 20*time.Millisecond, "how long a worker works on one chunk of a job")
	flags.DurationVar(&c.clockOffset, "clock-offset", 0, "by how much the clock of a worker's machine is ahead of the queue's; negative: behind")
	flags.DurationVar(&c.hold, "hold", 15*time.Minute, "how long a seat is held for a booking that is not confirmed")
	flags.DurationVar(&c.checkpoint, "checkpoint", 500*time.Millisecond, "how often audit writes down how far all trails are, if they have grown")
	flags.DurationVar(&c.window, "window", 200*time.Millisecond, "how long readings are collected before a batch is made of them")
	if err := flags.Parse(args[1:]); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("%s: unexpected argument %q", c.component, flags.Arg(0))
	}
	if err := c.check(); err != nil {
		return config{}, fmt.Errorf("%s: %w", c.component, err)
	}
	return c, nil
}

func (c *config) defect(name string) error {
	d, ok := defects.Find(name)
	if !ok {
		return fmt.Errorf("no such defect; there are: %s", strings.Join(defects.Names(), ", "))
	}
	d.Apply(c.parts)
	return nil
}

func (c *config) setSync(text string) error {
	c.sync = store.Sync(text)
	if !slices.Contains([]store.Sync{store.Full, store.Normal, store.Off}, c.sync) {
		return errors.New("want full, normal or off")
	}
	return nil
}

func (c *config) check() error {
	if c.sync == "" {
		c.sync = store.Full
	}
	var wrong []error
	need := func(flag, value string, components ...string) {
		if value == "" && (len(components) == 0 || slices.Contains(components, c.component)) {
			wrong = append(wrong, fmt.Errorf("%s is needed", flag))
		}
	}
	need("--data", c.data)
	need("--control", c.control)
	need("CONTROL_TOKEN in the environment", c.controlToken)
	if u, err := url.Parse(c.store); c.store != "" && (err != nil || !store.IsURL(c.store) || u.Query().Has("search_path")) {
		wrong = append(wrong, errors.New("--store is no postgres:// URL without a search_path"))
	}
	need("--listen", c.listen, "api", "broker", "queue", "bookings", "intake", "coordinator", "east", "west")
	need("--gateway", c.gateway, "payments", "shipping", "worker-1", "worker-2", "confirmer", "ingester", "east", "west")
	need("--broker", c.broker, "api", "relay", "saga", "inventory", "payments", "shipping", "audit", "intake", "ingester")
	need("--queue", c.queue, "worker-1", "worker-2")
	need("--bookings", c.bookings, "confirmer", "reclaimer")
	need("--coordinator", c.coordinator, "east", "west")
	need("--east", c.east, "west")
	need("--west", c.west, "east")
	if c.control != "" && !c.controlPublic && !loopback(c.control) {
		wrong = append(wrong, errors.New("--control is not a loopback address; --control-public allows that"))
	}
	if c.workers < 1 {
		wrong = append(wrong, errors.New("--workers is below 1"))
	}
	if c.breakerAfter < 1 {
		wrong = append(wrong, errors.New("--breaker-after is below 1"))
	}
	if c.gatewayTries < 1 {
		wrong = append(wrong, errors.New("--gateway-tries is below 1"))
	}
	if c.outboxLimit < 0 {
		wrong = append(wrong, errors.New("--outbox-limit is below 0"))
	}
	for name, d := range map[string]time.Duration{
		"ack-wait": c.ackWait, "lease": c.lease, "gateway-timeout": c.gatewayTimeout, "retry-base": c.retryBase,
		"retry-cap": c.retryCap, "drain": c.drain, "poll": c.poll, "chunk": c.chunk, "hold": c.hold, "window": c.window, "checkpoint": c.checkpoint,
	} {
		if d < time.Millisecond {
			wrong = append(wrong, fmt.Errorf("--%s is below 1ms", name))
		}
	}
	if c.hold <= c.gatewayTimeout {
		wrong = append(wrong, errors.New("--hold is not longer than --gateway-timeout: no call would fit in"))
	}
	if c.lease <= c.gatewayTimeout {
		wrong = append(wrong, errors.New("--lease is not longer than --gateway-timeout: no call would fit in"))
	}
	return errors.Join(wrong...)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
