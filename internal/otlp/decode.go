package otlp

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// decode takes spans out of their wrapping. refused is how many have no identity.
func decode(traces ptrace.Traces) (spans []Span, refused int) {
	for _, resource := range traces.ResourceSpans().All() {
		service := ""
		if v, ok := resource.Resource().Attributes().Get("service.name"); ok {
			service = v.AsString()
		}
		for _, scope := range resource.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				if s.TraceID().IsEmpty() || s.SpanID().IsEmpty() {
					refused++
					continue
				}
				spans = append(spans, span(service, s))
			}
		}
	}
	return spans, refused
}

func span(service string, s ptrace.Span) Span {
	out := Span{
		Trace: s.TraceID().String(), ID: s.SpanID().String(), Parent: s.ParentSpanID().String(),
		Service: service, Name: s.Name(), Kind: strings.ToLower(s.Kind().String()),
		Start: s.StartTimestamp().AsTime(), End: s.EndTimestamp().AsTime(),
		Status: strings.ToLower(s.Status().Code().String()), Message: s.Status().Message(),
	}
	if s.Attributes().Len() > 0 {
		out.Attributes = plain(s.Attributes())
	}
	for _, l := range s.Links().All() {
		out.Links = append(out.Links, Link{l.TraceID().String(), l.SpanID().String()})
	}
	for _, e := range s.Events().All() {
		out.Events = append(out.Events, Event{e.Name(), e.Timestamp().AsTime()})
	}
	return out
}

// plain is attributes with values that JSON has; numbers and booleans stay what they are, and what is made of several is text.
func plain(attrs pcommon.Map) map[string]any {
	m := make(map[string]any, attrs.Len())
	for k, v := range attrs.All() {
		switch v.Type() {
		case pcommon.ValueTypeInt:
			m[k] = v.Int()
		case pcommon.ValueTypeBool:
			m[k] = v.Bool()
		default: // a double may be NaN, which JSON has no word for
			m[k] = v.AsString()
		}
	}
	return m
}
