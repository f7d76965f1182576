package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
)

// A checkpoint covers each trail as far as it is there without a gap, itself too, and is written when there is something new, and not otherwise.
func TestCheckpointsCoverWhatIsThereWithoutAGap(t *testing.T) {
	db := open(t, audit.LedgerSchema, inbox.Schema, outbox.Schema, audit.Schema)
	ledger := &audit.Ledger{DB: db, Inbox: &inbox.Inbox{DB: db}}
	box := outbox.NewBox("audit")
	notary := &audit.Notary{Ledger: ledger, Source: "audit", Trail: audit.Transactional("audit", db, box, nil), Every: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	arrive := func(source string, seqs ...int) {
		var lines []string
		for _, seq := range seqs {
			text, err := json.Marshal(audit.Line{Source: source, Seq: uint64(seq), Hash: fmt.Sprint(source, seq), Body: "{}"})
			require.NoError(t, err)
			lines = append(lines, string(text))
		}
		m := message.Message{ID: strings.Join(lines, ","), Data: []byte(strings.Join(lines, "\n"))}
		require.NoError(t, ledger.Handle(t.Context(), message.Delivery{Message: m, Number: 1}))
	}
	due := func() int64 {
		n, err := notary.Due(t.Context())
		require.NoError(t, err)
		return n
	}
	next := func() (c audit.Checkpoint) {
		require.EqualValues(t, 1, due())
		told, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- notary.Run(told, t.Context()) }()
		require.Eventually(t, func() bool { return due() == 0 }, 10*time.Second, time.Millisecond)
		stop()
		require.NoError(t, <-ended)
		page, err := audit.After(t.Context(), db, "audit", 0, 100)
		require.NoError(t, err)
		var body audit.Body
		last := page[len(page)-1]
		require.NoError(t, json.Unmarshal([]byte(last.Body), &body))
		require.NotNil(t, body.Checkpoint)
		arrive("audit", int(last.Seq)) // what left through the outbox comes back as an entry
		return *body.Checkpoint
	}
	assert.Zero(t, due(), "nothing is there")
	arrive("api", 2)
	assert.Zero(t, due(), "its first entry is on its way")
	arrive("api", 1)
	arrive("saga", 1, 3)
	first := next()
	assert.EqualValues(t, 3, first.Entries)
	assert.Equal(t, map[string]uint64{"api": 2, "saga": 1}, first.Heads)
	assert.Equal(t, "1c112b596735159aef443b5a75de75eb", first.Root[:32])
	assert.Zero(t, due(), "a checkpoint is no reason for another")
	arrive("saga", 2)
	second := next()
	assert.EqualValues(t, 6, second.Entries)
	assert.Equal(t, map[string]uint64{"api": 2, "audit": 1, "saga": 3}, second.Heads)
	unsent, err := outbox.Unsent(t.Context(), db)
	require.NoError(t, err)
	assert.EqualValues(t, 2, unsent)
}
