package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/portico-dev/portico/internal/store"
)

// A feed wakes those that wait for commits.
type feed struct {
	mu     sync.Mutex    // guards below
	newest int64         // Seq that is durable
	moved  chan struct{} // closed when newest grows
}

func (f *feed) init(seq int64) { f.newest, f.moved = seq, make(chan struct{}) }

func (f *feed) advance(seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq > f.newest {
		f.newest = seq
		close(f.moved)
		f.moved = make(chan struct{})
	}
}

func (f *feed) now() (seq int64, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.moved
}

// Wait returns the newest Seq as soon as it is greater than after.
func (s *Store) Wait(ctx context.Context, after int64) (int64, error) {
	for {
		seq, moved := s.feed.now()
		if seq > after {
			return seq, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-s.closing:
			return 0, store.ErrClosed
		}
	}
}

// changesAfter merges two indexes and sorts nothing, so a page costs what it returns.
const changesAfter = `
SELECT seq, key, id, type, 0 FROM documents WHERE seq > ?1
UNION ALL
SELECT seq, key, id, type, 1 FROM tombstones WHERE seq > ?1
ORDER BY 1, 2`

// Changes lists what changed after a Seq. A Seq that this store has not reached (it was restored from an older copy)
// is not in the log either: reset is true.
func (s *Store) Changes(ctx context.Context, after int64, limit int) (changes []store.Change, reset bool, err error) {
	err = s.view(ctx, func(r *reader) error {
		if after < r.floor || after > r.seq {
			reset = true
			return nil
		}
		changes, err = r.changes(after, limit)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("list changes: %w", err)
	}
	return changes, reset, nil
}

func (r *reader) changes(after int64, limit int) ([]store.Change, error) {
	var changes []store.Change
	err := r.c.each(changesAfter, []any{after}, func(scan func(...any) error) (bool, error) {
		var (
			c   store.Change
			key string
		)
		if err := scan(&c.Seq, &key, &c.ID, &c.Type, &c.Deleted); err != nil {
			return false, err
		}
		if n := len(changes); limit > 0 && n >= limit && c.Seq != changes[n-1].Seq {
			return false, nil // the page is full, and the last transaction is complete
		}
		changes = append(changes, c)
		return true, nil
	})
	return changes, err
}
