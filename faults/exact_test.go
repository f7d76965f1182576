package faults_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// A crash at a point has the same durable outcome every time: killed before it was asked, the component has not written; killed
// behind its answer, it has.
func TestAnExactCrashIsExact(t *testing.T) {
	const repeats = 25 // of each of the four
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "lines")
	env := &children{addr: ln.Addr().String(), env: []string{ledgerEnv + "=" + file}}
	ln.Close()
	require.NoError(t, env.Start(ctx(t), "api"))
	t.Cleanup(func() { require.NoError(t, env.Kill(ctx(t), "api")) })
	b := &bench{log: newLog(), topology: shop}
	b.proxied(t, httpEdge, env.addr)
	post := func(line string) error {
		resp, err := b.client.Post("http://"+b.listen+"/lines", "text/plain", strings.NewReader(line))
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("it answered %s", resp.Status)
		}
		resp.Body.Close()
		return err
	}
	var want []string
	for i := range repeats {
		for _, tc := range []struct {
			point, frame    string
			written, answer bool
			became          string
		}{
			{"before", "drop", false, false, "was dropped"},
			{"before", "pass", false, false, ""}, // into a socket that nobody reads
			{"after", "drop", true, false, "was dropped"},
			{"after", "pass", true, true, "was delivered"},
		} {
			id := fmt.Sprintf("%s-%s-%d", tc.point, tc.frame, i)
			b.guard = faults.NewGuard(b.log, b.log)
			wait := b.start(t, []faults.Spec{{ID: id, Kind: "crash", Component: "api", Frame: tc.frame,
				When: &faults.When{From: "client", To: "api", Exchange: "POST /lines", Nth: 2, Point: tc.point}}}, env)
			require.NoError(t, post(id+"-1"))
			want = append(want, id+"-1")
			err := post(id + "-2")
			require.Equal(t, tc.answer, err == nil, "%s: %v", id, err)
			if tc.written {
				want = append(want, id+"-2")
			}
			require.Equal(t, []error{nil}, wait(), id)
			require.Equal(t, whole, b.log.story(id))
			assert.Contains(t, b.log.evidence(t, id, confirmed).Probe, "api is gone")
			assert.Contains(t, b.log.evidence(t, id, wasHealed).Detail, tc.became)
			require.NoError(t, post(id+"-3"), "it is back")
			want = append(want, id+"-3")
		}
	}
	lines, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, strings.Fields(string(lines)))
	require.Len(t, env.pids, 1+4*repeats)
}
