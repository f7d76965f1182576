package file

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

const observed = `
target: shop
components:
  shop: {command: [./shop]}
edges:
  - {from: client, to: shop, protocol: http}
submit: {to: shop, request: POST /orders}
spans:
  - {when: {name: charge, attributes.outcome: charged}, unit: attributes.order.id, says: charged, step: charge}
  - {when: {service: api, status: error}, unit: attributes.order.id, says: failed}
idle: {silence: 1s}
claims:
  unit: order
  steps: [{name: charge, audit_do: charged}]
  states: {completed: paid, compensated: failed, audits: {failed: failed}}
`

func reading(t *testing.T, src string, spans ...string) (*instance, *recorder) {
	d, problems := define("/shop/target.yaml", []byte(src))
	require.Empty(t, problems, "%v", problems)
	rec := &recorder{}
	made, err := d.start(targets.Wiring{Recorder: rec, Clock: rec, Spans: func() (lines [][]byte, err error) {
		for _, s := range spans {
			lines = append(lines, []byte(s))
		}
		return lines, nil
	}})
	require.NoError(t, err)
	i := made.(*instance)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i, rec
}

// A span tells what the file says that it tells; one that failed, or is about something else, does not.
func TestSpansTellOfUnits(t *testing.T) {
	i, rec := reading(t, observed,
		`{"trace":"t1","name":"charge","service":"payments","status":"unset","end":"2001-09-09T01:46:41Z","attributes":{"order.id":"o-1","outcome":"charged"}}`,
		`{"name":"charge","service":"payments","status":"error","attributes":{"order.id":"o-2","outcome":"charged"}}`,
		`{"name":"charge","service":"payments","attributes":{"order.id":"o-3","outcome":"declined"}}`,
		`{"name":"charge","service":"payments","attributes":{"order.id":"somebody","outcome":"charged"}}`,
		`{"name":"POST /orders","service":"api","status":"error","attributes":{"order.id":"o-4"}}`,
		`{"name":"POST /orders","service":"api","status":"ok","attributes":{"order.id":"o-5"}}`)
	require.NoError(t, i.Observe(t.Context()))
	assert.Equal(t, []string{"told charge o-1 payments charged charge 0 t1", "told o-4 api failed POST /orders 0"}, rec.of(history.KindObserve))
	target := i.target()
	assert.True(t, target.Spans)
	assert.Contains(t, target.Claims.Feeds, history.FeedSpans)
	assert.NotContains(t, target.Claims.Feeds, history.FeedAudit, "spans are no trail")

	for old, c := range map[string]struct{ text, want string }{
		"unit: attributes.order.id, says: charged": {"unit: order.id, says: charged", `"order.id" is no place in a span: write attributes.NAME, name`},
		"{service: api,": {"{servce: api,", `"servce" is no place in a span`},
		"says: charged":  {"says: chraged", `nothing is claimed of "chraged", so that nothing could contradict it`},
		"step: charge}":  {"step: ship}", `claims.steps have no "ship"`},
	} {
		require.Contains(t, observed, old)
		_, problems := Parse("shop.yaml", []byte(strings.Replace(observed, old, c.text, 1)))
		assert.ErrorContains(t, problems, c.want)
	}
}

// Whatever a sender writes into a span, it tells of a unit or of nothing.
func FuzzSpan(f *testing.F) {
	d, problems := define("/shop/target.yaml", []byte(observed))
	require.Empty(f, problems)
	i := &instance{definition: d, claims: d.target().Claims, w: targets.Wiring{Clock: &recorder{}}}
	f.Add(`{"name":"charge","service":"payments","end":"2001-09-09T01:46:41Z","attributes":{"order.id":"o-1","outcome":"charged"}}`)
	f.Add(`{"attributes":{"order":{"id":"o-1"},"outcome":{}}}`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, s := range d.Spans {
			if e, ok := i.tells(s, row{decode([]byte(line)), line}); ok {
				require.NotEqual(t, history.NoUnit, e.Unit)
				require.True(t, json.Valid([]byte(line)) || decode([]byte(line)) != nil)
				require.LessOrEqual(t, len(e.Value), 300)
			}
		}
	})
}

const chunks = `
target: jobs
components:
  shop: {command: [./shop]}
  other: {command: [./shop]}
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: bank, protocol: http}
submit: {to: shop, request: POST /jobs}
sinks:
  bank:
    routes:
      - {request: "POST /chunks/{n}", step: booking, unit: body.job, key: body.key, execution: {step: chunk, number: path.n, attempt: header.Attempt, worker: header.Worker}}
executions:
  - {from: {component: shop, request: "GET /log?after=${cursor}"}, id: i, unit: job, step: chunk, what: what, start: [began], finish: [done, left], checkpoint: [saved], number: chunk, attempt: try, worker: who}
idle: {silence: 1s}
claims: {unit: job, prefix: o-, checkpoints: [{step: chunk, every: 2}]}
`

func TestExecutionsBeginAndEndWhereTheFileSays(t *testing.T) {
	i, rec := wire(t, strings.Replace(chunks, "  other: {command: [./shop]}\n", "", 1), map[string]func(*http.Request) (int, string){
		"GET /log": says(200, `[{"i": 1, "job": "o-1", "what": "began", "chunk": 1, "who": "w1", "try": 1}, {"i": 2, "job": "o-1", "what": "done", "chunk": 1, "who": "w1"},
			{"i": 3, "job": "o-1", "what": "idle"}, {"i": 4, "job": "o-1", "what": "saved", "chunk": 1}, {"i": 5, "job": "x", "what": "began", "chunk": 2, "who": "w2", "try": 2}]`),
	})
	req, err := http.NewRequest("POST", "http://"+i.Sinks()["bank"]+"/chunks/3", strings.NewReader(`{"job": "o-2", "key": "k"}`))
	require.NoError(t, err)
	req.Header.Set("Attempt", "4")
	req.Header.Set("Worker", "w3")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, i.news(t.Context()))
	require.NoError(t, i.Observe(t.Context()))
	assert.Equal(t, []string{"chunk o-2 w3 3", "chunk o-1 w1 1", `chunk - w2 foreign id: "x" 2`}, rec.of(history.KindStart))
	assert.Equal(t, []string{"chunk o-2 w3 3", "chunk o-1 w1 1", "checkpoint chunk o-1 shop 1"}, rec.of(history.KindFinish))
	for _, e := range rec.events {
		if e.Kind == history.KindStart && e.Component == "w3" {
			assert.EqualValues(t, 4, e.Attempt)
		}
	}
	assert.Contains(t, i.target().Claims.Feeds, history.FeedStarts)

	for old, c := range map[string]struct{ text, want string }{
		"start: [began], finish: [done, left], checkpoint: [saved], ": {"", "say what begins and ends an execution: the texts of what"},
		"checkpoint: [saved], number: chunk":                          {"checkpoint: [saved]", "a checkpoint has a number"},
		"id: i, ":                                                     {"", "id is missing"},
		"number: path.n":                                              {"number: n", `"n" is no place in it`},
		"claims: {unit: job,":                                         {"claims: {unit: job, retries: [{base: 1s}],", "when attempts began is not known"},
	} {
		require.Contains(t, chunks, old)
		_, problems := Parse("shop.yaml", []byte(strings.Replace(chunks, old, c.text, 1)))
		assert.ErrorContains(t, problems, c.want)
	}
}
