package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Kind says which side of a boundary an operation is on.
type Kind = trace.SpanKind

// The kinds of operation.
const (
	Server   = trace.SpanKindServer   // a request that came in
	Client   = trace.SpanKindClient   // a request that goes out
	Producer = trace.SpanKindProducer // a message that goes out
	Consumer = trace.SpanKindConsumer // a message, or a piece of work, that came in
)

// Operation is one crossing of a boundary, from Begin to End. It belongs to one goroutine at a time. Methods of a nil one do nothing.
type Operation struct {
	name  string
	began time.Time
	tel   *Telemetry
	ctx   context.Context // with the span in it, for the log line
	span  trace.Span      // nil: not recorded
	trace string
	job   Job
}

// Job says of which piece of work an operation is a part. A unit of work is a job without a parent; each of its steps is a job of which the
// unit is the parent.
type Job struct {
	ID      string
	Parent  string
	Attempt int // from 1; 0: not counted
}

func (j Job) attributes() (attrs []attribute.KeyValue) {
	if j.ID != "" {
		attrs = append(attrs, attribute.String("job_id", j.ID))
	}
	if j.Parent != "" {
		attrs = append(attrs, attribute.String("parent_job_id", j.Parent))
	}
	if j.Attempt > 0 {
		attrs = append(attrs, attribute.Int("attempt_number", j.Attempt))
	}
	return attrs
}

// Begin begins an operation that continues a trace: that of cause, a W3C traceparent, or, if that is empty, that of the operation that
// ctx carries. Where there is neither, or cause is no traceparent, the operation has no span. The context that it returns carries the operation.
func Begin(ctx context.Context, kind Kind, name, cause string) (context.Context, *Operation) {
	return begin(ctx, kind, name, cause, false)
}

// begin is Begin; root has it begin a trace where there is none to continue.
func begin(ctx context.Context, kind Kind, name, cause string, root bool) (context.Context, *Operation) {
	t := from(ctx)
	op := &Operation{name: name, tel: t, trace: cause}
	if t == nil {
		return ctx, op
	}
	if outer := Of(ctx); outer != nil {
		op.job = outer.job
	}
	op.began = time.Now()
	readable := true
	if cause != "" {
		caused := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier{&cause}))
		readable = caused.IsValid()
		// A span that cannot be recorded still has its trace in the log.
		ctx = trace.ContextWithRemoteSpanContext(ctx, caused)
	}
	if t.tracer != nil && readable && (root || trace.SpanContextFromContext(ctx).IsValid()) {
		ctx, op.span = t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(op.began))
		propagation.TraceContext{}.Inject(ctx, carrier{&op.trace})
	}
	ctx = context.WithValue(ctx, operationKey, op)
	op.ctx = ctx
	return ctx, op
}

// carrier is a traceparent where a whole set of headers is expected.
type carrier struct{ traceparent *string }

func (c carrier) Get(key string) string {
	if key == "traceparent" {
		return *c.traceparent
	}
	return ""
}

func (c carrier) Set(key, value string) {
	if key == "traceparent" {
		*c.traceparent = value
	}
}

func (c carrier) Keys() []string { return []string{"traceparent"} }

// Of is the operation that ctx carries; nil if it carries none.
func Of(ctx context.Context) *Operation {
	op, _ := ctx.Value(operationKey).(*Operation)
	return op
}

// Trace is the traceparent for whatever the operation causes: of its own span or, if it has none, that of its cause, as it came.
func (op *Operation) Trace() string {
	if op == nil {
		return ""
	}
	return op.trace
}

// Recorded says whether the operation has a span.
func (op *Operation) Recorded() bool { return op != nil && op.span != nil }

// About says which job the operation that ctx carries is a part of, as soon as that is known; until then it is that of the operation around it.
func About(ctx context.Context, j Job) {
	op := Of(ctx)
	if op == nil {
		return
	}
	if j.Attempt == 0 {
		j.Attempt = op.job.Attempt // known before what was in the message was
	}
	op.job = j
}

// Event marks an instant of the operation that ctx carries.
func Event(ctx context.Context, name string) {
	if op := Of(ctx); op.Recorded() {
		op.span.AddEvent(name)
	}
}

// End ends the operation: outcome is one of a few words for what became of it, and err, if not nil, why it failed.
func (op *Operation) End(outcome string, err error) {
	if op == nil || op.tel == nil {
		return
	}
	took := time.Since(op.began)
	op.tel.seconds.WithLabelValues(op.name, outcome).Observe(took.Seconds())
	status := "ok"
	if err != nil {
		status = "error"
	}
	if op.span != nil {
		op.span.SetAttributes(attribute.String("outcome", outcome), attribute.String("status", status))
		op.span.SetAttributes(op.job.attributes()...)
		if err != nil {
			op.span.SetStatus(codes.Error, err.Error())
		}
		op.span.End(trace.WithTimestamp(op.began.Add(took)))
	}
	if op.tel.log.Enabled(op.ctx, slog.LevelDebug) {
		op.tel.log.DebugContext(op.ctx, "operation ended", "operation", op.name, "status", status, "outcome", outcome,
			"began", op.began, "took", took, "error", err)
	}
}
