package lro

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// A Handler runs the operations of one kind, a step at a time. A step looks, acts a little and says how far it got;
// it must be harmless to run again with the State that was last saved, since a crash may come between its acts and
// the saving of its Outcome.
//
// An error that is an *arm.Error ends the operation as Failed with it. Any other error is retried with back-off, for
// a quarter of an hour in a row; then, and after a panic, the operation ends Failed with InternalServerError. A step
// that wants to give up in its own way answers an Outcome with a Status.
//
// The context ends when the engine stops or somebody else ended the operation.
type Handler interface {
	Step(ctx context.Context, op Operation) (Outcome, error)
}

// An Ender is a Handler that has something to put in order when the engine ends an operation because of an error.
// End runs in the transaction that ends it; while End fails, the operation does not end and is tried again.
type Ender interface {
	End(tx store.Tx, op Operation, e *arm.Error) error
}

// An Outcome is how far a step got. The zero Outcome asks for the next step at once. Everything in it is saved in
// one transaction.
type Outcome struct {
	State   json.RawMessage      // replaces Operation.State; nil keeps it
	Steps   []string             // names to add to Operation.Steps
	Percent int                  // progress, 0 to 100; a smaller number than the last is ignored
	Writes  func(store.Tx) error // what else to write; its errors are errors of the step
	After   time.Duration        // when the next step is due, from now
	Status  Status               // Succeeded, Failed or Canceled end the operation; empty goes on
	Error   *arm.Error           // of an operation that ends badly
}

// apply enters the outcome in the record.
func (o Outcome) apply(op *Operation, now time.Time) {
	if o.State != nil {
		op.State = o.State
	}
	for _, name := range o.Steps {
		op.Steps = append(op.Steps, Step{Name: name, At: now})
	}
	if n := len(op.Steps) - maxSteps; n > 0 {
		op.Steps = op.Steps[n:]
	}
	op.Percent = min(max(op.Percent, o.Percent), 100)
}

// end is the error that the record of an ended operation shows.
func (o Outcome) end() *arm.Error {
	if o.Error == nil && o.Status == Failed {
		return internalError()
	}
	return o.Error
}

// internalError tells a client that it is not to blame; the cause is in the log.
func internalError() *arm.Error {
	return &arm.Error{
		Status:  http.StatusInternalServerError,
		Code:    "InternalServerError",
		Message: "The operation failed because of an internal error.",
	}
}
