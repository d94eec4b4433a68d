package agent

import (
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/platform"
)

// A machine of a set that may sleep does so in two steps. First it gives the intake back and is left alone for a moment:
// what it took at the last instant is reported within that time, and what comes meanwhile waits in the intake and has the
// machine take it at once. Only when there was neither is the process asked to drain, of which it has nothing to do. From
// then on the next connection starts a process, which asks the control plane for what is new before it takes anything.
type rest int

const (
	awake rest = iota
	drowsy
	asleep // the process is gone, or asked to go
)

const (
	drowsyTime = time.Second           // longer than a machine takes to report a connection
	drowsyLook = 20 * time.Millisecond // how often what waits is looked for meanwhile
)

// sleepsAfter is after how long without connections the machine goes to sleep; 0 for never. a.mu is held.
func (m *machine) sleepsAfter() time.Duration {
	if m.gone || m.spec.Mode != platform.Serving || m.set.wish == nil {
		return 0
	}
	return m.set.wish.Sleep
}

// doze moves a machine with a process towards sleep, or away from it, and returns after how long to look again; 0 for when
// something happens.
func (m *machine) doze(now time.Time) time.Duration {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	after := m.sleepsAfter()
	switch {
	case m.leaving || m.rest == asleep:
		return 0
	case after == 0 || m.status.Phase != platform.Ready:
		m.used, m.rest = now, awake
		return 0
	case m.status.Conns+m.status.Active > 0, m.rest == drowsy && m.set.waits():
		m.used, m.rest = now, awake
	case m.rest == awake && now.Sub(m.used) >= after:
		m.used, m.rest = now, drowsy
	case m.rest == drowsy && !m.acked.Intake && !m.pending && now.Sub(m.used) >= drowsyTime:
		m.rest, m.status.Phase = asleep, platform.Asleep
		m.begin()
		m.a.look()
		return 0
	}
	if m.rest == drowsy {
		return drowsyLook
	}
	return max(after-now.Sub(m.used), time.Millisecond)
}

// slumber waits until something comes for a machine without a process, or something else is wanted of it. What another
// machine of the set takes does not wake it.
func (m *machine) slumber() {
	var come *arrival
	defer func() { come.close() }()
	for m.aim() == aimSleep {
		var news <-chan struct{}
		if !m.covered() {
			if come == nil {
				var err error
				if come, err = expect(m.set.intake[:2]); err != nil {
					m.a.log.Warn("machine cannot sleep", slog.String("machine", m.status.ID), slog.Any("error", err))
					m.rouse()
					return
				}
			}
			news = come.news
		}
		select {
		case <-m.kick:
		case <-news:
			m.rouse()
			return
		}
	}
}

// covered says whether another machine takes what comes.
func (m *machine) covered() bool {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	return m.a.takes(m.set.id)
}

// rouse ends the sleep: the machine is to have a process, or it is no longer one that sleeps.
func (m *machine) rouse() {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if m.rest != asleep {
		return
	}
	m.rest, m.woken = awake, true
	if m.aimed() != aimRun {
		m.woken = false
		m.status.Phase = platform.Exited
		m.begin()
		m.a.bump()
	}
}

// waits says whether a connection waits in the intake.
func (s *set) waits() bool { return anyReadable(s.intake[:2]) }

// waits says whether a connection waits that no machine has accepted.
func (v *vip) waits() bool { return anyReadable(v.files) }

func anyReadable(queues []*wire.Handle) bool {
	for _, h := range queues {
		ready := false
		if err := h.Use(func(fd int) error { ready = readable(fd); return nil }); err == nil && ready {
			return true
		}
	}
	return false
}

func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
	for {
		n, err := unix.Poll(p, 0)
		if err != syscall.EINTR { //nolint:errorlint // of the system call itself
			return err == nil && n > 0
		}
	}
}

// An arrival is told once, when something waits in one of the queues of an intake. Nothing is taken out.
type arrival struct {
	news  chan struct{}
	conns []interface{ Close() error }
	ended []chan struct{}
}

// expect waits for what comes into queues.
func expect(queues []*wire.Handle) (*arrival, error) {
	a := &arrival{news: make(chan struct{}, 1)}
	for _, h := range queues {
		uc, err := h.Packets()
		if err != nil {
			a.close()
			return nil, err
		}
		a.conns = append(a.conns, uc)
		raw, err := uc.SyscallConn()
		if err != nil {
			a.close()
			return nil, err
		}
		ended := make(chan struct{})
		a.ended = append(a.ended, ended)
		go func() {
			defer close(ended)
			if raw.Read(func(fd uintptr) bool { return readable(int(fd)) }) == nil { //nolint:gosec // descriptors are small
				signal(a.news)
			}
		}()
	}
	return a, nil
}

// close stops waiting.
func (a *arrival) close() {
	if a == nil {
		return
	}
	for _, c := range a.conns {
		_ = c.Close()
	}
	for _, ended := range a.ended {
		<-ended
	}
}
