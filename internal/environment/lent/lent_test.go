package lent

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestListenersAreHandedOver(t *testing.T) {
	defer goleak.VerifyNone(t)
	socket := filepath.Join(t.TempDir(), "s")
	b, err := NewBorrower(socket)
	require.NoError(t, err)
	lent := make(chan error, 1)
	go func() { lent <- Lend(socket, []string{"127.0.0.1:0", "127.0.0.2:0"}) }()
	ls, err := b.Take(t.Context(), 2)
	require.NoError(t, err)
	require.NoError(t, <-lent)
	require.NoError(t, b.Close())
	for i, want := range []string{"127.0.0.1", "127.0.0.2"} {
		host, _, err := net.SplitHostPort(ls[i].Addr().String())
		require.NoError(t, err)
		assert.Equal(t, want, host)
		dialled, err := net.Dial("tcp", ls[i].Addr().String())
		require.NoError(t, err)
		accepted, err := ls[i].Accept()
		require.NoError(t, err)
		_, err = accepted.Write([]byte("it is me"))
		require.NoError(t, err)
		require.NoError(t, accepted.Close())
		said, err := io.ReadAll(dialled)
		require.NoError(t, err)
		assert.Equal(t, "it is me", string(said))
		require.NoError(t, dialled.Close())
		require.NoError(t, ls[i].Close())
		_, err = net.Dial("tcp", ls[i].Addr().String())
		require.Error(t, err, "the lender has kept none")
	}
}

func TestWhatCannotBeListenedAtIsSaid(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	b, err := NewBorrower(socket)
	require.NoError(t, err)
	lent := make(chan error, 1)
	go func() { lent <- Lend(socket, []string{"127.0.0.1:0", taken.Addr().String()}) }()
	_, err = b.Take(t.Context(), 2)
	require.ErrorContains(t, err, "address already in use")
	require.Error(t, <-lent)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = b.Take(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded, "nobody lends")
	require.NoError(t, b.Close())
	require.Error(t, Lend(socket, nil), "nobody takes")
}
