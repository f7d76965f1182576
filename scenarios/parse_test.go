package scenarios

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/workloads"
)

var update = flag.Bool("update", false, "write what is reported into testdata")

// Each archive in testdata holds a file with mistakes and the whole text that its author gets to read.
func TestProblems(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			require.NoError(t, err)
			require.Len(t, archive.Files, 2)
			s, problems := Parse("scenario.yaml", archive.Files[0].Data, words())
			require.Nil(t, s)
			require.NotEmpty(t, problems)
			got := problems.Error() + "\n"
			if *update {
				archive.Files[1].Data = []byte(got)
				require.NoError(t, os.WriteFile(path, txtar.Format(archive), 0o644))
			}
			assert.Equal(t, string(archive.Files[1].Data), got)
		})
	}
}

const whole = `
scenario: crash-between-commit-and-publish
about: The relay dies after an order is committed and before its event is published.
hypothesis: Every accepted order is still charged once.
target: reference
environment: docker
x-note: {anything: [goes, here]}
workload:
  orders: {rate: 40/s, for: 8s, clients: 8, mix: {happy: 8, declined: 1}, reads: 0.5, amends: 20%, attempts: 3, timeout: 1500ms, late: 50ms}
faults:
  - crash: relay
    at: 2s..2500ms
    restart: 200ms
  - partition: relay <-> broker
    at: [3s, 4s..5s]
    for: 500ms..1s
    flap: 100ms
  - partition: broker -> relay
    at: 1s
    for: 1s
  - latency: gateway <- payments
    at: 1s
    for: 1s
    delay: 300ms
  - bandwidth: relay -> broker
    at: 1s
    for: 1s
    rate: 16KB/s
  - terminate: api
    at: 1s
    every: 2s
    times: 3
    grace: 2s
  - rolling-restart: all
    at: 1s
guarantees: [no-lost-work, no-duplicate-effects]
require: [every fault confirmed, "redeliveries >= 1"]
thresholds: ["recovery_time < 1s", {bound: submit.ok < 3, abort: true}, {bound: submit.ok < 4}]
quiesce: 20s
`

func TestParse(t *testing.T) {
	s, problems := Parse("whole.yaml", []byte(whole), words())
	require.Empty(t, problems, "%v", problems)

	edge := func(direction faults.Direction, line int) faults.Spec {
		return faults.Spec{From: "relay", To: "broker", Direction: direction, Line: line}
	}
	flapping, cut, slow, narrow := edge(faults.Both, 14), edge(faults.Responses, 18), edge(faults.Requests, 21), edge(faults.Requests, 25)
	flapping.Kind, flapping.Flap = "partition", 100*time.Millisecond
	cut.Kind = "partition"
	slow.Kind, slow.From, slow.To, slow.Delay = "latency", "payments", "gateway", 300*time.Millisecond
	narrow.Kind, narrow.Rate = "bandwidth", 16_000
	once := func(at time.Duration) Range { return Range{at, at} }
	second := once(time.Second)
	drain := faults.Spec{Kind: "terminate", Component: "api", Grace: 2 * time.Second, Line: 29}
	every := faults.Spec{Kind: "rolling-restart", Line: 34, Components: []string{
		"api", "relay", "broker", "saga", "inventory", "payments", "shipping", "audit",
	}}
	want := []Fault{
		{faults.Spec{Kind: "crash", Component: "relay", Line: 11}, Range{2 * time.Second, 2500 * time.Millisecond}, once(200 * time.Millisecond), nil},
		{flapping, once(3 * time.Second), Range{500 * time.Millisecond, time.Second}, nil},
		{flapping, Range{4 * time.Second, 5 * time.Second}, Range{500 * time.Millisecond, time.Second}, nil},
		{cut, second, second, nil},
		{slow, second, second, nil},
		{narrow, second, second, nil},
		{drain, second, Range{}, nil},
		{drain, once(3 * time.Second), Range{}, nil},
		{drain, once(5 * time.Second), Range{}, nil},
		{every, second, Range{}, nil},
	}
	require.Len(t, s.Faults, len(want))
	for i := range want {
		want[i].Spec.ID = "f" + string("123456789"[min(i, 8)])
	}
	want[9].Spec.ID = "f10"
	assert.Equal(t, want, s.Faults)

	assert.Equal(t, workloads.Spec{
		Phases: []workloads.Phase{{Rate: 40, For: 8 * time.Second}}, Clients: 8, Mix: map[string]int{"happy": 8, "declined": 1},
		Reads: 0.5, Amends: 0.2, Attempts: 3, Timeout: 1500 * time.Millisecond, Late: 50 * time.Millisecond,
	}, s.Workload)
	assert.Equal(t, "docker", s.Environment)
	assert.Equal(t, []string{"no-duplicate-effects", "no-lost-work"}, s.Guarantees, "in the order of the report")
	assert.Equal(t, []string{"every fault confirmed", "redeliveries >= 1"}, s.Require)
	assert.Equal(t, []string{"recovery_time < 1s", "submit.ok < 3", "submit.ok < 4"}, s.Thresholds)
	assert.Equal(t, []string{"submit.ok < 3"}, s.Abort)
	assert.Equal(t, 20*time.Second, s.Quiesce)
}

func TestDefaults(t *testing.T) {
	s, problems := Parse("small.yaml", []byte("scenario: small\nworkload: {orders: {phases: [{rate: 30/m, for: 10s}, {rate: 0/s, for: 1s}]}}\n"), words())
	require.Empty(t, problems, "%v", problems)
	assert.Equal(t, "reference", s.Target)
	assert.Empty(t, s.Guarantees, "all that can be tested")
	assert.Equal(t, map[string]int{"happy": 1}, s.Workload.Mix)
	assert.Equal(t, []workloads.Phase{{Rate: 0.5, For: 10 * time.Second}, {For: time.Second}}, s.Workload.Phases)
	assert.Equal(t, s.Workload.Defaults(), s.Workload, "nothing is left for others to fill in")
	assert.Equal(t, 30*time.Second, s.Quiesce)
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, src []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, src, 0o600))
		return path
	}
	good := write("good.yaml", []byte(whole))
	s, problems := Load(good, words())
	require.Empty(t, problems)
	assert.Equal(t, good, s.File)
	assert.Equal(t, good, s.Plan(1, "").File)

	windows := write("windows.yaml", bytes.ReplaceAll([]byte("\ufeff"+strings.TrimPrefix(whole, "\n")), []byte("\n"), []byte("\r\n")))
	_, problems = Load(windows, words())
	assert.Empty(t, problems, "a byte order mark and CRLF are nothing to complain about")

	for name, c := range map[string]struct{ path, want string }{
		"no such file": {filepath.Join(dir, "gone.yaml"), "no such file or directory"},
		"a directory":  {dir, "is a directory"},
		"too large":    {write("large.yaml", bytes.Repeat([]byte("# ten megabytes of this\n"), 10<<20/24)), "is larger than 1 MB"},
		"latin-1":      {write("latin1.yaml", []byte("scenario: bad\nabout: caf\xe9\n")), "latin1.yaml:2:11: error: byte 0xe9 is not UTF-8"},
		"utf-16":       {write("utf16.yaml", []byte("\xff\xfes\x00c\x00")), "utf16.yaml:1:1: error: byte 0xff is not UTF-8"},
		"binary":       {write("binary.yaml", []byte("scenario: a\x00b\n")), "binary.yaml:1:12: error: character U+0000 may not stand"},
		"escape codes": {write("escape.yaml", []byte("scenario: \x1b[31mred\n")), "  1 | scenario: ·[31mred"},
	} {
		t.Run(name, func(t *testing.T) {
			s, problems := Load(c.path, words())
			require.Nil(t, s)
			require.Len(t, problems, 1)
			assert.ErrorContains(t, problems, c.want)
			assert.ErrorContains(t, problems, "1 error; nothing was started")
		})
	}
}

// A file of nothing but mistakes must not take longer to refuse than to type.
func TestManyProblemsAreCounted(t *testing.T) {
	var src strings.Builder
	for i := range 40_000 {
		src.WriteString("k" + strings.Repeat("e", i%7) + "y" + string(rune('a'+i%26)) + ": 1\n")
	}
	begin := time.Now()
	_, problems := Parse("many.yaml", []byte(src.String()), words())
	require.Greater(t, len(problems), document.MaxShown)
	assert.Less(t, len(problems.Error()), 100_000)
	assert.Contains(t, problems.Error(), "more\n")
	assert.Less(t, time.Since(begin), 20*time.Second)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(told))
	for _, info := range Shipped() {
		f.Add(info.Source)
	}
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range archives {
		if archive, err := txtar.ParseFile(path); err == nil {
			f.Add(archive.Files[0].Data)
		}
	}
	v := words()
	f.Fuzz(func(t *testing.T, src []byte) {
		s, problems := Parse("fuzz.yaml", src, v)
		if (s == nil) != (len(problems) > 0) {
			t.Fatalf("scenario %v with %d problems", s, len(problems))
		}
		if s == nil {
			_ = problems.Error()
			return
		}
		plan := s.Plan(1, "")
		if err := plan.Validate(); err != nil {
			t.Fatalf("a file without problems gives a plan with some: %v", err)
		}
		_ = plan.String()
	})
}
