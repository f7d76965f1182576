package reference_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference"
)

// The services are the same on PostgreSQL, and so is what they promise.

func TestOnPostgresEveryKindOfOrderEndsAsItShould(t *testing.T) {
	s := startOnPostgres(t)
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

func TestOnPostgresEveryComponentMayBeKilled(t *testing.T) {
	s := startOnPostgres(t)
	underLoad(s, func() {
		for _, c := range reference.Components {
			s.restart(c)
		}
	})
}

func TestEveryEdgeToPostgresMayFailInEveryWay(t *testing.T) {
	for _, shape := range []fault{hold, holdAnswers, swallow, loseAnswers, reset, slow} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			s := startOnPostgres(t)
			underLoad(s, func() {
				for _, c := range reference.Components[1:] {
					s.edges[c+" -> postgres"].set(shape)
				}
				time.Sleep(2500 * time.Millisecond) // longer than anybody waits for an answer
				for _, c := range reference.Components[1:] {
					s.edges[c+" -> postgres"].set(none)
				}
			})
		})
	}
}
