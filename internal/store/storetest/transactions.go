package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/portico-dev/portico/internal/store"
)

func txSeesItself(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`), doc("/b", `1`))
	seq := update(t, st, func(tx store.Tx) error {
		same(t, "Seq before a write", int64(1), tx.Seq())
		put, err := tx.Put(doc("/c", `1`))
		if err != nil {
			return err
		}
		if err := tx.Delete("/a"); err != nil {
			return err
		}
		if _, err := tx.Get("/a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of a document deleted in this transaction: %v", err)
		}
		got, err := tx.Get("/c")
		same(t, "Get of a document written in this transaction", put, got)
		same(t, "Seq after a write", int64(2), tx.Seq())
		n, countErr := tx.Count(store.Query{})
		same(t, "Count", 2, n)
		return errors.Join(err, countErr)
	})
	same(t, "seq", int64(2), seq)
	same(t, "IDs", []string{"/b", "/c"}, list(t, st, store.Query{}))
}

func viewIsOneState(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	view(t, st, func(r store.Reader) error {
		put(t, st, doc("/a", `2`), doc("/b", `1`))
		d, err := r.Get("/a")
		same(t, "Desired", `1`, string(d.Desired))
		same(t, "Seq", int64(1), r.Seq())
		n, countErr := r.Count(store.Query{})
		same(t, "Count", 1, n)
		return errors.Join(err, countErr)
	})
	view(t, st, func(r store.Reader) error {
		same(t, "Seq of a later View", int64(2), r.Seq())
		return nil
	})
	want := errors.New("mine")
	if err := st.View(t.Context(), func(store.Reader) error { return want }); !errors.Is(err, want) {
		t.Errorf("View returns %v, want the error of its function", err)
	}
}

func updateError(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	want := errors.New("mine")
	seq, err := st.Update(t.Context(), func(tx store.Tx) error {
		_, putErr := tx.Put(doc("/b", `1`))
		return errors.Join(putErr, tx.Delete("/a"), want)
	})
	if !errors.Is(err, want) {
		t.Errorf("Update returns %d, %v; want the error of its function", seq, err)
	}
	same(t, "IDs", []string{"/a"}, list(t, st, store.Query{}))
	same(t, "changes", []store.Change{{Seq: 1, ID: "/a", Type: docType}}, changes(t, st, 0, 0))
	seq, _ = put(t, st, doc("/c", `1`))
	same(t, "the next seq leaves no gap", int64(2), seq)
}

func updatePanic(t *testing.T, st store.Store) {
	func() {
		defer func() { same(t, "panic", any("boom"), recover()) }()
		_, _ = st.Update(t.Context(), func(tx store.Tx) error {
			if _, err := tx.Put(doc("/a", `1`)); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	func() {
		defer func() { same(t, "panic in View", any("boom"), recover()) }()
		_ = st.View(t.Context(), func(store.Reader) error { panic("boom") })
	}()
	seq, _ := put(t, st, doc("/b", `1`))
	same(t, "seq of the next", int64(1), seq)
	same(t, "IDs", []string{"/b"}, list(t, st, store.Query{}))
}

func updateGoexit(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = st.Update(t.Context(), func(tx store.Tx) error {
			if _, err := tx.Put(doc("/a", `1`)); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
	})
	wg.Wait()
	put(t, st, doc("/b", `1`))
	same(t, "IDs", []string{"/b"}, list(t, st, store.Query{}))
}

func updateCancelled(t *testing.T, st store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := st.Update(ctx, func(store.Tx) error {
		t.Error("the function ran")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want context.Canceled", err)
	}
	if err := st.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v, want context.Canceled", err)
	}
	// One that waits behind another gives up without harm.
	ctx, cancel = context.WithCancel(t.Context())
	var wg sync.WaitGroup
	update(t, st, func(tx store.Tx) error {
		wg.Go(func() {
			if _, err := st.Update(ctx, func(store.Tx) error { return nil }); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Update that waits: %v, want context.Canceled", err)
			}
		})
		cancel()
		_, err := tx.Put(doc("/a", `1`))
		return err
	})
	wg.Wait()
	same(t, "IDs", []string{"/a"}, list(t, st, store.Query{}))
}

func updateCancelledInside(t *testing.T, st store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := st.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Put(doc("/a", `1`)); err != nil {
			return err
		}
		cancel()
		_, err := tx.Put(doc("/b", `1`))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Put after the end of the context: %v", err)
		}
		return nil // ignoring the error must not commit half of it
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want context.Canceled", err)
	}
	same(t, "IDs", []string(nil), list(t, st, store.Query{}))
}

// updateErrorBesideOthers: failing and panicking transactions take nothing from those that share their commit.
func updateErrorBesideOthers(t *testing.T, st store.Store) {
	const writers, each = 8, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				func() {
					defer func() { _ = recover() }()
					_, err := st.Update(t.Context(), func(tx store.Tx) error {
						if _, err := tx.Put(doc(fmt.Sprintf("/%d/%02d", w, i), `1`)); err != nil {
							return err
						}
						switch i % 3 {
						case 1:
							return errors.New("refused")
						case 2:
							panic("boom")
						}
						return nil
					})
					if (err != nil) != (i%3 == 1) {
						t.Errorf("writer %d, update %d: %v", w, i, err)
					}
				}()
			}
		})
	}
	wg.Wait()
	var want []string
	for w := range writers {
		for i := 0; i < each; i += 3 {
			want = append(want, fmt.Sprintf("/%d/%02d", w, i))
		}
	}
	same(t, "IDs", want, list(t, st, store.Query{}))
	seq, _ := put(t, st, doc("/last", `1`))
	same(t, "seq has no gaps", int64(len(want)+1), seq)
}

func updateCounts(t *testing.T, st store.Store) {
	const writers, each = 16, 20
	put(t, st, doc("/n", `0`))
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seqs = map[int64]bool{}
	)
	for range writers {
		wg.Go(func() {
			for range each {
				seq, err := st.Update(t.Context(), increment)
				mu.Lock()
				if err != nil || seqs[seq] {
					t.Errorf("seq %d (seen before: %v), error %v", seq, seqs[seq], err)
				}
				seqs[seq] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	d, _ := get(t, st, "/n")
	same(t, "counter", strconv.Itoa(writers*each), string(d.Desired))
	same(t, "Seq", int64(writers*each+1), d.Seq)
}

func increment(tx store.Tx) error {
	d, err := tx.Get("/n")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(d.Desired))
	if err != nil {
		return err
	}
	_, err = tx.Put(doc("/n", strconv.Itoa(n+1)))
	return err
}

func endedTransactions(t *testing.T, st store.Store) {
	var (
		tx store.Tx
		r  store.Reader
	)
	update(t, st, func(x store.Tx) error { tx = x; return nil })
	view(t, st, func(x store.Reader) error { r = x; return nil })
	_, put := tx.Put(doc("/a", `1`))
	_, get := r.Get("/a")
	_, list := r.List(store.Query{})
	_, count := r.Count(store.Query{})
	for name, err := range map[string]error{"Put": put, "Delete": tx.Delete("/a"), "Get": get, "List": list, "Count": count} {
		if err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s after the end of its transaction: %v", name, err)
		}
	}
}
