package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/portico-dev/portico/internal/store"
)

func changesOnce(t *testing.T, st store.Store) {
	put(t, st, doc("/B", `1`), doc("/a", `1`))
	put(t, st, doc("/c", `1`))
	put(t, st, doc("/b", `2`))
	remove(t, st, "/A", "/never")
	put(t, st, doc("/b", `2`)) // changes nothing
	same(t, "all", []store.Change{
		{Seq: 2, ID: "/c", Type: docType},
		{Seq: 3, ID: "/B", Type: docType},
		{Seq: 4, ID: "/a", Type: docType, Deleted: true},
	}, changes(t, st, 0, 0))
	same(t, "after 2, at most 1", []store.Change{{Seq: 3, ID: "/B", Type: docType}}, changes(t, st, 2, 1))
	same(t, "after the newest", []store.Change(nil), changes(t, st, 4, 10))
}

func changesWhole(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`), doc("/b", `1`), doc("/c", `1`))
	put(t, st, doc("/d", `1`), doc("/e", `1`))
	put(t, st, doc("/f", `1`))
	for limit, want := range map[int]int{1: 3, 3: 3, 4: 5, 5: 5, 6: 6, 7: 6, 0: 6} {
		same(t, fmt.Sprintf("changes with limit %d", limit), want, len(changes(t, st, 0, limit)))
	}
}

func changesFuture(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	got, reset, err := st.Changes(t.Context(), 7, 10)
	if len(got) != 0 || !reset || err != nil {
		t.Errorf("Changes after a Seq that is not reached: %v, reset %v, %v; want a reset", got, reset, err)
	}
}

// changesComplete: readers that follow the log while many write end with exactly what is there.
func changesComplete(t *testing.T, st store.Store) {
	const writers, each = 6, 40
	var followers, writing sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	mirrors := make([]map[string]int64, 3)
	for i := range mirrors {
		mirrors[i] = map[string]int64{}
		followers.Go(func() { follow(ctx, t, st, mirrors[i], 1+i*5) })
	}
	for w := range writers {
		rnd := rand.New(rand.NewPCG(uint64(w), 1))
		writing.Go(func() {
			for i := range each {
				_, err := st.Update(t.Context(), func(tx store.Tx) error {
					for range 1 + rnd.IntN(3) {
						id := fmt.Sprintf("/%d", rnd.IntN(15))
						if rnd.IntN(4) == 0 {
							if err := tx.Delete(id); err != nil {
								return err
							}
						} else if _, err := tx.Put(doc(id, fmt.Sprintf("[%d,%d]", w, i))); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	writing.Wait()
	last, _ := put(t, st, doc("/last", `1`))
	want := map[string]int64{}
	view(t, st, func(r store.Reader) error {
		docs, err := r.List(store.Query{})
		for _, d := range docs {
			want[d.ID] = d.Seq
		}
		return err
	})
	followers.Wait() // each ends when it has seen /last
	stop()
	for i, got := range mirrors {
		same(t, fmt.Sprintf("follower %d at seq %d", i, last), want, got)
	}
}

// follow keeps a mirror of the store, ID to Seq, until it sees "/last".
func follow(ctx context.Context, t *testing.T, st store.Store, mirror map[string]int64, limit int) {
	after := int64(0)
	for {
		if _, err := st.Wait(ctx, after); err != nil {
			t.Errorf("wait: %v", err)
			return
		}
		got, reset, err := st.Changes(ctx, after, limit)
		if err != nil || reset || len(got) == 0 {
			t.Errorf("changes after %d: %d, reset %v, error %v", after, len(got), reset, err)
			return
		}
		if got[0].Seq <= after || !slices.IsSortedFunc(got, func(a, b store.Change) int { return cmp.Compare(a.Seq, b.Seq) }) {
			t.Errorf("changes after %d are out of order: %+v", after, got)
		}
		for _, c := range got {
			after = c.Seq
			if c.Deleted {
				delete(mirror, c.ID)
			} else {
				mirror[c.ID] = c.Seq
			}
		}
		if _, ok := mirror["/last"]; ok {
			return
		}
	}
}

func waitCommit(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	seq, err := st.Wait(t.Context(), 0)
	if seq != 1 || err != nil {
		t.Errorf("Wait for what has happened: %d, %v; want 1", seq, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			seq, err := st.Wait(t.Context(), 1)
			if seq < 2 || err != nil {
				t.Errorf("Wait(1): %d, %v; want 2", seq, err)
				return
			}
			if _, ok := get(t, st, "/b"); !ok {
				t.Error("Wait returned before the commit could be read")
			}
		})
	}
	put(t, st, doc("/b", `1`))
	wg.Wait()
}

func waitContext(t *testing.T, st store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := st.Wait(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v, want context.Canceled", err)
		}
	})
	cancel()
	wg.Wait()
}

func closeRefuses(t *testing.T, st store.Store) {
	put(t, st, doc("/a", `1`))
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := st.Wait(t.Context(), 1); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait while it is closed: %v, want ErrClosed", err)
		}
	})
	for range 2 {
		if err := st.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	wg.Wait()
	_, err := st.Update(t.Context(), func(store.Tx) error { return nil })
	_, _, changesErr := st.Changes(t.Context(), 0, 1)
	for name, err := range map[string]error{
		"Update": err, "Changes": changesErr, "View": st.View(t.Context(), func(store.Reader) error { return nil }),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", name, err)
		}
	}
}
