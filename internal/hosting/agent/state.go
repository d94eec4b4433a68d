package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Bounds of what one agent holds.
const (
	maxMachines = 1000
	maxHosts    = 100_000
)

// nameTime is how long Name waits for the edge to know a name before it returns all the same.
const nameTime = 2 * time.Second

// set is what the agent holds for one set ID. It lives while machines, names or a wish need it.
type set struct {
	id       string
	wish     *platform.Set // nil: not listed
	machines map[string]*machine
	// intake is a queue for plain and one for TLS: receiving ends, then sending ends. All stay open here, so that
	// nothing in it is lost when machines or the edge die.
	intake []*wire.Handle
	queue
}

// setFor returns the set of an ID and makes it if there is none. a.mu is held.
func (a *agent) setFor(id string) (*set, error) {
	if s := a.sets[id]; s != nil {
		return s, nil
	}
	return a.setWith(id, nil)
}

// setWith makes a set with an intake, a new one when there is none. a.mu is held.
func (a *agent) setWith(id string, intake []*wire.Handle) (*set, error) {
	if intake == nil {
		var err error
		if intake, err = newIntake(); err != nil {
			return nil, err
		}
	}
	s := &set{id: id, machines: map[string]*machine{}, intake: intake}
	a.sets[id] = s
	a.edge.markSet(id)
	return s, nil
}

// injection is the ID of the place in a virtual network that the machines are in; empty for none.
func (s *set) injection() string {
	if s.wish == nil || s.wish.Injection == nil {
		return ""
	}
	return s.wish.Injection.ID
}

func newIntake() ([]*wire.Handle, error) {
	send, recv, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	sendTLS, recvTLS, err := wire.Pair()
	if err != nil {
		wire.CloseAll([]*wire.Handle{send, recv})
		return nil, err
	}
	return []*wire.Handle{recv, recvTLS, send, sendTLS}, nil
}

func (s *set) close() { wire.CloseAll(s.intake) }

// dropIfIdle forgets a set that nothing needs any more. a.mu is held.
func (a *agent) dropIfIdle(s *set) {
	if s.wish != nil || len(s.machines) > 0 || a.sets[s.id] != s {
		return
	}
	for _, to := range a.hosts {
		if slices.Contains(to, s.id) {
			return
		}
	}
	delete(a.sets, s.id)
	s.close()
	a.edge.markSet(s.id)
}

var errStopping = &wire.Error{Code: wire.CodeStopping, Message: "the agent is stopping"}

// admit refuses calls under an old lease and calls to an agent that stops. a.mu is held.
func (a *agent) admit(l fabric.Lease) error {
	if a.stopping {
		return errStopping
	}
	key := strings.ToLower(l.Service)
	if newest := a.epochs[key]; l.Epoch < newest {
		return &wire.Error{
			Code:    wire.CodeStaleLease,
			Message: fmt.Sprintf("epoch %d of service %q: %v, %d", l.Epoch, l.Service, fabric.ErrStaleLease, newest),
		}
	}
	a.epochs[key] = l.Epoch
	return nil
}

func invalid(format string, args ...any) error {
	return &wire.Error{Code: wire.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

func checkSet(s platform.Set) error {
	if s.ID == "" {
		return invalid("a set needs an ID")
	}
	seen := map[string]bool{}
	for _, m := range s.Machines {
		switch {
		case m.ID == "" || len(m.ID) > 256:
			return invalid("set %s: machine IDs have 1 to 256 characters", s.ID)
		case seen[m.ID]:
			return invalid("set %s: machine %s is listed twice", s.ID, m.ID)
		case m.Mode != platform.Parked && m.Mode != platform.Serving && m.Mode != platform.Draining:
			return invalid("machine %s: mode %q is none of parked, serving, draining", m.ID, m.Mode)
		}
		seen[m.ID] = true
	}
	return nil
}

// apply makes s the list of a set's machines.
func (a *agent) apply(l fabric.Lease, s platform.Set) error {
	if err := checkSet(s); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.admit(l); err != nil {
		return err
	}
	if err := a.checkMachines(s); err != nil {
		return err
	}
	have, err := a.setFor(s.ID)
	if err != nil {
		return err
	}
	s.Machines = slices.Clone(s.Machines)
	have.wish = &s
	listed := map[string]bool{}
	for _, spec := range s.Machines {
		listed[spec.ID] = true
		if m := have.machines[spec.ID]; m != nil {
			m.spec, m.gone = spec, false
			continue
		}
		m := newMachine(a, have, spec)
		have.machines[spec.ID] = m
		a.wg.Go(m.supervise)
	}
	for id, m := range have.machines {
		if !listed[id] {
			m.gone = true
		}
	}
	a.look()
	return nil
}

// checkMachines refuses a machine that another set has, and more machines than the agent takes. a.mu is held.
func (a *agent) checkMachines(s platform.Set) error {
	total := len(s.Machines)
	for id, other := range a.sets {
		if id == s.ID {
			continue
		}
		total += len(other.machines)
		for _, m := range s.Machines {
			if other.machines[m.ID] != nil {
				return invalid("machine %s belongs to set %s", m.ID, id)
			}
		}
	}
	if total > maxMachines {
		return invalid("%d machines are more than the %d that one agent runs", total, maxMachines)
	}
	return nil
}

// deleteSet retires all machines of a set. Its names go at once, the rest when the last machine has exited.
func (a *agent) deleteSet(l fabric.Lease, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.admit(l); err != nil {
		return err
	}
	s := a.sets[id]
	if s == nil {
		return nil
	}
	a.retire(s)
	for host, to := range a.hosts {
		if slices.Contains(to, id) {
			a.pointHost(host, slices.DeleteFunc(slices.Clone(to), func(s string) bool { return s == id }))
		}
	}
	a.dropIfIdle(s)
	a.look()
	return nil
}

// retire lets a set's machines drain and go. a.mu is held.
func (a *agent) retire(s *set) {
	s.wish = nil
	for _, m := range s.machines {
		m.gone = true
	}
}

// retireAll lets everything drain and go.
func (a *agent) retireAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		a.retire(s)
	}
	a.look()
}

// closeAll closes what is left when no process is.
func (a *agent) closeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, s := range a.sets {
		s.close()
		delete(a.sets, id)
	}
	for id, v := range a.vips {
		v.close()
		delete(a.vips, id)
	}
}

// look makes every machine's goroutine and the edge's compare wish and truth again. a.mu is held.
func (a *agent) look() {
	a.advance()
	a.failOver()
	a.reopen()
	for _, s := range a.sets {
		for _, m := range s.machines {
			signal(m.kick)
		}
	}
	signal(a.edge.kick)
	a.bump()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// name points hosts at sets. It returns when the edge knows, or after nameTime when the edge is away: the wish is
// kept and the edge is told when it is back.
func (a *agent) name(ctx context.Context, l fabric.Lease, n fabric.Names) error {
	a.mu.Lock()
	rev, err := a.setNames(l, n)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	_ = a.until(ctx, func() bool { return a.edge.known >= rev })
	return nil
}

// setNames records names and returns the revision of the edge's table that has them. a.mu is held.
func (a *agent) setNames(l fabric.Lease, n fabric.Names) (int64, error) {
	if err := a.admit(l); err != nil {
		return 0, err
	}
	if len(a.hosts)+len(n.Hosts) > maxHosts {
		return 0, invalid("more than %d host names", maxHosts)
	}
	for _, h := range n.Hosts {
		if h == "" || len(h) > 253 || strings.ContainsAny(h, "/:@ ") {
			return 0, invalid("host name %q is not one", h)
		}
	}
	for _, id := range n.Sets {
		if _, err := a.setFor(id); err != nil {
			return 0, err
		}
	}
	left := map[string]bool{}
	for _, h := range n.Hosts {
		h = strings.ToLower(h)
		for _, id := range a.hosts[h] {
			left[id] = true
		}
		a.pointHost(h, n.Sets)
	}
	for id := range left {
		if s := a.sets[id]; s != nil {
			a.dropIfIdle(s)
		}
	}
	a.look()
	a.notes = append(a.notes, note{l, n, a.changes})
	return a.edge.rev, nil
}

// observe reports machines of the listed sets, of all when none is listed, and every VIP's route.
func (a *agent) observe(sets []string) platform.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := platform.Observation{Boot: a.boot, At: failpoint.Now(), Machines: map[string]platform.MachineStatus{}, VIPs: map[string][]string{}, Down: a.downZones()}
	for id, s := range a.sets {
		if len(sets) > 0 && !slices.Contains(sets, id) {
			continue
		}
		for mid, m := range s.machines {
			o.Machines[mid] = m.observed(o.At)
		}
	}
	for id, v := range a.vips {
		o.VIPs[id] = a.acceptingSets(v)
	}
	return o
}

// inventory lists all that the agent was asked for.
func (a *agent) inventory() fabric.Inventory {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listAll()
}

// listAll is the inventory, in the order of IDs. a.mu is held.
func (a *agent) listAll() fabric.Inventory {
	inv := fabric.Inventory{Sets: []platform.Set{}, VIPs: []platform.VIP{}, Hosts: maps.Clone(a.hosts)}
	for _, id := range slices.Sorted(maps.Keys(a.sets)) {
		if s := a.sets[id]; s.wish != nil {
			w := *s.wish
			w.Machines = slices.Clone(w.Machines)
			inv.Sets = append(inv.Sets, w)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.vips)) {
		v := a.vips[id]
		inv.VIPs = append(inv.VIPs, platform.VIP{ID: id, Address: v.address, Sets: slices.Clone(v.want), Injection: v.injection, Inside: v.inside})
	}
	for _, in := range a.listInjections() {
		inv.Attachments = append(inv.Attachments, in.Attachment)
	}
	return inv
}

// wait returns the number of changes as soon as it is above after, and when ctx or its own time ends.
func (a *agent) wait(ctx context.Context, after int64) int64 {
	ctx, cancel := context.WithTimeout(ctx, wire.PollTime)
	defer cancel()
	var now int64
	_ = a.until(ctx, func() bool { now = a.changes; return now > after })
	return now
}
