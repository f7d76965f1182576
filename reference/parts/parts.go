// Package parts lists the places where the systems of the reference could be built another way: one field for each strategy on which a promise
// hangs. Right is the one that keeps them all. It must never know who would want another.
package parts

import (
	"net/http"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/inventory"
	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/reconcile"
	"github.com/wreckon/wreckon/reference/region"
	"github.com/wreckon/wreckon/reference/saga"
	"github.com/wreckon/wreckon/reference/store"
)

// Parts are the strategies a component is built from.
type Parts struct {
	Turn     store.Turn          // when a transaction takes its turn
	Session  map[string]string   // settings of connections to PostgreSQL
	Enter    api.Enter           // how the api knows a request that comes again
	Announce api.NewAnnounce     // how the api makes the rest of the system hear of an order
	Pick     outbox.Pick         // which rows a relay takes
	Forward  outbox.Forward      // in what order a relay publishes and marks
	Trail    audit.Open          // when an audit entry is written
	Charge   intent.New          // how payments brings about an effect at the gateway
	Receive  broker.Receive      // when payments acknowledges a command
	Backoff  policy.New          // how long is waited before something is tried again
	Breaker  policy.MakeBreaker  // when the gateway is left alone
	Release  quarantine.Rule     // who may decide what becomes of a dead letter
	Read     api.Read            // where the api reads an order
	Print    api.Print           // how the api tells a request that comes again from another one
	Unsure   int                 // status with which the api says that nobody knows
	Close    api.NewCloser       // how the api takes the end of an order
	Moves    saga.Moves          // what follows what
	Late     saga.Moves          // what follows where an order's time is up
	Admit    api.Admit           // when the api asks whether too much waits
	Sagas    saga.Keep           // where sagas are between two messages
	Shift    inventory.NewShift  // when the stock is counted
	SetAside quarantine.SetAside // what becomes of a message that cannot be worked on
	Failures int                 // how often a message may fail for good
	Tries    int                 // how often one message may call the gateway; 0: as often as it was configured
	Repair   reconcile.Repair    // what is done about a step that was set aside without an answer

	Listen choreography.Listen // what a service does when it hears of another

	JobFence   jobs.Fence   // whether a worker may still speak for a job
	JobClock   jobs.Clock   // by whose clock the leases on jobs expire
	JobFenced  bool         // whether the gateway is asked to refuse what comes under an older token
	JobResume  jobs.Resume  // where a worker begins with a job that was begun
	JobAdvance jobs.Advance // in what order a worker does a chunk and saves its place
	JobKey     jobs.Key     // under which name a worker asks for a chunk's effect
	JobStopped jobs.Stopped // whether a worker leaves a job that is not finished

	BookingSettle booking.Settle // what becomes of the seat of a booking that ends
	BookingOver   booking.Over   // which bookings expire
	BookingUntil  booking.Until  // by when a confirmation must have landed

	MeterReceive broker.Receive        // when the ingester acknowledges a reading
	MeterClaim   func() metering.Claim // who sends the batches of an account
	MeterCut     metering.Cut          // which batch of an account is sent next
	MeterSettle  metering.Settle       // in what order a batch is sent, and written down with its account's balance

	RegionCopy region.Copy // when the other region gets what is committed here
	RegionCall region.Call // how a transfer is asked for at the gateway
}

// Right returns the strategies that keep the promises.
func Right() *Parts {
	return &Parts{
		Turn:     store.AtBegin,
		Enter:    api.ByKey,
		Announce: api.ThroughOutbox,
		Pick:     outbox.Unmarked,
		Forward:  outbox.PublishThenMark,
		Trail:    audit.Transactional,
		Charge:   intent.Leased,
		Receive:  broker.AfterWork,
		Backoff:  policy.NewBackoff,
		Breaker:  policy.NewBreaker,
		Release:  quarantine.FourEyes,
		Read:     api.FromTable,
		Print:    idempotency.Fingerprint,
		Unsure:   http.StatusServiceUnavailable,
		Close:    api.CloseOnce,
		Moves:    saga.Forward,
		Late:     saga.Overdue,
		Admit:    api.AskFirst,
		Sagas:    saga.Table{},
		Shift:    inventory.InPlace,
		SetAside: quarantine.Answer,
		Failures: inbox.MaxFailures,
		Repair:   reconcile.AskTheOtherSide,

		Listen: choreography.News,

		JobFence:   jobs.Fenced,
		JobClock:   jobs.OwnClock,
		JobFenced:  true,
		JobResume:  jobs.BehindCheckpoint,
		JobAdvance: jobs.WorkThenSave,
		JobKey:     jobs.StableKey,
		JobStopped: jobs.WhenTold,

		BookingSettle: booking.MoveSeat,
		BookingOver:   booking.HeldTooLong,
		BookingUntil:  booking.EndOfHold,

		MeterReceive: broker.AfterWork,
		MeterClaim:   metering.OneAtATime,
		MeterCut:     metering.OldestFirst,
		MeterSettle:  metering.InOneTransaction,

		RegionCopy: region.BeforeCommit,
		RegionCall: region.Fenced,
	}
}
