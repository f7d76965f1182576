package faults_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// contained is a component in a container: what is done to it, and what is seen of it.
type contained struct {
	faults.Processes
	dead, answers bool
	periods, more uint64 // that the kernel has made it wait; by how many they grow with a limit
	limits        []float64
	refuses       error
}

func (c *contained) Alive(string) bool                                 { return !c.dead }
func (c *contained) Disconnect(context.Context, string) error          { return c.refuses }
func (c *contained) Connect(context.Context, string) error             { c.answers = true; return nil }
func (c *contained) Start(context.Context, string) error               { c.dead, c.answers = false, true; return nil }
func (c *contained) Throttled(context.Context, string) (uint64, error) { return c.periods, nil }

func (c *contained) Probe(context.Context, string) error {
	if c.answers && !c.dead {
		return nil
	}
	return errors.New("connection refused")
}

func (c *contained) LimitCPU(_ context.Context, _ string, cpus float64) error {
	if c.refuses == nil {
		c.limits = append(c.limits, cpus)
		c.periods += c.more
	}
	return c.refuses
}

func (c *contained) Starve(context.Context, string) error {
	c.dead = c.refuses == nil
	return c.refuses
}

// What the engine was asked for is a fault only if it shows, and what was done is undone however it showed.
func TestWhatIsDoneToAContainerMustShow(t *testing.T) {
	refused := errors.New("the engine refuses")
	for name, test := range map[string]struct {
		kind string
		of   contained
		says string // "": it is confirmed
	}{
		"nobody finds it":              {"disconnect", contained{}, ""},
		"it is found all the same":     {"disconnect", contained{answers: true}, "saw an answer, though it is on no network"},
		"it stays where it was":        {"disconnect", contained{answers: true, refuses: refused}, "the engine refuses"},
		"it has to wait":               {"cpu-limit", contained{answers: true, periods: 7, more: 1}, ""},
		"it wants no more":             {"cpu-limit", contained{answers: true, periods: 7}, "never used up its share of 0.05 processors"},
		"its share cannot be changed":  {"cpu-limit", contained{answers: true, refuses: refused}, "the engine refuses"},
		"it is killed":                 {"out-of-memory", contained{answers: true}, ""},
		"it gets along with the least": {"out-of-memory", contained{answers: true, refuses: refused}, "the engine refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &test.of
			spec := faults.Spec{ID: "f1", Kind: test.kind, Component: "broker", For: time.Second}
			if test.kind == "cpu-limit" {
				spec.CPUs = 0.05
			}
			planned, err := faults.Plan([]faults.Spec{spec}, shop, faults.Means{Processes: c, Containers: c})
			require.NoError(t, err)
			within, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			e, err := planned[0].Fault.Inject(within)
			if test.says == "" {
				require.NoError(t, err)
				assert.NotEmpty(t, e.Probe)
			} else {
				require.ErrorContains(t, err, test.says)
			}
			c.refuses = nil
			_, err = planned[0].Fault.Heal(t.Context())
			require.NoError(t, err)
			assert.True(t, c.answers && !c.dead, "it is as before")
			if test.kind == "cpu-limit" {
				assert.Zero(t, c.limits[len(c.limits)-1], "as many processors as there are")
			}
		})
	}
}
