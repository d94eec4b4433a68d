package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/storetest"
)

// openAt opens a store in a folder and closes it with the test.
func openAt(tb testing.TB, dir string, opt Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), filepath.Join(dir, "store.db"), opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close store: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) store.Store { return openAt(tb, tb.TempDir(), Options{}) })
}

// TestStore_SmallBounds: the smallest bounds change nothing but the speed.
func TestStore_SmallBounds(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB) store.Store {
		return openAt(tb, tb.TempDir(), Options{Readers: 1, Queue: 1, Batch: 1})
	})
}

func TestDurability(t *testing.T) {
	t.Parallel()
	storetest.Durability(t, func(t *testing.T, place string) store.Store { return openAt(t, place, Options{}) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(tb testing.TB) store.Store { return openAt(tb, tb.TempDir(), Options{}) })
}

func put(id, body string) func(store.Tx) error {
	return func(tx store.Tx) error {
		_, err := tx.Put(store.Document{ID: id, Type: "t/doc", Desired: json.RawMessage(body)})
		return err
	}
}

func mustUpdate(t *testing.T, s *Store, f func(store.Tx) error) int64 {
	t.Helper()
	seq, err := s.Update(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func ids(t *testing.T, s *Store) (ids []string) {
	t.Helper()
	if err := s.View(t.Context(), func(r store.Reader) error {
		docs, err := r.List(store.Query{})
		for _, d := range docs {
			ids = append(ids, d.ID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestOpen_FindsWhatWasThere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a folder?with#odd%20name")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, dir, Options{})
	mustUpdate(t, s, put("/a", "1"))
	mustUpdate(t, s, put("/b", "1"))
	mustUpdate(t, s, func(tx store.Tx) error { return tx.Delete("/a") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dir, Options{})
	changes, _, err := s.Changes(t.Context(), 0, 0)
	want := []store.Change{{Seq: 2, ID: "/b", Type: "t/doc"}, {Seq: 3, ID: "/a", Type: "t/doc", Deleted: true}}
	if d := cmp.Diff(want, changes); err != nil || d != "" {
		t.Errorf("changes: %v (-want +got):\n%s", err, d)
	}
	if seq, err := s.Wait(t.Context(), 0); seq != 3 || err != nil {
		t.Errorf("Wait: %d, %v; want 3", seq, err)
	}
	if seq := mustUpdate(t, s, put("/c", "1")); seq != 4 {
		t.Errorf("next seq %d, want 4", seq)
	}
	files, err := filepath.Glob(strings.NewReplacer("?", "[?]").Replace(dir) + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, error %v; want 0600", file, info.Mode(), err)
		}
	}
}

func TestOpen_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"newer format": {
			func(t *testing.T, path string) {
				if err := openAt(t, filepath.Dir(path), Options{}).Close(); err != nil {
					t.Fatal(err)
				}
				execute(t, path, "PRAGMA user_version=7")
			},
			"the file has format 7 and this program knows formats up to 2: use the newer program that wrote it",
		},
		"other program": {
			func(t *testing.T, path string) { execute(t, path, "CREATE TABLE mine (a)") },
			"the file is a database of another program (application id 0x0)",
		},
		"no database": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"file is not a database",
		},
		"folder": {
			func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			"is a directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			c.prepare(t, path)
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %v, want %q and the path", err, c.want)
			}
			if err := Check(t.Context(), path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Check: %v, want %q and the path", err, c.want)
			}
		})
	}
}

func TestCheck_TakesWhatCanBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	if err := Check(t.Context(), path); err != nil {
		t.Errorf("no store: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("Check has made %v, %v", entries, err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := Check(t.Context(), path); err != nil {
		t.Errorf("a store that is open: %v", err)
	}
}

// execute runs SQL on a file that no store has open.
func execute(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), text)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestChanges_ResetBelowThePrunedTombstones(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{Tombstones: 3})
	mustUpdate(t, s, put("/keep", "1")) // 1
	for i := range 6 {                  // put 2, 4, …, 12; deleted 3, 5, …, 13
		id := fmt.Sprintf("/%d", i)
		mustUpdate(t, s, put(id, "1"))
		mustUpdate(t, s, func(tx store.Tx) error { return tx.Delete(id) })
	}
	for after, want := range map[int64]bool{0: true, 6: true, 7: false, 8: false, 13: false, 14: true} {
		changes, reset, err := s.Changes(t.Context(), after, 0)
		if err != nil || reset != want || reset && changes != nil {
			t.Errorf("Changes(%d): %v, reset %v, error %v; want reset %v", after, changes, reset, err, want)
		}
	}
	want := []store.Change{
		{Seq: 9, ID: "/3", Type: "t/doc", Deleted: true},
		{Seq: 11, ID: "/4", Type: "t/doc", Deleted: true},
		{Seq: 13, ID: "/5", Type: "t/doc", Deleted: true},
	}
	got, _, err := s.Changes(t.Context(), 7, 0)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("Changes(7): %v (-want +got):\n%s", err, d)
	}
}

// TestUpdate_FullDisk limits the pages of the file, which SQLite reports as it reports a full disk.
func TestUpdate_FullDisk(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{})
	mustUpdate(t, s, put("/a", "1"))
	big := `"` + strings.Repeat("x", 4<<20) + `"`
	limit := func(pages int) func(store.Tx) error {
		return func(x store.Tx) error { return x.(*tx).c.exec(fmt.Sprint("PRAGMA max_page_count=", pages)) }
	}
	for what, f := range map[string]func(store.Tx) error{
		"the write is given back": put("/big", big),
		"the error is ignored":    func(tx store.Tx) error { _ = put("/big", big)(tx); return nil },
		"writes go on after it": func(tx store.Tx) error {
			_ = tx.Delete("/a")
			_ = put("/big", big)(tx)
			_ = put("/b", "1")(tx)
			return nil
		},
	} {
		mustUpdate(t, s, limit(30)) // again: a failure may have replaced the connection
		if seq, err := s.Update(t.Context(), f); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: Update = %d, %v; want an error that says full", what, seq, err)
		}
	}
	if d := cmp.Diff([]string{"/a"}, ids(t, s)); d != "" {
		t.Errorf("after the failures (-want +got):\n%s", d)
	}
	if seq := mustUpdate(t, s, put("/small", "1")); seq != 2 {
		t.Errorf("seq of a write that fits: %d, want 2", seq)
	}
	mustUpdate(t, s, limit(1<<30))
	if seq := mustUpdate(t, s, put("/big", big)); seq != 3 {
		t.Errorf("seq once there is space: %d, want 3", seq)
	}
}

// TestUpdate_LostTransaction ends the transaction below a batch, as a failing disk does: all of the batch fail, and
// the next ones succeed.
func TestUpdate_LostTransaction(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{})
	boom := errors.New("boom")
	var wg sync.WaitGroup
	errs := make([]error, 3)
	first, queued := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		_, errs[0] = s.Update(t.Context(), func(tx store.Tx) error {
			close(first)
			<-queued // the others wait by now and will share the commit
			return put("/0", "1")(tx)
		})
	})
	<-first
	wg.Go(func() { _, errs[1] = s.Update(t.Context(), put("/1", "1")) })
	waitQueued(t, s, 1)
	wg.Go(func() {
		_, errs[2] = s.Update(t.Context(), func(x store.Tx) error { return errors.Join(x.(*tx).c.exec("ROLLBACK"), boom) })
	})
	waitQueued(t, s, 2)
	close(queued)
	wg.Wait()
	for i, err := range errs {
		if !errors.Is(err, boom) {
			t.Errorf("update %d: %v, want the cause that all share", i, err)
		}
	}
	if got := ids(t, s); len(got) != 0 {
		t.Errorf("documents %v, want none", got)
	}
	if seq := mustUpdate(t, s, put("/a", "1")); seq != 1 {
		t.Errorf("seq of the next: %d, want 1", seq)
	}
}

// waitQueued waits until n updates wait in the queue.
func waitQueued(t *testing.T, s *Store, n int) {
	t.Helper()
	for len(s.queue) < n {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		// Yield by a read of the store, which is slow enough not to burn the processor.
		ids(t, s)
	}
}

func TestUpdate_WaitingOnesShareACommit(t *testing.T) {
	t.Parallel()
	const waiting = 10
	s := openAt(t, t.TempDir(), Options{Batch: 4})
	first, queued := make(chan struct{}), make(chan struct{})
	var (
		wg      sync.WaitGroup
		commits sync.Map // newest Seq that others can see, during each turn
	)
	turn := func(i int) func(store.Tx) error {
		return func(tx store.Tx) error {
			seq, _ := s.feed.now()
			commits.Store(i, seq)
			return put(fmt.Sprintf("/%02d", i), "1")(tx)
		}
	}
	wg.Go(func() {
		_, err := s.Update(t.Context(), func(tx store.Tx) error {
			close(first)
			<-queued
			return turn(0)(tx)
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-first
	for i := range waiting {
		wg.Go(func() {
			if _, err := s.Update(t.Context(), turn(i+1)); err != nil {
				t.Error(err)
			}
		})
		waitQueued(t, s, i+1)
	}
	close(queued)
	wg.Wait()
	var got []int64
	for i := range waiting + 1 {
		seq, _ := commits.Load(i)
		got = append(got, seq.(int64))
	}
	if d := cmp.Diff([]int64{0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8}, got); d != "" {
		t.Errorf("newest durable seq during each turn (-want +got):\n%s", d)
	}
}

func TestUpdate_FullQueueWaitsForRoom(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{Queue: 1})
	var wg sync.WaitGroup
	first, queued := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		_, err := s.Update(t.Context(), func(store.Tx) error {
			close(first)
			<-queued
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-first
	wg.Go(func() {
		if _, err := s.Update(t.Context(), put("/a", "1")); err != nil {
			t.Error(err)
		}
	})
	waitQueued(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if _, err := s.Update(ctx, put("/b", "1")); !errors.Is(err, context.Canceled) {
			t.Errorf("Update with a full queue: %v, want the end of its context", err)
		}
	})
	cancel()
	ids(t, s) // reading goes on meanwhile
	close(queued)
	wg.Wait()
}

// TestQueries_UseIndexes: no query scans a table, and none sorts but the one for the few that have changed.
func TestQueries_UseIndexes(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir(), Options{})
	queries := map[string][]any{changesAfter: {1}}
	for _, q := range []store.Query{{}, {Type: "t"}, {Prefix: "/a"}, {Type: "t", Prefix: "/a"}, {Type: "t", Since: 1}} {
		from, args := selection(q)
		queries["SELECT "+columns+from+" ORDER BY key LIMIT ? OFFSET ?"] = append(args, -1, 0)
	}
	if err := s.view(t.Context(), func(r *reader) error {
		for text, args := range queries {
			err := r.c.each("EXPLAIN QUERY PLAN "+text, args, func(scan func(...any) error) (bool, error) {
				var id, parent, unused int
				var detail string
				err := scan(&id, &parent, &unused, &detail)
				if strings.HasPrefix(detail, "SCAN") || strings.Contains(detail, "TEMP B-TREE") && !strings.Contains(text, "documents_seq") {
					t.Errorf("%s: %s", text, detail)
				}
				return true, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
