package runner

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/history"
)

func TestUnitIn(t *testing.T) {
	find := unitIn("o-")
	for message, want := range map[string]history.Unit{
		"o-17":                                  16,
		`{"order_id":"o-17","amount":4990}`:     16,
		"POST /orders/o-1/ship HTTP/1.1":        0,
		"Idempotency-Key: o-17/charge/1":        16,
		"foo-12 then o-3":                       2,
		"o-0 o-07 o-x o- o-5x o-9":              8,
		"oo-4, o-o-4":                           3,
		"o-4294967295":                          4294967294,
		"o-4294967296":                          history.NoUnit,
		"o-99999999999999999999999999999999999": history.NoUnit,
		"":                                      history.NoUnit,
		"nothing of ours":                       history.NoUnit,
	} {
		assert.Equal(t, want, find([]byte(message)), "%q", message)
	}
	assert.Nil(t, unitIn(""), "a target without ids")
	message := []byte(`{"order_id":"o-17"}`)
	assert.Zero(t, testing.AllocsPerRun(100, func() { find(message) }))
}

func BenchmarkUnitIn(b *testing.B) {
	find := unitIn("o-")
	message := make([]byte, 0, 4096)
	for len(message) < 4000 {
		message = append(message, "a line of no great interest to anyone\r\n"...)
	}
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		find(message)
	}
}
