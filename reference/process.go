package reference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// process is one component at work: what it was built from, and what has to run and to be closed.
type process struct {
	cfg   config
	log   *slog.Logger
	meter broker.Meter
	tel   *telemetry.Telemetry

	conn  *broker.Conn
	db    *store.DB
	inbox *inbox.Inbox
	box   *outbox.Box
	trail audit.Trail
	relay *outbox.Relay

	consumers []*broker.Consumer
	worker    worker       // nil: the component asks nobody for work
	public    http.Handler // nil: the component has no service address
	addr      string       // that it serves at

	idle    []func(ctx context.Context, i *control.Idle) error
	ready   []func(ctx context.Context) error
	observe []func(ctx context.Context, emit control.Emit) error
	records func(ctx context.Context, after int64, limit int, emit control.Emit) error
	desk    http.Handler                      // of the people who work on what was set aside; nil where nothing is
	closers []func(ctx context.Context) error // called in reverse
}

// worker asks for work until told ends, and finishes what it has begun for as long as work lasts.
type worker interface {
	Run(told, work context.Context) error
}

// run builds a component, keeps it running until ctx ends, and drains it.
func run(ctx context.Context, cfg config, log *slog.Logger, stdout io.Writer) (err error) {
	p := &process{cfg: cfg, log: log}
	if p.tel, err = telemetry.New(ctx, cfg.component, cfg.getenv, log); err != nil {
		return err
	}
	p.closers = append(p.closers, p.tel.Close)
	ctx = telemetry.With(ctx, p.tel)
	// What is begun is finished, but not for longer than a drain may take.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(cfg.drain, cancel) })()
	defer func() { err = errors.Join(err, p.close(work)) }()

	if err := os.MkdirAll(cfg.data, 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := builders[cfg.component](ctx, p); err != nil {
		return err
	}
	p.gauges()
	return p.serve(ctx, work, stdout)
}

// serve binds the addresses, says so, and runs everything until ctx ends.
func (p *process) serve(ctx, work context.Context, stdout io.Writer) error {
	ctl, err := listen(ctx, p.cfg.control, p.controlHandler())
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	p.closers = append(p.closers, ctl.close)
	var public *httpServer
	if p.public != nil {
		if public, err = listen(ctx, p.cfg.listen, telemetry.Serve(p.public)); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		p.addr = public.addr
	}
	err = json.NewEncoder(stdout).Encode(map[string]string{"component": p.cfg.component, "listen": p.addr, "control": ctl.addr})
	if err != nil {
		return fmt.Errorf("say where: %w", err)
	}
	return p.work(ctx, work, public)
}

// work runs the loops. They stop in the order in which work flows: first what takes it in, then the audit trail, and the relay last, so
// that what was written on the way out is sent, too.
func (p *process) work(ctx, work context.Context, public *httpServer) error {
	var intake, writing, sending group
	if public != nil {
		intake.run(func() error { <-ctx.Done(); return public.close(work) })
	}
	for _, c := range p.consumers {
		intake.run(func() error { return c.Run(ctx, work, p.conn) })
	}
	if p.worker != nil {
		intake.run(func() error { return p.worker.Run(ctx, work) })
	}
	written, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	if p.trail != nil {
		writing.run(func() error { return p.trail.Run(written) })
	}
	sent, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	if p.relay != nil {
		sending.run(func() error { return p.relay.Run(sent, work) })
	}
	<-ctx.Done()
	err := intake.wait()
	stopWriting()
	err = errors.Join(err, writing.wait())
	stopSending()
	return errors.Join(err, sending.wait())
}

// group runs functions and collects their errors.
type group struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *group) run(fn func() error) {
	g.wg.Go(func() {
		if err := fn(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.errs = append(g.errs, err)
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

func (p *process) close(ctx context.Context) error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i](ctx))
	}
	return errors.Join(errs...)
}

// rng is a stream of randomness of its own for each purpose.
func (p *process) rng(purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, p.cfg.component+"/"+purpose) // a hash does not fail
	return rand.New(rand.NewPCG(p.cfg.seed, h.Sum64()))
}

func (p *process) backoff(purpose string) *policy.Backoff {
	return p.cfg.parts.Backoff(p.cfg.retryBase, p.cfg.retryCap, p.rng(purpose))
}

// store opens the store of a service.
func (p *process) store(ctx context.Context, service string, schemas ...store.Schema) (err error) {
	place := filepath.Join(p.cfg.data, service+".db")
	if p.cfg.store != "" {
		u, err := url.Parse(p.cfg.store)
		if err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		q := u.Query()
		q.Set("search_path", service)
		for name, value := range p.cfg.parts.Session {
			q.Set(name, value)
		}
		u.RawQuery = q.Encode()
		place = u.String()
	}
	if p.db, err = store.Open(ctx, place, p.cfg.sync, schemas...); err != nil {
		return err
	}
	p.db.Turn = p.cfg.parts.Turn
	p.closers = append(p.closers, func(context.Context) error { return p.db.Close() })
	return nil
}

func (p *process) controlHandler() http.Handler {
	return control.Server{
		Token:      p.cfg.controlToken,
		Records:    p.records,
		Quarantine: p.desk,
		Metrics:    p.tel.Handler(),
		Ready: func(ctx context.Context) error {
			for _, ready := range p.ready {
				if err := ready(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		Idle: func(ctx context.Context) (control.Idle, error) {
			i := control.Idle{InProgress: p.meter.InHand.Load(), Done: p.meter.Done.Load()}
			for _, add := range p.idle {
				if err := add(ctx, &i); err != nil {
					return i, err
				}
			}
			return i, nil
		},
		Observe: func(ctx context.Context, emit control.Emit) error {
			for _, observe := range p.observe {
				if err := observe(ctx, emit); err != nil {
					return err
				}
			}
			return nil
		},
	}.Handler()
}

// metered counts requests as work in hand.
func (p *process) metered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.meter.InHand.Add(1)
		defer func() {
			p.meter.InHand.Add(-1)
			p.meter.Done.Add(1)
		}()
		next.ServeHTTP(w, r)
	})
}

// httpServer is a server at work.
type httpServer struct {
	addr   string
	server *http.Server
	done   chan struct{}
}

// listen serves requests whose contexts carry what ctx does, and do not end with it.
func listen(ctx context.Context, addr string, handler http.Handler) (*httpServer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &httpServer{
		addr: l.Addr().String(),
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
			BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // it ends because close closes it
	}()
	return s, nil
}

// close lets requests finish until ctx ends.
func (s *httpServer) close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	<-s.done
	return err
}
