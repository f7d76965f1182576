package otlp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/internal/otlp"
)

func draw(spans []otlp.Span) (text []string) {
	for _, b := range otlp.Tree(spans) {
		text = append(text, strings.Repeat(" ", b.Depth)+b.Name)
	}
	return text
}

func TestATreePutsCausesAboveWhatTheyCaused(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	unit := map[string]any{"job_id": "o-1"}
	step := map[string]any{"job_id": "o-1/charge", "parent_job_id": "o-1"}
	spans := []otlp.Span{
		{Trace: "t", ID: "c", Parent: "b", Name: "charge", Start: at(3), Attributes: step},
		{Trace: "t", ID: "a", Parent: "client", Name: "submit", Start: at(1), Attributes: unit},
		{Trace: "t", ID: "e", Parent: "b", Name: "charge again", Start: at(5), Attributes: step},
		{Trace: "t", ID: "b", Parent: "a", Name: "publish", Start: at(2)},
		{Trace: "t", ID: "f", Parent: "lost", Name: "reply", Start: at(6), Attributes: unit},
		{Trace: "u", ID: "a", Name: "another", Start: at(0), Attributes: map[string]any{"job_id": "o-10", "n": 1.0}},
	}
	assert.Equal(t, []string{"submit", " publish", "  charge", "  charge again", "reply"}, draw(otlp.OfUnit(spans, "o-1")))
	assert.Equal(t, []string{"another"}, draw(otlp.OfUnit(spans, "o-10")))
	assert.Empty(t, otlp.OfUnit(spans, "o-2"))
}

func TestACircleIsNoTree(t *testing.T) {
	assert.Equal(t, []string{"top"}, draw([]otlp.Span{
		{Trace: "t", ID: "a", Parent: "b", Name: "x"}, {Trace: "t", ID: "b", Parent: "a", Name: "y"}, {Trace: "t", ID: "c", Parent: "c", Name: "top"},
	}), "what has no beginning is not shown, and nothing hangs")
}
