package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Draft writes a scenario for a target that has none yet: some load, and each fault that the target allows, one after the other. It is a
// text to begin with, and can be run as it stands. from is the directory that the target's file is named from.
func Draft(t targets.Target, from string) string {
	var b strings.Builder
	at := 500 * time.Millisecond
	var lines []string
	fault := func(next time.Duration, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("  - "+format+"\n    at: %v\n", append(args, at)...))
		at += next
	}
	for _, e := range t.Topology.Edges {
		if e.Protocol == targets.TCP {
			fault(time.Second, "reset: %s", e.Name())
			continue
		}
		fault(1500*time.Millisecond, "lost-response: %s\n    for: 500ms", e.Name())
		fault(1500*time.Millisecond, "partition: %s <-> %s\n    for: 500ms", e.From, e.To)
	}
	for _, c := range t.Topology.Components {
		for _, kind := range []struct{ name, how string }{{"crash", "restart: 200ms"}, {"pause", "for: 500ms"}, {"terminate", "restart: 200ms"}} {
			if c.Bears(kind.name) {
				fault(1500*time.Millisecond, "%s: %s\n    %s", kind.name, c.Name, kind.how)
			}
		}
	}
	name := t.Name
	if t.File != "" {
		name = t.File
		if rel, err := filepath.Rel(from, t.File); err == nil {
			name = rel
		}
		if !strings.ContainsRune(name, filepath.Separator) {
			name = "." + string(filepath.Separator) + name
		}
	}
	fmt.Fprintf(&b, "scenario: everything-%s\n", t.Name)
	b.WriteString("about: Each fault that the target allows, one after the other.\n")
	b.WriteString("hypothesis: Every unit that was accepted comes to its end once, whatever happens meanwhile.\n")
	fmt.Fprintf(&b, "target: %s\n", name)
	load := max(at, 2*time.Second).Round(100 * time.Millisecond)
	fmt.Fprintf(&b, "workload:\n  %s:\n    rate: 40/s\n    for: %v\n", workloadKey(t), load)
	if len(t.Mix) > 1 {
		var mix []string
		for i, class := range t.Mix {
			weight := 1
			if i == 0 {
				weight = 6
			}
			mix = append(mix, fmt.Sprintf("%s: %d", class, weight))
		}
		fmt.Fprintf(&b, "    mix: {%s}\n", strings.Join(mix, ", "))
	}
	if len(lines) > 0 {
		b.WriteString("faults:\n" + strings.Join(slices.Clip(lines), "") + "require: [every fault confirmed]\n")
	}
	return b.String()
}
