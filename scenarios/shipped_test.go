package scenarios

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryShippedScenarioIsValid(t *testing.T) {
	for _, info := range Shipped() {
		t.Run(info.Name, func(t *testing.T) {
			s, problems := info.Parse(words())
			require.Empty(t, problems, "%v", problems)
			assert.Equal(t, info.Name, s.Name, "the file is called as its scenario")
			assert.Equal(t, info.About, s.About)
			assert.NotEmpty(t, s.Hypothesis)
			assert.NotEmpty(t, s.Faults)
			assert.Contains(t, s.Require, "every fault confirmed", "no fault may do nothing unseen")
			if slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Spec.When == nil || f.Spec.Component != "" }) {
				assert.Contains(t, s.Require, "operations in flight during every fault", "what holds for a while must hold somebody")
			}
			for seed := range uint64(50) {
				require.NoError(t, s.Plan(seed, "").Validate())
			}
		})
	}
}

func TestTheDefaultComesFirstAndIsShort(t *testing.T) {
	first := Shipped()[0]
	require.Equal(t, Default, first.Name)
	s, problems := first.Parse(words())
	require.Empty(t, problems)
	assert.LessOrEqual(t, s.Workload.Duration().Seconds(), 9.0, "a whole run of it ends within twenty seconds")
	assert.Contains(t, s.Require, "redeliveries >= 1", "without a redelivery it would prove nothing about duplicates")
}

func TestFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte("scenario: own\n"), 0o600))

	shipped, err := Find("relay-crash")
	require.NoError(t, err)
	assert.Empty(t, shipped.File)
	assert.NotEmpty(t, shipped.About)

	own, err := Find(path)
	require.NoError(t, err)
	assert.Equal(t, path, own.File)
	assert.Equal(t, "scenario: own\n", string(own.Source))

	_, err = Find("relay-crahs")
	require.ErrorContains(t, err, `no scenario is called "relay-crahs" (did you mean "relay-crash"?)`)
	assert.ErrorContains(t, err, "known: answers-lost-for-good, backpressure")

	_, err = Find("./gone.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Find(filepath.Dir(path) + "/")
	require.ErrorContains(t, err, "is a directory")
}
