// Package fabric says what the hosting plane needs of whatever runs machines: local processes, goroutines in tests,
// Kubernetes. A fabric makes the list true and restarts what died; which machine is started, drained or moved, and
// when, is decided by the planner.
//
// Implementations pass fabrictest. Calling anything twice does what calling it once does.
package fabric

import (
	"context"
	"errors"

	"github.com/portico-dev/portico/internal/platform"
)

// ErrStaleLease is returned for a call under an older epoch than one the fabric has seen for that service.
var ErrStaleLease = errors.New("the lease is older than one already seen")

// ErrImpossible is wrapped by errors that trying again does not mend: the operation that needs it is given up.
var ErrImpossible = errors.New("the fabric cannot do that")

// ErrNoAddress is wrapped by errors of Reserve when all addresses are in use.
var ErrNoAddress = errors.New("no address is free")

// A Lease names who acts. Fabrics refuse an Epoch below the newest seen for the same Service.
type Lease struct {
	Service string // resource ID; empty for the mtv1 pool
	Epoch   int64
}

// Names tells the edge which sets may take the connections of host names.
type Names struct {
	Hosts []string `json:"hosts"` // lower case
	// Sets are set IDs, in the order in which they are preferred: the first one with a machine that takes connections
	// takes them all. With none, the hosts are no longer served.
	Sets []string `json:"sets,omitempty"`
}

// A Fabric runs machines and owns addresses. Its methods return when the wish is accepted, not when it is reached:
// Observe shows how far it got, Wait returns when that may have changed.
type Fabric interface {
	// Apply makes the machines of a set be what is listed: missing ones start, listed modes are taken, machines that
	// are no longer listed drain and exit. A machine that dies while listed is started again, with back-off. A fabric whose
	// machines are processes holds them to their hardware.
	Apply(ctx context.Context, l Lease, s platform.Set) error
	// Delete drains and removes all machines of a set and forgets it.
	Delete(ctx context.Context, l Lease, setID string) error
	// Reserve opens an address for a VIP and returns it. For a VIP that carries an Address, or a Wanted one, it opens exactly that one;
	// otherwise it picks a free one. avoid lists addresses that belong to others.
	Reserve(ctx context.Context, l Lease, v platform.VIP, avoid []string) (address string, err error)
	// Route makes the serving machines of exactly v.Sets accept on the VIP. It first lets the new sets accept, then
	// stops the old ones, so that there is always one of them.
	Route(ctx context.Context, l Lease, v platform.VIP) error
	// Release closes the address of a VIP and forgets it.
	Release(ctx context.Context, l Lease, vipID string) error
	// Name points host names at sets on the edge.
	Name(ctx context.Context, l Lease, n Names) error
	// Observe reports machines of the given sets (of all sets when none is given) and the routes that hold.
	Observe(ctx context.Context, sets ...string) (platform.Observation, error)
	// Inventory lists everything the fabric has, so that what no record mentions can be removed.
	Inventory(ctx context.Context) (Inventory, error)
	// Wait returns a number greater than after as soon as anything observable has changed since then.
	Wait(ctx context.Context, after int64) (int64, error)
}

// A Networker is a fabric that makes virtual networks.
type Networker interface {
	// Networks says what virtual networks there can be.
	Networks(ctx context.Context) (Networks, error)
	// Attach makes an injection, or makes it what it should be: sets and VIPs that name it can follow. avoid lists
	// addresses that belong to others.
	Attach(ctx context.Context, l Lease, a platform.Attachment, avoid []string) error
	// Detach removes an injection that no set and no VIP names any more.
	Detach(ctx context.Context, l Lease, id string) error
}

// A Prober is a fabric that can say whether its machines reach something.
type Prober interface {
	Probe(ctx context.Context, p platform.Probe) (platform.Reach, error)
}

// Networks is what a fabric can do for virtual networks.
type Networks struct {
	// Trouble says why it makes none, and what to do about it; empty when it does.
	Trouble string `json:"trouble,omitempty"`
	// Pool is the range of its public addresses: the upper half is for resources, the lower half is the fabric's own.
	Pool string `json:"pool,omitempty"`
}

// ErrNoMachine is wrapped by errors about a machine of which no process runs.
var ErrNoMachine = errors.New("no such machine runs")

// Inventory is all that a fabric holds.
type Inventory struct {
	Sets        []platform.Set        `json:"sets"`
	VIPs        []platform.VIP        `json:"vips"`
	Hosts       map[string][]string   `json:"hosts"` // host name to set IDs, as Names has them
	Attachments []platform.Attachment `json:"attachments,omitempty"`
}

// MachineConfig is what a machine is told when it starts.
type MachineConfig struct {
	Machine  platform.Machine `json:"machine"`
	Set      string           `json:"set"`
	Service  string           `json:"service,omitempty"` // resource ID; empty: an mtv1 worker
	Location string           `json:"location"`
	Platform platform.Version `json:"platform"`
	// Woken says that the machine was asleep: what has changed since must be in effect when it answers.
	Woken bool `json:"woken,omitempty"`
	// Publish is the unix socket on which the control plane publishes configuration.
	Publish string `json:"publish"`
	// Cache is the folder of the last good snapshots, sealed with Key.
	Cache string `json:"cache"`
	Key   []byte `json:"key"`
	// Counters is the folder of the counters that machines of a service share. The agent writes them to disk.
	Counters string `json:"counters"`
	// Metering is the folder in which mtv1 workers count the calls of each service; empty from an older agent.
	Metering    string `json:"metering,omitempty"`
	CounterKeys int    `json:"counterKeys"` // of one service
	CacheSize   int64  `json:"cacheSize"`   // bytes of what policies keep in memory; 0: the gateway's default
	// Cores and Memory, in bytes, are its hardware, whichever generation that is; 0 from an older agent.
	Cores  float64 `json:"cores,omitempty"`
	Memory int64   `json:"memory,omitempty"`
}
