package checkers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// checkpointOp is what an audit event of no unit is called that speaks of all trails.
const checkpointOp = "checkpoint"

// statement is what a checkpoint says of all trails: with the chains alone, one whose end is cut off, or one that is gone altogether, looks
// like one that was never longer.
type statement struct {
	Entries uint64            `json:"entries"`
	Heads   map[string]uint64 `json:"heads"` // source -> how many of its entries there are, none of them missing
	Root    string            `json:"root"`  // see rootOf
}

// readStatement reads the record of a checkpoint; false where it makes no statement.
func readStatement(record string) (statement, bool) {
	var r struct {
		Checkpoint *statement `json:"checkpoint"`
	}
	if json.Unmarshal([]byte(record), &r) != nil || r.Checkpoint == nil || len(r.Checkpoint.Heads) == 0 {
		return statement{}, false
	}
	return *r.Checkpoint, true
}

// sources are those it speaks of, sorted.
func (s statement) sources() []string { return slices.Sorted(maps.Keys(s.Heads)) }

// rootOf is hex(sha256(one line for each source, sorted: source, space, number, space, hash of its last entry, newline)).
func (s statement) rootOf(hashes map[string]string) string {
	h := sha256.New()
	for _, source := range s.sources() {
		fmt.Fprintf(h, "%s %d %s\n", source, s.Heads[source], hashes[source])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// adds tells that the heads come to the entries.
func (s statement) adds() bool {
	sum := uint64(0)
	for _, n := range s.Heads {
		sum += n
	}
	return sum == s.Entries
}

// checkpoints holds every checkpoint against the trails as they were delivered. Of a history that is judged block by block the scan has done
// it, where the entries passed.
func (a *auditing) checkpoints() {
	if a.whole != nil {
		return
	}
	op := a.refs.ref(checkpointOp)
	chains := make(map[string]*chain, len(a.chains))
	for k := range a.chains {
		chains[a.str(a.chains[k].source)] = &a.chains[k]
	}
	for k := range a.chains {
		ch := &a.chains[k]
		for _, i := range slices.Concat(ch.events, ch.unnumbered) {
			if a.H.Op[i] != op || a.col[i] != history.NoUnit {
				continue
			}
			if s, ok := readStatement(a.str(a.H.Value[i])); ok {
				a.statement(i, s, chains)
			}
		}
	}
}

func (a *auditing) statement(i uint32, s statement, chains map[string]*chain) {
	name := fmt.Sprintf("checkpoint %d of %s", a.H.Token[i], coalesce(clip(a.str(a.H.Comp[i]), 60), "the target"))
	if !s.adds() {
		a.add(-1, []uint32{i}, func() string {
			return fmt.Sprintf("%s counts %d audit events, and the trails that it names come to another number", name, s.Entries)
		})
		return
	}
	hashes, events := make(map[string]string, len(s.Heads)), []uint32{i}
	for _, source := range s.sources() {
		head := s.Heads[source]
		if head == 0 {
			continue
		}
		ch := chains[source]
		if ch == nil || len(ch.events) == 0 {
			if a.all {
				a.add(-1, []uint32{i}, func() string {
					return fmt.Sprintf("%s covers %d audit events of %s, and none of them is in the trail", name, head, clip(source, 60))
				})
			}
			return
		}
		last := ch.events[len(ch.events)-1]
		at, found := a.numbered(ch, head)
		switch {
		case !found && a.H.Token[last] < head:
			if a.all {
				a.add(-1, []uint32{i, last}, func() string {
					return fmt.Sprintf("%s covers %d audit events of %s, and its trail ends at %d: its end was cut off", name, head, clip(source, 60), a.H.Token[last])
				})
			}
			return
		case !found: // a gap, of which there is a finding already
			return
		}
		hashes[source] = a.str(a.H.Key[at])
		if hashes[source] == "" {
			return // nothing covers what it says
		}
		events = append(events, at)
	}
	if s.rootOf(hashes) != s.Root {
		a.add(-1, events, func() string {
			return fmt.Sprintf("the root of %s does not follow from the trails: an audit event that it covers was changed", name)
		})
	}
}

// numbered finds the event of a chain with a number.
func (a *auditing) numbered(ch *chain, number uint64) (uint32, bool) {
	k, found := slices.BinarySearchFunc(ch.events, number, func(i uint32, n uint64) int {
		switch token := a.H.Token[i]; {
		case token < n:
			return -1
		case token > n:
			return 1
		}
		return 0
	})
	if !found {
		return none, false
	}
	return ch.events[k], true
}

// statement holds a checkpoint against the trails as far as they have come: what it covers has passed, and lately. Where that is not so, or
// anything is not as it should be, the whole history is judged.
func (s *scan) statement(record string) {
	st, ok := readStatement(record)
	if !ok {
		return
	}
	hashes := make(map[string]string, len(st.Heads))
	for _, source := range st.sources() {
		head := st.Heads[source]
		if head == 0 {
			continue
		}
		k, known := s.source[source]
		if !known {
			s.giveUp = true
			return
		}
		slot := s.trails[k].ring[head&uint64(len(s.trails[k].ring)-1)]
		if slot.number != head || slot.key == 0 {
			s.giveUp = true
			return
		}
		hashes[source] = s.text(slot.key)
	}
	if !st.adds() || st.rootOf(hashes) != st.Root {
		s.giveUp = true
	}
}
