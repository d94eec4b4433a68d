package lro

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// noon is when most things happen.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// openStore opens the store of a folder and closes it with the test, if it is not closed by then.
func openStore(t *testing.T, dir string) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return st
}

func update(t *testing.T, st store.Store, f func(store.Tx) error) {
	t.Helper()
	if _, err := st.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// start starts an operation and returns it.
func start(t *testing.T, st store.Store, op Operation) (started Operation) {
	t.Helper()
	update(t, st, func(tx store.Tx) (err error) {
		started, err = Start(tx, op)
		return err
	})
	return started
}

func load(t *testing.T, st store.Store, name string) (op Operation) {
	t.Helper()
	if err := st.View(t.Context(), func(r store.Reader) (err error) {
		op, err = Load(r, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return op
}

// ids lists all documents that are not operations.
func ids(t *testing.T, st store.Store) (ids []string) {
	t.Helper()
	if err := st.View(t.Context(), func(r store.Reader) error {
		docs, err := r.List(store.Query{})
		for _, d := range docs {
			if d.Type != Type {
				ids = append(ids, d.ID)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

func doc(id string) *store.Document {
	return &store.Document{ID: id, Type: "t/doc", Desired: json.RawMessage(`{"a":1}`)}
}

func TestStart_WritesTheRecord(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	op := start(t, st, Operation{Kind: "k", Target: "/t", APIVersion: "2024-05-01", Started: noon, State: json.RawMessage(`{"n":1}`)})
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(op.Name) {
		t.Errorf("name %q is not 32 hex digits", op.Name)
	}
	want := Operation{Name: op.Name, Kind: "k", Target: "/t", APIVersion: "2024-05-01", Status: InProgress, Started: noon, State: json.RawMessage(`{"n":1}`)}
	if d := cmp.Diff(want, op); d != "" {
		t.Errorf("Start (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, load(t, st, op.Name)); d != "" {
		t.Errorf("Load (-want +got):\n%s", d)
	}
}

func TestStart_RefusesIncompleteAndExisting(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	start(t, st, Operation{Name: "a", Kind: "k", Started: noon})
	for want, op := range map[string]Operation{
		`start operation "": kind and start time are needed`:  {Started: noon},
		`start operation "b": kind and start time are needed`: {Name: "b", Kind: "k"},
		`start operation "c": status is Failed`:               {Name: "c", Kind: "k", Started: noon, Status: Failed},
		`start operation a: it exists`:                        {Name: "a", Kind: "k", Started: noon},
	} {
		_, err := st.Update(t.Context(), func(tx store.Tx) error {
			_, err := Start(tx, op)
			return err
		})
		if err == nil || err.Error() != want {
			t.Errorf("Start(%+v): %v, want %s", op, err, want)
		}
	}
	err := st.View(t.Context(), func(r store.Reader) error {
		_, err := Load(r, "b")
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of a missing operation: %v, want ErrNotFound", err)
	}
}

// writes are an OnSuccess with one of each.
var writes = []Write{{Put: doc("/new")}, {Delete: "/old"}, {DeleteTree: "/tree"}}

func TestFinish_MakesTheWritesOfSuccessOnly(t *testing.T) {
	t.Parallel()
	refusal := &arm.Error{Code: "Conflict", Message: "No."}
	before := []string{"/old", "/tree", "/tree/a", "/tree/a/b", "/treehouse"}
	for status, want := range map[Status]struct {
		err *arm.Error
		ids []string
	}{
		Succeeded: {nil, []string{"/new", "/treehouse"}},
		Failed:    {refusal, before},
		Canceled:  {nil, before},
	} {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			st := openStore(t, t.TempDir())
			update(t, st, func(tx store.Tx) error {
				for _, id := range before {
					if _, err := tx.Put(*doc(id)); err != nil {
						return err
					}
				}
				return nil
			})
			op := start(t, st, Operation{Name: "a", Kind: "k", Started: noon, OnSuccess: writes})
			update(t, st, func(tx store.Tx) error { return Finish(tx, op, status, want.err, noon.Add(time.Minute)) })
			if d := cmp.Diff(want.ids, ids(t, st)); d != "" {
				t.Errorf("documents (-want +got):\n%s", d)
			}
			ended := Operation{Name: "a", Kind: "k", Status: status, Percent: 100, Error: want.err, Started: noon, Ended: noon.Add(time.Minute)}
			if d := cmp.Diff(ended, load(t, st, "a")); d != "" {
				t.Errorf("record (-want +got):\n%s", d)
			}
		})
	}
}

func TestFinish_EndsOnce(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	op := start(t, st, Operation{Name: "a", Kind: "k", Started: noon, OnSuccess: writes})
	update(t, st, func(tx store.Tx) error { return Finish(tx, op, Canceled, nil, noon) })
	finish := func(op Operation, status Status) error {
		_, err := st.Update(t.Context(), func(tx store.Tx) error { return Finish(tx, op, status, nil, noon) })
		return err
	}
	if err := finish(op, Succeeded); !errors.Is(err, ErrEnded) {
		t.Errorf("second Finish: %v, want ErrEnded", err)
	}
	if err := finish(Operation{Name: "never"}, Succeeded); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Finish of a missing operation: %v, want ErrNotFound", err)
	}
	if err := finish(op, InProgress); err == nil {
		t.Error("Finish accepts InProgress")
	}
	if got := load(t, st, "a").Status; got != Canceled || len(ids(t, st)) != 0 {
		t.Errorf("status %s, documents %v; want Canceled and none", got, ids(t, st))
	}
}

func TestRunningAndPrune(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	for i, name := range []string{"a", "b", "c", "d"} {
		op := start(t, st, Operation{Name: name, Kind: "k", Started: noon})
		if i < 3 {
			update(t, st, func(tx store.Tx) error { return Finish(tx, op, Succeeded, nil, noon.Add(time.Duration(i)*time.Hour)) })
		}
	}
	update(t, st, func(tx store.Tx) error {
		_, err := tx.Put(store.Document{ID: IDPrefix + "broken", Type: Type, Status: json.RawMessage(`{"status":7}`)})
		return err
	})
	update(t, st, func(tx store.Tx) error {
		n, err := Prune(tx, noon.Add(time.Hour))
		if n != 1 {
			t.Errorf("Prune removed %d, want 1", n)
		}
		return err
	})
	err := st.View(t.Context(), func(r store.Reader) error {
		_, err := Running(r)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "decode operation /portico/operations/broken") {
		t.Errorf("Running with a broken record: %v, want its ID", err)
	}
	update(t, st, func(tx store.Tx) error { return tx.Delete(IDPrefix + "broken") })
	if err := st.View(t.Context(), func(r store.Reader) error {
		running, err := Running(r)
		if len(running) != 1 || running[0].Name != "d" {
			t.Errorf("Running: %+v, want d", running)
		}
		docs, listErr := r.List(store.Query{Type: Type})
		var left []string
		for _, d := range docs {
			left = append(left, strings.TrimPrefix(d.ID, IDPrefix))
		}
		if d := cmp.Diff([]string{"b", "c", "d"}, left); d != "" {
			t.Errorf("records left (-want +got):\n%s", d)
		}
		return errors.Join(err, listErr)
	}); err != nil {
		t.Fatal(err)
	}
}
