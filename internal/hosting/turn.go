package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
	doc    store.Document
	status platform.ServiceStatus // of a pool: with its wish filled in
	op     *lro.Operation         // the customer operation under way; nil when there is none
	held   *lro.Operation         // or the one whose work may not begin yet
	other  bool                   // or one that is not hosting's is: it ends without this package
	isPool bool
	// members are some services that are known to have lived in the pool.
	members []string
	inPool  bool                    // lives in the pool of its location
	pool    *platform.ServiceStatus // of that pool; nil when it has no record
	seq     int64                   // newest of the state that was read
}

// A place is one location of a record during a turn. What goes wrong at one holds no other up.
type place struct {
	*record
	*platform.Location       // in record.status
	late               error // why an address could not be opened
	err                error // why the fabric was not told
	next               platform.Decision
}

func (r *record) places() []*place {
	var out []*place
	for _, l := range r.status.Locations() {
		out = append(out, &place{record: r, Location: l})
	}
	return out
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
		c.own(w, rec.status, rec.doc.Seq)
		out, again, err := c.advance(ctx, w, rec)
		if errors.Is(err, errChanged) || err == nil && again {
			continue
		}
		return out, err
	}
}

// advance takes one step at every location: tell the fabric what is recorded, observe, plan, commit. again is set when
// there may be more to do at once.
func (c *Controller) advance(ctx context.Context, w *worker, rec *record) (out outcome, again bool, err error) {
	switch {
	case rec.status.Cancel && (rec.op != nil || rec.held != nil):
		return outcome{}, true, c.cancel(ctx, w, rec)
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
	places := rec.places()
	if err := c.tell(ctx, w, rec, places); err != nil {
		return outcome{}, false, err
	}
	if impossible := troubles(places); rec.op != nil && errors.Is(impossible, fabric.ErrImpossible) {
		c.log.ErrorContext(ctx, "operation given up", slog.String("service", rec.doc.ID), slog.Any("error", impossible))
		return outcome{}, true, c.giveUp(ctx, w, rec, codeImpossible, "The platform cannot provide what the operation asks for.")
	}
	obs, err := c.observe(ctx, rec)
	if err != nil {
		return outcome{}, false, err
	}
	c.decideAll(rec, places, obs)
	return c.act(ctx, w, rec, places, obs)
}

// act commits what has been decided.
func (c *Controller) act(ctx context.Context, w *worker, rec *record, places []*place, obs platform.Observation) (out outcome, again bool, err error) {
	steps, reached, left := false, true, false
	for _, p := range places {
		if f := p.next.Failed; f != nil && rec.op != nil {
			return outcome{}, true, c.giveUp(ctx, w, rec, f.Code, f.Message)
		}
		steps = steps || p.next.Step != ""
		reached = reached && p.next.Reached
		left = left || rec.status.Leaves(p.Location) && p.next.Reached
	}
	reached = reached && rec.knows(obs)
	switch {
	case steps:
		return outcome{}, true, c.take(ctx, w, rec, places, obs)
	case reached && rec.status.Operation != "" && rec.held == nil && !rec.other:
		return outcome{}, true, c.finish(ctx, w, rec)
	case left && rec.status.Operation == "":
		return outcome{}, true, c.forget(ctx, w, rec)
	case reached && rec.isPool && rec.status.Wish.Gone:
		return outcome{}, true, c.removePool(ctx, rec)
	}
	out = c.wait(rec, places)
	out.waiting = out.waiting || !rec.knows(obs)
	return out, false, troubles(places)
}

// wait says what the next turn waits for.
func (c *Controller) wait(rec *record, places []*place) (out outcome) {
	for _, p := range places {
		out.waiting = out.waiting || p.next.Wait != ""
		out.at, out.due = sooner(out.at, p.next.Until), sooner(out.due, p.next.Due)
	}
	if rec.held != nil {
		out.due = sooner(out.due, rec.held.NotBefore)
	}
	out.at = sooner(out.at, c.deadline(rec))
	return out
}

// sooner is the earlier of two times, of which zero is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// troubles joins what went wrong at all places.
func troubles(places []*place) error {
	var all []error
	for _, p := range places {
		all = append(all, p.late, p.err)
	}
	return errors.Join(all...)
}

// forget takes the locations off the record that are gone.
func (c *Controller) forget(ctx context.Context, w *worker, rec *record) error {
	return c.commit(ctx, w, rec, func(_ store.Tx, st *platform.ServiceStatus) (bool, error) {
		st.Forget()
		return true, nil
	})
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
	if strings.HasPrefix(key, poolPrefix) {
		rec.members = c.membersOf(key)
	}
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

// fillService reads what belongs to a service: its operation, and the pool that it lives in.
func (r *record) fillService(from store.Reader) error {
	if name := r.status.Operation; name != "" {
		op, err := lro.Load(from, name)
		switch {
		case err == nil && !strings.HasPrefix(op.Kind, ownKinds):
			r.other = true
		case err == nil && op.Status == lro.InProgress:
			r.op = &op
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if r.inPool = r.pooledTier() && !r.status.Wish.Gone; !r.inPool {
		return nil
	}
	d, err := from.Get(poolID(r.status.Name))
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

// observe asks the fabric about the sets that matter to a record.
func (c *Controller) observe(ctx context.Context, rec *record) (platform.Observation, error) {
	sets := []string{rec.doc.ID} // is no set: asks for routes alone
	for _, l := range rec.status.Locations() {
		for _, s := range l.Hosting.Sets {
			sets = append(sets, s.ID)
		}
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

// clockSet is by how much a clock differs at least from what it should show when it was set; less is the way here.
const clockSet = 10 * time.Second

// A vigil is the time for which a controller has looked. It begins anew when the clock is set, also by a host that has
// slept: nothing that was waited for before is late by that.
type vigil struct {
	mu          sync.Mutex // guards below
	began       time.Time
	shown, real time.Time // time of day, and the steady clock, when somebody last asked
}

// since says when it began: shown is the time of day now, real has the reading of the steady clock.
func (v *vigil) since(shown, real time.Time) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	shown = shown.Round(0) // the time of day alone
	if by := shown.Sub(v.shown) - real.Sub(v.real); v.began.IsZero() || by.Abs() > clockSet {
		v.began = shown
	}
	v.shown, v.real = shown, real
	return v.began
}

// retell tells an observation by this process's time of day, where the clock was set since the fabric looked.
func retell(obs *platform.Observation, now time.Time) {
	if by := now.Sub(obs.At); !obs.At.IsZero() && by.Abs() > clockSet {
		for id, m := range obs.Machines {
			m.Since = m.Since.Add(by)
			obs.Machines[id] = m
		}
	}
	obs.At = now
}

// decideAll says what to do next at every place of a record.
func (c *Controller) decideAll(rec *record, places []*place, obs platform.Observation) {
	for i, d := range rec.status.NextAll(rec.op != nil, func(i int) platform.Decision { return c.decide(places[i], obs) }) {
		places[i].next = d
	}
}

// decide asks the planner, or, for a service that lives in a pool, looks at the pool. Nothing is decided where the
// fabric does not know what is recorded.
func (c *Controller) decide(p *place, obs platform.Observation) platform.Decision {
	switch {
	case p.err != nil:
		return platform.Decision{State: p.Hosting, Wait: "the fabric has not been told"}
	case p.inPool:
		return c.decideInPool(p.record, obs)
	}
	return platform.Next(c.input(p, obs))
}

// input is what the planner is asked.
func (c *Controller) input(p *place, obs platform.Observation) platform.Input {
	in := platform.Input{
		Wish: p.wish(), State: p.Hosting, Observation: obs, Now: obs.At, Clock: c.opt.Clock.Now(),
		Service: p.doc.ID, Location: p.Name, Seq: p.seq, Coexistence: c.opt.Coexistence, Grace: c.opt.Grace, Pause: c.opt.Pause,
		Gateway: c.opt.Gateway, Zones: c.zonesAt(p.Name), NewID: newID,
	}
	if in.Now.IsZero() { // a forecast has seen nothing
		in.Now = failpoint.Now()
	}
	if p.isPool {
		in.Service = ""
	}
	if p.op != nil || p.isPool && p.Previous != nil {
		in.Deadline, in.Since, in.Previous = c.opt.HealthDeadline, c.vigil.since(failpoint.Now(), time.Now()), p.Previous
		in.Trouble = trouble(p.late)
	}
	if p.op != nil && p.op.Begun.After(in.Since) { // what has waited since before is not its fault
		in.Since = p.op.Begun
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
		st := rec.status.Clone()
		st.Epoch = c.epoch
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
	c.own(w, rec.status, seq)
	return nil
}

// take commits a step of every location that has one.
func (c *Controller) take(ctx context.Context, w *worker, rec *record, places []*place, obs platform.Observation) error {
	now := c.opt.Clock.Now()
	err := c.commit(ctx, w, rec, func(tx store.Tx, st *platform.ServiceStatus) (bool, error) {
		for i, l := range st.Locations() {
			l.Hosting = places[i].next.State
		}
		if st.ProvisioningState == stateCreated {
			st.ProvisioningState = stateActivating
		}
		var taken []TimelineStep
		for _, p := range places {
			if p.next.Step != "" {
				taken = append(taken, TimelineStep{Location: p.Name, Step: p.next.Step})
			}
			if v := p.moves(); v != "" {
				taken = append(taken, TimelineStep{Location: p.Name, Step: "platform version " + string(v)})
			}
		}
		if err := c.enter(tx, rec, taken...); err != nil {
			return false, err
		}
		if rec.op == nil {
			return true, nil
		}
		op := *rec.op
		for _, p := range places {
			if p.next.Step != "" {
				op.Steps = append(op.Steps, lro.Step{Name: p.story(), At: now})
			}
		}
		op.Percent = max(op.Percent, c.percent(rec, places, obs, len(op.Steps)))
		return true, lro.Save(tx, op)
	})
	if err != nil {
		return err
	}
	for _, p := range places {
		if p.next.Step != "" {
			c.log.InfoContext(ctx, "step taken", slog.String("key", w.key), slog.String("location", p.Name), slog.String("step", p.next.Step))
		}
	}
	c.wakePool(ctx, w, rec, slices.ContainsFunc(places, func(p *place) bool { return p.next.State.Active != p.Hosting.Active }))
	return nil
}

// story names a step, with its location where there are several.
func (p *place) story() string {
	if len(p.status.Others) == 0 {
		return p.next.Step
	}
	return p.next.Step + " in " + p.Name
}

// percent is how many of the steps of an operation are taken, as far as can be foreseen; 100 is for its end.
func (c *Controller) percent(rec *record, places []*place, obs platform.Observation, taken int) int {
	left := 0
	for _, p := range places {
		if rec.inPool {
			break
		}
		in := c.input(p, obs)
		in.State = p.next.State
		for _, s := range platform.Forecast(in) {
			left++
			if s.Reached {
				break
			}
		}
	}
	return min(99, 100*taken/(taken+left))
}
