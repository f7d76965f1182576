package undo_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/undo"
)

func TestWhatWasMadeIsRemovedByWhoKnowsHow(t *testing.T) {
	log, dir := open(t)
	require.NoError(t, log.Made("clouds", "c-1"))
	dead := abandon(t, log, dir)
	_, err := undo.Clean(within(t), dead, nil)
	require.ErrorContains(t, err, "remove clouds c-1: nobody here knows how")
	broken := errors.New("engine is down")
	removers := undo.Removers{"clouds": func(context.Context, string) ([]string, error) { return []string{"half"}, broken }}
	report, err := undo.Clean(within(t), dead, removers)
	require.ErrorIs(t, err, broken)
	assert.Equal(t, []string{"half"}, report, "what was done is said all the same")
	removers["clouds"] = func(_ context.Context, id string) ([]string, error) { return []string{"removed " + id}, nil }
	report, err = undo.Clean(within(t), dead, removers)
	require.NoError(t, err)
	assert.Equal(t, []string{"removed c-1"}, report)
	report, err = undo.Clean(within(t), dead, removers)
	require.NoError(t, err)
	assert.Empty(t, report)
}
