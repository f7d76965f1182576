package reports

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/otlp"
)

func toldOf(unit string) []otlp.Span {
	at := time.UnixMilli(1_000)
	return []otlp.Span{
		{Trace: "t", ID: "a", Service: "api", Name: "POST /orders", Start: at, End: at.Add(2 * time.Millisecond), Status: "ok",
			Attributes: map[string]any{"job_id": unit, "outcome": "201"}},
		{Trace: "t", ID: "b", Parent: "a", Service: "payments", Name: "<script>\x1b[2J", Start: at.Add(5 * time.Millisecond), End: at.Add(9 * time.Millisecond),
			Status: "error", Message: "no\nanswer", Attributes: map[string]any{"attempt_number": 2.0}},
	}
}

func TestSpansAreShownBelowTheirCauses(t *testing.T) {
	assert.Equal(t, ""+
		"     0.0 ms      2.0 ms  api        POST /orders  outcome=201\n"+
		"     5.0 ms      4.0 ms  payments     <script>�[2J  attempt_number=2  error: no answer\n", Spans(toldOf("o-1"), "o-1"))
	assert.Empty(t, Spans(toldOf("o-1"), "o-2"))
}

func TestThePageShowsTheSpansOfAFinding(t *testing.T) {
	r := sample(true)
	unit := findings(r)[0].Unit
	require.NotEmpty(t, unit)
	r.Spans = toldOf(unit)
	var page, hidden bytes.Buffer
	require.NoError(t, HTML(&page, r, Options{}))
	assert.Equal(t, 1, strings.Count(page.String(), "What its components told, 2 spans"))
	assert.Contains(t, page.String(), "&lt;script&gt;")
	require.NoError(t, HTML(&hidden, redact(r), Options{}))
	assert.NotContains(t, hidden.String(), "What its components told")
}
