// Package fabrictest is the suite that every fabric passes. It says by example what the words of fabric.Fabric mean.
package fabrictest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

// Handler is what the machines of a Fixture do: they answer with their ID. A request for /hold gets the head of its
// answer at once and the rest when its body has come.
func Handler(machineID string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.EnableFullDuplex(), rc.Flush()); err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, machineID)
	})
}

// A Fixture is a fabric that runs nothing yet. Its machines serve Handler.
type Fixture struct {
	Fabric fabric.Fabric
	// Dial connects to the HTTP port of a VIP's address.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Kill ends a running machine as a crash does.
	Kill func(machineID string)
}

// Run runs the suite. make returns a fixture that is closed with the test.
func Run(t *testing.T, make func(t *testing.T) Fixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"ApplyTwiceIsOnce", applyTwice},
		{"ModesAreTaken", modes},
		{"DrainedMachinesRestUntilUnlisted", drained},
		{"UnlistedMachinesGo", unlisted},
		{"DrainingFinishesRequests", drainFinishes},
		{"DeletedSetsGo", deleted},
		{"RoutesMoveWithoutAGap", routeMoves},
		{"RoutesWaitForAnAcceptor", routeWaits},
		{"ConnectionsWaitWithoutARoute", queueWaits},
		{"OldLeasesAreRefused", leases},
		{"InventoryListsEverything", inventory},
		{"WaitReturnsWhenSomethingChanged", waits},
		{"AddressesAreReserved", reserves},
		{"DeadMachinesAreRestarted", restarts},
		{"NamesPointAtSets", names},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, &bench{Fixture: make(t), t: t, lease: fabric.Lease{Service: "/service/" + c.name, Epoch: 7}})
		})
	}
}

func applyTwice(t *testing.T, b *bench) {
	s := b.set("s", platform.Serving, "m1", "m2")
	b.apply(s)
	before := b.await("both are ready", b.allReady("m1", "m2")).Machines
	b.apply(s)
	b.apply(s)
	for id, m := range b.observe("s").Machines {
		if was := before[id]; m.PID != was.PID || m.Restarts != was.Restarts || !m.Since.Equal(was.Since) {
			t.Errorf("machine %s is another after applying again: %+v, was %+v", id, m, was)
		}
	}
	if n := len(b.observe("s").Machines); n != 2 {
		t.Errorf("%d machines, want 2", n)
	}
}

func modes(t *testing.T, b *bench) {
	b.reserve("v")
	b.apply(b.set("s", platform.Parked, "m1"))
	b.route("v", "s")
	b.await("m1 is ready", b.allReady("m1"))
	if got := b.observe("s").VIPs["v"]; len(got) != 0 {
		t.Errorf("a parked machine accepts: %v", got)
	}
	b.apply(b.set("s", platform.Serving, "m1"))
	b.await("s accepts", b.accepts("v", "s"))
	if got := b.get("v"); got != "m1" {
		t.Errorf("got an answer of %q, want m1", got)
	}
	b.apply(b.set("s", platform.Parked, "m1"))
	b.await("s accepts no more", b.accepts("v"))
	if m := b.observe("s").Machines["m1"]; m.Phase != platform.Ready || m.Restarts != 0 {
		t.Errorf("parking did more than that: %+v", m)
	}
}

func drained(t *testing.T, b *bench) {
	b.apply(b.set("s", platform.Serving, "m1", "m2"))
	before := b.await("both are ready", b.allReady("m1", "m2"))
	s := b.set("s", platform.Serving, "m1", "m2")
	s.Machines[0].Mode = platform.Draining
	b.apply(s)
	b.await("m1 has exited", b.exited("m1"))
	b.apply(s)
	if m := b.observe("s").Machines["m2"]; m.Phase != platform.Ready || m.PID != before.Machines["m2"].PID {
		t.Errorf("the other machine was touched: %+v", m)
	}
	if m := b.observe("s").Machines["m1"]; m.Phase != platform.Exited {
		t.Errorf("a drained machine was started again: %+v", m)
	}
	b.apply(b.set("s", platform.Serving, "m2"))
	b.await("m1 is forgotten", b.absent("m1"))
}

func unlisted(t *testing.T, b *bench) {
	b.apply(b.set("s", platform.Serving, "m1", "m2"))
	b.await("both are ready", b.allReady("m1", "m2"))
	b.apply(b.set("s", platform.Serving, "m2", "m3"))
	b.await("m1 is gone and m3 there", func(o platform.Observation) bool {
		return b.absent("m1")(o) && b.allReady("m2", "m3")(o)
	})
}

func drainFinishes(t *testing.T, b *bench) {
	b.reserve("v")
	b.apply(b.set("s", platform.Serving, "m1"))
	b.route("v", "s")
	b.await("s accepts", b.accepts("v", "s"))
	finish := b.hold("v")
	b.apply(b.set("s", platform.Draining, "m1"))
	b.await("s accepts no more", b.accepts("v"))
	if got := finish(); got != "m1" {
		t.Errorf("a request under way got %q, want m1", got)
	}
	b.await("m1 has exited", b.exited("m1"))
}

func deleted(t *testing.T, b *bench) {
	b.apply(b.set("s", platform.Serving, "m1"))
	b.apply(b.set("t", platform.Serving, "m2"))
	b.await("both are ready", b.allReady("m1", "m2"))
	for range 2 {
		if err := b.Fabric.Delete(t.Context(), b.lease, "s"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	b.await("m1 is gone", b.absent("m1"))
	inv := b.inventory()
	if len(inv.Sets) != 1 || inv.Sets[0].ID != "t" {
		t.Errorf("inventory lists %+v, want t alone", inv.Sets)
	}
	if b.observe("t").Machines["m2"].Phase != platform.Ready {
		t.Error("another set was touched")
	}
}

func routeMoves(t *testing.T, b *bench) {
	b.reserve("v")
	b.apply(b.set("old", platform.Serving, "m1"))
	b.apply(b.set("new", platform.Serving, "m2"))
	b.await("both are ready", b.allReady("m1", "m2"))
	b.route("v", "old")
	b.await("old accepts", b.accepts("v", "old"))
	stop := b.load("v")
	for range 5 {
		b.route("v", "new")
		b.await("new accepts alone", b.accepts("v", "new"))
		b.route("v", "old", "new")
		b.await("both accept", b.accepts("v", "new", "old"))
		b.route("v", "old")
		b.await("old accepts alone", b.accepts("v", "old"))
	}
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d requests failed while the route moved, the first: %s", len(failed), failed[0])
	}
}

func routeWaits(t *testing.T, b *bench) {
	b.reserve("v")
	b.apply(b.set("old", platform.Serving, "m1"))
	b.route("v", "old")
	b.await("old accepts", b.accepts("v", "old"))
	b.apply(b.set("new", platform.Parked, "m2"))
	b.await("m2 is ready", b.allReady("m2"))
	b.route("v", "new")
	if got := b.get("v"); got != "m1" {
		t.Errorf("got an answer of %q before the new set accepts, want m1", got)
	}
	if got := b.observe("old").VIPs["v"]; !cmp.Equal([]string{"old"}, got) {
		t.Errorf("accepting: %v, want old", got)
	}
	b.apply(b.set("new", platform.Serving, "m2"))
	b.await("new accepts alone", b.accepts("v", "new"))
	if got := b.get("v"); got != "m2" {
		t.Errorf("got an answer of %q, want m2", got)
	}
}

func queueWaits(t *testing.T, b *bench) {
	b.reserve("v")
	finish := b.send("v", "GET / HTTP/1.1\r\nHost: fabric.example\r\nConnection: close\r\n\r\n")
	b.apply(b.set("s", platform.Serving, "m1"))
	b.route("v", "s")
	if got := finish(); got != "m1" {
		t.Errorf("a connection that waited got %q, want m1", got)
	}
}

func leases(t *testing.T, b *bench) {
	s := b.set("s", platform.Serving, "m1")
	b.apply(s)
	v := platform.VIP{ID: "v"}
	old, ctx := fabric.Lease{Service: b.lease.Service, Epoch: b.lease.Epoch - 1}, t.Context()
	for name, call := range map[string]func(fabric.Lease) error{
		"Apply":   func(l fabric.Lease) error { return b.Fabric.Apply(ctx, l, b.set("s", platform.Serving)) },
		"Delete":  func(l fabric.Lease) error { return b.Fabric.Delete(ctx, l, "s") },
		"Reserve": func(l fabric.Lease) error { _, err := b.Fabric.Reserve(ctx, l, v, nil); return err },
		"Route":   func(l fabric.Lease) error { return b.Fabric.Route(ctx, l, v) },
		"Release": func(l fabric.Lease) error { return b.Fabric.Release(ctx, l, "v") },
		"Name": func(l fabric.Lease) error {
			return b.Fabric.Name(ctx, l, fabric.Names{Hosts: []string{"h"}, Sets: []string{"s"}})
		},
	} {
		if err := call(old); !errors.Is(err, fabric.ErrStaleLease) {
			t.Errorf("%s under an old lease: %v, want ErrStaleLease", name, err)
		}
	}
	b.await("the machine is there", b.allReady("m1"))
	other := fabric.Lease{Service: "/service/other", Epoch: 1}
	if err := b.Fabric.Apply(ctx, other, b.set("s2", platform.Serving, "m9")); err != nil {
		t.Errorf("another service's lease: %v", err)
	}
}

func inventory(t *testing.T, b *bench) {
	address := b.reserve("v")
	s := b.set("s", platform.Serving, "m1")
	b.apply(s)
	b.route("v", "s")
	if err := b.Fabric.Name(t.Context(), b.lease, fabric.Names{Hosts: []string{"a.example"}, Sets: []string{"s"}}); err != nil {
		t.Fatalf("name: %v", err)
	}
	want := fabric.Inventory{
		Sets: []platform.Set{s}, VIPs: []platform.VIP{{ID: "v", Address: address, Sets: []string{"s"}}},
		Hosts: map[string][]string{"a.example": {"s"}},
	}
	if d := cmp.Diff(want, b.inventory()); d != "" {
		t.Errorf("inventory differs (-want +got):\n%s", d)
	}
}

func waits(t *testing.T, b *bench) {
	b.apply(b.set("s", platform.Serving, "m1"))
	b.await("m1 is ready", b.allReady("m1"))
	n, err := b.Fabric.Wait(t.Context(), 0)
	if err != nil || n <= 0 {
		t.Fatalf("Wait(0) = %d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err == nil { // until there is nothing new
		n, err = b.Fabric.Wait(ctx, n)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context: %v", err)
	}
}

func reserves(t *testing.T, b *bench) {
	first := b.reserve("v1")
	if again := b.reserve("v1"); again != first {
		t.Errorf("reserving again gave %s after %s", again, first)
	}
	second := b.reserve("v2")
	if second == first {
		t.Errorf("two VIPs have the address %s", first)
	}
	b.release("v2")
	third, err := b.Fabric.Reserve(t.Context(), b.lease, platform.VIP{ID: "v3"}, []string{second})
	if err != nil || third == second || third == first {
		t.Errorf("reserving beside %s and avoiding %s gave %q, %v", first, second, third, err)
	}
	fourth, err := b.Fabric.Reserve(t.Context(), b.lease, platform.VIP{ID: "v4", Address: second}, nil)
	if err != nil || fourth != second {
		t.Errorf("reserving exactly %s gave %q, %v", second, fourth, err)
	}
	if a, err := b.Fabric.Reserve(t.Context(), b.lease, platform.VIP{ID: "v5", Address: first}, nil); err == nil {
		t.Errorf("an address in use was given again: %s", a)
	}
}

func restarts(t *testing.T, b *bench) {
	b.reserve("v")
	b.apply(b.set("s", platform.Serving, "m1", "m2"))
	b.route("v", "s")
	b.await("both are ready", b.allReady("m1", "m2"))
	b.Kill("m1")
	b.await("m1 is back", func(o platform.Observation) bool {
		return b.allReady("m1", "m2")(o) && o.Machines["m1"].Restarts == 1 && o.Machines["m1"].Failures == 1 && o.Machines["m1"].NextStart.IsZero()
	})
	if got := b.get("v"); got != "m1" && got != "m2" {
		t.Errorf("got an answer of %q", got)
	}
}

func names(t *testing.T, b *bench) {
	b.apply(b.set("s", platform.Serving, "m1"))
	b.apply(b.set("t", platform.Serving, "m2"))
	point := func(sets []string, hosts ...string) {
		t.Helper()
		if err := b.Fabric.Name(t.Context(), b.lease, fabric.Names{Hosts: hosts, Sets: sets}); err != nil {
			t.Fatalf("name %v: %v", hosts, err)
		}
	}
	check := func(want map[string][]string) {
		t.Helper()
		if d := cmp.Diff(want, b.inventory().Hosts); d != "" {
			t.Errorf("hosts differ (-want +got):\n%s", d)
		}
	}
	point([]string{"s"}, "a.example", "b.example")
	check(map[string][]string{"a.example": {"s"}, "b.example": {"s"}})
	point([]string{"t", "s"}, "b.example")
	check(map[string][]string{"a.example": {"s"}, "b.example": {"t", "s"}})
	if err := b.Fabric.Delete(t.Context(), b.lease, "t"); err != nil {
		t.Fatalf("delete: %v", err)
	}
	check(map[string][]string{"a.example": {"s"}, "b.example": {"s"}})
	point(nil, "b.example")
	check(map[string][]string{"a.example": {"s"}})
}
