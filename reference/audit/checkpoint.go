package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// Checkpoint says how far all trails were at one moment. A chain shows what was changed within it; that its end was cut off, or that it is gone
// altogether, only something beside it can show.
type Checkpoint struct {
	Entries uint64            `json:"entries"`
	Heads   map[string]uint64 `json:"heads"` // of each source: so many entries are there, and none of them is missing
	Root    string            `json:"root"`  // hex(sha256 of a line for each source, sorted: "source number hash\n", of its last entry)
}

// Notary writes a checkpoint over all trails of a ledger every now and then, when there is something new. It is an entry like any other, in a trail
// of the notary's own, and leaves through the outbox.
type Notary struct {
	Ledger *Ledger
	Source string // of the trail
	Trail  Trail
	Every  time.Duration
	Log    *slog.Logger

	mu      sync.Mutex
	cursor  int64 // in the ledger, of what was taken in
	heads   map[string]link
	early   map[string]map[uint64]string // source -> the hashes of entries that came before one that they follow
	covered uint64                       // entries of other sources, by the last checkpoint
}

// link is the last entry of a source up to which none is missing.
type link struct {
	seq  uint64
	hash string
}

// Run writes checkpoints until told ends.
func (n *Notary) Run(told, work context.Context) error {
	for policy.Sleep(told, n.Every) == nil {
		if err := n.checkpoint(work); err != nil {
			n.Log.WarnContext(work, "no checkpoint of the audit trails", "error", err)
		}
	}
	return nil
}

// Due is 1 while there are entries that no checkpoint covers and that have none missing before them; 0 otherwise.
func (n *Notary) Due(ctx context.Context) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh, err := n.advance(ctx)
	if err != nil || fresh == n.covered {
		return 0, err
	}
	return 1, nil
}

func (n *Notary) checkpoint(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh, err := n.advance(ctx)
	if err != nil || fresh == n.covered {
		return err
	}
	c := Checkpoint{Heads: map[string]uint64{}}
	root := sha256.New()
	for _, source := range slices.Sorted(maps.Keys(n.heads)) {
		l := n.heads[source]
		c.Entries += l.seq
		c.Heads[source] = l.seq
		fmt.Fprintf(root, "%s %d %s\n", source, l.seq, l.hash)
	}
	c.Root = hex.EncodeToString(root.Sum(nil))
	err = n.Ledger.DB.Write(ctx, func(tx *store.Tx) error {
		return n.Trail.Append(tx, Entry{Transition: "checkpoint", Checkpoint: &c})
	})
	if err == nil {
		n.covered = fresh
	}
	return err
}

// advance takes in what is new in the ledger, follows every trail as far as it goes without a gap, and counts the entries of all but the notary's
// own.
func (n *Notary) advance(ctx context.Context) (entries uint64, err error) {
	if n.heads == nil {
		n.heads, n.early = map[string]link{}, map[string]map[uint64]string{}
	}
	for {
		page, err := n.Ledger.After(ctx, n.cursor, 1000)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			break
		}
		for _, line := range page {
			n.cursor = line.Cursor
			n.take(line)
		}
	}
	for source, l := range n.heads {
		if source != n.Source {
			entries += l.seq
		}
	}
	return entries, nil
}

// take puts an entry where it belongs: at the end of its trail, with those that wait for it behind it, or among those that wait.
func (n *Notary) take(line Line) {
	early := n.early[line.Source]
	if early == nil {
		early = map[uint64]string{}
		n.early[line.Source] = early
	}
	early[line.Seq] = line.Hash
	l := n.heads[line.Source]
	for hash, there := early[l.seq+1]; there; hash, there = early[l.seq+1] {
		l = link{l.seq + 1, hash}
		delete(early, l.seq)
		n.heads[line.Source] = l
	}
}
