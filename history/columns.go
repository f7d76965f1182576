package history

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Header opens every history and says what it is a history of.
type Header struct {
	Format   int       `json:"format"`             // of the text and block form; see FormatVersion
	Run      string    `json:"run,omitempty"`      // name of the run
	Scenario string    `json:"scenario,omitempty"` // name of the scenario
	Seed     uint64    `json:"seed,omitempty"`
	Start    time.Time `json:"start,omitzero"` // wall clock at T = 0
	Tool     string    `json:"tool,omitempty"` // who recorded it, with version
	Claims   Claims    `json:"claims"`
}

// Ref is an index into History.Strings. Ref 0 is always the empty string.
type Ref uint32

// History is a whole history in memory, as columns: row i of every column is event i, whose Seq is i. Columns keep what a checker
// does not ask for out of its cache, and hold no pointers for the collector to follow. They are read-only for everyone but this
// package.
type History struct {
	Header Header
	Sealed bool   // closed in order, with a checksum over everything
	Lost   string // why the end is missing, when it is: a truncated tail, by a crash or a full disk
	// Warnings are what an import did not understand and left out, in sentences.
	Warnings []string
	// UnitNames holds the ids of units that the harness did not issue, by Unit; nil where all ids are its own. Use UnitName.
	UnitNames []string

	T       []int64
	Kind    []Kind
	Outcome []Outcome
	Unit    []Unit
	Actor   []uint32
	Attempt []uint32
	Op      []Ref
	Step    []Ref
	Comp    []Ref
	Key     []Ref
	Value   []Ref
	Trace   []Ref
	Token   []uint64
	At      []int64
	Strings []string

	index sync.Once
	refs  map[string]Ref
}

// New gives an empty history to append to: for importers and tests. Runs are recorded by a Recorder.
func New(h Header) *History {
	return &History{Header: h, Strings: []string{""}, refs: map[string]Ref{"": 0}}
}

// Len is the number of events.
func (h *History) Len() int { return len(h.Kind) }

// Ref finds the index of a string, without adding it: ok is false where no event holds it.
// It may be called from several goroutines once the history is complete.
func (h *History) Ref(s string) (r Ref, ok bool) {
	h.index.Do(func() {
		if h.refs != nil {
			return
		}
		h.refs = make(map[string]Ref, len(h.Strings))
		for i, s := range h.Strings {
			h.refs[s] = Ref(i)
		}
	})
	r, ok = h.refs[s]
	return r, ok
}

func (h *History) intern(s string) Ref {
	if r, ok := h.Ref(s); ok {
		return r
	}
	if !utf8.ValidString(s) {
		return h.intern(strings.ToValidUTF8(s, "\uFFFD"))
	}
	r := Ref(len(h.Strings))
	h.Strings = append(h.Strings, s)
	h.refs[s] = r
	return r
}

// Append adds an event at the end. Its Seq is ignored: the position decides. Bytes that are not UTF-8 are replaced by U+FFFD.
func (h *History) Append(e Event) {
	h.T = append(h.T, int64(e.T))
	h.Kind = append(h.Kind, e.Kind)
	h.Outcome = append(h.Outcome, e.Outcome)
	h.Unit = append(h.Unit, e.Unit)
	h.Actor = append(h.Actor, e.Actor)
	h.Attempt = append(h.Attempt, e.Attempt)
	h.Op = append(h.Op, h.intern(e.Op))
	h.Step = append(h.Step, h.intern(e.Step))
	h.Comp = append(h.Comp, h.intern(e.Component))
	h.Key = append(h.Key, h.intern(e.Key))
	h.Value = append(h.Value, h.intern(e.Value))
	h.Trace = append(h.Trace, h.intern(e.Trace))
	h.Token = append(h.Token, e.Token)
	h.At = append(h.At, int64(e.At))
}

// Event gives row i as one value.
func (h *History) Event(i int) Event {
	return Event{
		Seq: uint64(i), T: time.Duration(h.T[i]), Kind: h.Kind[i], Outcome: h.Outcome[i], Unit: h.Unit[i], Actor: h.Actor[i],
		Attempt: h.Attempt[i], Op: h.Strings[h.Op[i]], Step: h.Strings[h.Step[i]], Component: h.Strings[h.Comp[i]],
		Key: h.Strings[h.Key[i]], Value: h.Strings[h.Value[i]], Trace: h.Strings[h.Trace[i]], Token: h.Token[i], At: time.Duration(h.At[i]),
	}
}

// UnitName is the id of a unit as it appeared in the world: the foreign id it came with, or the one the harness issued (see UnitID).
// NoUnit has none.
func (h *History) UnitName(u Unit) string {
	switch {
	case u == NoUnit:
		return ""
	case int(u) < len(h.UnitNames):
		return h.UnitNames[u]
	}
	return UnitID(h.Header.Claims.Prefix, u)
}

// UnitID is the id of a unit as the world sees it: the prefix and the ordinal, counted from 1 ("o-17" is Unit 16).
func UnitID(prefix string, u Unit) string { return prefix + strconv.FormatUint(uint64(u)+1, 10) }

// ParseUnit reads back what UnitID wrote. An id that the harness did not issue is an error; its event belongs to NoUnit.
func ParseUnit(prefix, id string) (Unit, error) {
	if len(id) > len(prefix) && id[:len(prefix)] == prefix {
		digits := id[len(prefix):]
		n, err := strconv.ParseUint(digits, 10, 32)
		if err == nil && n > 0 && digits[0] != '0' && digits[0] != '+' {
			return Unit(n - 1), nil
		}
	}
	return NoUnit, fmt.Errorf("parse unit id %q: want %s and a number from 1", id, prefix)
}
