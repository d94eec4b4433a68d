package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// kindUpgrade is the kind of the operations that a rollout starts: those that clients can start too.
const kindUpgrade = "service.upgrade"

// apiVersion is that of the operations that a rollout starts; nobody has asked for one.
const apiVersion = "2022-08-01"

// An Observer looks at the machines of a service.
type Observer interface {
	Units(ctx context.Context, service string) (hosting.Units, error)
	Answers(ctx context.Context) ([]hosting.Answered, error)
}

// Options of a Runner. The zero value of a field takes its default.
type Options struct {
	// Clock tells platform time; nil means the time of day.
	Clock *pace.Clock
	// Gateway is the version of services that name none.
	Gateway string
	// Look is how often the health of what was upgraded is looked at; 2 seconds by default.
	Look time.Duration
	// NotReady is how long a machine may be out of service before that is an illness; 2 minutes by default.
	NotReady time.Duration
	// Has says whether a version of the gateway is installed; nil means that every one is.
	Has func(version string) bool
}

// A Runner carries rollouts on. There is one at a time.
type Runner struct {
	st  store.Store
	obs Observer
	log *slog.Logger
	opt Options

	roster roster // of Run alone

	mu   sync.Mutex // guards below
	seen callers    // what they saw
}

// New makes a Runner; Run starts it.
func New(st store.Store, obs Observer, log *slog.Logger, opt Options) *Runner {
	if opt.Clock == nil {
		opt.Clock = pace.New(pace.Instant())
	}
	if opt.Look == 0 {
		opt.Look = 2 * time.Second
	}
	if opt.NotReady == 0 {
		opt.NotReady = 2 * time.Minute
	}
	if opt.Has == nil {
		opt.Has = func(string) bool { return true }
	}
	return &Runner{st: st, obs: obs, log: log, opt: opt}
}

// Run works until ctx ends, and returns nil then.
func (x *Runner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		begin := time.Now()
		next, err := x.turn(ctx)
		next.took = time.Since(begin)
		if err != nil && !errors.Is(err, errChanged) && ctx.Err() == nil {
			x.log.WarnContext(ctx, "rollout will be looked at again", slog.Any("error", err))
			next.active, next.looks = true, true
		}
		if err == nil || !errors.Is(err, errChanged) {
			x.wait(ctx, next)
		}
		const least = 20 * time.Millisecond
		rest := time.NewTimer(max(least, next.took))
		select {
		case <-ctx.Done():
		case <-rest.C:
		}
		rest.Stop()
	}
	return nil
}

// A pause is what the next turn waits for.
type pause struct {
	seq    int64     // of the state that was looked at
	active bool      // a rollout goes on
	looks  bool      // it looks at machines now and then
	until  time.Time // platform time; zero for never
	// took is how long the turn took: with many services, looking must not be all that is done.
	took time.Duration
}

// wait returns when something has changed that concerns rollouts, at the time of the pause, or when it is time to look
// at machines again.
func (x *Runner) wait(ctx context.Context, p pause) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := markEvery // what callers see is remembered without a rollout too
	if p.looks {
		const seldom = 20
		next = max(x.opt.Look, seldom*p.took)
	}
	timer := time.AfterFunc(next, cancel)
	defer timer.Stop()
	if !p.until.IsZero() {
		defer x.opt.Clock.AfterFunc(p.until, cancel)()
	}
	for seq := p.seq; ; {
		if _, err := x.st.Wait(ctx, seq); err != nil {
			return
		}
		changes, reset, err := x.st.Changes(ctx, seq, 0)
		if err != nil || reset || len(changes) == 0 {
			return
		}
		for _, c := range changes {
			seq = c.Seq
			if c.Type == typeRollout || p.active && (c.Type == typeService || c.Type == typeWindow) {
				return
			}
		}
	}
}

// turn takes one step: read, look, decide, commit.
func (x *Runner) turn(ctx context.Context) (p pause, err error) {
	counted := x.count(ctx)
	var rec *record
	w := world{now: x.opt.Clock.Now(), reason: func(string) string { return "" }}
	reasons := map[string]string{}
	var changes []store.Change
	reset := false
	if x.roster.number != 0 {
		if changes, reset, err = x.st.Changes(ctx, x.roster.seq, 0); err != nil {
			return p, err
		}
	}
	err = x.st.View(ctx, func(r store.Reader) error {
		p.seq = r.Seq()
		var err error
		if rec, err = newest(r); err != nil || rec == nil || rec.State.ended() {
			x.roster = roster{}
			return err
		}
		if err := x.roster.update(r, rec.Number, x.opt.Gateway, changes, reset); err != nil {
			return err
		}
		p.seq, w.services = x.roster.seq, x.roster.all()
		for _, m := range x.roster.members {
			if m.Place == Upgrading {
				reasons[m.Operation] = reasonOf(r, m.Operation)
			}
		}
		return nil
	})
	if err != nil || rec == nil || rec.State.ended() {
		return p, err
	}
	w.rollout, w.reason = rec.Rollout, func(operation string) string { return reasons[operation] }
	if p.looks = rec.State == Running || rec.State == Paused; p.looks {
		w.ill = x.look(ctx, rec.Rollout, w.services)
	}
	if w.ill == nil && p.looks && !rec.IgnoreErrors {
		w.ill = judge(rec.sights(w.services, counted, failpoint.Now()))
	}
	d := decide(w)
	for i := range d.start {
		if s := &d.start[i]; s.member.Place == Upgrading {
			s.member.saw(counted, s.service, failpoint.Now())
		}
	}
	p.active, p.until = true, d.until
	return p, x.commit(ctx, rec, d)
}

// count is what machines have answered so far.
func (x *Runner) count(ctx context.Context) map[crew]tally {
	all, err := x.obs.Answers(ctx)
	if err != nil && ctx.Err() == nil {
		x.log.WarnContext(ctx, "what callers see is not known", slog.Any("error", err))
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen.note(failpoint.Now(), all)
	return x.seen.tallies()
}

func (x *Runner) tallies() map[crew]tally {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.tallies()
}

// commit makes a decision true, in one transaction, if the rollout is still what was read.
func (x *Runner) commit(ctx context.Context, rec *record, d decision) error {
	failpoint.Hit("rollout.commit.before")
	_, err := x.st.Update(ctx, func(tx store.Tx) error {
		stored, err := tx.Get(rolloutID(rec.Number))
		switch {
		case err != nil:
			return err
		case stored.Seq != rec.seq:
			return errChanged
		}
		for _, m := range d.members {
			if err := x.note(tx, rec.Rollout, m); err != nil {
				return err
			}
		}
		for _, s := range d.start {
			if err := x.start(tx, d.next, s); err != nil {
				return err
			}
		}
		return put(tx, stored.ID, typeRollout, d.next)
	})
	if err != nil {
		return fmt.Errorf("commit rollout %d: %w", rec.Number, err)
	}
	failpoint.Hit("rollout.commit.after")
	x.tell(ctx, rec.Rollout, d)
	return nil
}

// tell logs what a decision has changed.
func (x *Runner) tell(ctx context.Context, was Rollout, d decision) {
	log := x.log.With(slog.Int("rollout", was.Number), slog.String("version", was.Version))
	for _, s := range d.start {
		log.InfoContext(ctx, "service moves", slog.String("service", s.member.Service), slog.String("to", s.to))
	}
	switch {
	case was.State != d.next.State && (d.next.State == Halted || d.next.State == RollingBack):
		log.WarnContext(ctx, "rollout halted", slog.String("state", string(d.next.State)), slog.String("service", d.next.Service), slog.String("reason", d.next.Reason))
	case was.State != d.next.State || was.Stage != d.next.Stage:
		log.InfoContext(ctx, "rollout goes on", slog.String("state", string(d.next.State)), slog.Int("stage", d.next.Stage))
	}
}

// note writes where a service is now, and tells its owner of what is planned.
func (x *Runner) note(tx store.Tx, r Rollout, m Member) error {
	if m.Place == Planned {
		step := fmt.Sprintf("maintenance planned: gateway %s, between %s and %s", m.To, m.At.UTC().Format(time.RFC3339), m.Until.UTC().Format(time.RFC3339))
		if err := hosting.Tell(tx, m.Service, x.opt.Clock.Now(), hosting.TimelineStep{Step: step}); err != nil {
			return err
		}
	}
	return putMember(tx, r.Number, m)
}

// start starts the operation that moves a service to a version, as a client could. One that has changed since it was read
// and has an operation now is left for later.
func (x *Runner) start(tx store.Tx, r Rollout, s start) error {
	d, err := tx.Get(s.member.Service)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := statusOf(d)
	if err != nil || st.Operation != "" || st.Wish.Gone {
		return err
	}
	now := x.opt.Clock.Now()
	st.Change(func(w platform.Wish) platform.Wish { w.Gateway = s.to; return w })
	st.ProvisioningState, st.TargetProvisioningState = "Updating", "Updating"
	op := lro.Operation{Kind: kindUpgrade, Target: d.ID, APIVersion: apiVersion, Started: now}
	if takes := st.Takes(); takes > 0 && x.opt.Clock.Timed() && s.member.Place == Upgrading {
		op.NotBefore = now.Add(takes)
	} else {
		op.Begun = failpoint.Now().UTC()
	}
	if op, err = lro.Start(tx, op); err != nil {
		return err
	}
	st.Operation, s.member.Operation = op.Name, op.Name
	if d.Status, err = encode(st); err != nil {
		return err
	}
	if _, err := tx.Put(d); err != nil {
		return err
	}
	step := fmt.Sprintf("scheduled maintenance: gateway %s (rollout %d)", s.to, r.Number)
	if s.member.Place == GoingBack {
		step = fmt.Sprintf("back to gateway %s (rollout %d halted)", s.to, r.Number)
	}
	if err := hosting.Tell(tx, d.ID, now, hosting.TimelineStep{Step: step, Operation: op.Name, Kind: op.Kind}); err != nil {
		return err
	}
	return putMember(tx, r.Number, s.member)
}
