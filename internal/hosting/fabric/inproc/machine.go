package inproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// A machine is one goroutine that supervises and, while it is ready, one HTTP server. f.mu guards its fields.
type machine struct {
	f      *Fabric
	set    *set
	config fabric.MachineConfig
	spec   platform.Machine
	gone   bool // no longer listed
	status platform.MachineStatus
	cancel context.CancelFunc // ends the run: Start, or serving by a crash
	kick   chan struct{}      // spec or gone may have changed

	server    *http.Server
	serving   atomic.Bool    // connections are kept alive
	accepting sync.WaitGroup // accept loops
	listeners map[string]net.Listener
}

// launch lists a new machine. f.mu is held.
func (f *Fabric) launch(s *set, spec platform.Machine) {
	m := &machine{
		f: f, set: s, spec: spec, kick: make(chan struct{}, 1), listeners: map[string]net.Listener{},
		config: fabric.MachineConfig{Machine: spec, Set: s.spec.ID, Service: s.spec.Service, Location: s.spec.Location, Platform: s.spec.Platform},
		status: platform.MachineStatus{ID: spec.ID, Phase: platform.Starting, Since: time.Now(), Gateway: spec.Gateway},
	}
	s.machines[spec.ID] = m
	f.wg.Go(m.supervise)
}

// unwanted says that the machine should not run. f.mu is held.
func (m *machine) unwanted() bool {
	return m.gone || m.spec.Mode == platform.Draining || m.f.ctx.Err() != nil
}

// supervise runs the machine again and again until it is no longer listed.
func (m *machine) supervise() {
	for !m.forgotten() {
		if m.resting() {
			select {
			case <-m.kick:
			case <-m.f.ctx.Done():
			}
			continue
		}
		started := time.Now()
		m.run()
		m.sleep(m.failed(time.Since(started) > time.Second))
	}
}

// failed counts a run that ended without being asked, as the first in a row if it lasted, and returns how long to wait
// before the next.
func (m *machine) failed(lasted bool) time.Duration {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if lasted || m.unwanted() {
		m.status.Failures = 0
	}
	if m.unwanted() {
		return 0
	}
	pause := min(m.f.opt.Backoff<<min(m.status.Failures, 20), 100*m.f.opt.Backoff)
	m.status.Failures++
	m.status.NextStart = time.Now().Add(pause)
	m.f.bump()
	return pause
}

// forgotten removes a machine that is no longer listed.
func (m *machine) forgotten() bool {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if !m.gone && m.f.ctx.Err() == nil {
		return false
	}
	delete(m.set.machines, m.spec.ID)
	if id := m.set.spec.ID; !m.set.listed && len(m.set.machines) == 0 && m.f.sets[id] == m.set {
		delete(m.f.sets, id)
	}
	m.f.bump()
	return true
}

// resting says that the machine is listed and should not run: it has drained.
func (m *machine) resting() bool {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if !m.unwanted() {
		return false
	}
	m.phase(platform.Exited)
	return !m.gone && m.f.ctx.Err() == nil
}

// sleep pauses before a restart; a machine that is not wanted any more does not.
func (m *machine) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		m.f.mu.Lock()
		unwanted := m.unwanted()
		m.f.mu.Unlock()
		if unwanted {
			return
		}
		select {
		case <-t.C:
			return
		case <-m.kick:
		case <-m.f.ctx.Done():
		}
	}
}

// run is one life of the machine.
func (m *machine) run() {
	ctx, cancel := context.WithCancel(m.f.ctx)
	defer cancel()
	m.f.mu.Lock()
	if m.unwanted() {
		m.f.mu.Unlock()
		return
	}
	m.cancel, m.status.NextStart = cancel, time.Time{}
	m.phase(platform.Starting)
	m.f.mu.Unlock()
	if m.f.opt.Start != nil {
		stop := m.cancelWhenUnwanted(ctx, cancel)
		err := m.f.opt.Start(ctx, m.config)
		stop()
		if err != nil || ctx.Err() != nil {
			m.died(err)
			return
		}
	}
	m.serve(ctx)
}

// cancelWhenUnwanted ends a start that nobody waits for. stop ends the watch.
func (m *machine) cancelWhenUnwanted(ctx context.Context, cancel context.CancelFunc) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-m.kick:
			}
			m.f.mu.Lock()
			unwanted := m.unwanted()
			m.f.mu.Unlock()
			if unwanted {
				cancel()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// serve is the machine from its readiness to its end, by crash or drained.
func (m *machine) serve(crash context.Context) {
	handler, open := m.f.opt.Handler(m.config), newConns()
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: open.state, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !m.serving.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})}
	m.f.mu.Lock()
	m.server = server
	m.phase(platform.Ready)
	m.f.look()
	m.f.mu.Unlock()
	for crash.Err() == nil {
		m.f.mu.Lock()
		unwanted := m.unwanted()
		m.f.mu.Unlock()
		if unwanted {
			break
		}
		select {
		case <-crash.Done():
		case <-m.kick:
		}
	}
	m.end(crash, server, open)
}

// end drains the server, or closes it when the machine has crashed.
func (m *machine) end(crash context.Context, server *http.Server, open *conns) {
	m.f.mu.Lock()
	for id := range m.listeners {
		m.unlisten(id)
	}
	m.server = nil
	m.phase(platform.Stopping)
	m.f.look()
	m.f.mu.Unlock()
	if crash.Err() == nil {
		m.accepting.Wait() // a connection is counted before the loop that accepted it ends
		ctx, cancel := context.WithTimeout(crash, m.f.opt.Drain)
		open.wait(ctx)
		cancel()
	}
	_ = server.Close()
	m.accepting.Wait()
	m.died(nil)
}

// died records the end of a life.
func (m *machine) died(err error) {
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	m.status.Error = ""
	if err != nil {
		m.status.Error = err.Error()
	}
	m.status.Restarts++
	m.phase(platform.Exited)
}

// kill ends a life at once. f.mu is held.
func (m *machine) kill() {
	for id := range m.listeners {
		m.unlisten(id)
	}
	_ = m.server.Close()
	m.cancel()
}

// phase records what the machine is doing. f.mu is held.
func (m *machine) phase(p platform.Phase) {
	if m.status.Phase != p {
		m.status.Phase, m.status.Since = p, time.Now()
		m.f.bump()
	}
}

// observed is the machine as seen from outside. f.mu is held.
func (m *machine) observed() platform.MachineStatus {
	s := m.status
	s.Mode = platform.Parked
	if m.spec.Mode == platform.Serving && s.Phase == platform.Ready {
		s.Mode = platform.Serving
	}
	if s.Phase == platform.Stopping || m.spec.Mode == platform.Draining {
		s.Mode = platform.Draining
	}
	if m.f.opt.Seq != nil && s.Phase == platform.Ready {
		s.Seq = m.f.opt.Seq(m.config)
	}
	if m.f.opt.Report != nil {
		m.f.opt.Report(m.config, &s)
	}
	return s
}

// look makes every machine accept where it should. The machines of new sets start to accept before those of old ones
// stop, and these stop only once there is another. f.mu is held.
func (f *Fabric) look() {
	for _, v := range f.vips {
		v.reached = len(v.want) == 0
		for _, id := range v.want {
			if s := f.sets[id]; s != nil {
				v.reached = s.listen(v) || v.reached
			}
		}
	}
	for id, s := range f.sets {
		for _, m := range s.machines {
			m.serving.Store(m.spec.Mode == platform.Serving && !m.gone)
			for vid := range m.listeners {
				if v := f.vips[vid]; !m.mayAccept() || v.reached && !slices.Contains(v.want, id) {
					m.unlisten(vid)
				}
			}
		}
	}
	f.bump()
}

// listen lets the machines of a set accept that may, and says whether one does. f.mu is held.
func (s *set) listen(v *vip) (accepts bool) {
	for _, m := range s.machines {
		if m.mayAccept() {
			m.listen(v)
			accepts = accepts || m.listeners[v.id] != nil
		}
	}
	return accepts
}

// tell has the machines of a set look at what is wanted of them. f.mu is held.
func (s *set) tell() {
	for _, m := range s.machines {
		select {
		case m.kick <- struct{}{}:
		default:
		}
	}
}

// mayAccept says whether the machine accepts if a route leads to it. f.mu is held.
func (m *machine) mayAccept() bool {
	return !m.unwanted() && m.spec.Mode == platform.Serving && m.status.Phase == platform.Ready && m.server != nil
}

// listen lets the machine accept from the queue of a VIP. f.mu is held.
func (m *machine) listen(v *vip) {
	if m.listeners[v.id] != nil {
		return
	}
	l, err := duplicate(v.listener)
	if err != nil {
		m.status.Error = err.Error()
		return
	}
	m.listeners[v.id] = l
	server := m.server
	m.accepting.Go(func() { _ = server.Serve(l) })
}

// duplicate makes a second listener of the same queue. TCPListener.File would do, but net.FileListener of its result
// makes the socket blocking for a moment, for all its duplicates.
func duplicate(l *net.TCPListener) (net.Listener, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("duplicate listener: %w", err)
	}
	dup := -1
	var dupErr error
	if err := raw.Control(func(fd uintptr) { dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || dupErr != nil {
		return nil, fmt.Errorf("duplicate listener: %w", errors.Join(err, dupErr))
	}
	file := os.NewFile(uintptr(dup), "listener")
	defer file.Close() //nolint:errcheck // the listener has its own descriptor
	made, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("duplicate listener: %w", err)
	}
	return made, nil
}

// unlisten ends accepting from a VIP. f.mu is held.
func (m *machine) unlisten(vipID string) {
	if l := m.listeners[vipID]; l != nil {
		_ = l.Close()
		delete(m.listeners, vipID)
	}
}
