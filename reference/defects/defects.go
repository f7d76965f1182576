// Package defects is a collection of ways to get the reference systems wrong: the order service (with a saga and without, on files and on
// PostgreSQL), the job system, the bookings, the metering and the two regions. Each has cost somebody money, and a tool that claims to find such things
// can be tried on them.
//
// The systems do not know that they exist: a defect swaps one of its parts.
package defects

import "github.com/wreckon/wreckon/reference/parts"

// Defect is one deliberate bug.
type Defect struct {
	Name    string
	Story   string   // how it happens in real systems
	Reveals []string // the scenarios that show it, each in nearly every run; the first is the one to begin with
	Falls   string   // the guarantee that falls
	Of      string   // the system it is a bug of; "" for the order service
	Apply   func(*parts.Parts)
}

// All are the defects.
var All = []Defect{
	PublishBeforeCommit,
	MarkBeforePublish,
	DedupCheckThenAct,
	AckBeforeWork,
	AuditOutsideTransaction,
	AuditBestEffort,
	UpsertOnRetry,
	IdempotencyKeyIgnoresPayload,
	DedupKeyPerPublish,
	DedupLostOnRestart,
	DedupWindowTooShort,
	NoPublishAck,
	TimeoutTakenForRefusal,
	TimeoutAnsweredAsRefusal,
	NoFencing,
	LostTraceOnRedelivery,
	UnboundedRetries,
	PermanentErrorRetried,
	WaitInWrongUnit,
	BreakerStaysOpen,
	DeadLetterWithoutContext,
	DeadLetterDroppedWhenFull,
	QuarantineReleaseUnchecked,
	ApprovalBypassed,
	CompensationOrderForward,
	CompensateUndoneStep,
	CompensationNotIdempotent,
	SagaStateInMemory,
	ReconcilerRepairsTwice,
	LateEventResurrects,
	RefusedAfterCommit,
	OverdueNotUndone,
	StaleStatusRead,
	StockCountedLater,
	AuditChainRestarts,
	AuditRestoredFromCopy,
	DrainIgnoresSIGTERM,
	CheckpointBeforeWork,
	ChunkKeyPerAttempt,
	CheckpointUnfenced,
	MigrationRerunDoubleApplies,
	LeaseByWallClock,
	TTLAcceptsLateCompletion,
	ReservationLeak,
	ExpiryUnderConfirmation,
	SagaTimeoutAndReplyRace,
	EarlyEventDropped,
	WorkAndAckNotAtomic,
	BatchCutAnew,
	RetryOvertaken,
	PartialWriteTwoTransactions,
	TwoRelaysNoClaim,
	RelayBatchOutlivesLease,
	EpochNotCompared,
	AcknowledgedBeforeCopied,
	PollByID,
	ReadModifyWrite,
	EventInSecondTransaction,
	UnknownCommitTakenForFailure,
	UnsyncedCommit,
}

// Names lists the defects.
func Names() []string {
	var names []string
	for _, d := range All {
		names = append(names, d.Name)
	}
	return names
}

// Find finds a defect by its name.
func Find(name string) (Defect, bool) {
	for _, d := range All {
		if d.Name == name {
			return d, true
		}
	}
	return Defect{}, false
}
