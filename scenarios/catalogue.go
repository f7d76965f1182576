package scenarios

import (
	"slices"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
)

// UseCase is one of the situations in which safe completion is at stake, as the field's catalogue names them. Scenarios say which they
// cover.
type UseCase struct {
	Name  string
	About string // what it is, and what goes wrong in it
	Lacks string // what of it no scenario does
}

// Catalogue lists the ten use cases and, behind them, the four worked examples.
var Catalogue = []UseCase{
	{Name: "payment", About: "Money is taken once from whoever is to pay, and given back once, although the party that moves it may be asked and not heard.",
		Lacks: "chargebacks and partial refunds: an order is charged, and refunded, as a whole."},
	{Name: "order-fulfilment", About: "An order goes through services that each do a part of it; it ends whole, or everything that was done is undone.",
		Lacks: "parts of an order that go separate ways: its steps follow one another."},
	{Name: "schema-migration", About: "What is stored is carried over into another form, piece by piece, and is there once when it is over.",
		Lacks: "tables that change their form while services of both versions write them: a migration here moves data that nobody else writes."},
	{Name: "long-data-processing", About: "Work that takes longer than its workers live goes on where it was left, and no part of it takes effect twice."},
	{Name: "serverless-handler", About: "A platform calls a handler at least once, again when it hears nothing, perhaps beside the first call, and kills it when its time is up.",
		Lacks: "a platform that starts an instance for each call: here the broker is the platform, and the handler is a process that lives on until it is killed."},
	{Name: "reservations", About: "What is held for a while is taken or given back, once, and never taken too late."},
	{Name: "two-region-failover", About: "One region is active and the other takes over; the first may come back and not know it. What was acknowledged survives, and what the old one still does is refused where it lands.",
		Lacks: "more than two regions, and a coordinator that is itself replicated."},
	{Name: "event-pipeline", About: "What happened is told to everybody who must know, once in effect and in order, whoever dies between the commit and the delivery."},
	{Name: "metering", About: "Many small readings are collected and billed, each once, in order."},
	{Name: "coordinated-rollout", About: "Several components are changed one after the other while work goes on, so that old and new meet; what does not go well is taken back.",
		Lacks: "old and new versions side by side: what is restarted one after the other is the same version."},
	{Name: "rolling-upgrade", About: "Worked example: every component is replaced while orders come in, and none is lost."},
	{Name: "idempotent-payment", About: "Worked example: a payment function is called twice, at the same time, and again after it died, and charges once."},
	{Name: "partial-migration", About: "Worked example: a migration stops half-way and is taken up again by somebody else."},
	{Name: "batch-window", About: "Worked example: work is collected in windows of time, and the time goes on while a window is being worked on."},
}

func useCases() []string {
	var names []string
	for _, u := range Catalogue {
		names = append(names, u.Name)
	}
	return names
}

// covers reads which use cases of the catalogue a scenario covers.
func (p *parser) covers(o document.Object) (names []string) {
	n := o.Get("covers")
	if n == nil {
		return nil
	}
	known := useCases()
	for _, item := range p.List(n, "covers") {
		name, ok := p.Text(item, "a use case")
		switch {
		case !ok:
		case !slices.Contains(known, name):
			p.Hinted(item, document.KnownNames(known), "the catalogue has no use case %s%s", document.Quote(name), spelling.Hint(name, known))
		case slices.Contains(names, name):
			p.Problem(item, "use case %s is named twice", document.Quote(name))
		default:
			names = append(names, name)
		}
	}
	return names
}
