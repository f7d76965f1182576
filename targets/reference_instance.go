package targets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wreckon/wreckon/workloads"
)

// followEvery is how often the audit trail is asked for news while the run goes on.
const followEvery = 100 * time.Millisecond

type reference struct {
	w       Wiring
	gateway *gateway
	direct  *http.Client // to the control servers, past every proxy
	client  *orderClient

	mu       sync.Mutex // guards what is read of the audit trail: Follow and Observe both read it
	after    uint64     // cursor
	setAside []letter   // what people have not looked at
}

func newReference(w Wiring) (Instance, error) {
	g, err := listenGateway(refPrefix, w.Token, w.Recorder, referenceRoutes())
	if err != nil {
		return nil, err
	}
	return &reference{w: w, gateway: g, direct: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}, nil
}

func (r *reference) Sinks() map[string]string { return map[string]string{"gateway": r.gateway.addr} }

func (r *reference) Close() error {
	r.direct.CloseIdleConnections()
	if r.client != nil {
		r.client.http.CloseIdleConnections()
	}
	return r.gateway.close()
}

func (r *reference) components() []string {
	var names []string
	for _, c := range Reference().Topology.Components {
		if !c.External {
			names = append(names, c.Name)
		}
	}
	return names
}

func (r *reference) Launches() []Launch {
	var ls []Launch
	for _, c := range r.components() {
		args := []string{c, "--control", r.w.Control[c], "--data", filepath.Join(r.w.Data, c),
			// SIGKILL never loses what was written to the page cache, and power is not cut here: syncing would only slow the run.
			"--sync", "off", "--drain", (drainWithin - time.Second).String()}
		if c == "relay" { // it reads the api's outbox
			args[4] = filepath.Join(r.w.Data, "api")
		}
		if addr, ok := r.w.Listen[c]; ok && (c == "api" || c == "broker") {
			args = append(args, "--listen", addr)
		}
		if d, ok := r.w.Dial[Edge{From: c, To: "broker"}.Name()]; ok {
			args = append(args, "--broker", d)
		}
		if d, ok := r.w.Dial[Edge{From: c, To: "gateway"}.Name()]; ok {
			args = append(args, "--gateway", "http://"+d)
		}
		if r.w.Defect != "" {
			args = append(args, "--defect", r.w.Defect)
		}
		ls = append(ls, Launch{
			Component: c, Args: args,
			Env: []string{"CONTROL_TOKEN=" + r.w.Token, "GATEWAY_TOKEN=" + r.w.Token, "OPERATORS=" + operators(r.w.Token)},
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

func (r *reference) Client() workloads.Client {
	if r.client == nil {
		addr := r.w.Dial[Edge{From: "client", To: "api"}.Name()]
		r.client = &orderClient{base: "http://" + addr, http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 256,
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		}}}
	}
	return r.client
}

func (r *reference) Backlog(ctx context.Context) (Backlog, error) {
	names := r.components()
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
	for _, c := range []string{"api", "saga", "inventory"} {
		if err := r.observe(ctx, c, func(o observation) bool { return o.Op == "total" }); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) Observe(ctx context.Context) error {
	var errs []error
	for _, c := range r.components() {
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
