package lro

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// ErrEnded is returned for a change to an operation that has ended: an operation ends once.
var ErrEnded = errors.New("the operation has ended")

// Start writes the record of a new operation in the caller's transaction. Kind and Started must be set; a Name is
// made when there is none. The engine takes it up once the transaction is committed.
func Start(tx store.Tx, op Operation) (Operation, error) {
	if op.Kind == "" || op.Started.IsZero() {
		return Operation{}, fmt.Errorf("start operation %q: kind and start time are needed", op.Name)
	}
	if op.Status != "" && op.Status != InProgress {
		return Operation{}, fmt.Errorf("start operation %q: status is %s", op.Name, op.Status)
	}
	if op.Name == "" {
		op.Name = newName()
	}
	op.Status = InProgress
	switch _, err := Load(tx, op.Name); {
	case err == nil:
		return Operation{}, fmt.Errorf("start operation %s: it exists", op.Name)
	case !errors.Is(err, store.ErrNotFound):
		return Operation{}, err
	}
	return op, Save(tx, op)
}

// Load reads an operation. It returns store.ErrNotFound for one that does not exist or was pruned.
func Load(r store.Reader, name string) (Operation, error) {
	d, err := r.Get(IDPrefix + name)
	if err != nil {
		return Operation{}, fmt.Errorf("load operation %s: %w", name, err)
	}
	return decode(d)
}

// Save writes the record as it is. Only the side that runs the operation saves it while it is InProgress.
func Save(tx store.Tx, op Operation) error {
	status, err := json.Marshal(op)
	if err != nil {
		return fmt.Errorf("save operation %s: %w", op.Name, err)
	}
	if _, err := tx.Put(store.Document{ID: IDPrefix + op.Name, Type: Type, Status: status}); err != nil {
		return fmt.Errorf("save operation %s: %w", op.Name, err)
	}
	return nil
}

// Finish ends an operation: it records the status, the error and the time, and when the operation Succeeded makes
// its OnSuccess writes, all in the caller's transaction. It returns ErrEnded for one that has ended before.
func Finish(tx store.Tx, op Operation, status Status, e *arm.Error, now time.Time) error {
	if status != Succeeded && status != Failed && status != Canceled {
		return fmt.Errorf("finish operation %s: %q is not an end", op.Name, status)
	}
	stored, err := Load(tx, op.Name)
	if err != nil {
		return err
	}
	if stored.Status != InProgress {
		return fmt.Errorf("finish operation %s: %w", op.Name, ErrEnded)
	}
	if status == Succeeded {
		for _, w := range op.OnSuccess {
			if err := w.apply(tx); err != nil {
				return fmt.Errorf("finish operation %s: %w", op.Name, err)
			}
		}
	}
	op.Status, op.Error, op.Ended, op.Percent = status, e, now, 100
	op.OnSuccess = nil // made, or never to be made: the record need not carry them for a day
	return Save(tx, op)
}

// Running lists the operations that have not ended.
func Running(r store.Reader) ([]Operation, error) {
	var running []Operation
	err := each(r, func(d store.Document) error {
		op, err := decode(d)
		if err == nil && op.Status == InProgress {
			running = append(running, op)
		}
		return err
	})
	return running, err
}

// Prune removes the records of operations that ended before olderThan and says how many it removed. A record that
// cannot be read stays: nobody knows whether it has ended.
func Prune(tx store.Tx, olderThan time.Time) (int, error) {
	n := 0
	err := each(tx, func(d store.Document) error {
		op, err := decode(d)
		if err != nil || op.Status == InProgress || !op.Ended.Before(olderThan) {
			return nil //nolint:nilerr // the record stays
		}
		n++
		return tx.Delete(d.ID)
	})
	return n, err
}

// each calls f with every operation record, holding a page of them at a time.
func each(r store.Reader, f func(store.Document) error) error {
	const page = 256
	q := store.Query{Type: Type, Limit: page}
	for {
		docs, err := r.List(q)
		if err != nil {
			return fmt.Errorf("list operations: %w", err)
		}
		for _, d := range docs {
			if err := f(d); err != nil {
				return err
			}
		}
		if len(docs) < page {
			return nil
		}
		q.After = docs[len(docs)-1].ID
	}
}

func decode(d store.Document) (Operation, error) {
	var op Operation
	if err := json.Unmarshal(d.Status, &op); err != nil {
		return Operation{}, fmt.Errorf("decode operation %s: %w", d.ID, err)
	}
	return op, nil
}

// apply makes one write.
func (w Write) apply(tx store.Tx) error {
	if w.Put != nil {
		if _, err := tx.Put(*w.Put); err != nil {
			return err
		}
	}
	if w.Delete != "" {
		if err := tx.Delete(w.Delete); err != nil {
			return err
		}
	}
	if w.DeleteTree != "" {
		return deleteTree(tx, w.DeleteTree)
	}
	return nil
}

// deleteTree deletes a document and everything below it.
func deleteTree(tx store.Tx, id string) error {
	const page = 256
	for {
		docs, err := tx.List(store.Query{Prefix: id, Limit: page})
		if err != nil {
			return err
		}
		for _, d := range docs {
			if err := tx.Delete(d.ID); err != nil {
				return err
			}
		}
		if len(docs) < page {
			return tx.Delete(id)
		}
	}
}

// newName makes a name that cannot be guessed: 32 hex digits.
func newName() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails, says its documentation
	return hex.EncodeToString(b[:])
}
