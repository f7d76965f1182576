package wire

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// told keeps events.
type told []history.Event

func (l *told) Record(e history.Event) uint64 {
	*l = append(*l, e)
	return uint64(len(*l))
}

// carry delivers pieces at once, up to the first that waits, which it gives.
func carry(t *Tap, w Way, pieces []Piece) (delivered string, waits *Piece) {
	for _, p := range pieces {
		if p.Gate != nil {
			return delivered, &p
		}
		delivered += string(p.Bytes)
		t.Offer(w, p)
		t.Written(w, len(p.Bytes))
	}
	return delivered, nil
}

func promising(p Protocol, f Fate) (*Tap, *Armed, *told) {
	var events told
	s := NewSession("a -> b", p, Options{Record: &events})
	a := s.Arm(Trap{Unit: history.NoUnit, Fault: "f1", Do: func(Hit) Fate { return f }})
	return s.NewConn(), a, &events
}

const (
	aGet    = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	anOK    = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	publish = "PUB orders.created 3\r\no-1\r\n"
)

func TestARepeatIsCalledOff(t *testing.T) {
	for name, f := range map[string]Fate{"later": {Action: Repeat, After: time.Hour}, "behind the answer": {Action: Repeat, AnswerFirst: true}} {
		t.Run(name, func(t *testing.T) {
			tap, trap, events := promising(HTTP, f)
			sent, _ := carry(tap, Up, tap.Feed(Up, []byte(aGet)))
			require.Equal(t, aGet, sent)
			require.Len(t, tap.promises, 1)
			require.True(t, tap.Lingers(Up))
			trap.CallOff()
			require.EqualValues(t, 1, trap.CalledOff())
			require.Empty(t, tap.promises)
			require.False(t, tap.Lingers(Up), "nothing is waited for any more")
			back, _ := carry(tap, Down, tap.Feed(Down, []byte(anOK)))
			require.Equal(t, anOK, back)
			require.Empty(t, tap.Take(Up), "it does not come")
			require.Len(t, *events, 1)
			require.Contains(t, (*events)[0].Value, `"deliveries":1,"returned":true`)

			sent, _ = carry(tap, Up, tap.Feed(Up, []byte(aGet)))
			require.Equal(t, aGet, sent, "what is decided after that is called off at once")
			require.Empty(t, tap.promises)
			require.EqualValues(t, 2, trap.CalledOff())
		})
	}
}

func TestARepeatThatCameIsNotCalledOff(t *testing.T) {
	tap, trap, events := promising(NATS, Fate{Action: Repeat, After: 1})
	sent, _ := carry(tap, Up, tap.Feed(Up, []byte(publish)))
	<-tap.Wake(Up)
	again, _ := carry(tap, Up, tap.Take(Up))
	require.Equal(t, publish+publish, sent+again)
	trap.CallOff()
	require.Zero(t, trap.CalledOff())
	require.Contains(t, (*events)[0].Value, `"deliveries":2`)
}

// An ask that waits to be overtaken is let go: on its own connection where answers name their asks, otherwise behind its gate.
func TestASwapIsCalledOff(t *testing.T) {
	tap, trap, events := promising(NATS, Fate{Action: Swap, After: time.Hour})
	require.Empty(t, tap.Feed(Up, []byte(publish)))
	trap.CallOff()
	<-tap.Wake(Up)
	sent, _ := carry(tap, Up, tap.Take(Up))
	require.Equal(t, publish, sent)
	require.Len(t, *events, 1)
	require.EqualValues(t, 1, trap.CalledOff())

	tap, trap, _ = promising(HTTP, Fate{Action: Swap, After: time.Hour})
	_, waits := carry(tap, Up, tap.Feed(Up, []byte(aGet)))
	require.NotNil(t, waits)
	trap.CallOff()
	<-waits.Gate.Done()
	sent, _ = carry(tap, Up, tap.Resolve(Up, *waits))
	require.Equal(t, aGet, sent)
	require.EqualValues(t, 1, trap.CalledOff())
}

// What was promised ends with its connection: no timer keeps it.
func TestPromisesEndWithTheirConnection(t *testing.T) {
	for _, f := range []Fate{{Action: Repeat, After: time.Hour}, {Action: Swap, After: time.Hour}, {Action: Delay, After: time.Hour}} {
		tap, trap, events := promising(NATS, f)
		carry(tap, Up, tap.Feed(Up, []byte(publish)))
		require.Len(t, tap.promises, 1)
		for p := range tap.promises {
			tap.Close()
			require.False(t, p.timer.Stop(), "it was stopped")
		}
		require.Empty(t, tap.promises)
		require.Empty(t, trap.promises.open)
		require.Len(t, *events, 1)
		trap.CallOff()
		require.Zero(t, trap.CalledOff(), "it ended before")
	}
}
