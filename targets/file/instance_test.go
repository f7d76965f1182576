package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// recorder keeps what is recorded, with the time that the run's clock would give.
type recorder struct {
	mu     sync.Mutex
	events []history.Event
}

func (r *recorder) Record(e history.Event) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return uint64(len(r.events) - 1)
}

func (r *recorder) At(unixNano int64) int64 { return unixNano - 1_000_000_000_000_000_000 }

// of lists what was recorded of a kind, as "op step unit outcome key value token".
func (r *recorder) of(kind history.Kind) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			unit := "-"
			if e.Unit != history.NoUnit {
				unit = history.UnitID("o-", e.Unit)
			}
			list = append(list, strings.Join(strings.Fields(fmt.Sprint(e.Op, " ", e.Step, " ", unit, " ", e.Component, " ", e.Outcome, " ", e.Key, " ", e.Value, " ", e.Token, " ", e.Trace)), " "))
		}
	}
	return list
}

const wired = `
target: shop
components:
  shop:
    command: [./shop, "${listen.port}", "${to.bank}", "${data}", "${file}", "$${listen}"]
    env: {CONTROL: "${control}"}
    dir: work
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: bank, protocol: http}
mix:
  happy: {card: valid}
  declined: {card: declined}
submit: {to: shop, request: POST /orders, headers: {Idempotency-Key: "${key}"}, answer: body.id, fail: [422]}
read: {to: shop, request: "GET /orders/${unit}", state: body.state, version: header.ETag, note: body.note}
amend: {to: shop, request: "PATCH /orders/${unit}", headers: {If-Match: '"${version}"'}, body: '{"note": "${note}"}', version: header.ETag}
sinks:
  bank:
    routes:
      - request: POST /charges/{order}
        step: charge
        unit: path.order
        key: header.Idempotency-Key
        value: body.money.amount
        token: header.Fencing-Token
        trace: header.traceparent
        refuse: [{when: body.card, is: declined, status: 402}]
        answer: {status: 201, headers: {X-Bank: yes}, body: '{"charge": "${id}", "of": "${unit}"}'}
      - {request: "DELETE /charges/{order}", step: charge, undo: true, unit: path.order}
      - {request: POST /mails, step: mail, unit: query.order, key: body.id, repeats: true}
states: {from: {component: shop, request: GET /orders}, unit: id, state: status.name, version: v}
observed:
  - {from: {component: shop, request: GET /holds}, step: hold, unit: id, state: state, in_force: [held, 1]}
audit:
  - {from: {component: shop, request: "GET /trail?after=${cursor}", items: entries, control: true}, id: n, unit: id, transition: what, source: who, sequence: n, at: at, trace: trace}
dead_letters: {from: {component: shop, request: GET /dead}, unit: id}
totals:
  - {name: stock, from: {component: shop, request: GET /stock}, value: left}
idle:
  queued:
    - {from: {component: shop, request: GET /work}}
claims:
  unit: order
  steps: [{name: charge}, {name: mail, promise: at-least-once}, {name: hold, observed: true}]
  states: {open: [new], completed: paid}
`

// wire makes an instance of a file whose one component is a server of the test.
func wire(t *testing.T, src string, routes map[string]func(*http.Request) (int, string)) (*instance, *recorder) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, ok := routes[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		status, body := route(r)
		w.Header().Set("ETag", `"3"`)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	d, problems := define(filepath.Join(t.TempDir(), "target.yaml"), []byte(src))
	require.Empty(t, problems, "%v", problems)
	rec := &recorder{}
	addr := strings.TrimPrefix(server.URL, "http://")
	i, err := d.start(targets.Wiring{Data: "/run/data", Listen: map[string]string{"shop": addr}, Control: map[string]string{"shop": addr}, Token: "secret",
		Dial: map[string]string{"client -> shop": addr, "shop -> bank": "127.0.0.1:7"}, Recorder: rec, Clock: rec})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i.(*instance), rec
}

func says(status int, body string) func(*http.Request) (int, string) {
	return func(*http.Request) (int, string) { return status, body }
}

func TestAComponentIsStartedAsTheFileSays(t *testing.T) {
	i, _ := wire(t, wired, nil)
	l := i.Launches()
	require.Len(t, l, 1)
	_, port, _ := strings.Cut(i.w.Listen["shop"], ":")
	assert.Equal(t, filepath.Join(i.dir, "shop"), l[0].Path)
	assert.Equal(t, filepath.Join(i.dir, "work"), l[0].Dir)
	assert.Equal(t, []string{port, "127.0.0.1:7", "/run/data/shop", i.dir, "${listen}"}, l[0].Args)
	assert.Equal(t, []string{"CONTROL=" + i.w.Control["shop"]}, l[0].Env)
	require.NoError(t, l[0].Ready(t.Context()))
	assert.Contains(t, i.Sinks(), "bank")
}

func TestOperationsMeanWhatTheFileSays(t *testing.T) {
	var got []string
	status := 201
	i, _ := wire(t, wired, map[string]func(*http.Request) (int, string){
		"POST /orders": func(r *http.Request) (int, string) {
			body, _ := io.ReadAll(r.Body)
			got = append(got, r.Header.Get("Idempotency-Key"), string(body))
			return status, `{"id": "x-1"}`
		},
		"GET /orders/o-1": says(200, `{"state": "new", "note": "n"}`),
		"PATCH /orders/o-1": func(r *http.Request) (int, string) {
			body, _ := io.ReadAll(r.Body)
			return 200, fmt.Sprint(r.Header.Get("If-Match"), string(body))
		},
	})
	do := func(op workloads.Operation) workloads.Answer {
		op.Class, op.Key, op.Attempt, op.Trace = "declined", "k", 1, strings.Repeat("a", 32)
		return i.Client().Do(t.Context(), op)
	}
	assert.Equal(t, workloads.Answer{Kind: history.KindOK, Value: "x-1"}, do(workloads.Operation{Op: workloads.Submit}))
	assert.Equal(t, "k", got[0])
	var plain map[string]any
	require.NoError(t, json.Unmarshal([]byte(got[1]), &plain), "without a body the operation itself is sent")
	assert.Equal(t, "o-1", plain["unit"])
	assert.Equal(t, "declined", plain["card"])
	assert.Equal(t, 100.0, plain["amount"])
	for _, c := range []struct {
		status int
		want   history.Kind
	}{{422, history.KindFail}, {409, history.KindInfo}, {503, history.KindInfo}, {302, history.KindInfo}} {
		status = c.status
		assert.Equal(t, c.want, do(workloads.Operation{Op: workloads.Submit}).Kind, "%d", c.status)
	}
	assert.Equal(t, workloads.Answer{Kind: history.KindOK, Value: "new|n", Token: 3}, do(workloads.Operation{Op: workloads.Read}))
	assert.Equal(t, workloads.Answer{Kind: history.KindOK, Value: "absent"}, do(workloads.Operation{Op: workloads.Read, Unit: 8}))
	assert.Equal(t, workloads.Answer{Kind: history.KindOK, Token: 3}, do(workloads.Operation{Op: workloads.Amend, Version: 2, Note: "m"}))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, history.KindInfo, i.Client().Do(gone, workloads.Operation{Op: workloads.Submit}).Kind)
	assert.Equal(t, history.KindFail, i.Client().Do(gone, workloads.Operation{Op: workloads.Read}).Kind, "a read changes nothing")
}

func TestEffectsAreRecordedWhereTheyLand(t *testing.T) {
	i, rec := wire(t, wired, nil)
	ask := func(method, path, key, body string) (int, string) {
		req, err := http.NewRequest(method, "http://"+i.Sinks()["bank"]+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Fencing-Token", "7")
		req.Header.Set("traceparent", "00-"+strings.Repeat("b", 32)+"-"+strings.Repeat("c", 16)+"-01")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		if resp.StatusCode == 201 {
			assert.Equal(t, "yes", resp.Header.Get("X-Bank"))
		}
		return resp.StatusCode, string(text)
	}
	for _, c := range []struct {
		method, path, key, body string
		status                  int
		answer                  string
	}{
		{"POST", "/charges/o-1", "k1", `{"money": {"amount": 12.50}}`, 201, `{"charge": "charge-1", "of": "o-1"}`},
		{"POST", "/charges/o-1", "k1", `{"money": {"amount": 12.50}}`, 201, `{"charge": "charge-1", "of": "o-1"}`},
		{"POST", "/charges/o-1", "k1", `{"money": {"amount": 13}}`, 409, `{"error":"this key was used with another payload"}`},
		{"POST", "/charges/o-2", "k2", `{"card": "declined"}`, 402, `{"error":"refused"}`},
		{"POST", "/charges/o-2", "k2", `{"card": "declined"}`, 402, `{"error":"refused"}`},
		{"POST", "/charges/stranger", "", `no JSON`, 201, `{"charge": "charge-3", "of": "stranger"}`},
		{"DELETE", "/charges/o-1", "", ``, 200, `{"id":"charge-4"}`},
		{"POST", "/mails?order=o-1", "", `{"id": "m"}`, 200, `{"id":"mail-1"}`},
		{"POST", "/mails?order=o-1", "", `{"id": "m"}`, 200, `{"id":"mail-2"}`},
		{"GET", "/nothing", "", ``, 404, "404 page not found\n"},
	} {
		status, answer := ask(c.method, c.path, c.key, c.body)
		assert.Equal(t, c.status, status, "%s %s", c.method, c.path)
		if !strings.HasPrefix(c.path, "/mails") {
			assert.Equal(t, c.answer, answer, "%s %s", c.method, c.path)
		}
	}
	trace := strings.Repeat("b", 32)
	assert.Equal(t, []string{
		"do charge o-1 shop applied k1 12.50 7 " + trace,
		"do charge o-1 shop deduplicated k1 12.50 7 " + trace,
		"do charge o-1 shop refused k1 key used before with another payload: 13 7 " + trace,
		"do charge o-2 shop refused k2 7 " + trace,
		"do charge o-2 shop refused k2 7 " + trace,
		`do charge - shop applied foreign id: "stranger" 7 ` + trace,
		"undo charge o-1 shop applied 0",
		"do mail o-1 shop applied m 0",
		"do mail o-1 shop applied m 0",
	}, rec.of(history.KindEffect))
}

func TestRowsAreRead(t *testing.T) {
	page := 0
	i, rec := wire(t, wired, map[string]func(*http.Request) (int, string){
		"GET /orders": says(200, `[{"id": "o-1", "status": {"name": "paid"}, "v": 4}, {"id": "zz", "status": {"name": "new"}}]`),
		"GET /holds":  says(200, "{\"id\": \"o-1\", \"state\": \"held\"}\n{\"id\": \"o-2\", \"state\": \"free\"}\n{\"id\": \"o-3\", \"state\": 1}\n"),
		"GET /dead":   says(200, `[{"id": "o-4", "reason": "poison"}]`),
		"GET /stock":  says(200, `{"left": 41.5, "sold": 3}`),
		"GET /trail": func(r *http.Request) (int, string) {
			page++
			return 200, map[string]string{
				"":  `{"entries": [{"n": 1, "id": "o-1", "what": "new", "who": "api", "at": "2001-09-09T01:46:41Z"}, {"n": 2, "id": "o-1", "what": "paid", "who": "api", "trace": "t"}]}`,
				"2": `{"entries": [{"n": 2, "id": "o-1", "what": "paid", "who": "api"}]}`,
			}[r.URL.Query().Get("after")]
		},
	})
	require.NoError(t, i.Observe(t.Context()))
	assert.Equal(t, 2, page, "it is read until there is nothing new")
	assert.Equal(t, []string{
		"state o-1 shop paid 4", `state - shop foreign id: "zz" new 0`, "step hold o-1 shop in-force 0", "step hold o-2 shop free 0",
		"step hold o-3 shop in-force 0", `dead-letter o-4 shop {"id":"o-4","reason":"poison"} 0`, "total - shop stock 41.5 0", "audit-head - api 2",
	}, rec.of(history.KindObserve))
	audit := rec.of(history.KindAudit)
	require.Len(t, audit, 2)
	assert.Contains(t, audit[0], "new o-1 api")
	assert.Equal(t, time.Second, rec.events[len(rec.events)-3].At, "its own time, on the run's clock")
	assert.True(t, strings.HasSuffix(audit[1], " 2 t"), audit[1])
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	fine := map[string]string{"/orders": "[]", "/holds": "[]", "/dead": "[]", "/stock": `{"left": 1}`, "/trail": `{"entries": []}`}
	for path, bad := range map[string]string{"/orders": "oops", "/holds": `{"a": 1`, "/stock": `{"left": "many"}`, "/trail": `{"entris": []}`, "/dead": ""} {
		routes := map[string]func(*http.Request) (int, string){}
		for p, body := range fine {
			if p != path {
				routes["GET "+p] = says(200, body)
			} else if bad != "" { // otherwise it is not there
				routes["GET "+p] = says(200, bad)
			}
		}
		i, _ := wire(t, wired, routes)
		assert.Error(t, i.Observe(t.Context()), path)
	}
	i, _ := wire(t, wired, map[string]func(*http.Request) (int, string){"GET /work": says(200, `[{"n": 1}, {"n": 2}]`), "GET /orders": says(200, "[]")})
	_, err := i.Backlog(t.Context())
	require.ErrorContains(t, err, "want one row, not 2")
}

// A target is idle when its numbers say so, and when it has been silent for so long.
func TestABacklogIsWhatTheFileCounts(t *testing.T) {
	work := `{"open": 2}`
	routes := map[string]func(*http.Request) (int, string){
		"GET /work":   func(*http.Request) (int, string) { return 200, work },
		"GET /orders": says(200, `[{"id": "o-1", "status": {"name": "new"}}, {"id": "o-2", "status": {"name": "paid"}}, {"id": "o-3", "status": {"name": "odd"}}]`),
	}
	i, _ := wire(t, wired, routes)
	b, err := i.Backlog(t.Context())
	require.NoError(t, err)
	assert.Zero(t, b.Open, "nobody asked for these")
	for u := range history.Unit(3) {
		i.Client().Do(t.Context(), workloads.Operation{Op: workloads.Submit, Unit: u})
	}
	b, err = i.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, b.Open, "what is in no declared end is open")
	assert.Equal(t, 2, b.Queued)
	assert.False(t, b.Quiet())
	work = `{"open": 0}`
	b, err = i.Backlog(t.Context())
	require.NoError(t, err)
	assert.True(t, b.Quiet())

	i, _ = wire(t, strings.Replace(wired, "idle:\n", "idle:\n  silence: 1h\n", 1), routes)
	b, err = i.Backlog(t.Context())
	require.NoError(t, err)
	assert.False(t, b.Quiet(), "nothing is queued, but something was seen within the hour")
	work = "none"
	_, err = i.Backlog(t.Context())
	require.Error(t, err, "who cannot be asked is not idle")
}

// Without a place where all states stand, each unit that was asked for is asked for.
func TestStatesAreAskedForOneByOne(t *testing.T) {
	reads := map[string]int{}
	state := "new"
	from, rest, _ := strings.Cut(wired, "states: {from")
	_, rest, _ = strings.Cut(rest, "\n")
	i, rec := wire(t, from+rest, map[string]func(*http.Request) (int, string){
		"GET /work": says(200, `{"n": 0}`), "GET /holds": says(200, "[]"), "GET /dead": says(200, "[]"), "GET /stock": says(200, `{"left": 1}`),
		"GET /trail": says(200, `{"entries": []}`), "POST /orders": says(201, "{}"),
		"GET /orders/o-1": func(*http.Request) (int, string) { reads["o-1"]++; return 200, `{"state": "paid"}` },
		"GET /orders/o-2": func(*http.Request) (int, string) { reads["o-2"]++; return 200, fmt.Sprintf(`{"state": %q}`, state) },
	})
	for u := range history.Unit(3) { // the target has no record of the third
		i.Client().Do(t.Context(), workloads.Operation{Op: workloads.Submit, Unit: u})
	}
	for range 2 {
		b, err := i.Backlog(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, b.Open)
	}
	assert.Equal(t, map[string]int{"o-1": 1, "o-2": 2}, reads, "a unit that is at its end is not asked for again")
	state = "paid"
	require.NoError(t, i.Observe(t.Context()))
	var states []string
	for _, e := range rec.of(history.KindObserve) {
		if strings.HasPrefix(e, "state ") {
			states = append(states, e)
		}
	}
	assert.Len(t, states, 2)
	assert.Contains(t, states[0], "state o-1 shop")
}

// Two feeds of one source are one trail: a number stands for one event.
func TestFeedsOfOneSourceAreOneTrail(t *testing.T) {
	src := strings.Replace(wired, "audit:\n", "audit:\n  - {from: {component: shop, request: GET /more}, id: n, unit: id, transition: what}\n"+
		"  - {from: {component: shop, request: GET /less}, id: n, unit: id, transition: what}\n", 1)
	i, rec := wire(t, src, map[string]func(*http.Request) (int, string){
		"GET /orders": says(200, "[]"), "GET /holds": says(200, "[]"), "GET /dead": says(200, "[]"), "GET /stock": says(200, `{"left": 1}`),
		"GET /trail": says(200, `{"entries": []}`), "GET /more": says(200, `[{"n": 5, "id": "o-1", "what": "new"}, {"n": 7, "id": "o-1", "what": "paid"}]`),
		"GET /less": says(200, `[{"n": 5, "id": "o-2", "what": "new"}]`),
	})
	require.NoError(t, i.Observe(t.Context()))
	var numbers []uint64
	for _, e := range rec.events {
		if e.Kind == history.KindAudit {
			numbers = append(numbers, e.Token)
			assert.Equal(t, "shop", e.Component)
		}
	}
	assert.Equal(t, []uint64{1, 2, 3}, numbers)
	assert.Contains(t, rec.of(history.KindObserve), "audit-head - shop 3")
}

// A total that is ahead of the effects that it is made of would be a false alarm: they are read first.
func TestTotalsAreReadAfterTheEffectsThatTheyAreMadeOf(t *testing.T) {
	file := least + `effects: [{from: {component: shop, request: "GET /entries?after=${cursor}"}, id: n, unit: order, step: count}]
totals: [{name: total, from: {component: shop, request: GET /total}}]
`
	i, rec := wire(t, strings.Replace(file, "claims: {}", "claims: {steps: [{name: count}], totals: [{name: total, equals: 0, terms: [{observed: total}]}]}", 1),
		map[string]func(*http.Request) (int, string){
			"GET /entries": func(r *http.Request) (int, string) {
				if r.URL.Query().Get("after") == "2" {
					return 200, "[]"
				}
				return 200, `[{"n": 1, "order": "u-1"}, {"n": 2, "order": "u-2"}]`
			},
			"GET /total": says(200, `{"total": 2}`),
		})
	require.NoError(t, i.Totals(t.Context()))
	var kinds []history.Kind
	for _, e := range rec.events {
		kinds = append(kinds, e.Kind)
	}
	assert.Equal(t, []history.Kind{history.KindEffect, history.KindEffect, history.KindObserve}, kinds)
}

// A target whose effects are rows has not come to rest before they were read: what is recorded after that belongs to no rest.
func TestRowsThatWereNotReadYetAreNoRest(t *testing.T) {
	file := strings.Replace(least, "silence: 1s", "queued: [{from: {component: shop, request: GET /work}}]", 1) +
		"effects: [{from: {component: shop, request: \"GET /entries?after=${cursor}\"}, id: n, unit: order, step: count}]\n"
	work := `{"n": 1}`
	i, rec := wire(t, file, map[string]func(*http.Request) (int, string){
		"GET /work":    func(*http.Request) (int, string) { return 200, work },
		"GET /entries": says(200, `[{"n": 1, "order": "u-1"}]`),
	})
	first, err := i.Backlog(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rec.events, "it is busy: nobody asks what has landed")
	work = `{"n": 0}`
	second, err := i.Backlog(t.Context())
	require.NoError(t, err)
	assert.True(t, second.Quiet())
	assert.Len(t, rec.events, 1)
	assert.Greater(t, second.Done, first.Done, "the look before it was another one")
}

// A row that means nothing is not taken, and not forgotten: whoever reads on is told again.
func TestARowThatMeansNothingIsAskedForAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `[{"id": 1}, {"id": 2, "bad": true}, {"id": 3}]`)
	}))
	defer server.Close()
	s := newSources(&instance{definition: &definition{}, w: targets.Wiring{Listen: map[string]string{"shop": server.Listener.Addr().String()}}})
	defer s.close()
	var reader rowReader
	var took []string
	for range 2 {
		_, err := reader.fresh(t.Context(), s, source{Component: "shop", Request: "GET /"}, "id", func(x row) error {
			if x.at("bad") != "" {
				return fmt.Errorf("bad row %s", x.at("id"))
			}
			took = append(took, x.at("id"))
			return nil
		})
		require.EqualError(t, err, "bad row 2")
	}
	assert.Equal(t, []string{"1"}, took)
	assert.Equal(t, "1", reader.cursor)
}

// A probe is given up with all that it has started.
func TestAProbeLeavesNothingBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	i := &instance{definition: &definition{Components: map[string]component{
		"shop": {Ready: &ready{Exec: []string{"sh", "-c", "sleep 1000 & echo $! > " + file + "; wait"}}}}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan error, 1)
	go func() { asked <- i.ready("shop")(ctx) }()
	pid := 0
	soon(t, "it has started something", func() bool {
		text, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	cancel()
	require.Error(t, <-asked)
	soon(t, "it is gone", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) })
}

// zombie tells that a process has ended, though nobody has reaped it: who should is not known here.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
