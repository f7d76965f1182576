package file

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// stateReader knows the states of the units that clients asked for: from one place where all of them stand, or by asking for each.
type stateReader struct {
	*instance
	ends []string // states that a unit stays in

	mu    sync.Mutex
	units map[history.Unit]*unitState
}

type unitState struct {
	op    workloads.Operation // that asked for it
	state string              // as it was seen last
	done  bool                // it is in one of its ends
}

func newStateReader(i *instance) *stateReader {
	s := i.claims.States
	ends := []string{s.Completed, s.Compensated, s.Quarantined, s.Expired}
	if s.Completed == "" && s.Compensated == "" && s.Quarantined == "" && s.Expired == "" {
		ends = []string{"completed", "compensated", "quarantined"}
	}
	return &stateReader{instance: i, ends: slices.DeleteFunc(ends, func(s string) bool { return s == "" }), units: map[history.Unit]*unitState{}}
}

// asked is called with each submit.
func (s *stateReader) asked(op workloads.Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units[op.Unit] == nil {
		s.units[op.Unit] = &unitState{op: op}
	}
}

// seen is a unit's state as it was read. It is absent where the target has no record of it.
type seen struct {
	unit    history.Unit
	id      string // as the target has it
	state   string
	version uint64
	absent  bool
}

// open counts the units in progress, of those that were asked for.
func (s *stateReader) open(ctx context.Context) (n int, err error) {
	var list []seen
	switch {
	case s.States != nil:
		list, err = s.table(ctx)
	case s.definition.Read != nil:
		list, err = s.each(ctx, false)
	}
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range list {
		u := s.units[x.unit]
		if u == nil {
			continue // nobody asked for it in this run: it is no work of ours
		}
		end := slices.Contains(s.ends, x.state)
		if !x.absent && !end {
			n++
		}
		if x.state != u.state {
			u.state, u.done = x.state, end
			s.activity.touch()
		}
	}
	return n, nil
}

// observe reads the final states into the history.
func (s *stateReader) observe(ctx context.Context) (err error) {
	var list []seen
	from := ""
	switch {
	case s.States != nil:
		from = s.States.From.who()
		list, err = s.table(ctx)
	case s.definition.Read != nil:
		from = s.definition.Read.To
		list, err = s.each(ctx, true)
	}
	if err != nil {
		return fmt.Errorf("read final states: %w", err)
	}
	for _, x := range list {
		if x.absent {
			continue // the target has no record of it: nor has the history
		}
		e := history.Event{Kind: history.KindObserve, Unit: x.unit, Op: "state", Component: from, Value: x.state, Token: x.version}
		if x.unit == history.NoUnit {
			e.Value = clip("foreign id: "+strconv.Quote(x.id)+" "+x.state, 300)
		}
		s.w.Recorder.Record(e)
	}
	return nil
}

// table reads the states of all units from one place.
func (s *stateReader) table(ctx context.Context) ([]seen, error) {
	rows, err := s.sources.rows(ctx, s.States.From, "")
	if err != nil {
		return nil, err
	}
	list := make([]seen, len(rows))
	for k, x := range rows {
		id := x.at(s.States.Unit)
		unit, _ := s.unitOf(id, "")
		version, _ := strconv.ParseUint(x.at(s.States.Version), 10, 64)
		list[k] = seen{unit: unit, id: id, state: x.at(s.States.State), version: version}
	}
	return list, nil
}

// askAtOnce is how many units are asked for at a time.
const askAtOnce = 8

// each asks for each unit, as its clients would, but past every proxy. Units that were seen at an end are asked for again only if all are
// wanted.
func (s *stateReader) each(ctx context.Context, all bool) ([]seen, error) {
	how := s.definition.Read
	var ops []workloads.Operation
	s.mu.Lock()
	for _, u := range s.units {
		if all || !u.done {
			ops = append(ops, u.op)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(ops, func(a, b workloads.Operation) int { return int(a.Unit) - int(b.Unit) })
	list := make([]seen, len(ops))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askAtOnce)
	addr := s.w.Listen[how.To]
	if of := s.Components[how.To]; of.Address != "" { // it can be reached in one way only
		addr = s.w.Dial[targets.Edge{From: client, To: how.To}.Name()]
	}
	for k, op := range ops {
		g.Go(func() error {
			op.Op, op.Key, op.Attempt = workloads.Read, "", 1
			status, m, err := s.ask(ctx, s.sources.http, addr, how, op)
			if err != nil {
				return err
			}
			list[k] = seen{unit: op.Unit}
			a := how.meaning(op.Op, status, m)
			switch {
			case a.Kind != history.KindOK:
				return fmt.Errorf("%s answered %d for %s", how.Request, status, history.UnitID(s.claims.Prefix, op.Unit))
			case a.Value == "absent":
				list[k].absent = true
			default:
				list[k].state, list[k].version = m.at(how.State), a.Token
			}
			return nil
		})
	}
	return list, g.Wait()
}
