package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/proof"
	"github.com/wreckon/wreckon/targets/file"
)

// TestTheMatrixIsWhole: every claim of every defect is run, every shipped scenario is run on the correct system, and all of them name
// what exists.
func TestTheMatrixIsWhole(t *testing.T) {
	m, err := matrix(proveFlags{runs: 3, seeds: 5})
	require.NoError(t, err)
	assert.False(t, m.Part)
	assert.Equal(t, namesOf("guarantees"), m.Guarantees)
	defects, correct := map[string]bool{}, map[string]bool{}
	for _, c := range m.Cells {
		assert.Contains(t, shippedNames(), c.Scenario)
		if c.Defect == "" {
			assert.False(t, correct[c.Scenario], "%s is run twice", c.Scenario)
			correct[c.Scenario] = true
			assert.Equal(t, 5, c.Runs)
			continue
		}
		defects[c.Defect] = true
		assert.Contains(t, m.Guarantees, c.Falls, c.Defect)
		assert.Equal(t, 3, c.Runs)
	}
	assert.Len(t, correct, len(shippedNames()))
	assert.Len(t, defects, len(defectNames()))
}

func TestAPartOfTheMatrix(t *testing.T) {
	m, err := matrix(proveFlags{runs: 1, seeds: 1, defects: []string{"mark-before-publish"}, scenarios: []string{"broker-partition"}})
	require.NoError(t, err)
	assert.True(t, m.Part)
	require.Len(t, m.Cells, 2)
	assert.Equal(t, "mark-before-publish", m.Cells[0].Defect)
	assert.Equal(t, proof.ByTime, m.Cells[0].Placed)
	assert.Empty(t, m.Cells[1].Defect)
	assert.Equal(t, "broker-partition", m.Cells[1].Scenario)

	m, err = matrix(proveFlags{runs: 1, seeds: 1, scenarios: []string{"commit-ack-lost"}})
	require.NoError(t, err)
	for _, c := range m.Cells {
		assert.Equal(t, "commit-ack-lost", c.Scenario)
		assert.Equal(t, proof.AtPoints, c.Placed)
	}
}

func TestTheMatrixFitsIntoTheTimeThereIs(t *testing.T) {
	f := proveFlags{runs: 20, seeds: 2, parallel: 2}
	m, err := matrix(f)
	require.NoError(t, err)
	f.within = m.Left() / 2 * 3 / 4 // two at once, and three quarters of what it would take
	m, err = matrix(f)
	require.NoError(t, err)
	assert.LessOrEqual(t, m.Left(), 2*f.within)
	assert.Less(t, m.Most(), 20, "or the test shows nothing")
	for _, c := range m.Cells {
		if c.Defect == "" {
			assert.Equal(t, 2, c.Runs, "false alarms are looked for all the same")
			continue
		}
		assert.Equal(t, m.Most(), c.Runs, c.Defect)
	}

	f.within = time.Second
	m, err = matrix(f)
	require.NoError(t, err)
	assert.Equal(t, fewest, m.Most(), "fewer would say nothing")
}

func TestTheDocumentationKnowsTheExitCodes(t *testing.T) {
	page, err := os.ReadFile("../../docs/running.md")
	require.NoError(t, err)
	for _, o := range proof.Outcomes {
		assert.Contains(t, string(page), fmt.Sprintf("| %s | %d |", o.Means, o.Code))
		assert.Contains(t, newProve().Long, fmt.Sprintf("%2d  %s\n", o.Code, o.Means))
	}
}

// The schema of target files says by name which guarantees a defect can bring down: all that there are.
func TestADefectOfATargetFileCanBringDownAnyGuarantee(t *testing.T) {
	var schema struct {
		Defs struct {
			Defect struct {
				Properties struct{ Falls struct{ Enum []string } }
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(file.Schema(), &schema))
	assert.Equal(t, namesOf("guarantees"), schema.Defs.Defect.Properties.Falls.Enum)
}

// TestARunThatCannotBeMadeFindsNothing: a tool that calls a failed build a detection proves whatever it likes.
func TestARunThatCannotBeMadeFindsNothing(t *testing.T) {
	c := &proof.Cell{Defect: "mark-before-publish", Falls: "no-lost-work", Scenario: "broker-partition", Runs: 3}
	m := &proof.Matrix{Cells: []*proof.Cell{c}}
	dead := filepath.Join(t.TempDir(), "dead")
	require.NoError(t, os.WriteFile(dead, []byte("#!/bin/sh\necho 'link failed: no-lost-work' >&2\nexit 1\n"), 0o755))
	for _, self := range []string{dead, dead, filepath.Join(t.TempDir(), "nowhere")} {
		r := proveOnce(context.Background(), self, proveFlags{out: t.TempDir()}, c, 1)
		require.Error(t, r.Err)
		assert.False(t, c.Count(r))
	}
	got, problems := m.Judge(false)
	assert.Equal(t, proof.NotMade, got)
	assert.Len(t, problems, 1)
}
