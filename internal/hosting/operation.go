package hosting

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Provisioning states that this package writes or looks for, spelt as the wire spells them.
const (
	stateCreated           = "Created"
	stateActivating        = "Activating"
	stateSucceeded         = "Succeeded"
	stateFailed            = "Failed"
	stateTerminating       = "Terminating"
	stateTerminationFailed = "TerminationFailed"
)

// ownKinds begins the kinds of operations that change what a service should become. Others end elsewhere.
const ownKinds = "service."

// kindUpgrade is the kind of an operation that changes the version of the gateway, as the control plane spells it.
const kindUpgrade = "service.upgrade"

// Codes of the errors that operations end with.
const (
	codeTimedOut   = "OperationTimedOut"
	codeImpossible = "OperationFailed"
	codeCanceled   = "OperationCanceled"
)

// finish ends a customer operation well, in one transaction with everything that it changes.
func (c *Controller) finish(ctx context.Context, w *worker, rec *record) error {
	err := c.commit(ctx, w, rec, func(tx store.Tx, st *platform.ServiceStatus) (bool, error) {
		st.ProvisioningState, st.TargetProvisioningState, st.Operation = stateSucceeded, "", ""
		st.Settle()
		st.Forget()
		// What the operation writes comes last: a delete removes the document.
		return false, c.end(tx, rec, *st, lro.Succeeded, nil)
	})
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "operation succeeded", slog.String("service", rec.doc.ID), slog.String("operation", rec.status.Operation))
	c.wakePool(ctx, w, rec, false)
	return nil
}

// giveUp ends a customer operation badly and restores the wishes that it replaced, and what the client had asked for
// before, in the operation's last transaction: the planner goes back from there, at every location. A service that was being created goes
// back to having nothing.
func (c *Controller) giveUp(ctx context.Context, w *worker, rec *record, code, message string) error {
	if rec.status.Previous != nil {
		message += " The service goes on as before."
	}
	failed := stateFailed
	if rec.status.ProvisioningState == stateTerminating {
		failed = stateTerminationFailed
	}
	if err := c.goBack(ctx, w, rec, failed, lro.Failed, &arm.Error{Status: http.StatusInternalServerError, Code: code, Message: message}); err != nil {
		return err
	}
	c.log.WarnContext(ctx, "operation failed", slog.String("service", rec.doc.ID), slog.String("kind", rec.op.Kind), slog.String("operation", rec.op.Name), slog.String("reason", message))
	return nil
}

// cancel ends a customer operation whose client has changed its mind, as far as it has come: a service has one version,
// so that it goes back instead of staying where it is.
func (c *Controller) cancel(ctx context.Context, w *worker, rec *record) error {
	if rec.op == nil {
		rec.op, rec.held = rec.held, nil
	}
	e := &arm.Error{Status: http.StatusConflict, Code: codeCanceled, Message: "The operation was canceled. The service goes on as before."}
	if err := c.goBack(ctx, w, rec, stateSucceeded, lro.Canceled, e); err != nil {
		return err
	}
	c.log.InfoContext(ctx, "operation canceled", slog.String("service", rec.doc.ID), slog.String("kind", rec.op.Kind), slog.String("operation", rec.op.Name))
	return nil
}

// goBack ends an operation with what it replaced restored.
func (c *Controller) goBack(ctx context.Context, w *worker, rec *record, state string, how lro.Status, e *arm.Error) error {
	err := c.commit(ctx, w, rec, func(tx store.Tx, st *platform.ServiceStatus) (bool, error) {
		st.ProvisioningState, st.TargetProvisioningState, st.Operation = state, "", ""
		st.GoBack()
		return false, c.end(tx, rec, *st, how, e)
	})
	if err != nil {
		return err
	}
	for _, host := range customHosts(rec.doc) { // an earlier controller may have told the fabric
		if _, told := w.named.sets(host); !told {
			w.named.point(host, []string{"?"}) // nowhere that a set is
		}
	}
	c.wakePool(ctx, w, rec, false)
	return nil
}

// end writes the status and then the end of the operation.
func (c *Controller) end(tx store.Tx, rec *record, st platform.ServiceStatus, status lro.Status, e *arm.Error) error {
	d, err := tx.Get(rec.doc.ID)
	if err != nil {
		return err
	}
	if err := leaveUpgrade(tx, rec, status != lro.Succeeded); err != nil {
		return err
	}
	told := TimelineStep{Step: "operation " + strings.ToLower(string(status))}
	if e != nil {
		told.Step += ": " + e.Message
	}
	if err := c.enter(tx, rec, told); err != nil {
		return err
	}
	if status != lro.Succeeded && len(st.Before) > 0 {
		d.Desired = st.Before
	}
	st.Before, st.Renames, st.Cancel = nil, false, false
	if d.Status, err = encodeStatus(st); err != nil {
		return err
	}
	if _, err := tx.Put(d); err != nil {
		return err
	}
	if rec.op == nil {
		return nil // its record is gone; the service is free all the same
	}
	err = lro.Finish(tx, *rec.op, status, e, c.opt.Clock.Now())
	if errors.Is(err, lro.ErrEnded) {
		return nil // ended from outside
	}
	return err
}

// newID makes an ID of a set, a machine or a VIP: a letter and 80 random bits, valid as a DNS label.
func newID() string { return "g" + strings.ToLower(rand.Text()[:16]) }
