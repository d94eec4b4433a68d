package platform

import (
	"strings"
	"time"
)

// A Scenario is a way for a service to get from stv1 to stv2, to other zones or another network, or to or from Developer, as
// the cloud service documents it: what it means for the address, for callers there, and for how long what is locked. Here none of them
// has a downtime, other than a change to or from Developer on stv1, in which callers wait.
type Scenario struct {
	// Number is that of the documents; 0 for what they do not count.
	Number int
	Name   string
	// Network is the mode of the virtual network: empty for none; "*" for any.
	Network NetworkMode
	KeepsIP bool
	// Downtime of the gateway there; 0 for none.
	Downtime time.Duration
	// Lock is how long infrastructure cannot be changed: the operation at the pace of the cloud service.
	Lock time.Duration
	// Window says that the old compute is kept there for the coexistence window.
	Window bool

	when func(move) bool
}

// move is what scenarios are told by.
type move struct {
	lifts   bool // from stv1 to stv2
	zones   bool // to other zones
	place   bool // to another place in a virtual network, or out of one
	subnet  bool // from one subnet to another
	network NetworkMode
	newIP   bool
	single  bool // to or from the tier Developer
}

const minutes = time.Minute

// Scenarios is the table, the more special rows first.
func Scenarios() []Scenario {
	return []Scenario{
		{9, "other zones", "*", false, 0, 15 * minutes, false, func(m move) bool { return m.zones }},
		{7, "another subnet", "*", false, 0, 30 * minutes, true, func(m move) bool { return m.place && m.lifts }},
		{10, "another subnet on stv2, or back to the first", "*", false, 0, 30 * minutes, true, func(m move) bool { return m.subnet }},
		{0, "another network", "*", false, 0, 15 * minutes, true, func(m move) bool { return m.place }},
		{1, "no network, the address stays", "", true, 15 * minutes, 45 * minutes, false, func(m move) bool { return m.lifts && !m.newIP }},
		{2, "no network, a new address", "", false, 0, 30 * minutes, true, func(m move) bool { return m.lifts && m.newIP }},
		{3, "external network, the address stays", External, true, 0, 45 * minutes, false, func(m move) bool { return m.lifts && !m.newIP }},
		{4, "external network, a new address", External, false, 0, 30 * minutes, true, func(m move) bool { return m.lifts && m.newIP }},
		{5, "internal network, the address stays", Internal, true, 20 * minutes, 45 * minutes, false, func(m move) bool { return m.lifts && !m.newIP }},
		{6, "internal network, a new address", Internal, false, 0, 30 * minutes, true, func(m move) bool { return m.lifts && m.newIP }},
		// How long is not published: as long as the change at most.
		{0, "to or from Developer", "*", true, 15 * minutes, 15 * minutes, false, func(m move) bool { return m.single }},
	}
}

// ScenarioOf finds the scenario that leads from one wish to the next; ok is false when it is none: a change within the
// platform, zones and network that are there.
func ScenarioOf(old, w Wish) (s Scenario, ok bool) {
	m := move{
		lifts: old.Platform == STv1 && w.Platform == STv2, newIP: w.Address == NewIP,
		zones:  !sameZones(old.Zones, w.Zones),
		place:  !SameInjection(old.Injection, w.Injection),
		single: old.Tier != w.Tier && (old.Tier == Developer || w.Tier == Developer),
	}
	if a, b := old.Injection, w.Injection; a != nil && b != nil {
		m.subnet = !strings.EqualFold(a.Subnet, b.Subnet)
	}
	if w.Injection != nil {
		m.network = w.Injection.Mode
	}
	for _, s := range Scenarios() {
		if (s.Network == "*" || s.Network == m.network) && s.when(m) {
			return s, true
		}
	}
	return Scenario{}, false
}
