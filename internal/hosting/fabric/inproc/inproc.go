// Package inproc is a fabric without processes, for tests: machines are goroutines that serve HTTP on real listeners of
// the loopback address, and die, refuse to start or start slowly when a test asks for it.
//
// Addresses of VIPs are made up; DialContext leads to them. As with processes, the machines of a VIP share one kernel
// queue, so that connections wait there while nobody accepts. All are one process: their hardware bounds nothing.
package inproc

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Options of a Fabric. The zero value runs machines that are ready at once and answer with their ID.
type Options struct {
	// Handler makes what a machine does with requests.
	Handler func(fabric.MachineConfig) http.Handler
	// Start runs before a machine is ready, each time it starts. It may take its time; when it returns an error the
	// machine has exited and is started again, with back-off. ctx ends when the machine is no longer wanted.
	Start func(ctx context.Context, m fabric.MachineConfig) error
	// Seq is what ready machines report to serve; call Changed when it grows.
	Seq func(fabric.MachineConfig) int64
	// Report may change what is observed of a machine.
	Report func(fabric.MachineConfig, *platform.MachineStatus)
	// Call runs before each method that changes something, with its name and what it is about; its error is returned.
	Call func(method, id string) error
	// Backoff is the pause before the first restart; it doubles up to 100 times as much. 1 ms by default.
	Backoff time.Duration
	// Drain bounds how long a draining machine finishes requests; 2 s by default.
	Drain time.Duration
}

// Fabric implements fabric.Fabric. Close it.
type Fabric struct {
	opt Options
	ctx context.Context //nolint:containedctx // ends the machines, which outlive calls
	end context.CancelFunc
	wg  sync.WaitGroup

	mu       sync.Mutex // guards below
	sets     map[string]*set
	vips     map[string]*vip
	hosts    map[string][]string
	attached map[string]platform.Attachment
	epochs   map[string]int64
	next     int // of addresses
	changes  int64
	changed  chan struct{} // closed and replaced when changes grows
}

type set struct {
	spec     platform.Set
	listed   bool
	machines map[string]*machine
}

type vip struct {
	id, address string
	listener    *net.TCPListener
	want        []string
	reached     bool // a machine of the route accepts, or there is no route; as of the last look
}

var (
	_ fabric.Fabric    = (*Fabric)(nil)
	_ fabric.Networker = (*Fabric)(nil)
)

// New makes a fabric that runs nothing yet.
func New(opt Options) *Fabric {
	if opt.Handler == nil {
		opt.Handler = func(c fabric.MachineConfig) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(c.Machine.ID)) })
		}
	}
	if opt.Backoff <= 0 {
		opt.Backoff = time.Millisecond
	}
	if opt.Drain <= 0 {
		opt.Drain = 2 * time.Second
	}
	f := &Fabric{
		opt: opt, sets: map[string]*set{}, vips: map[string]*vip{}, hosts: map[string][]string{}, attached: map[string]platform.Attachment{},
		epochs: map[string]int64{}, changes: 1, changed: make(chan struct{}),
	}
	f.ctx, f.end = context.WithCancel(context.Background())
	return f
}

// Close kills all machines and closes all addresses.
func (f *Fabric) Close() {
	f.end()
	f.wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.vips {
		_ = v.listener.Close()
	}
}

// Kill ends a machine as a crash does: its connections are cut. It says whether the machine was running.
func (f *Fabric) Kill(machineID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.machine(machineID)
	if m == nil || m.status.Phase != platform.Ready {
		return false
	}
	m.kill()
	return true
}

// machine finds a machine. f.mu is held.
func (f *Fabric) machine(id string) *machine {
	for _, s := range f.sets {
		if m := s.machines[id]; m != nil {
			return m
		}
	}
	return nil
}

// Changed says that something observable is new that the fabric cannot see: what Options.Seq returns.
func (f *Fabric) Changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bump()
}

// bump wakes whoever waits. f.mu is held.
func (f *Fabric) bump() {
	f.changes++
	close(f.changed)
	f.changed = make(chan struct{})
}

// DialContext connects to the address of a VIP, with any port; it fits http.Transport.
func (f *Fabric) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	f.mu.Lock()
	to := ""
	for _, v := range f.vips {
		if v.address == host {
			to = v.listener.Addr().String()
		}
	}
	f.mu.Unlock()
	if to == "" {
		return nil, fmt.Errorf("dial %s: no VIP has this address", host)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", to)
}

// enter admits a call that changes something and locks f.mu.
func (f *Fabric) enter(l fabric.Lease, method, id string) (leave func(), err error) {
	if f.opt.Call != nil {
		if err := f.opt.Call(method, id); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	key := strings.ToLower(l.Service)
	if newest := f.epochs[key]; l.Epoch < newest {
		f.mu.Unlock()
		return nil, fmt.Errorf("%s under epoch %d after %d: %w", method, l.Epoch, newest, fabric.ErrStaleLease)
	}
	f.epochs[key] = l.Epoch
	return f.mu.Unlock, nil
}

// Apply implements fabric.Fabric.
func (f *Fabric) Apply(_ context.Context, l fabric.Lease, s platform.Set) error {
	leave, err := f.enter(l, "apply", s.ID)
	if err != nil {
		return err
	}
	defer leave()
	have := f.sets[s.ID]
	if have == nil {
		have = &set{machines: map[string]*machine{}}
		f.sets[s.ID] = have
	}
	s.Machines = slices.Clone(s.Machines)
	have.spec, have.listed = s, true
	listed := map[string]bool{}
	for _, spec := range s.Machines {
		listed[spec.ID] = true
		if m := have.machines[spec.ID]; m != nil {
			m.spec, m.gone = spec, false
			continue
		}
		f.launch(have, spec)
	}
	for id, m := range have.machines {
		m.gone = m.gone || !listed[id]
	}
	have.tell()
	f.look()
	return nil
}

// Delete implements fabric.Fabric.
func (f *Fabric) Delete(_ context.Context, l fabric.Lease, setID string) error {
	leave, err := f.enter(l, "delete", setID)
	if err != nil {
		return err
	}
	defer leave()
	s := f.sets[setID]
	if s == nil {
		return nil
	}
	s.listed = false
	for _, m := range s.machines {
		m.gone = true
	}
	for host, to := range f.hosts {
		f.point(host, slices.DeleteFunc(slices.Clone(to), func(id string) bool { return id == setID }))
	}
	s.tell()
	f.look()
	return nil
}

// Reserve implements fabric.Fabric.
func (f *Fabric) Reserve(ctx context.Context, l fabric.Lease, v platform.VIP, avoid []string) (string, error) {
	leave, err := f.enter(l, "reserve", v.ID)
	if err != nil {
		return "", err
	}
	defer leave()
	used := map[string]bool{}
	for _, a := range avoid {
		used[a] = true
	}
	for id, have := range f.vips {
		switch {
		case id == v.ID && v.Address != "" && v.Address != have.address:
			return "", fmt.Errorf("VIP %s has the address %s, not %s", v.ID, have.address, v.Address)
		case id == v.ID:
			return have.address, nil
		case v.Address != "" && v.Address == have.address:
			return "", fmt.Errorf("address %s is in use", v.Address)
		}
		used[have.address] = true
	}
	address := cmp.Or(v.Address, v.Wanted)
	if inside, err := f.injected(v); err != nil {
		return "", err
	} else if address == "" {
		address, v.Address = inside, inside
	}
	for address == "" || v.Address == "" && used[address] {
		f.next++
		address = fmt.Sprintf("127.77.%d.%d", f.next/250, f.next%250+1)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("open VIP %s: %w", v.ID, err)
	}
	f.vips[v.ID] = &vip{id: v.ID, address: address, listener: listener.(*net.TCPListener)}
	f.bump()
	return address, nil
}

// Route implements fabric.Fabric.
func (f *Fabric) Route(_ context.Context, l fabric.Lease, v platform.VIP) error {
	leave, err := f.enter(l, "route", v.ID)
	if err != nil {
		return err
	}
	defer leave()
	have := f.vips[v.ID]
	if have == nil {
		return fmt.Errorf("route VIP %s: it is not reserved", v.ID)
	}
	have.want = slices.Clone(v.Sets)
	f.look()
	return nil
}

// Release implements fabric.Fabric.
func (f *Fabric) Release(_ context.Context, l fabric.Lease, vipID string) error {
	leave, err := f.enter(l, "release", vipID)
	if err != nil {
		return err
	}
	defer leave()
	v := f.vips[vipID]
	if v == nil {
		return nil
	}
	v.want = nil
	delete(f.vips, vipID)
	_ = v.listener.Close()
	for _, s := range f.sets {
		for _, m := range s.machines {
			m.unlisten(vipID)
		}
	}
	f.bump()
	return nil
}

// point notes which sets a host leads to. f.mu is held.
func (f *Fabric) point(host string, sets []string) {
	if len(sets) == 0 {
		delete(f.hosts, host)
	} else {
		f.hosts[host] = slices.Clone(sets)
	}
}

// Name implements fabric.Fabric.
func (f *Fabric) Name(_ context.Context, l fabric.Lease, n fabric.Names) error {
	leave, err := f.enter(l, "name", strings.Join(n.Sets, " "))
	if err != nil {
		return err
	}
	defer leave()
	for _, h := range n.Hosts {
		f.point(h, n.Sets)
	}
	f.bump()
	return nil
}
