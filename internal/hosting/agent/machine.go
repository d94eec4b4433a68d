package agent

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

const (
	sendTimeout = 5 * time.Second  // for a process that does not read
	resendEvery = 10 * time.Second // an order that is not acknowledged
	healthyTime = 10 * time.Second // a run of that length ends a row of failures
	unreadyTime = time.Second      // to end in, for a process that never was ready: it has accepted nothing
	backoffMin  = 100 * time.Millisecond
	backoffMax  = 10 * time.Second
)

// machine is a listed machine, or one that is no longer listed and drains. Its goroutine, supervise, owns the process;
// the fields are guarded by agent.mu.
type machine struct {
	a    *agent
	set  *set
	kick chan struct{} // look at the wish again

	spec   platform.Machine
	gone   bool // not listed any more
	fresh  bool // the next start is a first one, not one after a failure
	status platform.MachineStatus
	since  time.Time // status.Since by a clock that nobody sets

	past    platform.Answers // of the processes before this one that ran the same version
	counted string           // the version

	// What the running process was told last and what it last said to hold. At most one order is under way, but for
	// the one to drain, which waits for nothing.
	gen     int64 // of told
	told    wire.Order
	acked   wire.Order
	pending bool // told is not acknowledged
	// maybe lists the VIPs of orders that are not acknowledged: the process may have their descriptors.
	maybe   []string
	leaving bool // this process was asked to drain, which it cannot take back
	unready bool // it was asked before it was ready

	rest     rest
	woken    bool      // its next process is started by a connection
	used     time.Time // when it last had a connection, or began to look; by a clock that nobody sets
	requests int64     // that the process said to have answered

	struck  bool     // the process is to be killed, as by a crash
	adopted *process // that an earlier agent started; taken by run
	hung    bool     // it was killed because it did not answer
	excused bool     // the last run failed for want of something that the host has too little of; supervise's own
}

func newMachine(a *agent, s *set, spec platform.Machine) *machine {
	return &machine{
		since: time.Now(),
		a:     a, set: s, spec: spec, kick: make(chan struct{}, 1), fresh: true,
		status: platform.MachineStatus{
			ID: spec.ID, Phase: platform.Exited, Since: failpoint.Now(),
		},
	}
}

// begin notes that the phase begins now. a.mu is held.
func (m *machine) begin() { m.status.Since, m.since = failpoint.Now(), time.Now() }

// observed is the status as others see it at a time of day. When the clock has been set, Since moves along: whoever compares it with the
// time of day learns how long the phase has lasted, and not how far the clock was set. a.mu is held.
func (m *machine) observed(now time.Time) platform.MachineStatus {
	const clockSet = time.Second // less is the clock being kept right
	since := now.Add(-time.Since(m.since))
	if off := since.Sub(m.status.Since).Abs(); off > clockSet {
		m.status.Since = since
	}
	status := m.status
	status.Mode = m.mode()
	if m.dark() && status.Phase == platform.Exited {
		status.Error = "zone " + m.spec.Zone + " is down"
	}
	return status
}

// aim is what should become of a machine.
type aim int

const (
	aimRun    aim = iota // there should be a process
	aimRest              // there should be none, but the machine is listed
	aimSleep             // there should be none before something comes for it
	aimForget            // there should be nothing
)

func (m *machine) aim() aim {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	return m.aimed()
}

// aimed is aim with a.mu held.
func (m *machine) aimed() aim {
	switch {
	case m.adopted != nil:
		return aimRun // to its end
	case m.gone:
		return aimForget
	case m.spec.Mode == platform.Draining, m.dark():
		return aimRest
	case m.rest == asleep && m.sleepsAfter() > 0:
		return aimSleep
	}
	return aimRun
}

// mayAccept reports that the machine should accept what its set may. a.mu is held.
func (m *machine) mayAccept() bool {
	return !m.gone && !m.leaving && m.rest == awake && m.spec.Mode == platform.Serving && m.status.Phase == platform.Ready
}

// mode is the mode that the process has taken, as far as it said so. a.mu is held.
func (m *machine) mode() platform.Mode {
	switch {
	case m.rest != awake && m.sleepsAfter() > 0: // it takes what comes
		return platform.Serving
	case m.leaving:
		return platform.Draining
	case m.status.Phase != platform.Ready:
		return ""
	case m.acked.Intake:
		return platform.Serving
	}
	return platform.Parked
}

// supervise keeps the machine as it is wanted until nobody wants it.
func (m *machine) supervise() {
	for {
		switch m.aim() {
		case aimForget:
			if m.forget() {
				return
			}
			continue
		case aimRest:
			m.rouse()
			<-m.kick
			continue
		case aimSleep:
			m.slumber()
			continue
		}
		m.rouse()
		asked := m.run()
		pause := m.failed(asked)
		m.list()
		if !asked {
			m.pause(pause)
			m.restarts()
		}
	}
}

// failed counts a run that ended without being asked, and returns how long to wait before the next.
func (m *machine) failed(asked bool) time.Duration {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if asked || m.dark() {
		m.status.Failures = 0
		return 0
	}
	pause := backoff(m.status.Failures)
	if m.excused {
		pause = max(pause, backoffMin)
	} else {
		m.status.Failures++
	}
	m.status.NextStart = failpoint.Now().Add(pause)
	m.a.bump()
	return pause
}

// entry is the machine in the list of processes. a.mu is held.
func (m *machine) entry() listedProcess {
	return listedProcess{
		Kind: KindMachine, Name: m.status.ID, Set: m.set.id,
		Restarts: m.status.Restarts, Failures: m.status.Failures, Error: m.status.Error, Asleep: m.rest == asleep,
	}
}

// list notes that the machine has no process, for the next agent.
func (m *machine) list() {
	m.a.mu.Lock()
	e := m.entry()
	m.a.mu.Unlock()
	if err := m.a.procs.put(e); err != nil {
		m.a.log.Warn("end of machine not noted", slog.String("machine", e.Name), slog.Any("error", err))
	}
}

// lasted takes the failures back: the run under way has gone on for long enough.
func (m *machine) lasted() {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if m.status.Failures > 0 {
		m.status.Failures = 0
		m.a.bump()
	}
}

// restarts counts a restart that is about to happen.
func (m *machine) restarts() {
	restart := m.aim() == aimRun
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	m.status.NextStart = time.Time{}
	if restart {
		m.status.Restarts++
	}
}

// backoff is the pause before the restart after so many failures in a row: none before the first.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(backoffMin<<min(failures-1, 20), backoffMax)
}

// pause waits, unless the machine is no longer wanted.
func (m *machine) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for m.aim() == aimRun {
		select {
		case <-timer.C:
			return
		case <-m.kick:
		}
	}
}

// forget removes the machine. It returns false when the machine was listed again meanwhile.
func (m *machine) forget() bool {
	m.a.procs.remove(listedProcess{Kind: KindMachine, Name: m.status.ID})
	if err := os.RemoveAll(m.a.opt.Layout.MachineCache(m.status.ID)); err != nil {
		m.a.log.Warn("cache of machine not removed", slog.String("machine", m.status.ID), slog.Any("error", err))
	}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if !m.gone {
		return false
	}
	delete(m.set.machines, m.status.ID)
	m.a.dropIfIdle(m.set)
	m.a.look()
	return true
}

// run starts a process and sees it to its end. It returns whether the end was asked for.
func (m *machine) run() (asked bool) {
	p, err := m.process()
	m.excused = exhausted(err)
	if err != nil {
		m.ended(fmt.Sprintf("could not start: %v", err))
		return false
	}
	defer p.close()
	var kill <-chan time.Time
	lasted := time.After(healthyTime)
	resend := time.NewTicker(resendEvery)
	defer resend.Stop()
	health := newPulse(m.a.opt.HangTime)
	defer health.stop()
	again, killed := false, false
	for {
		var look <-chan time.Time
		if after := m.doze(time.Now()); after > 0 {
			look = time.After(after)
		}
		leaving, err := m.send(p, again)
		again = false
		if err != nil {
			m.a.log.Warn("order not sent", slog.String("machine", m.status.ID), slog.Any("error", err))
		}
		if leaving && kill == nil {
			kill = time.After(m.drainTime())
		}
		if m.strike() {
			p.kill()
		}
		select {
		case <-m.kick:
		case <-look:
		case <-resend.C:
			again = true
		case r := <-p.reports:
			m.note(r)
		case <-lasted:
			m.lasted()
		case <-health.due():
			if m.answers() {
				health.ask(p)
			}
		case err := <-health.answer:
			if health.lost(err) {
				m.hang(p, err)
			}
		case <-kill:
			m.a.log.Warn("machine killed: it did not drain in time", slog.String("machine", m.status.ID))
			killed = true
			p.kill()
		case <-p.exited:
			return m.exited(p, killed)
		}
	}
}

// drainTime is how long the process may drain.
func (m *machine) drainTime() time.Duration {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if m.unready {
		return min(unreadyTime, m.a.opt.DrainTimeout)
	}
	return m.a.opt.DrainTimeout
}

// process is the one that an earlier agent started, or a new one.
func (m *machine) process() (*process, error) {
	m.a.mu.Lock()
	p := m.adopted
	m.adopted = nil
	m.a.mu.Unlock()
	if p != nil {
		return p, nil
	}
	return m.start()
}

// exhausted says whether something could not be done because the host has no room, descriptors, memory or processes left
// for it: that is not the machine's failure, and passes.
func exhausted(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN},
		func(lack error) bool { return errors.Is(err, lack) })
}

// start starts the process, notes it, and tells it what it is, in this order: a process that nobody noted is told
// nothing and ends by itself.
func (m *machine) start() (*process, error) {
	a := m.a
	id := m.status.ID
	cache := a.opt.Layout.MachineCache(id)
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	a.mu.Lock()
	entry, version, env, injection := m.entry(), m.spec.Gateway, m.environment(), m.set.injection()
	a.mu.Unlock()
	p, err := a.launch(entry, version, env, injection)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	config := m.config(cache)
	m.gen, m.told, m.acked, m.pending, m.maybe, m.leaving = 0, wire.Order{}, wire.Order{}, false, nil, false
	m.requests, m.woken = 0, false
	// Why it stopped before stays known. Since stays too after a failure: it tells for how long the machine has not
	// been ready, however often it was started meanwhile.
	m.status.PID, m.status.Phase = p.pid, platform.Starting
	if m.fresh {
		m.fresh = false
		m.begin()
	}
	m.status.Gateway, m.status.Refused = "", ""
	m.status.Seq, m.status.Digest, m.status.Active, m.status.Conns, m.status.Load = 0, "", 0, 0, platform.Load{}
	a.bump()
	a.mu.Unlock()
	if err := p.conn.Send(wire.ToMachine{Config: &config, Tie: p.tie}, sendTimeout, a.edge.listeners...); err != nil {
		p.kill()
		<-p.exited
		p.close()
		if errors.Is(err, syscall.EPIPE) {
			err = fmt.Errorf("%w: %s", errEnded, p.end.text)
		}
		return nil, err
	}
	a.log.Info("machine started", slog.String("machine", id), slog.Int("pid", p.pid))
	return p, nil
}

// config is what the process is told first. a.mu is held.
func (m *machine) config(cache string) fabric.MachineConfig {
	c := fabric.MachineConfig{
		Machine: m.spec, Set: m.set.id, Woken: m.woken, Publish: m.a.opt.Publish, Cache: cache, Key: m.a.opt.Key,
		Counters: m.a.opt.Layout.Counters(), Metering: m.a.opt.Layout.Metering(), CounterKeys: m.a.opt.CounterKeys, CacheSize: m.a.opt.CacheSize,
	}
	h := m.hardware()
	c.Cores, c.Memory = cmp.Or(h.Cores, 1), h.Memory // who may use the host is measured by one core
	if w := m.set.wish; w != nil {
		c.Service, c.Location, c.Platform = w.Service, w.Location, w.Platform
	}
	return c
}

// order is what the process should accept now, with the descriptors for it. a.mu is held.
func (m *machine) order() (wire.Order, []*wire.Handle) {
	if m.leaving || m.gone || m.rest == asleep || m.spec.Mode == platform.Draining {
		return wire.Order{Drain: true}, nil
	}
	o := wire.Order{DNS: m.a.dns(m.set)}
	if !m.mayAccept() {
		return o, nil
	}
	o.Intake = true
	files := slices.Clone(m.set.intake)
	for _, id := range slices.Sorted(maps.Keys(m.a.vips)) {
		if v := m.a.vips[id]; slices.Contains(v.allow, m.set.id) {
			o.VIPs = append(o.VIPs, id)
			files = append(files, v.files[:]...)
		}
	}
	return o, files
}

func sameOrder(a, b wire.Order) bool {
	return a.Intake == b.Intake && a.Drain == b.Drain && slices.Equal(a.VIPs, b.VIPs) && (a.Drain || slices.Equal(a.DNS, b.DNS))
}

// send tells the process what changed, one order at a time; with again, also what it has not acknowledged. It
// returns whether the process has been asked to drain.
func (m *machine) send(p *process, again bool) (leaving bool, err error) {
	o, files, ok := m.next(again)
	if !ok {
		return o.Drain, nil
	}
	failpoint.Hit("agent.order.before")
	if err := p.conn.Send(wire.ToMachine{Order: &o}, sendTimeout, files...); err != nil {
		// Nothing was sent; a VIP may have been released meanwhile. Whatever changed that also kicks.
		m.a.mu.Lock()
		m.told, m.pending = m.acked, false
		m.a.mu.Unlock()
		return o.Drain, err
	}
	failpoint.Hit("agent.order.after")
	return o.Drain, nil
}

// next is the order to send now, if there is one.
func (m *machine) next(again bool) (o wire.Order, files []*wire.Handle, ok bool) {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	o, files = m.order()
	m.leaving = o.Drain
	switch {
	case m.pending && again:
	case sameOrder(o, m.told), m.pending && !o.Drain:
		return o, nil, false
	}
	if o.Drain && m.rest != asleep && m.status.Phase != platform.Stopping {
		m.unready = m.status.Phase == platform.Starting
		m.status.Phase = platform.Stopping
		m.begin()
		m.a.bump()
	}
	m.gen++
	o.Gen = m.gen
	m.told, m.pending = o, true
	m.maybe = append(m.maybe, o.VIPs...)
	return o, files, true
}

// note takes in what the process says of itself.
func (m *machine) note(r wire.FromMachine) {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	before := m.status
	m.learn(r)
	acked := m.pending && r.Gen == m.gen
	if acked {
		m.acked, m.pending, m.maybe = m.told, false, nil
	}
	if acked || m.status.Phase != before.Phase {
		m.a.look()
		return
	}
	// Load alone is not news, but for the moments when it begins and ends.
	if (before.Active == 0) == (r.Active == 0) {
		before.Active = r.Active
	}
	if (before.Conns == 0) == (r.Conns == 0) {
		before.Conns = r.Conns
	}
	before.Load, before.Answers = r.Load, m.status.Answers
	if before != m.status {
		m.a.bump()
	}
}

// learn makes the status what the process says. a.mu is held.
func (m *machine) learn(r wire.FromMachine) {
	if r.Ready && m.status.Phase == platform.Starting {
		m.status.Phase, m.used = platform.Ready, time.Now()
		m.begin()
	}
	m.status.Seq, m.status.Digest = r.Seq, r.Digest
	m.status.Active, m.status.Conns, m.status.Load = r.Active, r.Conns, r.Load
	if r.Gateway != "" && r.Gateway != m.counted { // another version counts anew
		m.past, m.counted = platform.Answers{}, r.Gateway
	}
	m.status.Answers = m.past.Plus(r.Answers)
	if r.Requests != m.requests {
		m.requests, m.used = r.Requests, time.Now()
	}
	m.status.Gateway, m.status.Refused = r.Gateway, r.Refused
	if r.Ready {
		m.status.Error = ""
	}
	if r.Failed != "" {
		m.status.Error = r.Failed
	}
}

// exited notes the end of a process and returns whether it was asked for.
func (m *machine) exited(p *process, killed bool) (asked bool) {
	m.a.mu.Lock()
	asked = m.leaving
	m.a.mu.Unlock()
	why := p.end.text
	switch {
	case asked && (p.end.clean || p.end.blind && !killed):
		why = ""
	case asked:
		why = "did not drain in time or in order: " + why
	case m.hung:
		why = "hung, and was killed"
	default:
		why = "exited without being asked: " + why
	}
	m.ended(why)
	m.a.log.Info("machine ended", slog.String("machine", m.status.ID), slog.Int("pid", p.pid), slog.String("why", why))
	return asked
}

// ended notes that there is no process, and why.
func (m *machine) ended(why string) {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	m.fresh, m.struck, m.hung = m.leaving, false, false
	m.status.PID, m.status.Active, m.status.Conns, m.status.Load = 0, 0, 0, platform.Load{}
	m.status.Error, m.past = why, m.status.Answers
	if m.rest != asleep {
		if m.status.Phase != platform.Starting {
			m.begin()
		}
		m.rest, m.status.Phase, m.status.Seq, m.status.Digest = awake, platform.Exited, 0, ""
	}
	m.told, m.acked, m.pending, m.maybe, m.leaving = wire.Order{}, wire.Order{}, false, nil, false
	m.a.look()
}
