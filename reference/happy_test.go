package reference_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryKindOfOrderEndsAsItShould(t *testing.T) {
	s := start(t)
	accepted := map[string]string{}
	for n := range 20 {
		id, kind := fmt.Sprintf("o-%d", n), kinds[n%len(kinds)]
		status, _, err := s.submit(order(id, kind))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status)
		accepted[id] = kind
	}
	s.waitSettled()
	s.verify(accepted)
}

func TestAnOrderThatWasSetAsideIsResolvedByAPerson(t *testing.T) {
	s := start(t)
	for _, id := range []string{"o-1", "o-2"} {
		_, _, err := s.submit(order(id, "poison"))
		require.NoError(t, err)
	}
	s.waitSettled()
	state := func(id string) (state any) {
		for _, r := range s.observe("api") {
			if r["op"] == "state" && r["order_id"] == id {
				state = r["value"]
			}
		}
		return state
	}
	require.Equal(t, "quarantined", state("o-1"))
	for id, how := range map[string]string{"o-1": "give-up", "o-2": "retry"} {
		require.Equal(t, http.StatusUnauthorized, s.resolve("somebody", id, how))
		require.Equal(t, http.StatusOK, s.resolve("ann-secret", id, how))
	}
	until(t, "o-1 is given up", func() bool { return state("o-1") == "compensated" })
	s.waitSettled()
	require.Equal(t, "quarantined", state("o-2"), "the stock record is still damaged")
	var letters []any
	for _, r := range s.observe("inventory") {
		if r["op"] == "dead-letter" {
			letters = append(letters, r["order_id"])
		}
	}
	require.Equal(t, []any{"o-2"}, letters)
}

// resolve asks inventory for what it set aside.
func (s *system) resolve(token, id, how string) int {
	req, err := http.NewRequest(http.MethodPost, "http://"+s.ports["inventory/control"]+"/quarantine/"+id+"/resolve",
		strings.NewReader(`{"how":"`+how+`"}`))
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+controlToken)
	req.Header.Set("Operator-Token", token)
	resp, err := s.http.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	return resp.StatusCode
}
