package workloads

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Limits that keep the history of one unit small enough for the linearizability checker, which is exponential in both.
const (
	MaxPerUnit       = 8  // operations of one unit; none has two tries open, so no more than these are ever concurrent
	MaxIndeterminate = 10 // submits and amends of one unit that ended as info; the next one is not tried
)

// maxUnits bounds the memory of one load: its operations are planned in advance.
const maxUnits = 10_000_000

// Defaults is the specification with the fields that were left out filled in: no phase, client, attempt, timeout or bound of
// lateness is no choice. Reads and Amends stay: zero of them is one. Without a mix every unit has the empty class.
func (s Spec) Defaults() Spec {
	if len(s.Phases) == 0 {
		s.Phases = []Phase{{Rate: 120, For: 3 * time.Second}, {Rate: 24, For: 4 * time.Second}}
	}
	if s.Clients == 0 {
		s.Clients = 32
	}
	if s.Attempts == 0 {
		s.Attempts = 4
	}
	if s.Timeout == 0 {
		s.Timeout = time.Second
	}
	if s.Late == 0 {
		s.Late = 25 * time.Millisecond
	}
	return s
}

// Validate says everything that is wrong with the specification, by field; nil if nothing is.
func (s Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	s = s.Defaults()
	units := 0.0
	for i, p := range s.Phases {
		if !(p.Rate >= 0) || math.IsInf(p.Rate, 0) {
			bad("phases[%d].rate: %v is no rate: want a number of units per second, 0 for a pause", i, p.Rate)
		}
		if p.For <= 0 {
			bad("phases[%d].for: %v is no duration: want more than 0s", i, p.For)
		}
		units += p.Rate * p.For.Seconds()
	}
	if units > maxUnits {
		bad("phases: %.0f units are more than the %d that one load can hold", units, maxUnits)
	}
	if len(errs) == 0 && s.Units() == 0 {
		bad("phases: rate and duration come to no unit at all")
	}
	if s.Clients < 1 || s.Clients > 10_000 {
		bad("clients: %d is out of range: want 1 to 10000", s.Clients)
	}
	total := 0
	for _, class := range slices.Sorted(maps.Keys(s.Mix)) {
		if s.Mix[class] < 0 {
			bad("mix.%s: weight %d is negative", class, s.Mix[class])
		}
		total += max(0, s.Mix[class])
	}
	if len(s.Mix) > 0 && total == 0 {
		bad("mix: every weight is 0")
	}
	for _, f := range []struct {
		name string
		mean float64
	}{{"reads", s.Reads}, {"amends", s.Amends}, {"repeats", s.Repeats}, {"clashes", s.Clashes}} {
		if !(f.mean >= 0) || math.IsInf(f.mean, 0) {
			bad("%s: %v is no number of operations for each unit: want 0 or more", f.name, f.mean)
		}
	}
	if n := 1 + math.Ceil(s.Reads) + math.Ceil(s.Amends) + math.Ceil(s.Repeats) + math.Ceil(s.Clashes); n > MaxPerUnit {
		bad("reads, amends, repeats and clashes: up to %.0f operations for one unit: the linearizability checker wants at most %d", n, MaxPerUnit)
	}
	if s.Attempts < 1 || s.Attempts > MaxIndeterminate {
		bad("attempts: %d is out of range: want 1 to %d", s.Attempts, MaxIndeterminate)
	}
	if s.Timeout < 0 {
		bad("timeout: %v is negative", s.Timeout)
	}
	if s.Late < 0 {
		bad("late: %v is negative", s.Late)
	}
	return errors.Join(errs...)
}

// Duration is how long the load takes, without what is still open at its end.
func (s Spec) Duration() time.Duration {
	var d time.Duration
	for _, p := range s.Defaults().Phases {
		d += p.For
	}
	return d
}

// Units is how many units the load submits: the same for every seed.
func (s Spec) Units() int {
	n := 0
	for _, p := range s.Defaults().Phases {
		n += p.units()
	}
	return n
}

func (p Phase) units() int { return int(math.Round(p.Rate * p.For.Seconds())) }
