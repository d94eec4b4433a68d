// Package storetest is what every implementation of store.Store must pass: the suite (Run), the one against a model
// (in Run too), durability under SIGKILL (Durability), and the benchmarks (Bench).
package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/store"
)

// Open makes an empty store that is closed and removed with the test.
type Open func(testing.TB) store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, store.Store){
		"Get_MissingIsErrNotFound":                  getMissing,
		"Put_CreatesAndReplaces":                    putCreatesAndReplaces,
		"Put_IdenticalTakesNoSeq":                   putIdentical,
		"Put_ETagChangesWithDesiredOnly":            putETag,
		"Put_KeepsFirstSpelling":                    putSpelling,
		"Put_RefusesInvalidDocuments":               putInvalid,
		"Put_KeepsBodiesAsGiven":                    putBodies,
		"Delete_MissingTakesNoSeq":                  deleteMissing,
		"Delete_ThenCreateIsANewDocument":           deleteThenCreate,
		"List_OrderAndFilters":                      listFilters,
		"List_PrefixEdges":                          listPrefixEdges,
		"List_Pages":                                listPages,
		"Tx_SeesItsOwnWrites":                       txSeesItself,
		"View_IsOneState":                           viewIsOneState,
		"Update_ErrorRollsBack":                     updateError,
		"Update_PanicRollsBackAndGoesOn":            updatePanic,
		"Update_GoexitRollsBack":                    updateGoexit,
		"Update_CancelledChangesNothing":            updateCancelled,
		"Update_CancelledInsideRollsBack":           updateCancelledInside,
		"Update_ErrorBesideOthers":                  updateErrorBesideOthers,
		"Update_CountsUnderConcurrency":             updateCounts,
		"Ended_TransactionsRefuseUse":               endedTransactions,
		"Changes_ListEachDocumentOnce":              changesOnce,
		"Changes_NeverSplitATransaction":            changesWhole,
		"Changes_ResetForAnUnknownFuture":           changesFuture,
		"Changes_MissNothingUnderConcurrentWriters": changesComplete,
		"Wait_ReturnsOnCommit":                      waitCommit,
		"Wait_EndsWithContext":                      waitContext,
		"Close_RefusesAndWakes":                     closeRefuses,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		model(t, open)
	})
}

// docType is the type of most documents here.
const docType = "portico/test"

func doc(id, desired string) store.Document {
	return store.Document{ID: id, Type: docType, Desired: json.RawMessage(desired)}
}

// update runs f and returns the Seq.
func update(tb testing.TB, st store.Store, f func(store.Tx) error) int64 {
	tb.Helper()
	seq, err := st.Update(tb.Context(), f)
	if err != nil {
		tb.Fatalf("update: %v", err)
	}
	return seq
}

// put writes documents in one transaction and returns the Seq and the last of them as stored.
func put(tb testing.TB, st store.Store, docs ...store.Document) (seq int64, last store.Document) {
	tb.Helper()
	seq = update(tb, st, func(tx store.Tx) (err error) {
		for _, d := range docs {
			if last, err = tx.Put(d); err != nil {
				return err
			}
		}
		return nil
	})
	return seq, last
}

func remove(tb testing.TB, st store.Store, ids ...string) int64 {
	tb.Helper()
	return update(tb, st, func(tx store.Tx) error {
		for _, id := range ids {
			if err := tx.Delete(id); err != nil {
				return err
			}
		}
		return nil
	})
}

// view runs f on one state.
func view(tb testing.TB, st store.Store, f func(store.Reader) error) {
	tb.Helper()
	if err := st.View(tb.Context(), f); err != nil {
		tb.Fatalf("view: %v", err)
	}
}

// get reads one document; ok is false when there is none.
func get(tb testing.TB, st store.Store, id string) (d store.Document, ok bool) {
	tb.Helper()
	view(tb, st, func(r store.Reader) (err error) {
		d, err = r.Get(id)
		ok = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return d, ok
}

// list returns the IDs that a query selects.
func list(tb testing.TB, st store.Store, q store.Query) (ids []string) {
	tb.Helper()
	view(tb, st, func(r store.Reader) error {
		docs, err := r.List(q)
		for _, d := range docs {
			ids = append(ids, d.ID)
		}
		if n, e := r.Count(q); e != nil || n != len(docs) {
			return fmt.Errorf("Count(%+v) = %d, List has %d: %w", q, n, len(docs), e)
		}
		return err
	})
	return ids
}

// changes returns all changes after a Seq and fails on a reset.
func changes(tb testing.TB, st store.Store, after int64, limit int) []store.Change {
	tb.Helper()
	got, reset, err := st.Changes(tb.Context(), after, limit)
	if err != nil || reset {
		tb.Fatalf("Changes(%d, %d): reset %v, error %v", after, limit, reset, err)
	}
	return got
}

// same fails when want and got differ.
func same(tb testing.TB, what string, want, got any) {
	tb.Helper()
	if d := cmp.Diff(want, got); d != "" {
		tb.Errorf("%s (-want +got):\n%s", what, d)
	}
}
