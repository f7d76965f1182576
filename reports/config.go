package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

// tiles are the numbers of the page's first screen.
func tiles(r Run) []tile {
	res := r.Result
	var ts []tile
	add := func(value, label, tone string) { ts = append(ts, tile{value, label, tone}) }
	tone := func(good bool, bad string) string {
		if good {
			return "pass"
		}
		return bad
	}
	if n := len(res.Guarantees); n > 0 {
		holds := withStatus(res, checkers.Holds)
		t := "pass"
		switch {
		case withStatus(res, checkers.Violated) > 0:
			t = "violation"
		case holds+withStatus(res, checkers.NotTested) < n:
			t = "inconclusive"
		}
		add(fmt.Sprintf("%d of %d", holds, n), "guarantees hold", t)
		nt := withStatus(res, checkers.NotTested)
		add(num(nt), "not tested", tone(nt == 0, "error"))
	}
	if n := len(res.Faults); n > 0 {
		confirmed := 0
		for _, f := range res.Faults {
			if f.Verdict == checkers.Confirmed {
				confirmed++
			}
		}
		add(fmt.Sprintf("%d of %d", confirmed, n), "faults confirmed", tone(confirmed == n, "inconclusive"))
	}
	if n := len(res.Require); n > 0 {
		add(fmt.Sprintf("%d of %d", n-unmet(res.Require), n), "requirements met", tone(unmet(res.Require) == 0, "inconclusive"))
	}
	if n := len(res.Thresholds); n > 0 {
		add(fmt.Sprintf("%d of %d", n-unmet(res.Thresholds), n), "thresholds met", tone(unmet(res.Thresholds) == 0, "missed"))
	}
	add(num(res.Counts.Units), "units asked for", "")
	add(num(res.Counts.Operations), "operations", "")
	return ts
}

// config lists what the run was made of.
func config(r Run) []pair {
	m, pl := r.Manifest, r.Plan
	var ps []pair
	add := func(name, value string) {
		if value != "" && value != "0" && value != "0s" {
			ps = append(ps, pair{name, line(value)})
		}
	}
	add("scenario", scenario(r))
	add("scenario file", pl.File)
	add("about", pl.About)
	add("target", target(r))
	add("defect", defect(r))
	add("environment", m.Environment)
	ps = append(ps, pair{"seed", fmt.Sprint(seed(r))})
	var load []string
	for _, ph := range pl.Workload.Phases {
		load = append(load, fmt.Sprintf("%g/s for %s", ph.Rate, took(ph.For)))
	}
	add("load", strings.Join(load, ", then "))
	add("clients", fmt.Sprint(pl.Workload.Clients))
	add("mix", mix(pl.Workload.Mix))
	add("attempts", fmt.Sprint(pl.Workload.Attempts))
	add("timeout of one try", took(pl.Workload.Timeout))
	add("deadline to become idle", took(pl.Quiesce))
	var spent []string
	for _, ph := range m.Phases {
		spent = append(spent, ph.Name+" "+took(ph.Took))
	}
	add("phases", strings.Join(spent, ", "))
	if !m.Started.IsZero() {
		add("started", m.Started.UTC().Format(time.RFC3339))
	}
	add("took", took(elapsed(r)))
	add("judged in", took(r.Result.Took))
	add("tool", m.Tool)
	add("go", m.Go)
	add("system", strings.TrimSpace(m.OS+" "+cpus(m)))
	add("host", m.Host)
	add("git", m.Git)
	add("arguments", strings.Join(m.Args, " "))
	if h := r.History; h != nil && h.Header.Tool != "" && h.Header.Tool != m.Tool {
		add("recorded by", h.Header.Tool)
	}
	return ps
}

func cpus(m rundir.Manifest) string {
	if m.CPUs == 0 {
		return ""
	}
	return "with " + count(m.CPUs, "CPU")
}

// mix writes the kinds of unit and their weights, heaviest first.
func mix(m map[string]int) string {
	kinds := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%s: %d", k, m[k])
	}
	return strings.Join(kinds, ", ")
}
