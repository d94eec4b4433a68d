package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// errChanged says that a record was written by someone else since it was read: look again.
var errChanged = errors.New("the record has changed")

// StepJoin is the one step of a service that lives in a pool.
const StepJoin = "join the pool"

// A record is a service or a pool as stored.
type record struct {
	doc      store.Document
	status   platform.ServiceStatus // of a pool: with its wish filled in
	op       *lro.Operation         // the customer operation under way; nil when there is none
	held     *lro.Operation         // or the one whose work may not begin yet
	location string
	isPool   bool
	inPool   bool                    // lives in the pool of its location
	pool     *platform.ServiceStatus // of that pool; nil when it has no record
	seq      int64                   // newest of the state that was read
	late     error                   // why an address could not be opened in this turn
}

func (r *record) lease(epoch int64) fabric.Lease {
	if r.isPool {
		return fabric.Lease{Epoch: epoch}
	}
	return fabric.Lease{Service: r.doc.ID, Epoch: epoch}
}

// turn brings a service or pool as far as it can come without waiting.
func (c *Controller) turn(ctx context.Context, w *worker) (outcome, error) {
	for {
		rec, err := c.load(ctx, w.key)
		if err != nil {
			return outcome{}, err
		}
		if rec == nil {
			return outcome{forget: true}, c.clear(ctx, w)
		}
		c.own(w, rec.status.Hosting, rec.doc.Seq)
		out, again, err := c.advance(ctx, w, rec)
		if errors.Is(err, errChanged) || err == nil && again {
			continue
		}
		return out, err
	}
}

// advance takes one step: tell the fabric what is recorded, observe, plan, commit. again is set when there may be more
// to do at once.
func (c *Controller) advance(ctx context.Context, w *worker, rec *record) (out outcome, again bool, err error) {
	switch {
	case rec.held != nil && rec.status.Previous == nil: // there is nothing to look after meanwhile
		return outcome{due: rec.held.NotBefore}, false, nil
	case rec.op != nil && rec.op.Begun.IsZero() && !rec.op.NotBefore.IsZero():
		return outcome{}, true, c.beginWork(ctx, w, rec)
	}
	if rec.op != nil && !failpoint.Now().Before(c.deadline(rec)) {
		return outcome{}, true, c.giveUp(ctx, w, rec, codeTimedOut, fmt.Sprintf("The operation did not finish within %s.", c.opt.OperationDeadline))
	}
	if err := errors.Join(c.joinPool(ctx, w, rec), c.upgradePool(ctx, rec)); err != nil {
		return outcome{}, false, err
	}
	late, err := c.tell(ctx, w, rec)
	if impossible := errors.Join(late, err); rec.op != nil && errors.Is(impossible, fabric.ErrImpossible) {
		c.log.ErrorContext(ctx, "operation given up", slog.String("service", rec.doc.ID), slog.Any("error", impossible))
		return outcome{}, true, c.giveUp(ctx, w, rec, codeImpossible, "The platform cannot provide what the operation asks for.")
	}
	if err != nil {
		return outcome{}, false, err
	}
	rec.late = late
	obs, err := c.observe(ctx, rec)
	if err != nil {
		return outcome{}, false, err
	}
	d := c.decide(rec, obs)
	switch {
	case d.Failed != nil && rec.op != nil:
		return outcome{}, true, c.giveUp(ctx, w, rec, d.Failed.Code, d.Failed.Message)
	case d.Step != "":
		return outcome{}, true, c.take(ctx, w, rec, d, obs)
	case d.Reached && rec.status.Operation != "" && rec.held == nil:
		return outcome{}, true, c.finish(ctx, w, rec)
	case d.Reached && rec.isPool && rec.status.Wish.Gone:
		return outcome{}, true, c.removePool(ctx, rec)
	case late != nil:
		return outcome{at: d.Until, due: d.Due}, false, late
	}
	out = outcome{waiting: d.Wait != "", at: d.Until, due: d.Due}
	if rec.held != nil && (out.due.IsZero() || rec.held.NotBefore.Before(out.due)) {
		out.due = rec.held.NotBefore
	}
	if at := c.deadline(rec); rec.op != nil && (out.at.IsZero() || at.Before(out.at)) {
		out.at = at
	}
	return out, false, nil
}

// deadline is when the operation of a record is given up.
func (c *Controller) deadline(rec *record) time.Time {
	if rec.op == nil {
		return time.Time{}
	}
	if rec.op.Begun.IsZero() {
		return rec.op.Started.Add(c.opt.OperationDeadline)
	}
	return rec.op.Begun.Add(c.opt.OperationDeadline)
}

// load reads a record; nil when there is none.
func (c *Controller) load(ctx context.Context, key string) (*record, error) {
	rec := &record{}
	err := c.st.View(ctx, func(r store.Reader) error {
		var err error
		if rec.doc, err = r.Get(key); err != nil {
			return err
		}
		rec.seq, rec.isPool = r.Seq(), rec.doc.Type == typePool
		if rec.status, err = statusOf(rec.doc); err != nil {
			return err
		}
		if rec.isPool {
			return rec.fillPool(r)
		}
		return rec.fillService(r)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	c.hold(rec)
	return rec, nil
}

// fillService reads what belongs to a service: its location, its operation, and the pool that it lives in.
func (r *record) fillService(from store.Reader) error {
	var err error
	if r.location, err = locationOf(r.doc); err != nil {
		return err
	}
	if name := r.status.Operation; name != "" {
		op, err := lro.Load(from, name)
		switch {
		case err == nil && op.Status == lro.InProgress:
			r.op = &op
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if r.inPool = r.pooledTier() && !r.status.Wish.Gone; !r.inPool {
		return nil
	}
	d, err := from.Get(poolID(r.location))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := poolStatus(d)
	r.pool = &st
	return err
}

// pooledTier says whether the service is of the kind that lives in a pool.
func (r *record) pooledTier() bool { return !r.isPool && r.status.Wish.Platform == platform.MTv1 }

// statusOf decodes the Status of a service's or pool's document.
func statusOf(d store.Document) (st platform.ServiceStatus, err error) {
	if len(d.Status) == 0 {
		return st, nil
	}
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return st, fmt.Errorf("decode status of %s: %w", d.ID, err)
	}
	return st, nil
}

// locationOf reads the location that a service's client chose.
func locationOf(d store.Document) (string, error) {
	var desired struct {
		Location string `json:"location"`
	}
	if err := json.Unmarshal(d.Desired, &desired); err != nil {
		return "", fmt.Errorf("decode %s: %w", d.ID, err)
	}
	return normal(desired.Location), nil
}

// observe asks the fabric about the sets that matter to a record.
func (c *Controller) observe(ctx context.Context, rec *record) (platform.Observation, error) {
	sets := []string{rec.doc.ID} // is no set: asks for routes alone
	for _, s := range rec.status.Hosting.Sets {
		sets = append(sets, s.ID)
	}
	if rec.pool != nil {
		for _, s := range rec.pool.Hosting.Sets {
			sets = append(sets, s.ID)
		}
	}
	obs, err := c.f.Observe(ctx, sets...)
	if err != nil {
		return obs, fmt.Errorf("observe %s: %w", rec.doc.ID, err)
	}
	retell(&obs, failpoint.Now())
	return obs, nil
}

// retell tells an observation by this process's time of day, where the clock was set since the fabric looked.
func retell(obs *platform.Observation, now time.Time) {
	const clockSet = 10 * time.Second // less is the way here
	if by := now.Sub(obs.At); !obs.At.IsZero() && by.Abs() > clockSet {
		for id, m := range obs.Machines {
			m.Since = m.Since.Add(by)
			obs.Machines[id] = m
		}
	}
	obs.At = now
}

// decide asks the planner, or, for a service that lives in a pool, looks at the pool.
func (c *Controller) decide(rec *record, obs platform.Observation) platform.Decision {
	if rec.inPool {
		return c.decideInPool(rec, obs)
	}
	return platform.Next(c.input(rec, obs))
}

// input is what the planner is asked.
func (c *Controller) input(rec *record, obs platform.Observation) platform.Input {
	in := platform.Input{
		Wish: rec.wish(), State: rec.status.Hosting, Observation: obs, Now: obs.At, Clock: c.opt.Clock.Now(),
		Service: rec.doc.ID, Location: rec.location, Seq: rec.seq, Coexistence: c.opt.Coexistence,
		Gateway: c.opt.Gateway, Zones: c.opt.Zones, NewID: newID,
	}
	if in.Now.IsZero() { // a forecast has seen nothing
		in.Now = failpoint.Now()
	}
	if rec.isPool {
		in.Service = ""
	}
	if rec.op != nil || rec.isPool && rec.status.Previous != nil {
		in.Deadline, in.Since, in.Previous = c.opt.HealthDeadline, c.since, rec.status.Previous
		in.Trouble = trouble(rec.late)
	}
	return in
}

// trouble says to a client why an address could not be opened; the log has the cause.
func trouble(late error) string {
	switch {
	case errors.Is(late, fabric.ErrNoAddress):
		return "those that are not another service's are in use by other programs"
	case late != nil:
		return "the host refuses"
	}
	return "the host does not answer"
}

// update runs a transaction between two failpoints.
func (c *Controller) update(ctx context.Context, doing string, f func(store.Tx) error) (int64, error) {
	failpoint.Hit("hosting." + doing + ".before")
	seq, err := c.st.Update(ctx, f)
	if err == nil {
		failpoint.Hit("hosting." + doing + ".after")
	}
	return seq, err
}

// commit changes a record in one transaction, if it is still what was read.
func (c *Controller) commit(ctx context.Context, w *worker, rec *record, change func(store.Tx, *platform.ServiceStatus) (keep bool, err error)) error {
	seq, err := c.update(ctx, "commit", func(tx store.Tx) error {
		d, err := tx.Get(rec.doc.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || d.Seq != rec.doc.Seq {
			return errChanged
		}
		st := rec.status
		st.Hosting, st.Epoch = rec.status.Hosting.Clone(), c.epoch
		keep, err := change(tx, &st)
		if err != nil || !keep {
			return err
		}
		if d.Status, err = json.Marshal(st); err != nil {
			return fmt.Errorf("encode status: %w", err)
		}
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", rec.doc.ID, err)
	}
	c.own(w, rec.status.Hosting, seq)
	return nil
}

// take commits a step.
func (c *Controller) take(ctx context.Context, w *worker, rec *record, d platform.Decision, obs platform.Observation) error {
	now := c.opt.Clock.Now()
	err := c.commit(ctx, w, rec, func(tx store.Tx, st *platform.ServiceStatus) (bool, error) {
		st.Hosting = d.State
		if st.ProvisioningState == stateCreated {
			st.ProvisioningState = stateActivating
		}
		if rec.op == nil {
			return true, nil
		}
		op := *rec.op
		op.Steps = append(op.Steps, lro.Step{Name: d.Step, At: now})
		op.Percent = max(op.Percent, c.percent(rec, d, obs, len(op.Steps)))
		return true, lro.Save(tx, op)
	})
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "step taken", slog.String("key", w.key), slog.String("step", d.Step))
	c.wakePool(ctx, w, rec)
	return nil
}

// percent is how many of the steps of an operation are taken, as far as can be foreseen; 100 is for its end.
func (c *Controller) percent(rec *record, d platform.Decision, obs platform.Observation, taken int) int {
	left := 0
	if !rec.inPool {
		in := c.input(rec, obs)
		in.State = d.State
		for _, s := range platform.Forecast(in) {
			left++
			if s.Reached {
				break
			}
		}
	}
	return min(99, 100*taken/(taken+left))
}
