// Package platform holds the pure rules of the hosting platform: tiers and their limits, the profiles of stv1,
// mtv1, stv2 and v2, the choice between them, and the planner that says what to do next. It performs nothing, reads
// no clock and knows neither processes nor HTTP: the hosting plane acts, the control plane asks.
//
// Start reading at Next (plan.go) for what happens, at Decide (choose.go) for which platform hosts a service.
package platform

import (
	"encoding/json"
	"slices"
	"time"
)

// A Version is a platform version, spelt as the wire spells it.
type Version string

// The platform versions. Undetermined stands for a service without compute.
const (
	Undetermined Version = "undetermined"
	STv1         Version = "stv1"
	MTv1         Version = "mtv1"
	STv2         Version = "stv2"
	// V2 is the platform of the v2 tiers, which has nothing to do with stv2. The wire has no word for it and shows
	// undetermined, as the published samples do.
	V2 Version = "v2"
)

// AddressMode says what a migration does with the VIP.
type AddressMode string

// PreserveIP moves the VIP to the new set; NewIP gives the new set its own and keeps both for the coexistence
// window. The spelling is that of the migrateToStv2 body (2024-05-01).
const (
	PreserveIP AddressMode = "PreserveIp"
	NewIP      AddressMode = "NewIP"
)

// A Wish is what one location of a service should become. It is stored with the operation that asked for it.
type Wish struct {
	Platform Version  `json:"platform"`
	Tier     Tier     `json:"tier"`
	Units    int      `json:"units"`           // 0 for Consumption
	Zones    []string `json:"zones,omitempty"` // as the client listed them; empty: no rule
	// Address is how a change of platform treats the VIP; empty means PreserveIP.
	Address AddressMode `json:"address,omitempty"`
	// Gateway is the version of the gateway program; empty means the one of the running control plane.
	Gateway string `json:"gateway,omitempty"`
	// Hardware is what machines are started on; only stv2 has more than the first generation.
	Hardware Hardware `json:"hardware,omitzero"`
	// Injection is where in a virtual network; nil for none.
	Injection *Injection `json:"injection,omitempty"`
	// NAT is the address of the platform's NAT gateway, by which machines reach what is outside their virtual network;
	// empty for none.
	NAT string `json:"nat,omitempty"`
	// Prepared is the address that a service on stv1 will have on stv2, if it is migrated with NewIP; empty for none.
	Prepared string `json:"prepared,omitempty"`
	// Renewal is another text after each change of what the machines of a set that cannot take one in place answer to.
	Renewal string `json:"renewal,omitempty"`
	// Disabled takes the location out of rotation: names of the service lead to it only if they are its own.
	Disabled bool `json:"disabled,omitempty"`
	// Gone asks for no compute and no address.
	Gone bool `json:"gone,omitempty"`
}

// Holds lists the public addresses that a wish has beside those of VIPs.
func (w Wish) Holds() (out []string) {
	if w.NAT != "" {
		out = append(out, w.NAT)
	}
	if w.Prepared != "" && (w.Platform == STv1 || w.Address == NewIP) { // one that stays has let go of it
		out = append(out, w.Prepared)
	}
	return out
}

// Mode is what a machine is meant to do.
type Mode string

// A parked machine is ready and accepts nothing; a serving one accepts on every VIP whose route lists its set
// and on its set's intake; a draining one finishes what it has and exits.
const (
	Parked   Mode = "parked"
	Serving  Mode = "serving"
	Draining Mode = "draining"
)

// A Machine is one running gateway: a process or a pod.
type Machine struct {
	ID           string `json:"id"`
	Slot         int    `json:"slot"` // number within the set, reused after the machine is gone
	Zone         string `json:"zone,omitempty"`
	UpdateDomain int    `json:"updateDomain"`
	FaultDomain  int    `json:"faultDomain"`
	Gateway      string `json:"gateway,omitempty"` // version of the gateway program
	Mode         Mode   `json:"mode"`
	// Hardware is what the machine was started on.
	Hardware Hardware `json:"hardware,omitzero"`
	// Role is what the machine was deployed as; empty where that does not matter.
	Role Role `json:"role,omitzero"`
	// Faulty says that the platform has given the machine up: another one is to take its place.
	Faulty bool `json:"faulty,omitempty"`
}

// A Set lists the machines of one platform at one location. Service is empty for the mtv1 pool.
type Set struct {
	ID       string    `json:"id"`
	Service  string    `json:"service,omitempty"` // resource ID
	Location string    `json:"location"`          // normalised: westeurope
	Platform Version   `json:"platform"`
	Zones    []string  `json:"zones,omitempty"` // as the client listed them, sorted; empty: no rule
	Machines []Machine `json:"machines"`
	// Injection is where in a virtual network; nil for none.
	Injection *Injection `json:"injection,omitempty"`
	// Required is the Seq that a machine must serve before it takes connections: the newest one when the step that
	// added the machines began.
	Required int64 `json:"required,omitempty"`
	// Since is when machines were last added.
	Since time.Time `json:"since,omitzero"`
	// Sleep is for how long the set's intake may bring nothing before a machine ends its process until something comes; 0
	// keeps them all awake. It is no part of a record: whoever tells the fabric knows it.
	Sleep time.Duration `json:"sleep,omitempty"`
	// Batch is the last one that began to serve while others were to follow; zero where they follow without a pause.
	Batch Batch `json:"batch,omitzero"`
}

// A Batch is a part of a walk: machines of a version, on some hardware, that took the places of others together.
type Batch struct {
	Gateway  string    `json:"gateway,omitempty"`
	Hardware Hardware  `json:"hardware,omitzero"`
	Served   time.Time `json:"served"` // platform time at which the last of them began to serve
}

// A VIP is an address of a service. Its ID is committed before a fabric is asked for an address.
type VIP struct {
	ID      string `json:"id"`
	Address string `json:"address,omitempty"` // literal IP; empty until the fabric gave one
	// Injection is the ID of the one that the address leads into; empty for none. Inside says that it is an address of the
	// subnet; Wanted is the address that it must be, if any.
	Injection string `json:"injection,omitempty"`
	Inside    bool   `json:"inside,omitempty"`
	Wanted    string `json:"wanted,omitempty"`
	// Since is the Seq of the transaction that recorded Address: snapshots from it on answer to the address.
	Since int64 `json:"since,omitempty"`
	// Sets is the route: the serving machines of these sets accept on the VIP. With none, connections wait.
	Sets []string `json:"sets,omitempty"`
}

// Coexistence is the window in which the old set of a migration is kept.
type Coexistence struct {
	Set   string    `json:"set"`           // the old set
	VIP   string    `json:"vip,omitempty"` // the old VIP (NewIP only)
	Until time.Time `json:"until"`         // platform time
}

// State is the hosting record of one service at one location: the sets and addresses that the fabric is asked to
// make true. The planner moves it step by step.
type State struct {
	Sets        []Set        `json:"sets,omitempty"`
	VIPs        []VIP        `json:"vips,omitempty"` // the first is the one that names resolve to
	Coexistence *Coexistence `json:"coexistence,omitempty"`
	// Active is the set that names point to: one of Sets, or the mtv1 pool's; empty while nothing serves.
	Active string `json:"active,omitempty"`
}

// MachineStatus is what a fabric sees of a machine.
type MachineStatus struct {
	ID       string `json:"id"`
	PID      int    `json:"pid,omitempty"`
	Phase    Phase  `json:"phase"`
	Seq      int64  `json:"seq"`                // of the snapshot it serves
	Digest   string `json:"digest,omitempty"`   // of that snapshot
	Restarts int    `json:"restarts,omitempty"` // since it was first started
	// Failures counts the runs in a row that ended soon, or could not begin; a run that lasts takes them back. Between
	// two of them the machine waits, longer each time, until NextStart.
	Failures  int       `json:"failures,omitempty"`
	NextStart time.Time `json:"nextStart,omitzero"`
	Active    int       `json:"active"` // requests in flight
	Conns     int       `json:"conns"`  // open client connections
	Load      Load      `json:"load,omitzero"`
	Answers   Answers   `json:"answers,omitzero"`
	Since     time.Time `json:"since"`             // of Phase
	Error     string    `json:"error,omitempty"`   // why it last stopped or could not start
	Gateway   string    `json:"gateway,omitempty"` // version it says it runs; empty until it said so
	Refused   string    `json:"refused,omitempty"` // what of its configuration it cannot serve, in its words
	// Mode is the one that the machine has taken; empty when the fabric cannot tell, which counts as the listed one.
	Mode Mode `json:"mode,omitempty"`
}

// loopsFrom is the number of failures in a row that make a crash loop. With the pauses of a fabric they take about a
// second: what passes sooner, such as a disk that is full for a moment, is none.
const loopsFrom = 5

// CrashLoop says that the machine fails again and again: starting it once more is not expected to help.
func (s MachineStatus) CrashLoop() bool { return s.Failures >= loopsFrom }

// Phase is what a machine is doing.
type Phase string

// Phases of a machine. A machine that is listed in a Set and exited is restarted by its fabric. One that is asleep has
// no process and is started by the next connection; it counts as one that serves, and as one that knows everything: when
// it wakes it asks for what is new before it answers.
const (
	Starting Phase = "starting"
	Ready    Phase = "ready"    // has a full snapshot; serves if its Mode says so
	Stopping Phase = "stopping" // draining
	Exited   Phase = "exited"
	Asleep   Phase = "asleep"
)

// Observation is what the fabric sees of a service's sets and VIPs.
type Observation struct {
	// Boot names the run of the fabric that observed. Another one than before has forgotten what it was told. Empty
	// for fabrics that forget nothing.
	Boot string `json:"boot,omitempty"`
	// At is the time of day of the fabric, by which Since is told. A clock that is set between this look and the next
	// step of its reader must not make a phase seem longer.
	At       time.Time                `json:"at,omitzero"`
	Machines map[string]MachineStatus `json:"machines"` // by machine ID; absent: not there
	// VIPs maps VIP ID to the set IDs whose machines accept on it right now.
	VIPs map[string][]string `json:"vips"`
	// Down lists the zones in which no machine runs until they are switched on again.
	Down []string `json:"down,omitempty"`
}

// ServiceStatus is the Status of a service document: what control and hosting know of it beyond what the client
// asked for.
type ServiceStatus struct {
	ProvisioningState       string    `json:"provisioningState"`
	TargetProvisioningState string    `json:"targetProvisioningState"`
	CreatedAt               time.Time `json:"createdAt"`
	CreatedBy               string    `json:"createdBy,omitempty"`
	ModifiedAt              time.Time `json:"modifiedAt"`
	ModifiedBy              string    `json:"modifiedBy,omitempty"`
	// Location is the primary one, Others are the additional ones in the order of the client, before those that are
	// about to go.
	Location
	Others []Location `json:"others,omitempty"`
	// Grandfathered is what the service may hold beyond newer limits; nil for nothing.
	Grandfathered *Grandfathered `json:"grandfathered,omitempty"`
	// Endpoints are the private endpoints that lead to the service.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Before is the Desired of the document that the previous wishes belong to, restored with them; empty when the
	// operation left Desired alone.
	Before json.RawMessage `json:"before,omitempty"`
	// Renames says that the running operation changes what machines answer to: it ends when they serve all that is stored.
	Renames bool `json:"renames,omitempty"`
	// Operation is the ID of the running customer operation; empty when there is none.
	Operation string `json:"operation,omitempty"`
	// Cancel says that the running operation is to be given up: its client has changed its mind.
	Cancel bool `json:"cancel,omitempty"`
	// Epoch is the lease under which hosting last acted; fabrics refuse an older one.
	Epoch int64 `json:"epoch,omitempty"`
}

// Set finds a set by ID; nil when there is none. The pointer leads into s.
func (s *State) Set(id string) *Set {
	for i := range s.Sets {
		if s.Sets[i].ID == id {
			return &s.Sets[i]
		}
	}
	return nil
}

// VIP finds a VIP by ID; nil when there is none. The pointer leads into s.
func (s *State) VIP(id string) *VIP {
	for i := range s.VIPs {
		if s.VIPs[i].ID == id {
			return &s.VIPs[i]
		}
	}
	return nil
}

// Empty says whether there is neither a machine nor an address.
func (s *State) Empty() bool { return len(s.Sets) == 0 && len(s.VIPs) == 0 && s.Active == "" }

// Clone returns a copy that shares nothing with s.
func (s *State) Clone() State {
	c := State{Active: s.Active}
	for _, set := range s.Sets {
		set.Machines, set.Zones = slices.Clone(set.Machines), slices.Clone(set.Zones)
		c.Sets = append(c.Sets, set)
	}
	for _, v := range s.VIPs {
		v.Sets = slices.Clone(v.Sets)
		c.VIPs = append(c.VIPs, v)
	}
	if s.Coexistence != nil {
		co := *s.Coexistence
		c.Coexistence = &co
	}
	return c
}
