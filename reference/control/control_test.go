package control_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/reference/control"
)

func ask(s control.Server, token, path string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestNothingIsAnsweredWithoutTheToken(t *testing.T) {
	s := control.Server{Token: "secret"}
	for _, path := range []string{"/live", "/ready", "/idle", "/observe", "/audit", "/nothing"} {
		for _, token := range []string{"", "Bearer", "Bearer ", "secret", "Bearer secret2", "bearer secret"} {
			code, _ := ask(s, token, path)
			assert.Equal(t, http.StatusUnauthorized, code, "%s with %q", path, token)
		}
	}
	code, _ := ask(control.Server{}, "Bearer ", "/live")
	assert.Equal(t, http.StatusUnauthorized, code, "a server without a token")
}

func TestAnswers(t *testing.T) {
	ready, failure := error(nil), error(nil)
	s := control.Server{
		Token: "secret",
		Ready: func(context.Context) error { return ready },
		Idle:  func(context.Context) (control.Idle, error) { return control.Idle{Backlog: 1, Done: 2}, failure },
		Observe: func(_ context.Context, emit control.Emit) error {
			return errors.Join(emit(map[string]string{"op": "<a>"}), emit(1), failure)
		},
		Records: func(_ context.Context, after int64, limit int, emit control.Emit) error {
			return emit([]int64{after, int64(limit)})
		},
	}
	check := func(path string, wantCode int, wantBody string) {
		t.Helper()
		code, body := ask(s, "Bearer secret", path)
		assert.Equal(t, wantCode, code)
		assert.Equal(t, wantBody, body)
	}
	check("/live", 200, "")
	check("/ready", 200, "")
	check("/idle", 200, `{"backlog":1,"pending":0,"in_progress":0,"open":0,"done":2}`+"\n")
	check("/observe", 200, `{"op":"<a>"}`+"\n1\n")
	check("/audit", 200, "[0,10000]\n")
	check("/audit?after=7&limit=99999999999", 200, "[7,10000]\n")
	check("/audit?after=-1", 400, "after and limit are numbers, from 0\n")
	ready, failure = errors.New("no broker"), errors.New("disk full")
	check("/ready", 503, "no broker\n")
	check("/idle", 503, "disk full\n")
	check("/observe", 503, "disk full\n")
}
