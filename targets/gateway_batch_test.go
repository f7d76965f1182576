package targets

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

func TestABatchIsAppliedOnceLineByLine(t *testing.T) {
	var n notebook
	g, err := listenGateway(readingPrefix, secret, &n, map[string]route{"/bills": {step: "bill", op: "do", batch: true}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.close()) })
	const batch = `{"lines":[{"order_id":"r-1","account":"a-1","number":7,"meter":"m","amount":5},` +
		`{"order_id":"r-2","account":"a-1","number":8,"meter":"unknown","amount":6},{"order_id":"?","account":"a-1","number":9,"meter":"m","amount":7}]}`
	for range 2 {
		status, body := post(t, g, "/bills", "a-1/7-9", batch)
		assert.Equal(t, http.StatusOK, status)
		assert.JSONEq(t, `{"id":"bill-1","refused":[8]}`, body, "the same answer for the same key")
	}
	status, _ := post(t, g, "/bills", "a-1/7-9", `{"lines":[{"order_id":"r-3","account":"a-1","number":7,"meter":"m"}]}`)
	assert.Equal(t, http.StatusConflict, status)

	var outcomes []history.Outcome
	for _, e := range n.all() {
		outcomes = append(outcomes, e.Outcome)
		assert.Equal(t, "a-1", e.Key)
	}
	assert.Equal(t, []history.Outcome{history.OutcomeApplied, history.OutcomeRefused, history.OutcomeApplied, history.OutcomeDeduplicated,
		history.OutcomeRefused, history.OutcomeDeduplicated, history.OutcomeRefused}, outcomes)
	first := n.all()[0]
	assert.Equal(t, []any{history.Unit(0), uint64(7), "5", "bill"}, []any{first.Unit, first.Token, first.Value, first.Step})
	assert.Equal(t, history.NoUnit, n.all()[2].Unit)
}
