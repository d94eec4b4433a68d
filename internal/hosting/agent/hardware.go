package agent

import (
	"strconv"

	"github.com/portico-dev/portico/internal/platform"
)

// hardware is what the machine is on. a.mu is held.
func (m *machine) hardware() platform.Hardware {
	if m.spec.Hardware.Newer() {
		return m.spec.Hardware
	}
	return m.a.opt.Hardware
}

// environment bounds the process of a machine to the processors of its hardware, whatever version of the gateway it runs.
// A worker of a pool is many services': what the host has is divided between them inside of it. a.mu is held.
func (m *machine) environment() []string {
	if h := m.hardware(); h.Processors() > 0 && m.set.wish != nil && m.set.wish.Platform != platform.MTv1 {
		return []string{"GOMAXPROCS=" + strconv.Itoa(h.Processors())}
	}
	return nil
}
