// Package agent is the process that runs gateways on this host: the local fabric. It owns what must outlive any one
// machine and any one control plane – the listening sockets of VIPs, the queues of sets, the processes themselves –
// and decides nothing: it makes true what the control plane lists, and restarts what died.
//
// One agent serves one data folder. It is started by the control plane in a session of its own and goes on without
// it; nothing here ends because a parent ended.
//
//	control plane ──agent.sock──▶ agent ──channel──▶ machines (accept on VIPs, take from their set's intake)
//	                                └────channel──▶ edge (fills intakes)
//
// Everything is level-based. Calls change what is wanted (state.go, vip.go); each process has one goroutine that
// compares what is wanted with what the process last acknowledged (machine.go, edge.go). Start reading at Run.
package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/vnet"
	"github.com/portico-dev/portico/internal/platform"
)

// Kinds of processes that an agent starts.
const (
	KindMachine = wire.KindMachine
	KindEdge    = wire.KindEdge
)

// returnSocket is the name of the socket on which an agent takes processes back that an earlier one started.
const returnSocket = "return.sock"

// Options of an agent.
type Options struct {
	Layout config.Layout
	// VIPHTTP and VIPHTTPS are the ports of every VIP; 0 picks a free one once and keeps it for the folder.
	VIPHTTP, VIPHTTPS int
	// Pool is the range that addresses of VIPs are taken from. By default it is a part of 127.64.0.0/10 that is
	// derived from the folder; on systems whose loopback has one address VIPs are ports of it and Pool is refused.
	Pool netip.Prefix
	// EdgeHTTP and EdgeTLS are the addresses of the edge; port 0 picks a free one once and keeps it for the folder.
	// Empty means 127.0.0.1:0.
	EdgeHTTP, EdgeTLS string
	// Settings are told to whoever asks who the agent is: what it was started with, in its caller's words.
	Settings map[string]string
	// Command is the command line that runs a process of a kind: a machine with a version of the gateway program, the
	// edge with none. The process inherits its channel.
	Command func(kind, version string) ([]string, error)
	// Publish is the unix socket of the control plane that machines are told.
	Publish string
	// Key seals what machines keep on disk.
	Key []byte
	// Version is that of this program, for whoever asks who the agent is.
	Version string
	// CounterKeys is how many rate-limit counters, and as many for quotas, machines make room for in a service.
	CounterKeys int
	// CacheSize is the memory that a machine takes for what policies keep, in bytes.
	CacheSize int64
	// Hardware is the first generation: what machines get whose set names no other.
	Hardware platform.Hardware
	// DrainTimeout is how long a machine may drain before it is killed. 60 s by default.
	DrainTimeout time.Duration
	// QueueTime is how long connections wait for a worker of a pool when there is none. 10 s by default.
	QueueTime time.Duration
	// GapTime is how long connections of a service with machines of its own wait when none of these takes any. 60 s by
	// default.
	GapTime time.Duration
	// HangTime is about how long a machine may leave questions unanswered before it is killed. 15 s by default.
	HangTime time.Duration
	// LogSize bounds the log of one process in bytes; as much again is kept of what was before. 4 MiB by default.
	LogSize int64
	Log     *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Command == nil || o.Layout.Dir == "" {
		return o, errors.New("an agent needs a data folder and commands to run")
	}
	if o.EdgeHTTP == "" {
		o.EdgeHTTP = "127.0.0.1:0"
	}
	if o.EdgeTLS == "" {
		o.EdgeTLS = "127.0.0.1:0"
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = time.Minute
	}
	if o.QueueTime <= 0 {
		o.QueueTime = 10 * time.Second
	}
	if o.GapTime <= 0 {
		o.GapTime = time.Minute
	}
	if o.HangTime <= 0 {
		o.HangTime = 15 * time.Second
	}
	if o.LogSize <= 0 {
		o.LogSize = 4 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// ErrRunning is returned by Run when the folder has an agent already.
var ErrRunning = errors.New("another agent runs on this data folder")

// agent is the state of a running agent.
type agent struct {
	opt   Options
	log   *slog.Logger
	ports ports
	procs *processes
	edge  *edgeKeeper
	wg    sync.WaitGroup // one for each machine's goroutine
	drain chan struct{}  // closed when everything should stop
	done  chan struct{}  // closed when everything has stopped
	boot  string         // of this agent alone
	lock  *os.File       // of the folder
	// returns is the path of the socket on which a later agent takes the processes back.
	returns string
	socket  *wire.Handle // on which calls come

	nets        *vnet.Host
	noNetworks  string       // why there can be none; empty when there can
	networkPool netip.Prefix // of public addresses; the folder's alone
	netMu       sync.Mutex   // held while the kernel's networks are changed; before mu

	launching sync.RWMutex // held while a process is started that is not noted yet
	keeping   keeper       // of what the agent was told

	mu    sync.Mutex // guards below
	sets  map[string]*set
	vips  map[string]*vip
	hosts map[string][]string // host name to the sets that may take its connections, the preferred one first
	// several are the hosts of several sets, with the one that takes their connections now.
	several    map[string]string
	injections map[string]*injection
	down       map[string]bool // zones that are switched off
	// epochs is the newest lease seen, by service in lower case. It is kept for services that are gone: a late call
	// under an old lease must not bring one back.
	epochs   map[string]int64
	stopping bool
	asked    int64         // how often what it was told was to be written down
	notes    []note        // names that are to be written down
	unkept   bool          // something else is, too
	changes  int64         // grows with everything observable
	changed  chan struct{} // closed and replaced when changes grows
}

// Run is the agent's process. It returns when everything has stopped: after a Stop call, or when ctx ends.
func Run(ctx context.Context, opt Options) error {
	opt, err := opt.withDefaults()
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	if err := opt.Layout.Make(); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	lock, err := lockFolder(opt.Layout.AgentLock())
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	defer lock.Close() //nolint:errcheck // the lock goes with the process
	a := newAgent(opt)
	a.lock = lock
	if err := a.open(ctx); err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	return a.run(ctx)
}

func newAgent(opt Options) *agent {
	a := &agent{
		opt:        opt,
		log:        opt.Log,
		procs:      newProcesses(opt.Layout.AgentState()),
		drain:      make(chan struct{}),
		done:       make(chan struct{}),
		sets:       map[string]*set{},
		vips:       map[string]*vip{},
		hosts:      map[string][]string{},
		several:    map[string]string{},
		injections: map[string]*injection{},
		nets:       vnet.NewHost(opt.Layout.Dir),
		epochs:     map[string]int64{},
		changed:    make(chan struct{}),
		down:       map[string]bool{},
		// Callers keep the number across agents: no later one falls behind it.
		changes: failpoint.Now().UnixMicro(),
		boot:    rand.Text(),
	}
	a.edge = newEdgeKeeper(a)
	return a
}

// open takes the addresses that the agent has from the start, and carries on what an agent left that was killed.
func (a *agent) open(ctx context.Context) error {
	var err error
	if a.returns, err = a.opt.Layout.Socket(returnSocket); err != nil {
		return err
	}
	h, err := takeHanded()
	if err != nil {
		return err
	}
	if h == nil {
		h = &handed{}
	}
	a.socket = h.socket
	left, err := a.inherit(ctx, h)
	if err != nil {
		return err
	}
	if left != nil {
		a.edge.listeners = left.files.take(wire.HeldEdge, "")
	}
	if err := a.openPorts(); err != nil {
		return err
	}
	a.claimNetworkPool()
	failpoint.Hit("agent.restore.before")
	if left != nil {
		if err := a.restore(left); err != nil {
			return err
		}
	}
	failpoint.Hit("agent.restore.after")
	return a.listProcesses(left)
}

// listProcesses writes the list of processes anew: those that came back, and the machines that wait for a start.
func (a *agent) listProcesses(left *remains) error {
	var entries []listedProcess
	if left != nil {
		for _, b := range left.back {
			entries = append(entries, b.entry)
		}
	}
	a.mu.Lock()
	for _, s := range a.sets {
		for _, m := range s.machines {
			if m.adopted == nil {
				entries = append(entries, m.entry())
			}
		}
	}
	a.mu.Unlock()
	return a.procs.save(entries)
}

// run serves calls until everything should stop, then stops it.
func (a *agent) run(ctx context.Context) error {
	defer a.edge.closeListeners()
	a.tryKeep(true)
	a.mu.Lock()
	for _, s := range a.sets {
		for _, m := range s.machines {
			a.wg.Go(m.supervise)
		}
	}
	a.mu.Unlock()
	srv, err := a.serve()
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	var loops sync.WaitGroup
	loopCtx, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	loops.Go(func() { a.trimLogs(loopCtx) })
	loops.Go(func() { a.keepCounters(loopCtx) })
	loops.Go(func() { a.watchQueues(loopCtx) })
	edgeDone := make(chan struct{})
	go func() { defer close(edgeDone); a.edge.supervise() }()
	a.log.InfoContext(ctx, "agent ready", slog.Int("pid", os.Getpid()), slog.Any("info", a.info()))

	select {
	case <-ctx.Done():
		a.stop()
	case <-a.drain:
	}
	<-edgeDone // no new connections into intakes before machines drain
	a.retireAll()
	a.wg.Wait()
	stopLoops()
	loops.Wait()
	a.closeAll()
	a.closeNetworks(ctx)
	close(a.done)
	srv.close()
	for _, path := range []string{a.opt.Layout.AgentTold(), a.opt.Layout.AgentState()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("stop agent: %w", err)
		}
	}
	a.log.InfoContext(ctx, "agent stopped")
	return nil
}

// stop begins the end; run carries it out.
func (a *agent) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopping {
		a.stopping = true
		close(a.drain)
		a.bump()
	}
}

// bump tells those who wait that something observable has changed. a.mu is held.
func (a *agent) bump() {
	a.changes++
	close(a.changed)
	a.changed = make(chan struct{})
}

// until waits until done says so, looking again after each change. done is called with a.mu held.
func (a *agent) until(ctx context.Context, done func() bool) error {
	for {
		a.mu.Lock()
		ok, changed := done(), a.changed
		a.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// info says who the agent is and where it serves.
func (a *agent) info() wire.Info {
	i := wire.Info{
		PID:      os.Getpid(),
		Run:      a.boot,
		Version:  a.opt.Version,
		Edge:     wire.Ports{HTTP: a.ports.edgeHTTP, HTTPS: a.ports.edgeTLS},
		Pool:     a.ports.poolText(),
		Settings: a.opt.Settings,
	}
	i.VIPs.HTTP, i.VIPs.HTTPS = a.ports.vipText()
	return i
}

// locked reports that an agent has the folder. It is to be asked only where no agent that is wanted may be about to take
// it: one that tries while this looks gives up.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// lockVariable tells an agent the descriptor of the lock that was taken for it.
const lockVariable = "PORTICO_AGENT_LOCK"

// lockFolder takes the folder for this process. The lock goes with the process, however that ends.
func lockFolder(path string) (*os.File, error) {
	if f := handedLock(path); f != nil {
		return f, nil
	}
	return takeLock(path)
}

// takeLock locks the folder, or returns ErrRunning.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// handedLock is the lock that whoever started this process took for it; nil when there is none. The processes that the
// agent starts do not get it.
func handedLock(path string) *os.File {
	fd, err := strconv.Atoi(os.Getenv(lockVariable))
	if err != nil || os.Unsetenv(lockVariable) != nil {
		return nil
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), path) //nolint:gosec // a number that was handed over
	if f == nil {
		return nil
	}
	have, err := f.Stat()
	want, wantErr := os.Stat(path)
	if err != nil || wantErr != nil || !os.SameFile(have, want) {
		return nil // another folder's
	}
	return f
}
