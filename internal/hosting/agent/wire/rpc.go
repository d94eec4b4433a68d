package wire

import (
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// AgentSocket is the name of the socket on which the agent answers.
const AgentSocket = "agent.sock"

// Paths of the agent's methods. All are POST with a JSON body and answer JSON.
const (
	PathApply     = "/v1/apply"
	PathDelete    = "/v1/delete"
	PathReserve   = "/v1/reserve"
	PathRoute     = "/v1/route"
	PathRelease   = "/v1/release"
	PathAttach    = "/v1/attach"
	PathDetach    = "/v1/detach"
	PathProbe     = "/v1/probe"
	PathNetworks  = "/v1/networks"
	PathName      = "/v1/name"
	PathObserve   = "/v1/observe"
	PathInventory = "/v1/inventory"
	PathWait      = "/v1/wait"
	PathPing      = "/v1/ping"
	PathKill      = "/v1/kill"
	PathZone      = "/v1/zone"
	PathReplace   = "/v1/replace"
	PathStop      = "/v1/stop"
)

// MaxBody bounds one request to the agent, in bytes.
const MaxBody = 8 << 20

// PollTime is the longest that the agent holds a wait; the caller then asks again.
const PollTime = 25 * time.Second

// A Call is the body of every method; each reads the fields that it needs.
type Call struct {
	Lease      fabric.Lease         `json:"lease,omitzero"`
	Set        *platform.Set        `json:"set,omitempty"`
	ID         string               `json:"id,omitempty"` // of a set, a VIP, an injection, a machine or a zone
	On         bool                 `json:"on,omitempty"` // of a zone
	Attachment *platform.Attachment `json:"attachment,omitempty"`
	VIP        platform.VIP         `json:"vip,omitzero"`
	Probe      *platform.Probe      `json:"probe,omitempty"`
	Avoid      []string             `json:"avoid,omitempty"`
	Names      fabric.Names         `json:"names,omitzero"`
	Sets       []string             `json:"sets,omitempty"`
	After      int64                `json:"after,omitempty"`
	// Program replaces the agent's own, by exec.
	Program string `json:"program,omitempty"`
}

// A Reply is the answer of every method that succeeds.
type Reply struct {
	Address     string                `json:"address,omitempty"`
	Observation *platform.Observation `json:"observation,omitempty"`
	Inventory   *fabric.Inventory     `json:"inventory,omitempty"`
	Networks    *fabric.Networks      `json:"networks,omitempty"`
	Reach       *platform.Reach       `json:"reach,omitempty"`
	Changes     int64                 `json:"changes,omitempty"`
	Info        *Info                 `json:"info,omitempty"`
}

// Info says who answers and where it serves.
type Info struct {
	PID     int    `json:"pid"`
	Run     string `json:"run"`     // differs with every agent
	Version string `json:"version"` // of its program
	Edge    Ports  `json:"edge"`    // addresses of the edge, host:port
	VIPs    Ports  `json:"vips"`    // ports of every VIP; on systems without a loopback range, of none: empty
	Pool    string `json:"pool"`    // range that VIPs are taken from
	// Settings are what the agent was started with, in the words of whoever started it.
	Settings map[string]string `json:"settings,omitempty"`
}

// Ports is a pair of a plain and a TLS address or port.
type Ports struct {
	HTTP  string `json:"http,omitempty"`
	HTTPS string `json:"https,omitempty"`
}

// Codes of an Error.
const (
	CodeStaleLease = "staleLease"
	CodeInvalid    = "invalid"   // the call cannot be carried out as it is
	CodeNotFound   = "notFound"  // of a VIP that was never reserved
	CodeNoMachine  = "noMachine" // no process runs of that machine
	CodeNoAddress  = "noAddress" // no free address, or the one asked for is taken
	CodeStopping   = "stopping"
	CodeInternal   = "internal"
)

// An Error is the answer of a method that fails.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error is the message with its code.
func (e *Error) Error() string { return e.Message + " (" + e.Code + ")" }

// Is makes the errors of package fabric recognisable on both sides of the socket.
func (e *Error) Is(target error) bool {
	return target == fabric.ErrStaleLease && e.Code == CodeStaleLease ||
		target == fabric.ErrImpossible && e.Code == CodeInvalid ||
		target == fabric.ErrNoMachine && e.Code == CodeNoMachine ||
		target == fabric.ErrNoAddress && e.Code == CodeNoAddress
}
