package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/internal/rundir"
)

// receiveSpans listens for spans of the components, if somebody wants them.
func (r *run) receiveSpans() (err error) {
	if !r.Spans && !r.Target.Spans {
		return nil
	}
	r.spans, err = otlp.NewReceiver(filepath.Join(r.absolute(), rundir.SpansFile))
	return err
}

// spansFrom has a component send its spans here. It is told so by the standard variables, so that any component does that uses an OpenTelemetry
// SDK; and to send them soon, since one that is killed takes what it has not sent. What it is told by the target counts for more.
func (r *run) spansFrom(component string, place environment.Place) ([]string, error) {
	if r.spans == nil {
		return nil, nil
	}
	endpoint, err := r.spans.Listen(net.JoinHostPort(place.Near, "0"))
	if err != nil {
		return nil, fmt.Errorf("have %s send spans: %w", component, err)
	}
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_SERVICE_NAME=" + component,
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=100",
	}, nil
}

// toldBySpans gives the spans that have come so far to a target that reads them.
func (r *run) toldBySpans() (lines [][]byte, err error) {
	if _, err := r.spans.Flush(); err != nil {
		return nil, err
	}
	spans, err := otlp.ReadFile(filepath.Join(r.absolute(), rundir.SpansFile))
	for _, s := range spans {
		line, err := json.Marshal(s)
		if err != nil {
			return nil, fmt.Errorf("write span: %w", err)
		}
		lines = append(lines, line)
	}
	return lines, err
}

// keepSpans brings the spans that have come to the run directory. Later ones come, too, until the components are gone; that some are missing
// changes no verdict.
func (r *run) keepSpans() {
	if r.spans == nil {
		return
	}
	n, err := r.spans.Flush()
	if err != nil {
		r.manifest.Warnings = append(r.manifest.Warnings, "spans are missing: "+err.Error())
	}
	r.manifest.Spans = &n
}

func (r *run) closeSpans(ctx context.Context) error {
	if r.spans == nil {
		return nil
	}
	return r.spans.Close(ctx)
}
