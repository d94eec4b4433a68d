// Package local is the fabric of one host: it asks the agent of a data folder, which runs gateways as processes. It
// keeps nothing itself; any number of clients may speak to one agent.
package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// ErrUnavailable is returned when no agent answers on the socket.
var ErrUnavailable = errors.New("the agent does not answer")

// Errors that an agent answers with can be told apart by errors.As and their Code.
type Error = wire.Error

// Info says who the agent is and where it serves.
type Info = wire.Info

// Fabric is a client of the agent. It implements fabric.Fabric.
type Fabric struct {
	http *http.Client
}

var (
	_ fabric.Fabric    = (*Fabric)(nil)
	_ fabric.Networker = (*Fabric)(nil)
	_ fabric.Prober    = (*Fabric)(nil)
)

// New returns a client of the agent that listens on a unix socket. It connects when it is called.
func New(socket string) *Fabric {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Fabric{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
	}}}
}

// Close gives up idle connections. A Fabric can be used again after it.
func (f *Fabric) Close() { f.http.CloseIdleConnections() }

// Apply makes the machines of a set be what is listed.
func (f *Fabric) Apply(ctx context.Context, l fabric.Lease, s platform.Set) error {
	_, err := f.ask(ctx, wire.PathApply, wire.Call{Lease: l, Set: &s})
	return err
}

// Delete drains and removes all machines of a set.
func (f *Fabric) Delete(ctx context.Context, l fabric.Lease, setID string) error {
	_, err := f.ask(ctx, wire.PathDelete, wire.Call{Lease: l, ID: setID})
	return err
}

// Reserve opens an address for a VIP: a literal IP, or "127.0.0.1:port" on systems whose loopback has one address.
func (f *Fabric) Reserve(ctx context.Context, l fabric.Lease, v platform.VIP, avoid []string) (string, error) {
	r, err := f.ask(ctx, wire.PathReserve, wire.Call{Lease: l, VIP: v, Avoid: avoid})
	return r.Address, err
}

// Route makes the serving machines of exactly v.Sets accept on the VIP.
func (f *Fabric) Route(ctx context.Context, l fabric.Lease, v platform.VIP) error {
	_, err := f.ask(ctx, wire.PathRoute, wire.Call{Lease: l, VIP: v})
	return err
}

// Release closes the address of a VIP.
func (f *Fabric) Release(ctx context.Context, l fabric.Lease, vipID string) error {
	_, err := f.ask(ctx, wire.PathRelease, wire.Call{Lease: l, ID: vipID})
	return err
}

// Name points host names at a set on the edge.
func (f *Fabric) Name(ctx context.Context, l fabric.Lease, n fabric.Names) error {
	_, err := f.ask(ctx, wire.PathName, wire.Call{Lease: l, Names: n})
	return err
}

// Networks says what virtual networks there can be.
func (f *Fabric) Networks(ctx context.Context) (fabric.Networks, error) {
	r, err := f.ask(ctx, wire.PathNetworks, wire.Call{})
	if err != nil {
		return fabric.Networks{}, err
	}
	if r.Networks == nil {
		return fabric.Networks{}, errors.New("networks: the agent's answer is empty")
	}
	return *r.Networks, nil
}

// Probe asks whether machines reach something.
func (f *Fabric) Probe(ctx context.Context, p platform.Probe) (platform.Reach, error) {
	r, err := f.ask(ctx, wire.PathProbe, wire.Call{Probe: &p})
	if err != nil {
		return platform.Reach{}, err
	}
	if r.Reach == nil {
		return platform.Reach{}, errors.New("probe: the agent's answer is empty")
	}
	return *r.Reach, nil
}

// Attach makes an injection, or makes it what it should be.
func (f *Fabric) Attach(ctx context.Context, l fabric.Lease, a platform.Attachment, avoid []string) error {
	_, err := f.ask(ctx, wire.PathAttach, wire.Call{Lease: l, Attachment: &a, Avoid: avoid})
	return err
}

// Detach removes an injection.
func (f *Fabric) Detach(ctx context.Context, l fabric.Lease, id string) error {
	_, err := f.ask(ctx, wire.PathDetach, wire.Call{Lease: l, ID: id})
	return err
}

// Observe reports machines and routes.
func (f *Fabric) Observe(ctx context.Context, sets ...string) (platform.Observation, error) {
	r, err := f.ask(ctx, wire.PathObserve, wire.Call{Sets: sets})
	if err != nil {
		return platform.Observation{}, err
	}
	if r.Observation == nil {
		return platform.Observation{}, errors.New("observe: the agent's answer is empty")
	}
	return *r.Observation, nil
}

// Inventory lists everything that the agent has.
func (f *Fabric) Inventory(ctx context.Context) (fabric.Inventory, error) {
	r, err := f.ask(ctx, wire.PathInventory, wire.Call{})
	if err != nil {
		return fabric.Inventory{}, err
	}
	if r.Inventory == nil {
		return fabric.Inventory{}, errors.New("inventory: the agent's answer is empty")
	}
	return *r.Inventory, nil
}

// Wait returns a number greater than after as soon as anything observable has changed since then. Numbers of a new
// agent are greater than those of the one before.
func (f *Fabric) Wait(ctx context.Context, after int64) (int64, error) {
	for {
		r, err := f.call(ctx, wire.PathWait, wire.Call{After: after})
		if err != nil {
			return 0, err
		}
		if r.Changes > after {
			return r.Changes, nil
		}
	}
}

// Kill ends a machine as a crash does: the connections that it holds are cut. It returns fabric.ErrNoMachine when no
// process runs under that ID.
func (f *Fabric) Kill(ctx context.Context, machineID string) error {
	_, err := f.ask(ctx, wire.PathKill, wire.Call{ID: machineID})
	return err
}

// SwitchZone cuts the power of a zone, or turns it on again: while it is down its machines are killed and not started.
// Observe says which zones are down.
func (f *Fabric) SwitchZone(ctx context.Context, zone string, on bool) error {
	_, err := f.ask(ctx, wire.PathZone, wire.Call{ID: zone, On: on})
	return err
}

// Ping asks the agent who it is.
func (f *Fabric) Ping(ctx context.Context) (Info, error) {
	r, err := f.call(ctx, wire.PathPing, wire.Call{})
	if err != nil {
		return Info{}, err
	}
	if r.Info == nil {
		return Info{}, errors.New("ping: the agent's answer is empty")
	}
	return *r.Info, nil
}

// Replace makes the agent run another program in its place, by exec. It returns nil when the agent went away over it:
// whether the program carries on, Ping tells by another Run.
func (f *Fabric) Replace(ctx context.Context, program string) error {
	_, err := f.call(ctx, wire.PathReplace, wire.Call{Program: program})
	if errors.Is(err, ErrUnavailable) {
		return nil
	}
	return err
}

// Stop drains everything and ends the agent. It returns when all its processes have ended.
func (f *Fabric) Stop(ctx context.Context) error {
	_, err := f.call(ctx, wire.PathStop, wire.Call{})
	return err
}

// absence is how long calls wait for an agent that is not there: another one takes over in less.
const absence = 3 * time.Second

// ask makes a call, and makes it again while no agent answers, for a moment. Every method that is asked so does the same
// when it is called twice.
func (f *Fabric) ask(ctx context.Context, path string, c wire.Call) (wire.Reply, error) {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(absence); ; {
		r, err := f.call(ctx, path, c)
		if !errors.Is(err, ErrUnavailable) || time.Now().After(deadline) {
			return r, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return r, err
		}
	}
}

// call makes one call. Failing to reach the agent is ErrUnavailable; an answer of it is an *Error.
func (f *Fabric) call(ctx context.Context, path string, c wire.Call) (wire.Reply, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return wire.Reply{}, fmt.Errorf("encode call: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		return wire.Reply{}, fmt.Errorf("call agent: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return wire.Reply{}, fmt.Errorf("call agent: %w", err)
		}
		return wire.Reply{}, fmt.Errorf("call agent: %w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	return decode(resp)
}

func decode(resp *http.Response) (wire.Reply, error) {
	var r wire.Reply
	dec := json.NewDecoder(io.LimitReader(resp.Body, 4*wire.MaxBody))
	if resp.StatusCode == http.StatusOK {
		if err := dec.Decode(&r); err != nil {
			return r, fmt.Errorf("decode agent's answer: %w: %w", ErrUnavailable, err)
		}
		return r, nil
	}
	e := &Error{}
	if err := dec.Decode(e); err != nil || e.Code == "" {
		return r, fmt.Errorf("agent answered %s", resp.Status)
	}
	return r, e
}
