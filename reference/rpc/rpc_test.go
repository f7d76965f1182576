package rpc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/rpc"
)

var errGone = errors.New("gone")

// serve answers /echo with the question, and every other question with an error.
func serve(t *testing.T) *rpc.Client {
	t.Helper()
	statuses := rpc.Statuses{errGone: http.StatusPreconditionFailed}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question map[string]string
		err := rpc.Read(w, r, &question)
		switch {
		case err != nil:
		case r.URL.Path == "/gone":
			err = fmt.Errorf("look: %w", errGone)
		case r.URL.Path == "/broken":
			err = errors.New("the disk\nis full")
		case r.URL.Path == "/garbled":
			_, _ = w.Write([]byte(`{"half":`))
			return
		}
		statuses.Answer(w, r, slog.New(slog.DiscardHandler), question, err)
	}))
	t.Cleanup(server.Close)
	c := rpc.NewClient(server.URL+"/", 10*time.Second)
	t.Cleanup(c.Close)
	return c
}

func TestAnAnswerIsAnAnswerAndNothingElseIs(t *testing.T) {
	c := serve(t)
	question, answer := map[string]string{"a": "b"}, map[string]string{}
	require.NoError(t, c.Ask(t.Context(), "echo", question, &answer))
	assert.Equal(t, question, answer)
	for _, ask := range []struct {
		verb     string
		question any
		code     int
		says     string
	}{
		{"gone", question, http.StatusPreconditionFailed, "look: gone"},
		{"broken", question, http.StatusServiceUnavailable, "the disk: is full"},
		{"echo", "no object", http.StatusBadRequest, "want a JSON object"},
		{"echo", map[string]string{"a": strings.Repeat("x", 1<<17)}, http.StatusBadRequest, "too large"},
	} {
		var status *rpc.StatusError
		err := c.Ask(t.Context(), ask.verb, ask.question, &answer)
		require.ErrorAs(t, err, &status, ask.verb)
		assert.Equal(t, ask.code, status.Code)
		assert.Contains(t, status.Text, ask.says)
	}
	var status *rpc.StatusError
	err := c.Ask(t.Context(), "garbled", question, &answer)
	require.ErrorContains(t, err, "read answer")
	assert.False(t, errors.As(err, &status), "nobody knows")
}

func TestWhatIsSubmittedHasAKey(t *testing.T) {
	for key, ok := range map[string]bool{"k": true, "": false, strings.Repeat("k", 257): false} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{}`))
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("traceparent", "t")
		got, trace, err := rpc.Submitted(httptest.NewRecorder(), r, &struct{}{})
		if !ok {
			require.ErrorIs(t, err, rpc.ErrBad)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, []string{key, "t"}, []string{got, trace})
	}
}
