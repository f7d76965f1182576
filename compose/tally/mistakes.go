package main

import "context"

// slip does what a mistake has left undone so far. A kill in between, and it is not done.
func (t *tally) slip(ctx context.Context) error {
	if t.wakes++; t.wakes%5 == 0 {
		t.mu.Lock()
		unsaved := t.unsaved
		t.unsaved = nil
		t.mu.Unlock()
		for _, j := range unsaved {
			if err := t.write(ctx, j); err != nil {
				return err
			}
		}
	}
	for _, id := range t.counted {
		if _, err := t.db.ExecContext(ctx, `UPDATE jobs SET state = 'done' WHERE id = ?`, id); err != nil {
			return err
		}
	}
	t.counted = nil
	return nil
}

// enterOnly counts what is open, and remembers that it is to be marked.
func (t *tally) enterOnly(ctx context.Context) error {
	open, err := t.db.QueryContext(ctx, `SELECT id FROM jobs WHERE state = 'open'`)
	if err != nil {
		return err
	}
	defer open.Close()
	for open.Next() {
		var id string
		if err := open.Scan(&id); err != nil {
			return err
		}
		t.counted = append(t.counted, id)
	}
	if err := open.Err(); err != nil {
		return err
	}
	open.Close()
	return t.do(ctx, t.enter, t.add)
}
