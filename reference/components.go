package reference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/inventory"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/payments"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/reconcile"
	"github.com/wreckon/wreckon/reference/saga"
	"github.com/wreckon/wreckon/reference/shipping"
	"github.com/wreckon/wreckon/reference/store"
)

// builders puts each component together.
var builders = map[string]func(context.Context, *process) error{
	"broker":    buildBroker,
	"api":       buildAPI,
	"relay":     buildRelay,
	"saga":      buildSaga,
	"inventory": buildInventory,
	"payments":  buildPayments,
	"shipping":  buildShipping,
	"audit":     buildAudit,
	"queue":     buildQueue,
	"worker-1":  buildWorker,
	"worker-2":  buildWorker,
	"bookings":  buildBookings,
	"confirmer": buildConfirmer,
	"reclaimer": buildReclaimer,
	"intake":    buildIntake,
	"ingester":  buildIngester,

	"coordinator": buildCoordinator,
	"east":        buildRegion,
	"west":        buildRegion,
}

// streams are what the broker keeps, and who reads it. The names of consumers are those in the builders.
var streams = []broker.Stream{
	{Name: "ORDERS", Subjects: "orders.>", Consumers: []string{"api", "saga-orders"}},
	{Name: "COMMANDS", Subjects: "commands.>", Consumers: []string{"inventory", "payments", "shipping"}},
	{Name: "REPLIES", Subjects: "replies.>", Consumers: []string{"saga-replies"}},
	{Name: "READINGS", Subjects: "readings.>", Consumers: []string{"intake", "ingester"}},
	{Name: "AUDIT", Subjects: "audit.>", Consumers: []string{"audit"}},
}

func buildBroker(ctx context.Context, p *process) error {
	kept := streams
	if p.cfg.choreography {
		kept = choreographed()
	}
	server, err := broker.Serve(ctx, p.cfg.listen, p.cfg.data, kept, p.log)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func(context.Context) error { server.Close(); return nil })
	p.addr = server.Addr()
	p.idle = append(p.idle, func(_ context.Context, i *control.Idle) (err error) {
		i.Pending, err = server.Pending()
		return err
	})
	return nil
}

func buildAPI(ctx context.Context, p *process) error {
	if err := p.open(ctx, inbox.Schema, idempotency.Schema, api.Schema); err != nil {
		return err
	}
	if err := p.dial(); err != nil {
		return err
	}
	gate := &policy.Gate{
		Limit: p.cfg.outboxLimit, Fresh: 50 * time.Millisecond, After: time.Second,
		Depth: func(ctx context.Context) (int64, error) { return outbox.Unsent(ctx, p.db) },
	}
	service := &api.Service{
		Gate: gate, Admit: p.cfg.parts.Admit,
		DB: p.db, Trail: p.trail, Enter: p.cfg.parts.Enter, Announce: p.cfg.parts.Announce(p.db, p.box, p.conn),
		Read: p.cfg.parts.Read, Print: p.cfg.parts.Print, Unsure: p.cfg.parts.Unsure,
	}
	closed := p.cfg.parts.Close(service, p.inbox)
	if p.cfg.choreography {
		p.consume("REPLIES", "api", "replies.>", broker.AfterWork, choreography.Ends(p.inbox, closed))
	} else {
		p.consume("ORDERS", "api", orders.SubjectClosed, broker.AfterWork, closed)
	}
	p.public = p.metered(api.Handler(service, p.log))
	// Without a broker it accepts orders all the same, so it is ready without one.
	p.ready = []func(context.Context) error{p.reads}
	p.counts(service.Open)
	p.observe = append(p.observe, service.Observe)
	return nil
}

// buildRelay builds the outbox relay of the api as a process of its own. The other services run theirs inside.
func buildRelay(ctx context.Context, p *process) error {
	if err := p.store(ctx, "api", outbox.Schema); err != nil {
		return err
	}
	p.idle = append(p.idle, p.unsent)
	p.ready = append(p.ready, p.reads)
	if err := p.dial(); err != nil {
		return err
	}
	p.sends("api", nil, p.cfg.poll)
	return nil
}

func buildSaga(ctx context.Context, p *process) error {
	if err := p.service(ctx, saga.Schema); err != nil {
		return err
	}
	o := &saga.Orchestrator{DB: p.db, Inbox: p.inbox, Box: p.box, Trail: p.trail, Moves: p.cfg.parts.Moves, Late: p.cfg.parts.Late, Keep: p.cfg.parts.Sagas,
		Log: p.log}
	p.consume("ORDERS", "saga-orders", orders.SubjectCreated, broker.AfterWork, o.Created)
	p.consume("REPLIES", "saga-replies", "replies.>", broker.AfterWork, o.Replied)
	p.counts(o.Open)
	p.observe = append(p.observe, o.Observe)
	return nil
}

func buildInventory(ctx context.Context, p *process) error {
	if err := p.service(ctx, inventory.Schema, quarantine.Schema, choreography.Schema); err != nil {
		return err
	}
	p.quarantine(inventory.Name)
	w := &inventory.Warehouse{DB: p.db, Shift: p.cfg.parts.Shift(p.db), Inbox: p.inbox, Box: p.box, Trail: p.trail}
	p.steps(broker.AfterWork, w.Handle, orders.Reserve, choreography.Inventory)
	p.observe = append(p.observe, w.Observe)
	return nil
}

func buildPayments(ctx context.Context, p *process) error {
	if err := p.service(ctx, intent.Schema, lease.Schema, quarantine.Schema, choreography.Schema); err != nil {
		return err
	}
	p.observe = append(p.observe, p.observeLeases)
	p.quarantine(payments.Name)
	c := &payments.Cashier{
		Inbox: p.inbox, Perform: p.cfg.parts.Charge(p.tools()), Gateway: p.gateway(), Box: p.box, Trail: p.trail,
	}
	p.reconciles(payments.Name, c.Gateway)
	p.steps(p.cfg.parts.Receive, c.Handle, "", choreography.Payments)
	return nil
}

func buildShipping(ctx context.Context, p *process) error {
	if err := p.service(ctx, intent.Schema, lease.Schema, quarantine.Schema, choreography.Schema); err != nil {
		return err
	}
	p.observe = append(p.observe, p.observeLeases)
	p.quarantine(shipping.Name)
	s := &shipping.Dispatcher{
		Inbox: p.inbox, Perform: intent.Leased(p.tools()), Gateway: p.gateway(), Box: p.box, Trail: p.trail,
	}
	p.reconciles(shipping.Name, s.Gateway)
	p.steps(broker.AfterWork, s.Handle, "", choreography.Shipping)
	return nil
}

func buildAudit(ctx context.Context, p *process) error {
	if err := p.store(ctx, p.cfg.component, inbox.Schema, audit.LedgerSchema, outbox.Schema, audit.Schema); err != nil {
		return err
	}
	p.inbox = &inbox.Inbox{DB: p.db}
	p.box = outbox.NewBox(p.cfg.component)
	p.ready = append(p.ready, p.reads)
	p.observe = append(p.observe, p.observeInbox, p.observeOutbox, p.observeChain)
	if err := p.dial(); err != nil {
		return err
	}
	p.sends(p.cfg.component, p.box.Added(), time.Second)
	ledger := &audit.Ledger{DB: p.db, Inbox: p.inbox}
	notary := &audit.Notary{
		Ledger: ledger, Source: p.cfg.component, Trail: audit.Transactional(p.cfg.component, p.db, p.box, nil), Every: p.cfg.checkpoint, Log: p.log,
	}
	p.worker = notary
	p.idle = append(p.idle, p.unsent, func(ctx context.Context, i *control.Idle) error {
		n, err := notary.Due(ctx)
		i.Pending += n
		return err
	})
	p.consume("AUDIT", "audit", "audit.>", broker.AfterWork, ledger.Handle)
	p.records = func(ctx context.Context, after int64, limit int, emit control.Emit) error {
		page, err := ledger.After(ctx, after, limit)
		if err != nil {
			return err
		}
		for _, line := range page {
			if err := emit(line); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// service is what saga, inventory, payments and shipping have in common: a database of their own, and a relay inside.
func (p *process) service(ctx context.Context, schemas ...store.Schema) error {
	if err := p.open(ctx, append(schemas, inbox.Schema)...); err != nil {
		return err
	}
	if err := p.dial(); err != nil {
		return err
	}
	p.sends(p.cfg.component, p.box.Added(), time.Second)
	return nil
}

// open opens the component's store, with an inbox, an outbox and an audit trail.
func (p *process) open(ctx context.Context, schemas ...store.Schema) error {
	if err := p.store(ctx, p.cfg.component, append(schemas, outbox.Schema, audit.Schema)...); err != nil {
		return err
	}
	p.inbox = &inbox.Inbox{DB: p.db, Failures: p.cfg.parts.Failures}
	p.box = outbox.NewBox(p.cfg.component)
	p.trail = p.cfg.parts.Trail(p.cfg.component, p.db, p.box, dialled{p})
	p.ready = append(p.ready, p.reads)
	p.idle = append(p.idle, p.unsent)
	p.observe = append(p.observe, p.observeOutbox, p.observeInbox, p.observeChain)
	return nil
}

// dialled is the broker, once dial was called.
type dialled struct{ *process }

func (d dialled) Publish(ctx context.Context, m message.Message) error { return d.conn.Publish(ctx, m) }

// dial begins to connect to the broker, and makes readiness depend on it.
func (p *process) dial() (err error) {
	if p.conn, err = broker.Dial(p.cfg.broker, p.cfg.component, p.rng("dial"), p.log); err != nil {
		return err
	}
	p.closers = append(p.closers, p.conn.Close)
	p.ready = append(p.ready, func(context.Context) error {
		if !p.conn.Connected() {
			return errors.New("no broker")
		}
		for _, c := range p.consumers {
			if !c.Ready() {
				return fmt.Errorf("consumer %s is not set up", c.Durable)
			}
		}
		return nil
	})
	return nil
}

func (p *process) consume(stream, durable, filter string, receive broker.Receive, handle broker.Handler) {
	p.consumers = append(p.consumers, &broker.Consumer{
		Stream: stream, Durable: durable, Filter: filter, Handle: handle, Receive: receive,
		AckWait: p.cfg.ackWait, Workers: p.cfg.workers, Backoff: p.backoff(durable), Meter: &p.meter, Log: p.log,
	})
}

func (p *process) sends(sender string, added <-chan struct{}, poll time.Duration) {
	p.relay = &outbox.Relay{
		DB: p.db, Sender: sender, Pub: p.conn, Pick: p.cfg.parts.Pick, Forward: p.cfg.parts.Forward, Backoff: p.backoff("relay"),
		Added: added, Poll: poll, Log: p.log,
	}
}

// quarantine has what cannot be worked on set aside, and lets people look after it.
func (p *process) quarantine(service string) {
	p.inbox.Dead = p.cfg.parts.SetAside(service, p.box, p.trail)
	p.desk = quarantine.Handler(p.deskOf(service), p.cfg.operators)
}

func (p *process) deskOf(service string) quarantine.Desk {
	return quarantine.Desk{Service: service, DB: p.db, Box: p.box, Trail: p.trail, Rule: p.cfg.parts.Release}
}

// reconciles has what was set aside without an answer compared with what the gateway has done.
func (p *process) reconciles(service string, g *gateway.Client) {
	r := &reconcile.Reconciler{
		DB: p.db, Tools: reconcile.Tools{Gateway: g, Desk: p.deskOf(service)}, Repair: p.cfg.parts.Repair,
		Rest: p.cfg.lease, Timeout: p.cfg.gatewayTimeout, Log: p.log,
	}
	p.worker = r
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) error {
		n, err := r.Waiting(ctx)
		i.Pending += n
		return err
	})
}

func (p *process) gateway() *gateway.Client {
	breaker := p.cfg.parts.Breaker(p.cfg.breakerAfter, p.backoff("breaker"))
	p.tel.Gauge("reference_breaker_open", "Whether calls to the gateway are held back.", func(context.Context) (float64, error) {
		if breaker.Open() {
			return 1, nil
		}
		return 0, nil
	})
	c := gateway.New(p.cfg.gateway, p.cfg.gatewayToken, p.cfg.component, breaker)
	p.closers = append(p.closers, func(context.Context) error { c.Close(); return nil })
	return c
}

func (p *process) tools() intent.Tools {
	return intent.Tools{
		DB: p.db, Inbox: p.inbox,
		Owner: fmt.Sprintf("%s-%d-%d", p.cfg.component, os.Getpid(), time.Now().UnixNano()),
		Lease: p.cfg.lease, Timeout: p.cfg.gatewayTimeout, Backoff: p.backoff("gateway"), Tries: cmp.Or(p.cfg.parts.Tries, p.cfg.gatewayTries),
		Log: p.log,
	}
}
