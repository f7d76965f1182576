package targets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wreckon/wreckon/internal/postgres"
	"github.com/wreckon/wreckon/workloads"
)

// followEvery is how often the audit trail is asked for news while the run goes on.
const followEvery = 100 * time.Millisecond

// reference is a target whose components are those of the reference system: they have control servers, an audit trail and the gateway.
type reference struct {
	w       Wiring
	prefix  string   // of the ids of its units
	trails  []string // the components that serve the audit trail, all the same one
	names   []string
	edges   []Edge
	env     []string                        // beside that which all of them have
	totals  []string                        // components that tell sums
	args    func(component string) []string // beside those that all of them take
	gateway *gateway
	direct  *http.Client            // to the control servers, past every proxy
	public  *http.Client            // of its customers
	client  func() workloads.Client // once it is known where to dial

	mu       sync.Mutex // guards what is read of the audit trail: Follow and Observe both read it
	after    uint64     // cursor
	setAside []letter   // what people have not looked at
}

// outboxLimit is how many messages may wait before the api takes no more orders: about two for each.
const outboxLimit = "400"

func newReference(w Wiring) (Instance, error) { return newOrders(Reference(), w) }

// newOrders makes an order service.
func newOrders(t Target, w Wiring) (*reference, error) {
	r, err := newInstance(t, w, referenceRoutes())
	if err != nil {
		return nil, err
	}
	r.totals = []string{"api", "saga", "inventory"}
	r.trails, r.args = []string{"audit"}, func(c string) []string { return orderArgs(w, c) }
	r.client = func() workloads.Client {
		return &orderClient{base: "http://" + w.Dial[Edge{From: "client", To: "api"}.Name()], http: r.public}
	}
	return r, nil
}

// orderArgs are what a component of an order service is told beside what all are.
func orderArgs(w Wiring, component string) []string {
	switch component {
	case "relay": // it reads the api's outbox
		return []string{"--data", filepath.Join(w.Data, "api")}
	case "api": // small enough to be full within seconds
		return []string{"--outbox-limit", outboxLimit}
	case "shipping": // a parcel can wait for a person
		return []string{"--gateway-tries", strconv.Itoa(shipTries)}
	}
	return nil
}

func newInstance(t Target, w Wiring, routes map[string]route) (*reference, error) {
	g, err := listenGateway(t.Claims.Prefix, w.Token, w.Recorder, routes)
	if err != nil {
		return nil, err
	}
	r := &reference{w: w, prefix: t.Claims.Prefix, gateway: g, edges: t.Topology.Edges,
		direct: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}},
		public: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		}}}
	for _, c := range t.Topology.Components {
		if !c.External {
			r.names = append(r.names, c.Name)
		}
	}
	return r, nil
}

func (r *reference) Sinks() map[string]string { return map[string]string{"gateway": r.gateway.addr} }

func (r *reference) Close() error {
	r.direct.CloseIdleConnections()
	r.public.CloseIdleConnections()
	return r.gateway.close()
}

// schemes begin the addresses that components are given as URLs.
var schemes = map[Protocol]string{HTTP: "http://"}

func (r *reference) Launches() []Launch {
	var ls []Launch
	for _, c := range r.names {
		args := []string{c, "--control", r.w.Control[c], "--data", filepath.Join(r.w.Data, c),
			// SIGKILL never loses what was written to the page cache, and power is not cut here: syncing would only slow the run.
			"--sync", "off", "--drain", (drainWithin - time.Second).String()}
		if r.w.Contained { // at an address that only the harness can reach
			args = append(args, "--control-public")
		}
		args = append(args, r.args(c)...) // the last of two flags of one name counts
		if slices.ContainsFunc(r.edges, func(e Edge) bool { return e.To == c }) {
			args = append(args, "--listen", r.w.Listen[c])
		}
		for _, e := range r.edges {
			switch dial := r.w.Dial[e.Name()]; {
			case e.From != c:
			case e.Protocol == Postgres:
				args = append(args, "--store", postgres.URL(dial))
			default:
				args = append(args, "--"+e.To, schemes[e.Protocol]+dial)
			}
		}
		if r.w.Defect != "" {
			args = append(args, "--defect", r.w.Defect)
		}
		ls = append(ls, Launch{
			Component: c, Args: args,
			Env: append([]string{"CONTROL_TOKEN=" + r.w.Token, "GATEWAY_TOKEN=" + r.w.Token, "OPERATORS=" + operators(r.w.Token)}, r.env...),
			Ready: func(ctx context.Context) error {
				resp, err := r.get(ctx, c, "/ready")
				if err != nil {
					return err
				}
				return resp.Body.Close()
			},
		})
	}
	return ls
}

// get asks a component's control server. Anything but 200 is an error.
func (r *reference) get(ctx context.Context, component, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.w.Control[component]+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s: %w", component, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.w.Token)
	resp, err := r.direct.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s: %w", component, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("ask %s for %s: it answered %s", component, path, resp.Status)
	}
	return resp, nil
}

func (r *reference) Client() workloads.Client { return r.client() }

func (r *reference) Backlog(ctx context.Context) (Backlog, error) {
	names := r.names
	parts := make([]struct {
		Backlog    int `json:"backlog"`
		Pending    int `json:"pending"`
		InProgress int `json:"in_progress"`
		Open       int `json:"open"`
		Done       int `json:"done"`
	}, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range names {
		g.Go(func() error { return r.decode(ctx, c, "/idle", &parts[i]) })
	}
	if err := g.Wait(); err != nil {
		return Backlog{}, err
	}
	var b Backlog
	for _, p := range parts {
		b.Open += p.Open
		b.Queued += p.Backlog + p.Pending
		b.InProgress += p.InProgress
		b.Done += p.Done
	}
	return b, nil
}

// Subscribe has nothing to do: all that is read of the components is there until it was read.
func (r *reference) Subscribe(context.Context) error { return nil }

func (r *reference) Follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = r.readAudit(ctx) // the audit component may be down: that is what the run is about
		}
	}
}

func (r *reference) Totals(ctx context.Context) error {
	for _, c := range r.totals {
		if err := r.observe(ctx, c, func(o observation) bool { return o.Op == "total" }); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) Observe(ctx context.Context) error {
	var errs []error
	for _, c := range r.names {
		if err := r.observe(ctx, c, nil); err != nil {
			errs = append(errs, err)
		}
	}
	for {
		n, err := r.readAudit(ctx)
		if err != nil {
			errs = append(errs, err)
		}
		if n == 0 || err != nil {
			return errors.Join(errs...)
		}
	}
}
