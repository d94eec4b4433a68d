package platform

import (
	"math"
	"slices"
)

// Hardware is the size that machines are started with, and held to; no cores are those of the host. The zero value is that of the first generation, which
// whoever starts machines knows; every other one is newer.
type Hardware struct {
	Cores  float64 `json:"cores,omitempty"`
	Memory int64   `json:"memory,omitempty"` // bytes
}

// NewerSTv2 is how the wire spells stv2 on newer hardware. It is stv2 in all else: nothing but what is shown knows the
// word.
const NewerSTv2 = "stv2.1"

// Newer says whether the hardware is that of a later generation.
func (h Hardware) Newer() bool { return h != Hardware{} }

// Processors is how many threads of a machine may run at a time; 0: as many as the host lets.
func (h Hardware) Processors() int { return int(math.Ceil(h.Cores)) }

// On is the wish with machines on other hardware. All but stv2 has one generation.
func (w Wish) On(h Hardware) Wish {
	w.Hardware = Hardware{}
	if w.Platform == STv2 {
		w.Hardware = h
	}
	return w
}

// Hardware is what the machines of the set are on; the first generation where they differ.
func (s *Set) Hardware() (h Hardware) {
	for i, m := range s.Machines {
		if i > 0 && m.Hardware != h {
			return Hardware{}
		}
		h = m.Hardware
	}
	return h
}

// Version is the platform version of the set as the wire spells it: it is on newer hardware when all its machines are.
func (s *Set) Version() Version {
	if len(s.Machines) == 0 || slices.ContainsFunc(s.Machines, func(m Machine) bool { return !m.Hardware.Newer() }) {
		return s.Platform
	}
	return NewerSTv2
}
