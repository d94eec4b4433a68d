package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// maxZones bounds the zones that are switched off; more than a host is divided into by anyone.
const maxZones = 100

// killMachine ends a machine as a crash does. Nothing else is told: the rest of the platform has to find out.
func (a *agent) killMachine(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sets {
		if m := s.machines[id]; m != nil && m.status.PID != 0 {
			m.struck = true
			a.log.Warn("machine killed by an operator", slog.String("machine", id))
			signal(m.kick)
			return nil
		}
	}
	return &wire.Error{Code: wire.CodeNoMachine, Message: fmt.Sprintf("no process runs of machine %q", id)}
}

// switchZone cuts the power of a zone or turns it on.
func (a *agent) switchZone(zone string, on bool) error {
	if zone == "" || len(zone) > 64 {
		return invalid("a zone has 1 to 64 characters")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.down[zone] == !on:
		return nil
	case !on && len(a.down) >= maxZones:
		return invalid("more than %d zones are down", maxZones)
	case on:
		delete(a.down, zone)
		a.lightUp(zone)
	default:
		a.down[zone] = true
	}
	a.log.Warn("zone switched by an operator", slog.String("zone", zone), slog.Bool("on", on))
	a.look()
	return nil
}

// lightUp lets the machines of a zone begin anew: what they were before they lost their power says nothing of how well
// they start. a.mu is held.
func (a *agent) lightUp(zone string) {
	for _, s := range a.sets {
		for _, m := range s.machines {
			if m.spec.Zone == zone {
				m.fresh = true
				m.begin()
			}
		}
	}
}

// downZones lists the zones that are switched off. a.mu is held.
func (a *agent) downZones() []string { return slices.Sorted(maps.Keys(a.down)) }

// dark says whether the machine is in a zone that is switched off. a.mu is held.
func (m *machine) dark() bool { return m.a.down[m.spec.Zone] }

// strike says whether the process is to be killed now.
func (m *machine) strike() bool {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	return m.struck || m.dark()
}
