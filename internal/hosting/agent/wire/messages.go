package wire

import "github.com/portico-dev/portico/internal/hosting/fabric"

// ToMachine is what the agent says to a machine. The first message carries Config, every later one an Order. Orders
// are whole: a machine needs only the newest.
type ToMachine struct {
	Config *fabric.MachineConfig `json:"config,omitempty"`
	Order  *Order                `json:"order,omitempty"`
}

// An Order says all that a machine should accept. Its descriptors are, in this order: two for the intake when Intake
// is set (plain, TLS), then two for each VIP (HTTP, HTTPS). What is not listed is given back: listener stopped,
// descriptor closed.
type Order struct {
	Gen    int64    `json:"gen"` // grows by one with each order to one process
	VIPs   []string `json:"vips,omitempty"`
	Intake bool     `json:"intake,omitempty"`
	// Drain asks the machine to stop accepting, finish what it has, and exit.
	Drain bool `json:"drain,omitempty"`
}

// MaxVIPs is how many addresses one machine can accept on.
const MaxVIPs = MaxFDs/2 - 1

// FromMachine is the whole state of a machine; a newer message replaces an older one.
type FromMachine struct {
	Ready  bool   `json:"ready,omitempty"` // has a full snapshot
	Seq    int64  `json:"seq,omitempty"`
	Digest string `json:"digest,omitempty"`
	Active int    `json:"active,omitempty"` // requests in flight
	Conns  int    `json:"conns,omitempty"`  // open client connections
	// Gateway is the version of the gateway program that the machine runs.
	Gateway string `json:"gateway,omitempty"`
	// Gen is the newest order that holds: its listeners accept, all others have stopped.
	Gen     int64  `json:"gen,omitempty"`
	Failed  string `json:"failed,omitempty"`  // why a newer order does not hold
	Refused string `json:"refused,omitempty"` // what the gateway cannot do, in its words
	Drained bool   `json:"drained,omitempty"`
}

// ToEdge changes the edge's table. The first message carries Listen and the descriptors of the listeners: HTTP, TLS.
type ToEdge struct {
	Gen    int64 `json:"gen"`
	Listen bool  `json:"listen,omitempty"`
	// Set with Forget drops a set and its names; with two descriptors (plain, TLS) it makes its intake known.
	Set    string `json:"set,omitempty"`
	Forget bool   `json:"forget,omitempty"`
	// Hosts point at Set, or nowhere when Set is empty.
	Hosts []string `json:"hosts,omitempty"`
	// Stop asks the edge to stop accepting, hand over what it is reading, and exit.
	Stop bool `json:"stop,omitempty"`
}

// FromEdge acknowledges everything up to Gen.
type FromEdge struct {
	Gen int64 `json:"gen"`
}

// HandOver is the first byte of every packet of an intake: the format of the rest, which is what the client has sent
// so far. The packet carries one descriptor, the connection.
const HandOver = 1

// MaxHead is how much of a connection the edge reads before it hands it over, in bytes.
const MaxHead = 16 << 10
