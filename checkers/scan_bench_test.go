package checkers

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/wreckon/wreckon/history"
)

// long writes the history of a long good run, five events for each unit: a submit, its ok, an effect with its key and fencing token, the audit
// event that records it, and the state that is found at the end. Units overlap in a window.
func long(w io.Writer, events int, d dress) error {
	claims := history.Claims{Unit: "order", Prefix: "o-",
		Steps:  []history.Step{{Name: "charge", Does: "charged", Required: true, AuditDo: "charged"}},
		States: history.States{Completed: "completed", Compensated: "compensated", Audits: map[string]string{"completed": "charged"}},
		Feeds:  []string{history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads},
	}
	d.claim(&claims)
	out, err := history.NewWriter(w, history.Header{Claims: claims})
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	t := time.Duration(0)
	add := func(e history.Event) {
		t += time.Duration(rng.IntN(16_000))
		e.T = t
		d.event(&e)
		out.Append(e)
	}
	phase := func(op string, o history.Outcome, value string) {
		add(history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: op, Outcome: o, Value: value})
	}
	const clients = 64
	var open [clients]struct {
		unit history.Unit
		next int
	}
	units := history.Unit(events / 5)
	for k := range open {
		open[k].unit = history.Unit(k)
	}
	next, audits, done := history.Unit(clients), uint64(0), history.Unit(0)
	phase("chaos", history.OutcomeBegin, "")
	for done < units {
		k := rng.IntN(clients)
		o := &open[k]
		if o.unit >= units {
			continue
		}
		switch o.next {
		case 0:
			add(history.Event{Kind: history.KindInvoke, Unit: o.unit, Op: "submit", Actor: uint32(k + 1), Attempt: 1})
		case 1:
			add(history.Event{Kind: history.KindOK, Unit: o.unit, Op: "submit", Actor: uint32(k + 1), Attempt: 1, Value: "completed"})
		case 2:
			add(history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Unit: o.unit, Op: "do", Step: "charge", Component: "payments",
				Key: history.UnitID("o-", o.unit), Token: uint64(o.unit/1000) + 1, Value: "4990"})
		case 3:
			audits++
			add(history.Event{Kind: history.KindAudit, Unit: o.unit, Op: "charged", Component: "payments", Token: audits})
			done++
			o.unit, o.next = next, -1
			next++
		}
		o.next++
	}
	phase("chaos", history.OutcomeEnd, "")
	phase("quiesce", history.OutcomeBegin, "")
	phase("quiesce", history.OutcomeEnd, "settled")
	phase("observe", history.OutcomeBegin, "")
	for u := range units {
		add(history.Event{Kind: history.KindObserve, Unit: u, Op: "state", Value: "completed"})
	}
	add(history.Event{Kind: history.KindObserve, Unit: history.NoUnit, Op: "audit-head", Component: "payments", Token: audits})
	phase("observe", history.OutcomeEnd, "")
	return out.Seal()
}

// longReader gives that history from memory, as a file.
func longReader(tb testing.TB, events int) (r *history.Reader, size int) {
	var file bytes.Buffer
	if err := long(&file, events, plain); err != nil {
		tb.Fatal(err)
	}
	r, err := history.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	return r, file.Len()
}

// perReader runs what judges a reader's history, and tells the processor time that it takes, beside the time on the wall.
func perReader(b *testing.B, r *history.Reader, judge func()) {
	runtime.GC()
	begin := processorTime(b)
	for b.Loop() {
		judge()
	}
	cpu := processorTime(b) - begin
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/float64(r.Len()), "cpu-ns/event")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(r.Len()), "ns/event")
	b.ReportMetric(0, "ns/op")
}

// scanned is the standard verdict: all guarantees that the long history shows.
var scanned = Spec{}

func judgeLong(b *testing.B, r *history.Reader) {
	result, err := JudgeReader(r, scanned)
	if err != nil || result.Verdict != Pass || result.Counts.Units != (r.Len()-7)/5 {
		b.Fatal(result.Reasons, result.Counts, err)
	}
}

// BenchmarkLong judges histories of one and of ten million events in memory, beside a plain pass over the same columns.
func BenchmarkLong(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		r, size := longReader(b, n)
		b.Run(fmt.Sprintf("%d/from its bytes", n), func(b *testing.B) {
			perReader(b, r, func() { judgeLong(b, r) })
			b.ReportMetric(float64(size)/float64(r.Len()), "B/event")
		})
		if err := r.Keep(); err != nil {
			b.Fatal(err)
		}
		columns, strings := 0, 0
		_ = r.Each(func(x *history.Block) error {
			c, s := x.Size()
			columns, strings = columns+c, strings+s
			return nil
		})
		b.Run(fmt.Sprintf("%d/plain pass", n), func(b *testing.B) {
			perReader(b, r, func() {
				_ = r.Each(func(x *history.Block) error { sink += summed(x); return nil })
			})
		})
		b.Run(fmt.Sprintf("%d/judged", n), func(b *testing.B) {
			perReader(b, r, func() { judgeLong(b, r) })
			s := newScan(r, scanned)
			if err := s.run(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(columns)/float64(r.Len()), "columns-B/event")
			b.ReportMetric(float64(strings)/float64(r.Len()), "strings-B/event")
			b.ReportMetric(float64(s.size())/float64(r.Len()), "state-B/event")
		})
	}
}

// summed adds up every column of a block that the checkers read, each by itself: what no pass can be faster than. Where an event's entries stand
// in them it does not ask.
func summed(x *history.Block) (sum uint64) {
	sum = added(x.Which) + added(x.T) + added(x.Unit) + added(x.Actor) + added(x.Key) + added(x.Value) + added(x.Trace) + added(x.Token) + added(x.At)
	return sum
}

func added[E ~uint16 | ~uint32 | ~uint64 | ~int64](column []E) (sum uint64) {
	for _, v := range column {
		sum += uint64(v)
	}
	return sum
}

// BenchmarkObvious is the program that one would write first: events with strings, a map from the id of a unit to what is known of it.
func BenchmarkObvious(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { obvious(b, n) })
	}
}

func obvious(b *testing.B, events int) {
	r, _ := longReader(b, events)
	h, err := r.History()
	if err != nil {
		b.Fatal(err)
	}
	type event struct {
		kind, unit, op, outcome, value string
		token                          uint64
		t                              time.Duration
	}
	all := make([]*event, h.Len())
	for i := range all {
		e := h.Event(i)
		all[i] = &event{e.Kind.String(), h.UnitName(e.Unit), e.Op, e.Outcome.String(), e.Value, e.Token, e.T}
	}
	type state struct {
		submits, acks, effects, audits int
		asked, acked, done             time.Duration
		final                          string
	}
	perReader(b, r, func() {
		units := make(map[string]*state)
		numbers := make(map[uint64]bool)
		for _, e := range all {
			if e.unit == "" {
				continue
			}
			u := units[e.unit]
			if u == nil {
				u = &state{}
				units[e.unit] = u
			}
			switch {
			case e.kind == "invoke" && e.op == "submit":
				u.submits++
				u.asked = e.t
			case e.kind == "ok" && e.op == "submit":
				u.acks++
				u.acked = e.t
			case e.kind == "effect" && e.outcome == "applied":
				u.effects++
			case e.kind == "audit":
				u.audits++
				u.done = e.t
				numbers[e.token] = true
			case e.kind == "observe" && e.op == "state":
				u.final = e.value
			}
		}
		wrong := 0
		for _, u := range units {
			if u.effects != 1 || u.audits != 1 || u.acks > 0 && u.final == "" || u.submits == 0 {
				wrong++
			}
		}
		if wrong > 0 || len(numbers) != (h.Len()-7)/5 {
			b.Fatal(wrong, len(numbers))
		}
	})
}

// BenchmarkFile judges ten million events from a file on a disk.
func BenchmarkFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "h")
	if err := writeLong(path, 10_000_000, plain); err != nil {
		b.Fatal(err)
	}
	r, err := history.OpenReader(path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	perReader(b, r, func() {
		r, err := history.OpenReader(path)
		if err != nil {
			b.Fatal(err)
		}
		judgeLong(b, r)
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	})
}
