package reference_test

import (
	"fmt"
	"net/http"
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
