package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Operators of the reference: ann decides what becomes of an order that was set aside, ben agrees where that takes two, and carl may
// look. Each of them, and nobody else, knows the token made of the run's secret and the name.
const (
	ann  = "ann"
	ben  = "ben"
	carl = "carl"
)

func operators(secret string) string {
	type person struct {
		Name   string   `json:"name"`
		Token  string   `json:"token"`
		Rights []string `json:"rights"`
	}
	text, err := json.Marshal([]person{
		{ann, ann + secret, []string{"resolve", "approve"}},
		{ben, ben + secret, []string{"approve"}},
		{carl, carl + secret, nil},
	})
	if err != nil { // cannot happen: it is strings
		return ""
	}
	return string(text)
}

// letter is a unit that a component has set aside.
type letter struct {
	unit history.Unit
	at   string
}

// Operate looks after every second order that was set aside, so that some are left. First those try who must not succeed: somebody without
// the right, then somebody who has it, alone, where it may take two. What they were told is noted; what came of it is in the audit trail.
func (r *reference) Operate(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		letters := r.setAside
		r.setAside = nil
		r.mu.Unlock()
		for _, l := range letters {
			if l.unit%2 == 0 {
				r.giveUp(ctx, l)
			}
		}
	}
}

// giveUp tries it until somebody has answered. A component that is down is not asked again: the order stays where it is.
func (r *reference) giveUp(ctx context.Context, l letter) {
	for _, try := range []struct{ who, verb string }{{carl, "resolve"}, {ann, "resolve"}, {ben, "approve"}, {ann, "resolve"}} {
		status, err := r.operate(ctx, l, try.who, try.verb)
		if err != nil {
			return
		}
		if try.verb == "resolve" && status == http.StatusOK {
			return
		}
	}
}

func (r *reference) operate(ctx context.Context, l letter, who, verb string) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // what is begun is finished: nobody decides while others look
	defer cancel()
	id := history.UnitID(refPrefix, l.unit)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.w.Control[l.at]+"/quarantine/"+id+"/"+verb,
		strings.NewReader(`{"how":"give-up"}`))
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", verb, id, err)
	}
	req.Header.Set("Authorization", "Bearer "+r.w.Token)
	req.Header.Set("Operator-Token", who+r.w.Token)
	told := ""
	resp, err := r.direct.Do(req)
	if err != nil {
		told = clip(err.Error(), 200)
	} else {
		told, status = resp.Status, resp.StatusCode
		resp.Body.Close()
	}
	r.w.Recorder.Record(history.Event{Kind: history.KindNote, Unit: l.unit, Op: "operator", Component: l.at,
		Value: fmt.Sprintf("%s asks to %s %s: %s", who, verb, id, told)})
	return status, err
}
