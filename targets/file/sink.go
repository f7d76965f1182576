package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// sink is an external party that Wreckon plays: it does what real ones do, and records what it did.
type sink struct {
	*instance
	name   string
	ledger *targets.Ledger
	server *http.Server
	addr   string
	done   chan struct{}
}

func listenSink(i *instance, name string, spec sinkSpec) (*sink, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", name, err)
	}
	s := &sink{instance: i, name: name, ledger: targets.NewLedger(i.w.Recorder), addr: ln.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	for _, r := range spec.Routes {
		if err := register(mux, r.Request, s.route(r)); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
	}
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(ln) // ends with ErrServerClosed
	}()
	return s, nil
}

func (s *sink) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil { // a connection that a fault left hanging
		err = s.server.Close()
	}
	<-s.done
	return err
}

// route applies, deduplicates or refuses what comes to one of the sink's routes.
func (s *sink) route(r route) http.Handler {
	from := r.Component
	if from == "" {
		from = firstOf(s.callers(s.name), "")
	}
	op := "do"
	if r.Undo {
		op = "undo"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
		if err != nil {
			var big *http.MaxBytesError
			if errors.As(err, &big) {
				http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			}
			return // the request never arrived whole: nothing happened
		}
		defer s.activity.touch()
		m := message{body: decode(body), header: req.Header, path: req.PathValue, query: req.URL.Query().Get}
		unit, value := s.unitOf(m.at(r.Unit), clip(m.at(r.Value), 1000))
		token, _ := strconv.ParseUint(m.at(r.Token), 10, 64)
		key := clip(m.at(r.Key), 1000)
		call := targets.Call{
			Effect: history.Event{Kind: history.KindEffect, Unit: unit, Op: op, Step: r.Step, Component: from, Key: key, Value: value, Token: token,
				Trace: traceID(m.at(r.Trace))},
			Payload: string(body), Resource: r.Step + " " + m.at(r.Unit),
			Execution: r.Execution.of(unit, from, m),
			Decide:    func(n int) (targets.Reply, bool) { return r.decide(n, m, key) },
		}
		if key != "" && !r.Repeats {
			call.Key = r.Request + " " + key
		}
		answer := s.ledger.Apply(call)
		w.Header().Set("Content-Type", "application/json")
		for name, text := range r.Answer.Headers {
			w.Header().Set(name, text)
		}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body) // whether the answer arrives is what the faults are about
	})
}

// of is the execution that a request is, if the file says that it is one.
func (x *execution) of(unit history.Unit, from string, m message) *history.Event {
	if x == nil {
		return nil
	}
	if who := m.at(x.Worker); who != "" {
		from = clip(who, 100)
	}
	number, _ := strconv.ParseUint(m.at(x.Number), 10, 64)
	return &history.Event{Unit: unit, Step: x.Step, Component: from, Attempt: attemptOf(m.at(x.Attempt)), Token: number}
}

// answerNames are what the text of an answer may hold.
var answerNames = []string{"id", "unit", "key", "value", "step"}

func answerNamesOf(n int, r route, m message, key string) map[string]string {
	return map[string]string{"id": r.Step + "-" + strconv.Itoa(n), "unit": m.at(r.Unit), "key": key, "value": m.at(r.Value), "step": r.Step}
}

// decide answers a request that was not there before.
func (r route) decide(n int, m message, key string) (targets.Reply, bool) {
	names := in(answerNamesOf(n, r, m, key))
	for _, no := range r.Refuse {
		if m.at(no.When) == no.Is {
			body, _ := expand(no.Body, names) // its names were checked when the file was read
			if body == "" {
				body = `{"error":"refused"}`
			}
			return targets.Reply{Status: no.Status, Body: []byte(body)}, false
		}
	}
	status, body := r.Answer.Status, r.Answer.Body
	if status == 0 {
		status = http.StatusOK
	}
	if strings.TrimSpace(body) == "" {
		body = `{"id":"${id}"}`
	}
	body, _ = expand(body, names)
	return targets.Reply{Status: status, Body: []byte(body)}, true
}
