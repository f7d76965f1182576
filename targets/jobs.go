package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// What the job system is known to do: how many chunks a job has, and how many lie between one checkpoint and the next.
const (
	jobPrefix = "j-"
	jobChunks = 8
	jobEvery  = 2
)

// clockAhead is by how much the clock of the second worker's machine is ahead of the others: longer than a lease lasts.
const clockAhead = 3 * time.Second

// Jobs describes the reference's job system: a queue and two workers, which do each job in chunks.
func Jobs() Target {
	t := Target{
		Name:  "jobs",
		About: "A job system done right: leases with fencing tokens, checkpoints, effects once for each chunk; a queue and two workers.",
		Topology: Topology{
			Components: []Component{
				{Name: "queue", About: "keeps the jobs, who works on them, and how far they are"},
				{Name: "worker-1", About: "does jobs, chunk by chunk"},
				{Name: "worker-2", About: "does jobs, chunk by chunk"},
				{Name: "client", About: "the workload's clients", External: true},
				{Name: "gateway", About: "the effect sink: where chunks have their effects", External: true},
			},
			Edges: []Edge{
				{From: "client", To: "queue", Protocol: HTTP},
				{From: "worker-1", To: "queue", Protocol: HTTP},
				{From: "worker-2", To: "queue", Protocol: HTTP},
				{From: "worker-1", To: "gateway", Protocol: HTTP},
				{From: "worker-2", To: "gateway", Protocol: HTTP},
			},
		},
		Claims: history.Claims{
			Target: "jobs", Unit: "job", Prefix: jobPrefix,
			States: history.States{
				Open: []string{"queued", "running"}, Completed: "completed", Quarantined: "quarantined",
				Audits: map[string]string{"queued": "accepted", "running": "claimed", "completed": "completed", "quarantined": "quarantined"},
				Next:   map[string][]string{"queued": {"running"}, "running": {"running", "queued", "completed", "quarantined"}},
			},
			Feeds: []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads, history.FeedTokens,
				history.FeedTraces, history.FeedStarts},
			Checkpoints: []history.Checkpoints{{Step: "chunk", Every: jobEvery}},
			Traced:      []string{"invoke", "ok", "fail", "info", "effect", "audit"},
			Recovery:    &history.Recovery{Success: history.Duration(10 * time.Second), Backlog: history.Duration(20 * time.Second)},
			// The chunk in hand and what there is to say about it: the rest of the job is for somebody else.
			Drain: []history.Drain{{Component: "worker-1", Grace: history.Duration(2 * time.Second)},
				{Component: "worker-2", Grace: history.Duration(2 * time.Second)}, {Component: "queue", Grace: history.Duration(drainWithin)}},
		},
		Varies: true,
		Mix:    []string{"happy", "impossible"},
		New:    newJobs,
	}
	for n := range jobChunks {
		t.Claims.Fencing = append(t.Claims.Fencing, history.Fencing{Step: chunkStep(n + 1), Resource: "unit"})
		t.Claims.Steps = append(t.Claims.Steps, history.Step{
			Name: chunkStep(n + 1), Does: fmt.Sprintf("processed in its chunk %d", n+1), Required: true,
		})
	}
	return t
}

func chunkStep(n int) string { return fmt.Sprintf("chunk-%d", n) }

func newJobs(w Wiring) (Instance, error) {
	routes := map[string]route{}
	for n := range jobChunks {
		routes[fmt.Sprintf("/chunks/%d", n+1)] = route{step: chunkStep(n + 1), op: "do", chunk: n + 1,
			refuse: func(r effectRequest) (int, string) {
				if n == jobChunks/2 && r.Address == "closed" {
					return http.StatusUnprocessableEntity, "the account is closed"
				}
				return 0, ""
			}}
	}
	r, err := newInstance(Jobs(), w, routes)
	if err != nil {
		return nil, err
	}
	r.trails, r.args = []string{"queue"}, func(c string) []string {
		args := []string{"--lease", "1s", "--workers", "4"} // a lease that outlives a restart would hide how a job is taken over
		if c == "worker-2" {                                // no two machines show the same time
			args = append(args, "--clock-offset", clockAhead.String())
		}
		return args
	}
	r.client = func() workloads.Client {
		return &jobClient{base: "http://" + w.Dial[Edge{From: "client", To: "queue"}.Name()], http: r.public}
	}
	return r, nil
}

// jobClient does operations against the queue's public API.
type jobClient struct {
	base string
	http *http.Client
}

// Do does one try of an operation, and takes its answer as orderClient does. Jobs cannot be amended.
func (c *jobClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	id := history.UnitID(jobPrefix, op.Unit)
	call := orderClient{base: c.base, http: c.http}
	switch op.Op {
	case workloads.Submit:
		account := "a-" + id
		if op.Class == "impossible" {
			account = "closed"
		}
		body, err := json.Marshal(map[string]any{"job_id": id, "account": account, "amount": 1 + op.Nonce%100})
		if err != nil {
			return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
		}
		return call.call(ctx, http.MethodPost, "/jobs", body, traceparent(op), http.Header{"Idempotency-Key": {op.Key}}, answerSubmit)
	case workloads.Read:
		return call.call(ctx, http.MethodGet, "/jobs/"+id, nil, traceparent(op), nil, answerRead)
	}
	return workloads.Answer{Kind: history.KindFail, Value: "jobs cannot be amended"}
}
