package checkers

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// chain is the audit trail of one source, in the order of the source's own numbers: delivery may repeat it and mix it up.
type chain struct {
	source     history.Ref
	events     []uint32 // one for each number, ascending
	forks      []fork
	unnumbered []uint32 // events that carry no number: no chain is claimed for them
	head       uint32   // where the source's own last number was observed
	sorted     bool
	last       uint64
}

// fork is two events under one number.
type fork struct{ first, other uint32 }

// sourceIndex finds the chain of a source.
type sourceIndex struct {
	last  history.Ref
	at    int
	found map[history.Ref]int
}

func (p *pass) chain(source history.Ref) *chain {
	l := &p.lists
	if l.found == nil {
		l.found = make(map[history.Ref]int)
	} else if l.last == source {
		return &p.chains[l.at]
	}
	k, ok := l.found[source]
	if !ok {
		k = len(p.chains)
		l.found[source] = k
		p.chains = append(p.chains, chain{source: source, head: none, sorted: true})
	}
	l.last, l.at = source, k
	return &p.chains[k]
}

func (p *pass) audit(i uint32) {
	if u := p.unitAt(i); u != nil {
		u.told = min(u.told, i)
	}
	ch := p.chain(p.H.Comp[i])
	token := p.H.Token[i]
	if token == 0 {
		ch.unnumbered = append(ch.unnumbered, i)
		return
	}
	ch.sorted = ch.sorted && token > ch.last
	ch.last = token
	ch.events = append(ch.events, i)
}

func (p *pass) head(i uint32) { p.chain(p.H.Comp[i]).head = i }

// settle brings each chain into the source's order, takes repeats out, and only then counts what the trail says of each unit.
func (c *Case) settle() {
	for k := range c.chains {
		ch := &c.chains[k]
		if !ch.sorted {
			c.order(ch)
		}
		for _, i := range ch.events {
			c.recorded(i)
		}
		for _, i := range ch.unnumbered {
			if u := c.col[i]; u != history.NoUnit {
				c.units[u].flags |= unnumbered
			}
			c.recorded(i)
		}
	}
}

func (c *Case) order(ch *chain) {
	slices.SortStableFunc(ch.events, func(a, b uint32) int {
		switch x, y := c.H.Token[a], c.H.Token[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	kept := ch.events[:0]
	for _, i := range ch.events {
		if len(kept) == 0 || c.H.Token[kept[len(kept)-1]] != c.H.Token[i] {
			kept = append(kept, i)
		} else if first := kept[len(kept)-1]; !c.sameAudit(first, i) {
			ch.forks = append(ch.forks, fork{first, i})
		}
	}
	ch.events = kept
}

// sameAudit tells a redelivery from another event under the same number.
func (c *Case) sameAudit(a, b uint32) bool {
	h := c.H
	return h.Key[a] == h.Key[b] && h.Value[a] == h.Value[b] && h.Op[a] == h.Op[b] && h.Unit[a] == h.Unit[b]
}

// recorded counts one audit event for its unit.
func (c *Case) recorded(i uint32) {
	c.audits++
	if c.col[i] == history.NoUnit {
		return
	}
	u := int(c.col[i])
	t := slices.Index(c.transitions, c.H.Op[i])
	if t < 0 {
		return
	}
	x := &c.units[u]
	x.audited |= 1 << t
	if c.terminalAudits>>t&1 == 1 {
		at := time.Duration(c.H.At[i])
		if at <= 0 {
			at = c.at(i)
		}
		x.finish(at)
	}
	said := c.step(c.H.Step[i])
	for s := range c.steps {
		if said >= 0 && said != s {
			continue
		}
		if c.auditDo[s] == t {
			add(&c.cell(u, s).auditDo)
		} else if c.auditUndo[s] == t {
			add(&c.cell(u, s).auditUndo)
		}
	}
}

// breaks lists the events whose hash does not follow from the one before them: hash = sha256(previous hash, newline, body). Where
// the one before is missing, nothing can be said.
func (c *Case) breaks(ch *chain) (broken []uint32) {
	previous, known, next := "", true, uint64(1)
	var text [2 * sha256.Size]byte
	var buf []byte
	for _, i := range ch.events {
		known = known && c.H.Token[i] == next
		key := c.str(c.H.Key[i])
		if known && key != "" {
			buf = append(append(append(buf[:0], previous...), '\n'), c.str(c.H.Value[i])...)
			sum := sha256.Sum256(buf)
			hex.Encode(text[:], sum[:])
			if string(text[:]) != key {
				broken = append(broken, i)
			}
		}
		previous, known, next = key, key != "", c.H.Token[i]+1
	}
	return broken
}

// hole is a stretch of numbers that were never delivered; before and after are its neighbours, none at an end.
type hole struct {
	from, to      uint64
	before, after uint32
}

func (c *Case) holes(ch *chain) (holes []hole) {
	next, before := uint64(1), none
	for _, i := range ch.events {
		if n := c.H.Token[i]; n > next && c.whole.missing(c.str(ch.source), next) {
			holes = append(holes, hole{next, n - 1, before, i})
		}
		next, before = c.H.Token[i]+1, i
	}
	return holes
}

func (c *Case) chainsBySource() map[history.Ref]*chain {
	of := make(map[history.Ref]*chain, len(c.chains))
	for k := range c.chains {
		of[c.chains[k].source] = &c.chains[k]
	}
	return of
}

// unbroken tells that every number from one to another was delivered.
func (c *Case) unbroken(ch *chain, from, to uint64) bool {
	if w := c.whole; w != nil {
		return w.trails[w.source[c.str(ch.source)]].unbroken(from, to)
	}
	place := func(n uint64) (int, bool) {
		return slices.BinarySearchFunc(ch.events, n, func(i uint32, n uint64) int { return cmp.Compare(c.H.Token[i], n) })
	}
	a, first := place(from)
	b, last := place(to)
	return first && last && uint64(b-a) == to-from
}
