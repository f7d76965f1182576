package checkers

import (
	"math"
	"slices"
)

// histogram counts values in buckets less than a hundredth wide, so that a quantile of millions of values is found by sorting only those of
// its bucket.
type histogram struct {
	buckets [numBuckets]uint32
}

const (
	exact      = 256 // values below it have a bucket each
	numBuckets = 1 + exact + 56*128
)

// bucketOf is where a value is counted: all below zero in the first.
func bucketOf(v int64) int {
	switch {
	case v < 0:
		return 0
	case v < exact:
		return int(v) + 1
	}
	// The upper bits of a floating point number are its exponent and the first seven bits after the first.
	return 1 + int(math.Float64bits(float64(v))>>45) - exact0
}

// exact0 is where the bucket of exact would be if all were like those above it.
const exact0 = (1023+8)<<7 - exact

func (h *histogram) add(v int64) { h.buckets[bucketOf(v)]++ }

func (h *histogram) addMany(v int64, n int) { h.buckets[bucketOf(v)] += uint32(n) }

// size is how many values were counted.
func (h *histogram) size() (n int) {
	for _, count := range h.buckets {
		n += int(count)
	}
	return n
}

// find gives the bucket that holds the value of a rank, from 1, and the rank of that value in it.
func (h *histogram) find(rank int) (bucket, within int) {
	for k, n := range h.buckets {
		if rank <= int(n) {
			return k, rank
		}
		rank -= int(n)
	}
	return numBuckets, rank
}

// picker fetches values of given ranks, by their bucket.
type picker struct {
	histogram *histogram
	wanted    [numBuckets]bool
	values    map[int][]int64 // of the buckets that are wanted
	sorted    bool
}

func (h *histogram) picker() *picker { return &picker{histogram: h, values: map[int][]int64{}} }

// want asks for the value of a rank, before any is offered.
func (p *picker) want(rank int) {
	k, _ := p.histogram.find(rank)
	p.wanted[k] = k == 0 || k > exact
}

// offer is to be called with every value that was counted.
func (p *picker) offer(v int64) {
	if k := bucketOf(v); p.wanted[k] {
		p.values[k] = append(p.values[k], v)
	}
}

// pick gives the value of a rank, once all were offered.
func (p *picker) pick(rank int) int64 {
	if !p.sorted {
		p.sorted = true
		for _, list := range p.values {
			slices.Sort(list)
		}
	}
	k, within := p.histogram.find(rank)
	if k > 0 && k <= exact {
		return int64(k) - 1
	}
	return p.values[k][within-1]
}
