package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/platform"
)

// remains is what there is of an earlier agent's work: what it was told, and the processes that came back with what
// they hold.
type remains struct {
	list  *processList
	told  *told
	back  []returned
	ended map[string]ending // of machines, by ID
	files treasury
}

// returned is a process that came back.
type returned struct {
	entry   listedProcess
	process *process
	offer   wire.Offer
}

// treasury is what descriptors there are.
type treasury struct {
	have  map[wire.Held][]*wire.Handle
	spare []*wire.Handle
}

// add keeps what is not there yet.
func (t *treasury) add(keeps []wire.Keep) {
	for _, k := range keeps {
		if len(k.Files) == k.Kind.FDs() && t.have[k.Held] == nil {
			t.have[k.Held] = k.Files
		} else {
			t.spare = append(t.spare, k.Files...)
		}
	}
}

// take gives away the descriptors of something; nil when there are none.
func (t *treasury) take(kind wire.HeldKind, id string) []*wire.Handle {
	h := wire.Held{Kind: kind, ID: id}
	files := t.have[h]
	delete(t.have, h)
	return files
}

// close gives up what nobody took.
func (t *treasury) close() {
	for _, files := range t.have {
		wire.CloseAll(files)
	}
	wire.CloseAll(t.spare)
}

// handed is what this program was handed by the one that it replaced.
type handed struct {
	socket *wire.Handle // of the agent
	keeps  []wire.Keep
}

// close gives up what is not carried on.
func (h *handed) close() {
	for _, k := range h.keeps {
		wire.CloseAll(k.Files)
	}
}

// inherit looks for what an earlier agent left, or this process before its program was replaced. Where that can be
// carried on, it is returned; otherwise it is ended.
func (a *agent) inherit(ctx context.Context, h *handed) (*remains, error) {
	list, err := readProcesses(a.opt.Layout.AgentState())
	if err != nil || list == nil {
		h.close()
		return nil, err
	}
	last, err := readTold(a.opt.Layout.AgentTold())
	if err != nil {
		a.log.WarnContext(ctx, "what an earlier agent was told is not known", slog.Any("error", err))
	}
	if last != nil && last.Boot == bootID() && list.Boot == bootID() {
		a.changes = last.firstChange()
		if sameWhereBoth(last.Settings, a.opt.Settings) {
			r, err := a.collect(ctx, list)
			if err == nil {
				r.told = last
				r.gather(h)
				return r, nil
			}
			if !errors.Is(err, errors.ErrUnsupported) {
				return nil, err
			}
		}
	}
	h.close()
	if err := stopLeftovers(ctx, a.opt.Layout, a.log); err != nil {
		return nil, fmt.Errorf("stop what the last one left: %w", err)
	}
	return nil, nil
}

// gather collects the descriptors that were handed over and those that came back. Those of an intake are taken from a
// machine before the edge: a machine waits for what comes out of it, and the edge can be told of another.
func (r *remains) gather(h *handed) {
	r.files = treasury{have: map[wire.Held][]*wire.Handle{}}
	r.files.add(h.keeps)
	for _, kind := range []string{KindMachine, KindEdge} {
		for _, b := range r.back {
			if b.entry.Kind == kind {
				r.files.add(b.offer.Keeps)
			}
		}
	}
}

// find returns a process that came back; nil when it did not.
func (r *remains) find(kind, name string) *returned {
	for i := range r.back {
		if b := &r.back[i]; b.entry.Kind == kind && b.entry.Name == name {
			return b
		}
	}
	return nil
}

// restore makes the agent know what the one before knew. It starts nothing.
func (a *agent) restore(r *remains) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer r.files.close()
	maps.Copy(a.epochs, r.told.Epochs)
	maps.Copy(a.hosts, r.told.Inventory.Hosts)
	a.restoreInjections(r.told.Injections)
	for _, zone := range r.told.Down {
		a.down[zone] = true
	}
	if err := a.restoreSets(r); err != nil {
		return fmt.Errorf("restore sets: %w", err)
	}
	for _, v := range r.told.Inventory.VIPs {
		a.restoreVIP(v, r)
	}
	a.tidyPlaces()
	for h, sets := range a.hosts {
		if len(sets) > 1 {
			a.several[h] = a.leadsTo(h)
		}
	}
	if b := r.find(KindEdge, KindEdge); b != nil {
		a.edge.adopt(b)
	}
	a.advance()
	return nil
}

// restoreSets makes all sets that anything needs, with their machines. A machine that came back and is not listed is to
// go. a.mu is held.
func (a *agent) restoreSets(r *remains) error {
	ids := map[string]bool{}
	for _, s := range r.told.Inventory.Sets {
		ids[s.ID] = true
	}
	for _, sets := range a.hosts {
		for _, id := range sets {
			ids[id] = true
		}
	}
	for _, b := range r.back {
		ids[b.entry.Set] = true
	}
	delete(ids, "") // of the edge
	for id := range ids {
		if _, err := a.setWith(id, r.files.take(wire.HeldIntake, id)); err != nil {
			return err
		}
	}
	for _, wish := range r.told.Inventory.Sets {
		s := a.sets[wish.ID]
		s.wish = &wish
		for _, spec := range wish.Machines {
			s.machines[spec.ID] = newMachine(a, s, spec)
		}
	}
	for _, b := range r.back {
		if s := a.sets[b.entry.Set]; s != nil && s.machines[b.entry.Name] == nil {
			m := newMachine(a, s, platform.Machine{ID: b.entry.Name, Mode: platform.Draining})
			m.gone = true
			s.machines[b.entry.Name] = m
		}
	}
	for _, s := range a.sets {
		for _, m := range s.machines {
			m.restore(r)
		}
	}
	return nil
}

// restore makes the machine what it was for the agent before. a.mu is held.
func (m *machine) restore(r *remains) {
	i := slices.IndexFunc(r.list.Processes, m.entry().is)
	if i < 0 {
		return // it was never started
	}
	e := r.list.Processes[i]
	m.status.Restarts, m.status.Failures, m.status.Error = e.Restarts, e.Failures, e.Error
	if b := r.find(KindMachine, e.Name); b != nil {
		m.adopt(b)
		return
	}
	if e.Asleep && m.sleepsAfter() > 0 {
		m.rest, m.status.Phase = asleep, platform.Asleep
		return
	}
	if end, ok := r.ended[e.Name]; ok {
		m.status.Error = "ended while no agent ran: " + end.text
	}
	if m.fresh = m.spec.Mode == platform.Draining; !m.fresh {
		m.status.Restarts++ // it is started again
	}
}

// adopt takes over a process that came back. a.mu is held.
func (m *machine) adopt(b *returned) {
	m.adopted, m.fresh = b.process, false
	m.told, m.acked = *b.offer.Order, *b.offer.Order
	m.gen, m.leaving = m.told.Gen, m.told.Drain
	m.status.PID, m.status.Phase = b.process.pid, platform.Starting
	m.learn(*b.offer.Machine)
	if m.leaving {
		m.status.Phase = platform.Stopping
	}
	m.a.log.Info("machine taken back", slog.String("machine", m.status.ID), slog.Int("pid", m.status.PID), slog.String("phase", string(m.status.Phase)))
}

// restoreVIP opens a VIP, by the sockets that came back or anew. a.mu is held.
func (a *agent) restoreVIP(v platform.VIP, r *remains) {
	made := &vip{id: v.ID, address: v.Address, injection: v.Injection, inside: v.Inside, files: r.files.take(wire.HeldVIP, v.ID), want: v.Sets, allow: slices.Clone(v.Sets)}
	if made.files == nil {
		var err error
		if v.Injection != "" {
			err = a.openInside(made, "", nil)
		} else {
			made.files, err = a.ports.openVIP(v.Address)
		}
		if err != nil {
			// The control plane asks for it again, and is told.
			a.log.Error("VIP not opened again", slog.String("vip", v.ID), slog.Any("error", err))
			return
		}
	}
	a.vips[v.ID] = made
	for _, id := range a.acceptingSets(made) {
		if !slices.Contains(made.allow, id) {
			made.allow = append(made.allow, id)
		}
	}
}

// adopt takes over an edge that came back, and notes what it should look at again. a.mu is held.
func (e *edgeKeeper) adopt(b *returned) {
	e.adopted, e.up, e.outdated = b.process, true, b.offer.Version != e.a.opt.Version
	clear(e.sets) // of those, it may know some
	have := treasury{have: map[wire.Held][]*wire.Handle{}}
	have.add(b.offer.Keeps) // still the remains' to close
	for id, s := range e.a.sets {
		e.markQueue(id)
		if !same(have.take(wire.HeldIntake, id), s.intake) {
			e.markSet(id)
		}
	}
	for id := range e.a.vips {
		have.take(wire.HeldVIP, id)
		e.markVIP(id) // whose connections it may refuse
	}
	for h := range have.have { // what nothing needs
		switch h.Kind {
		case wire.HeldIntake:
			e.markSet(h.ID)
		case wire.HeldVIP:
			e.markVIP(h.ID)
		case wire.HeldEdge:
		}
	}
	names := map[string]string{}
	for id, hosts := range b.offer.Names {
		for _, h := range hosts {
			if names[h] = id; e.a.leadsTo(h) != id {
				e.markHost(h)
			}
		}
	}
	for h := range e.a.hosts {
		if names[h] != e.a.leadsTo(h) {
			e.markHost(h)
		}
	}
	e.a.log.Info("edge taken back", slog.Int("pid", b.process.pid))
}

// same reports that descriptors are of the same sockets.
func same(a, b []*wire.Handle) bool {
	return slices.EqualFunc(a, b, func(x, y *wire.Handle) bool { return x.Same(y) })
}

// sameWhereBoth says whether settings agree. One that the agent of another version did not have is no other.
func sameWhereBoth(was, now map[string]string) bool {
	for key, v := range was {
		if have, ok := now[key]; ok && have != v {
			return false
		}
	}
	return true
}
