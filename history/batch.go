package history

import (
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	batchRows  = 1 << 14 // events; at most maxRows
	batchArena = 1 << 20 // bytes of strings

	maxText  = 4 << 10 // bytes of Op, Step, Component, Key and Trace
	maxValue = 1 << 20 // bytes of Value; as JSON, at worst six times that, it still fits on a line
)

// A batch is the events between two writes, as they came: the hot path copies and computes nothing. All batches look alike, so
// they are used again and again.
type batch struct {
	first uint64 // seq of rows[0]
	rows  []row
	arena []byte // the strings of the rows, one after the other
}

// row is an event with the lengths of its strings. It is one cache line.
type row struct {
	t, at          int64
	token          uint64
	unit           Unit
	actor, attempt uint32
	lengths        [numStrings]uint32
	kind           Kind
	outcome        Outcome
}

// The strings of an event, in the order in which they lie in the arena.
const (
	stringOp = iota
	stringStep
	stringComp
	stringKey
	stringValue
	stringTrace
	numStrings
)

// batches are those that a recorder has done with. Each is two megabytes, which short recordings would spend most of their time on.
var batches = sync.Pool{New: func() any {
	return &batch{rows: make([]row, 0, batchRows), arena: make([]byte, 0, batchArena)}
}}

func newBatch() *batch { return batches.Get().(*batch) }

// drop gives a batch back. One that a huge event has made larger is nobody's.
func (b *batch) drop() {
	if cap(b.arena) == batchArena && cap(b.rows) == batchRows {
		b.reset()
		batches.Put(b)
	}
}

// fits tells whether an event with that many bytes of strings goes into the batch. An empty batch takes every event.
func (b *batch) fits(text int) bool {
	return len(b.rows) < batchRows && (len(b.arena)+text <= batchArena || len(b.rows) == 0)
}

func (b *batch) add(e *Event, t time.Duration) {
	b.rows = append(b.rows, row{
		t: int64(t), at: int64(e.At), token: e.Token, unit: e.Unit, actor: e.Actor, attempt: e.Attempt, kind: e.Kind, outcome: e.Outcome,
		lengths: [numStrings]uint32{
			uint32(len(e.Op)), uint32(len(e.Step)), uint32(len(e.Component)), uint32(len(e.Key)), uint32(len(e.Value)), uint32(len(e.Trace)),
		},
	})
	b.arena = append(b.arena, e.Op...)
	b.arena = append(b.arena, e.Step...)
	b.arena = append(b.arena, e.Component...)
	b.arena = append(b.arena, e.Key...)
	b.arena = append(b.arena, e.Value...)
	b.arena = append(b.arena, e.Trace...)
}

func (b *batch) reset() {
	b.first, b.rows, b.arena = 0, b.rows[:0], b.arena[:0]
}

func textSize(e *Event) int {
	return len(e.Op) + len(e.Step) + len(e.Component) + len(e.Key) + len(e.Value) + len(e.Trace)
}

// bound cuts strings that are too long for a history: a target may answer with anything.
func bound(e *Event) {
	for _, s := range []*string{&e.Op, &e.Step, &e.Component, &e.Key, &e.Trace} {
		*s = cut(*s, maxText)
	}
	e.Value = cut(e.Value, maxValue)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	note := fmt.Sprintf("… (cut, was %d bytes)", len(s))
	end := most - len(note)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + note
}
