package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Logs has log lines say, where their context knows it, to which trace and to which job they belong.
func Logs(next slog.Handler) slog.Handler { return logs{next} }

type logs struct{ next slog.Handler }

func (l logs) Enabled(ctx context.Context, level slog.Level) bool { return l.next.Enabled(ctx, level) }

func (l logs) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	if op := Of(ctx); op != nil {
		for _, a := range op.job.attributes() {
			r.AddAttrs(slog.Any(string(a.Key), a.Value.AsInterface()))
		}
	}
	return l.next.Handle(ctx, r)
}

func (l logs) WithAttrs(attrs []slog.Attr) slog.Handler { return logs{l.next.WithAttrs(attrs)} }

func (l logs) WithGroup(name string) slog.Handler { return logs{l.next.WithGroup(name)} }
