package lro

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/store"
)

var (
	// errGone says that the operation has ended or is no longer there: it needs no more driving.
	errGone = errors.New("the operation has ended elsewhere")
	// errStore marks failures of the store itself. They are retried without end: nothing can be recorded meanwhile.
	errStore = errors.New("store failed")
)

// A panicked error is a recovered panic.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// recovered turns a panic into an error. It is to be deferred.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = &panicked{p, debug.Stack()}
	}
}

// A driver carries one operation on.
type driver struct {
	*Engine
	log      *slog.Logger
	failures int       // in a row
	since    time.Time // of the first of them that was not the store's
}

// drive runs steps until the operation has ended or ctx ends.
func (e *Engine) drive(ctx context.Context, name string) {
	d := &driver{Engine: e, log: e.log.With(slog.String("operation", name))}
	for ctx.Err() == nil {
		wait, err := d.turn(ctx, name)
		if err == nil {
			d.failures, d.since = 0, time.Time{}
			pause(ctx, wait)
			continue
		}
		if errors.Is(err, errGone) || ctx.Err() != nil {
			return
		}
		d.failures++
		d.log.WarnContext(ctx, "operation will be retried", slog.Int("failures", d.failures), slog.Any("error", err))
		pause(ctx, backoff(d.failures))
	}
}

// turn runs one step and saves what came of it. It returns errGone when the operation has ended, other errors when
// the turn is to be repeated.
func (d *driver) turn(ctx context.Context, name string) (time.Duration, error) {
	op, err := d.load(ctx, name)
	if err != nil {
		return 0, err
	}
	if d.clock.Timed() && d.clock.Now().Before(op.NotBefore) {
		return 0, d.clock.Wait(ctx, op.NotBefore)
	}
	out, err := d.step(ctx, op)
	switch {
	case err == nil && out.Status != "":
		d.logEnd(ctx, op, out.Status, nil)
		return 0, errGone
	case err == nil:
		return out.After, nil
	case ctx.Err() != nil || errors.Is(err, errGone):
		return 0, errGone
	case errors.Is(err, errStore):
		return 0, err
	}
	if e := d.verdict(err); e != nil {
		return 0, d.giveUp(ctx, op, e, err)
	}
	return 0, err
}

// verdict is the error that an operation ends with because of err; nil when the step is to be tried again.
func (d *driver) verdict(err error) *arm.Error {
	if _, bug := errors.AsType[*panicked](err); bug {
		return internalError()
	}
	if refusal, ok := errors.AsType[*arm.Error](err); ok {
		return refusal
	}
	if d.since.IsZero() {
		d.since = time.Now()
	}
	if time.Since(d.since) >= retryFor {
		return internalError()
	}
	return nil
}

func (d *driver) load(ctx context.Context, name string) (op Operation, err error) {
	err = d.st.View(ctx, func(r store.Reader) error {
		op, err = Load(r, name)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && op.Status != InProgress {
		return Operation{}, errGone
	}
	return op, err
}

// step asks the handler and saves its outcome.
func (d *driver) step(ctx context.Context, op Operation) (out Outcome, err error) {
	defer recovered(&err)
	if out, err = d.handlers[op.Kind].Step(ctx, op); err != nil {
		return Outcome{}, err
	}
	return out, d.save(ctx, op.Name, op.Kind, func(tx store.Tx) error {
		if out.Writes != nil {
			if err := out.Writes(tx); err != nil {
				return err
			}
		}
		return d.record(tx, op.Name, out)
	})
}

// record enters an outcome in the stored record, which others may have changed since it was read.
func (e *Engine) record(tx store.Tx, name string, out Outcome) error {
	op, err := Load(tx, name)
	if errors.Is(err, store.ErrNotFound) || err == nil && op.Status != InProgress {
		return errGone
	}
	if err != nil {
		return err
	}
	now := e.clock.Now()
	out.apply(&op, now)
	if out.Status == "" {
		return Save(tx, op)
	}
	return Finish(tx, op, out.Status, out.end(), now)
}

// giveUp ends the operation with e because of cause.
func (d *driver) giveUp(ctx context.Context, op Operation, e *arm.Error, cause error) (err error) {
	defer recovered(&err)
	err = d.save(ctx, op.Name, op.Kind, func(tx store.Tx) error {
		if h, ok := d.handlers[op.Kind].(Ender); ok {
			if err := h.End(tx, op, e); err != nil {
				return fmt.Errorf("put the end in order: %w", err)
			}
		}
		return d.record(tx, op.Name, Outcome{Status: Failed, Error: e})
	})
	if err != nil {
		return errors.Join(err, cause)
	}
	d.logEnd(ctx, op, Failed, cause)
	return errGone
}

// save runs f in a transaction. An error that is not f's is an errStore.
func (d *driver) save(ctx context.Context, name, kind string, f func(store.Tx) error) error {
	var own error
	failpoint.Hit("lro." + kind + ".before")
	_, err := d.st.Update(ctx, func(tx store.Tx) error {
		own = f(tx)
		return own
	})
	switch {
	case err == nil:
		failpoint.Hit("lro." + kind + ".after")
		return nil
	case own != nil:
		return err
	}
	return fmt.Errorf("save operation %s: %w: %w", name, errStore, err)
}

// logEnd tells the operator's story. A refusal is for the client to act on; anything else that ended an operation is
// for the operator.
func (d *driver) logEnd(ctx context.Context, op Operation, status Status, cause error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("kind", op.Kind), slog.String("target", op.Target), slog.String("status", string(status)),
	}
	if cause != nil {
		attrs = append(attrs, slog.Any("error", cause))
		if _, refused := errors.AsType[*arm.Error](cause); !refused {
			level = slog.LevelError
		}
	}
	if bug, ok := errors.AsType[*panicked](cause); ok {
		attrs = append(attrs, slog.String("stack", string(bug.stack)))
	}
	d.log.LogAttrs(ctx, level, "operation ended", attrs...)
}
