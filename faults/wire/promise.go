package wire

import (
	"sync"
	"time"
)

// promise is something that a trap decided and that is still to come: a second delivery, or the end of a wait. It is kept, or called off
// when its trap is, and ends with its connection.
type promise struct {
	tap   *Tap
	by    *Armed
	timer *time.Timer // nil: it does not wait for a time
	keep  func(calledOff bool)
}

// promises are those of a trap.
type promises struct {
	mu        sync.Mutex
	open      map[*promise]struct{}
	off       bool // none is made any more
	calledOff int64
}

// CallOff ends what the trap decided and what is still to come, at once and for good: an ask is not repeated any more, and one that waits
// to be overtaken, or for a time, is delivered. It must not be called from Do or Over.
func (a *Armed) CallOff() {
	p := &a.promises
	p.mu.Lock()
	p.off = true
	open := make([]*promise, 0, len(p.open))
	for one := range p.open {
		open = append(open, one)
	}
	p.mu.Unlock()
	for _, one := range open {
		one.end(true)
	}
}

// CalledOff is how much of what the trap decided was called off before it came.
func (a *Armed) CalledOff() int64 {
	a.promises.mu.Lock()
	defer a.promises.mu.Unlock()
	return a.promises.calledOff
}

// promise has keep called once, after a time, or, where that is zero, when the caller says so; or at once, when it is called off. It is
// called in the tap's lock.
func (t *Tap) promise(by *Armed, after time.Duration, keep func(calledOff bool)) *promise {
	p := &promise{tap: t, by: by, keep: keep}
	if !by.promises.add(p) {
		keep(true)
		return p
	}
	t.promises[p] = struct{}{}
	if after > 0 {
		p.timer = time.AfterFunc(after, func() { p.end(false) })
	}
	return p
}

func (all *promises) add(p *promise) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.off {
		all.calledOff++
		return false
	}
	if all.open == nil {
		all.open = map[*promise]struct{}{}
	}
	all.open[p] = struct{}{}
	return true
}

// end keeps a promise, or calls it off, unless it is settled.
func (p *promise) end(calledOff bool) {
	p.tap.enter()
	defer p.tap.mu.Unlock()
	if p.settle(calledOff) {
		p.keep(calledOff)
	}
}

// settle takes a promise away. It tells whether it was open; nil is not. It is called in the tap's lock.
func (p *promise) settle(calledOff bool) bool {
	if p == nil {
		return false
	}
	if _, open := p.tap.promises[p]; !open {
		return false
	}
	delete(p.tap.promises, p)
	if p.timer != nil {
		p.timer.Stop()
	}
	all := &p.by.promises
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.open, p)
	if calledOff {
		all.calledOff++
	}
	return true
}
