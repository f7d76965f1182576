package audit

import (
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/store"
)

// ErrBroken says that a link does not continue the chain, or is another than the one that is there.
var ErrBroken = errors.New("the audit chain does not go on like that")

// Last is the last link of the chain, as part of tx, which added it.
func Last(tx *store.Tx, source string) (Line, error) {
	l := Line{Source: source}
	if err := tx.Row(`SELECT seq, hash, body FROM audit ORDER BY seq DESC LIMIT 1`, nil, &l.Seq, &l.Hash, &l.Body); err != nil {
		return Line{}, fmt.Errorf("read last audit entry: %w", err)
	}
	return l, nil
}

// Adopt adds a link of the same chain that was made elsewhere, as part of tx, if it is the next. added is false for one that is here.
func Adopt(tx *store.Tx, l Line) (added bool, err error) {
	seq, prev, err := head(tx)
	if err != nil {
		return false, fmt.Errorf("adopt audit entry: %w", err)
	}
	if l.Seq <= seq {
		var hash string
		if err := tx.Row(`SELECT hash FROM audit WHERE seq = ?`, []any{l.Seq}, &hash); err != nil {
			return false, fmt.Errorf("adopt audit entry: %w", err)
		}
		if hash != l.Hash {
			return false, fmt.Errorf("adopt audit entry %d: %w", l.Seq, ErrBroken)
		}
		return false, nil
	}
	if l.Seq != seq+1 || l.Hash != Hash(prev, l.Body) {
		return false, fmt.Errorf("adopt audit entry %d behind %d: %w", l.Seq, seq, ErrBroken)
	}
	if _, err := tx.Exec(`INSERT INTO audit (seq, hash, body) VALUES (?, ?, ?)`, l.Seq, l.Hash, l.Body); err != nil {
		return false, fmt.Errorf("adopt audit entry: %w", err)
	}
	return true, nil
}
