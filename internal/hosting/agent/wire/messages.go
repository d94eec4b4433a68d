package wire

import (
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Kinds of processes that an agent runs.
const (
	KindMachine = "machine"
	KindEdge    = "edge"
)

// A Tie binds a process to its folder's agents, also to those that come after the one that started it.
type Tie struct {
	// Secret tells an agent that the process is the one that was started, and not another with its number.
	Secret string `json:"secret,omitempty"`
	// Socket is where an agent takes the process back; empty where none ever does.
	Socket string `json:"socket,omitempty"`
}

// ToMachine is what the agent says to a machine. The first message carries Config, the Tie and two descriptors to keep,
// the listeners of the edge; every later one an Order or a Check. Orders are whole: a machine needs only the newest.
type ToMachine struct {
	Config *fabric.MachineConfig `json:"config,omitempty"`
	Tie    Tie                   `json:"tie,omitzero"`
	Order  *Order                `json:"order,omitempty"`
	// Check brings a connection on which the agent asks whether the machine still answers. One that knows of no checks
	// closes it, which is an answer too.
	Check bool `json:"check,omitempty"`
}

// An Order says all that a machine should accept, and whom it asks names. Its descriptors are, in this order: the four of the intake when Intake
// is set, then two for each VIP (HTTP, HTTPS). What is not listed is given back: listener stopped, descriptors closed.
type Order struct {
	Gen    int64    `json:"gen"` // grows by one with each order to one process
	VIPs   []string `json:"vips,omitempty"`
	Intake bool     `json:"intake,omitempty"`
	// DNS are the servers of which the machine asks names; empty: those of the host.
	DNS []string `json:"dns,omitempty"`
	// Drain asks the machine to stop accepting, finish what it has, and exit.
	Drain bool `json:"drain,omitempty"`
}

// MaxVIPs is how many addresses one machine can accept on.
const MaxVIPs = (MaxFDs - intakeFDs) / 2

// FromMachine is the whole state of a machine; a newer message replaces an older one.
type FromMachine struct {
	Ready  bool   `json:"ready,omitempty"` // has a full snapshot
	Seq    int64  `json:"seq,omitempty"`
	Digest string `json:"digest,omitempty"`
	Active int    `json:"active,omitempty"` // requests in flight
	Conns  int    `json:"conns,omitempty"`  // open client connections
	// Requests is how many were answered, by a machine that may sleep; the others do not say.
	Requests int64 `json:"requests,omitempty"`
	// Load is zero from a machine of a version that does not measure it.
	Load platform.Load `json:"load,omitzero"`
	// Answers are those since the process began; zero from a machine of a version that does not count them.
	Answers platform.Answers `json:"answers,omitzero"`
	// Gateway is the version of the gateway program that the machine runs.
	Gateway string `json:"gateway,omitempty"`
	// Gen is the newest order that holds: its listeners accept, all others have stopped.
	Gen     int64  `json:"gen,omitempty"`
	Failed  string `json:"failed,omitempty"`  // why a newer order does not hold
	Refused string `json:"refused,omitempty"` // what the gateway cannot do, in its words
	// Draining says that the machine accepts nothing any more and never will, Drained that nothing is left to do.
	Draining bool `json:"draining,omitempty"`
	Drained  bool `json:"drained,omitempty"`
}

// ToEdge changes the edge's table. The first message carries Listen, the Tie and the descriptors of the listeners: HTTP,
// TLS. The edge accepts on them from Open on, when it knows the table.
type ToEdge struct {
	Gen    int64 `json:"gen"`
	Listen bool  `json:"listen,omitempty"`
	Tie    Tie   `json:"tie,omitzero"`
	Open   bool  `json:"open,omitempty"`
	// Set with Forget drops a set and its names; with the four descriptors of its intake it makes them known.
	Set    string `json:"set,omitempty"`
	Forget bool   `json:"forget,omitempty"`
	// Queue says what becomes of the connections of Set while nobody takes them: they wait, or, with Refuse, the edge
	// answers those that wait and those that come. They wait until it says so.
	Queue  bool `json:"queue,omitempty"`
	Refuse bool `json:"refuse,omitempty"`
	// VIP comes with two descriptors (HTTP, HTTPS) that the edge keeps for later agents, until it comes with none. With
	// Refuse the edge accepts on them too, and answers what waits there and what comes.
	VIP string `json:"vip,omitempty"`
	// Hosts point at Set, or nowhere when Set is empty.
	Hosts []string `json:"hosts,omitempty"`
	// Stop asks the edge to stop accepting, hand over what it is reading, and exit.
	Stop bool `json:"stop,omitempty"`
}

// FromEdge acknowledges everything up to Gen.
type FromEdge struct {
	Gen int64 `json:"gen"`
}

// A Held names what descriptors are of. Its ID is that of a set or a VIP.
type Held struct {
	Kind HeldKind `json:"kind"`
	ID   string   `json:"id,omitempty"`
}

// HeldKind is a kind of thing that has descriptors.
type HeldKind string

// Kinds of what is held: the listeners of the edge (HTTP, TLS), the intake of a set (receiving plain and TLS, sending
// plain and TLS), and a VIP (HTTP, HTTPS).
const (
	HeldEdge   HeldKind = "edge"
	HeldIntake HeldKind = "intake"
	HeldVIP    HeldKind = "vip"
)

// intakeFDs is the number of descriptors of an intake. Whoever has an end has both: the queue then lives for as long as
// anybody does who takes from it or puts into it.
const intakeFDs = 4

// FDs is how many descriptors a kind has.
func (k HeldKind) FDs() int {
	if k == HeldIntake {
		return intakeFDs
	}
	return 2
}

// HandOver is the first byte of every packet of an intake: the format of the rest, which is what the client has sent
// so far. The packet carries one descriptor, the connection.
const HandOver = 1

// MaxHead is how much of a connection the edge reads before it hands it over, in bytes.
const MaxHead = 16 << 10
