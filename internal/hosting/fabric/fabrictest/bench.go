package fabrictest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// patience bounds every wait of the suite.
const patience = 20 * time.Second

// bench is a fixture with the lease of one service and what the tests have in common.
type bench struct {
	Fixture
	t         *testing.T
	lease     fabric.Lease
	mu        sync.Mutex
	addresses map[string]string
}

// set makes a set whose machines are all in one mode.
func (b *bench) set(id string, mode platform.Mode, machines ...string) platform.Set {
	s := platform.Set{ID: id, Service: b.lease.Service, Location: "westeurope", Platform: platform.STv2}
	for i, m := range machines {
		s.Machines = append(s.Machines, platform.Machine{ID: m, Slot: i, Mode: mode})
	}
	return s
}

func (b *bench) apply(s platform.Set) {
	b.t.Helper()
	if err := b.Fabric.Apply(b.t.Context(), b.lease, s); err != nil {
		b.t.Fatalf("apply %s: %v", s.ID, err)
	}
}

// reserve opens an address for a VIP, or asks again for the one it has.
func (b *bench) reserve(id string) string {
	b.t.Helper()
	address, err := b.Fabric.Reserve(b.t.Context(), b.lease, platform.VIP{ID: id}, nil)
	if err != nil || address == "" {
		b.t.Fatalf("reserve %s: %q, %v", id, address, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addresses == nil {
		b.addresses = map[string]string{}
	}
	b.addresses[id] = address
	return address
}

func (b *bench) address(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.addresses[id]
}

func (b *bench) release(id string) {
	b.t.Helper()
	if err := b.Fabric.Release(b.t.Context(), b.lease, id); err != nil {
		b.t.Fatalf("release %s: %v", id, err)
	}
}

func (b *bench) route(id string, sets ...string) {
	b.t.Helper()
	if err := b.Fabric.Route(b.t.Context(), b.lease, platform.VIP{ID: id, Address: b.address(id), Sets: sets}); err != nil {
		b.t.Fatalf("route %s to %v: %v", id, sets, err)
	}
}

func (b *bench) observe(sets ...string) platform.Observation {
	b.t.Helper()
	o, err := b.Fabric.Observe(b.t.Context(), sets...)
	if err != nil {
		b.t.Fatalf("observe: %v", err)
	}
	return o
}

func (b *bench) inventory() fabric.Inventory {
	b.t.Helper()
	inv, err := b.Fabric.Inventory(b.t.Context())
	if err != nil {
		b.t.Fatalf("inventory: %v", err)
	}
	return inv
}

// await waits until something is observed.
func (b *bench) await(what string, holds func(platform.Observation) bool) platform.Observation {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var after int64
	for {
		n, err := b.Fabric.Wait(ctx, after)
		if err != nil {
			b.t.Fatalf("waiting until %s: %v; observed %+v", what, err, b.observe())
		}
		if o := b.observe(); holds(o) {
			return o
		}
		after = n
	}
}

func (b *bench) allReady(machines ...string) func(platform.Observation) bool {
	return func(o platform.Observation) bool {
		return !slices.ContainsFunc(machines, func(id string) bool { return o.Machines[id].Phase != platform.Ready })
	}
}

func (b *bench) exited(machine string) func(platform.Observation) bool {
	return func(o platform.Observation) bool { return o.Machines[machine].Phase == platform.Exited }
}

func (b *bench) absent(machine string) func(platform.Observation) bool {
	return func(o platform.Observation) bool { _, ok := o.Machines[machine]; return !ok }
}

// accepts says that exactly these sets accept on a VIP.
func (b *bench) accepts(vip string, sets ...string) func(platform.Observation) bool {
	return func(o platform.Observation) bool {
		return slices.Equal(slices.Sorted(slices.Values(sets)), slices.Sorted(slices.Values(o.VIPs[vip])))
	}
}

// get makes one request on a connection of its own and returns the answer, which names the machine, or the error.
func (b *bench) get(vip string) string {
	return b.send(vip, "GET / HTTP/1.1\r\nHost: fabric.example\r\nConnection: close\r\n\r\n")()
}

// hold begins a request and returns once a machine has it; finish completes it and returns the answer.
func (b *bench) hold(vip string) (finish func() string) {
	b.t.Helper()
	conn, err := b.connect(vip, "POST /hold HTTP/1.1\r\nHost: fabric.example\r\nConnection: close\r\nContent-Length: 1\r\n\r\n")
	if err != nil {
		b.t.Fatalf("begin a request: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatalf("begin a request: %v", err)
	}
	return func() string {
		defer conn.Close() //nolint:errcheck // the answer is read
		if _, err := conn.Write([]byte("x")); err != nil {
			return failure + err.Error()
		}
		return body(resp)
	}
}

// send sends a request; answer waits for what comes back.
func (b *bench) send(vip, request string) (answer func() string) {
	conn, err := b.connect(vip, request)
	return func() string {
		if err != nil {
			return failure + err.Error()
		}
		defer conn.Close() //nolint:errcheck // the answer is read
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return failure + err.Error()
		}
		return body(resp)
	}
}

// failure begins what stands for an answer when there was none.
const failure = "error: "

func (b *bench) connect(vip, request string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := b.Dial(ctx, b.address(vip))
	if err != nil {
		return nil, err
	}
	if err = conn.SetDeadline(time.Now().Add(patience)); err == nil {
		_, err = io.WriteString(conn, request)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func body(resp *http.Response) string {
	defer resp.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return failure + err.Error()
	case resp.StatusCode != http.StatusOK:
		return failure + resp.Status
	}
	return string(raw)
}

// load makes requests on new connections until stop is called, which returns what went wrong.
func (b *bench) load(vip string) (stop func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	var (
		mu     sync.Mutex
		failed []string
		wg     sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if a := b.get(vip); strings.HasPrefix(a, failure) {
					mu.Lock()
					failed = append(failed, a)
					mu.Unlock()
				}
			}
		})
	}
	return func() []string {
		cancel()
		wg.Wait()
		return failed
	}
}
