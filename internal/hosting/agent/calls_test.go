package agent_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
	"github.com/portico-dev/portico/internal/platform"
)

// mend lets machines of the version "crash" start.
func mend(t testing.TB, h *agenttest.Host) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.Layout.Caches(), "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCalls_StaleLeaseIsRefused(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	young := fabric.Lease{Service: service, Epoch: 5}
	if err := h.Apply(t.Context(), young, setOf("set", platform.Parked, 1)); err != nil {
		t.Fatal(err)
	}
	old := fabric.Lease{Service: "/SUBSCRIPTIONS" + service[len("/subscriptions"):], Epoch: 4}
	ctx := t.Context()
	_, reserved := h.Reserve(ctx, old, platform.VIP{ID: "vip"}, nil)
	for name, err := range map[string]error{
		"apply":   h.Apply(ctx, old, setOf("set", platform.Serving, 2)),
		"delete":  h.Delete(ctx, old, "set"),
		"reserve": reserved,
		"route":   h.Route(ctx, old, platform.VIP{ID: "vip"}),
		"release": h.Release(ctx, old, "vip"),
		"name":    h.Name(ctx, old, fabric.Names{Hosts: []string{"a"}, Sets: []string{"set"}}),
	} {
		if !errors.Is(err, fabric.ErrStaleLease) {
			t.Errorf("%s under an old lease: %v, want ErrStaleLease", name, err)
		}
	}
	inv, err := h.Inventory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := fabric.Inventory{Sets: []platform.Set{setOf("set", platform.Parked, 1)}, VIPs: []platform.VIP{}, Hosts: map[string][]string{}}
	if diff := cmp.Diff(want, inv); diff != "" {
		t.Errorf("inventory after refused calls (-want +got):\n%s", diff)
	}
	if err := h.Apply(ctx, fabric.Lease{Service: "another", Epoch: 1}, setOf("set2", platform.Parked, 0)); err != nil {
		t.Errorf("another service's epoch: %v", err)
	}
}

func TestCalls_WrongOnesAreRefusedWithTheirCode(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	apply(t, h, setOf("set", platform.Parked, 1))
	v := reserve(t, h, "vip")
	twice := setOf("twice", platform.Parked, 1)
	twice.Machines = append(twice.Machines, twice.Machines[0])
	taken := setOf("other", platform.Parked, 1)
	taken.Machines[0].ID = "set-0"
	ctx := t.Context()
	_, elsewhere := h.Reserve(ctx, lease, platform.VIP{ID: "vip", Address: "127.0.0.9"}, nil)
	_, busy := h.Reserve(ctx, lease, platform.VIP{ID: "vip2", Address: v.Address}, nil)
	_, foreign := h.Reserve(ctx, lease, platform.VIP{ID: "vip3", Address: "192.0.2.1"}, nil)
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"no set ID":              {h.Apply(ctx, lease, platform.Set{}), "invalid"},
		"machine listed twice":   {h.Apply(ctx, lease, twice), "invalid"},
		"machine of another set": {h.Apply(ctx, lease, taken), "invalid"},
		"unknown mode":           {h.Apply(ctx, lease, setOf("s", "asleep", 1)), "invalid"},
		"no VIP ID":              {h.Route(ctx, lease, platform.VIP{}), "notFound"},
		"VIP never reserved":     {h.Route(ctx, lease, platform.VIP{ID: "none"}), "notFound"},
		"another address":        {elsewhere, "invalid"},
		"address taken":          {busy, "noAddress"},
		"address of elsewhere":   {foreign, "invalid"},
		"host with a port":       {h.Name(ctx, lease, fabric.Names{Hosts: []string{"a:80"}, Sets: []string{"set"}}), "invalid"},
	} {
		var e *local.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want code %s", name, c.err, c.code)
		}
		if got, want := errors.Is(c.err, fabric.ErrImpossible), c.code == "invalid"; got != want {
			t.Errorf("%s: impossible %v, want %v", name, got, want)
		}
	}
}

func TestReserve_SkipsWhatIsTaken(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	first := reserve(t, h, "first")
	if err := h.Release(t.Context(), lease, "first"); err != nil {
		t.Fatal(err)
	}
	// Somebody else takes the address that would come next.
	other, err := net.Listen("tcp", plainAddr(h, first))
	if err != nil {
		t.Fatalf("a released address is not free: %v", err)
	}
	defer other.Close() //nolint:errcheck // only a test's listener
	second := reserve(t, h, "second")
	avoided, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "third"}, []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if second.Address == first.Address || avoided == second.Address {
		t.Errorf("addresses %s (taken), %s, %s are not three", first.Address, second.Address, avoided)
	}
	if err := h.Release(t.Context(), lease, "second"); err != nil {
		t.Fatal(err)
	}
	fourth, err := h.Reserve(t.Context(), lease, platform.VIP{ID: "fourth"}, []string{second.Address})
	if err != nil {
		t.Fatal(err)
	}
	if fourth == second.Address {
		t.Errorf("address %s was to be avoided", fourth)
	}
	exact, err := h.Reserve(t.Context(), lease, second, nil)
	if err != nil || exact != second.Address {
		t.Errorf("exact address: %s, %v, want %s", exact, err, second.Address)
	}
}

// A released VIP is closed although machines had its sockets.
func TestRelease_ClosesTheAddress(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 2)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	for range 2 { // the second time there is nothing to release
		if err := h.Release(t.Context(), lease, "vip"); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := net.Dial("tcp", plainAddr(h, v)); err == nil {
		_ = c.Close()
		t.Errorf("%s still answers", v.Address)
	}
	if diff := cmp.Diff(map[string][]string{}, observe(t, h).VIPs); diff != "" {
		t.Errorf("VIPs (-want +got):\n%s", diff)
	}
}

func TestWait_ReturnsOnAChangeAndHonoursItsContext(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	now, err := h.Wait(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int64, 1)
	go func() {
		n, _ := h.Wait(context.WithoutCancel(t.Context()), now)
		got <- n
	}()
	apply(t, h, setOf("set", platform.Parked, 0))
	if n := <-got; n <= now {
		t.Errorf("wait after %d returned %d", now, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Wait(ctx, now+1_000_000_000); !errors.Is(err, context.Canceled) {
		t.Errorf("wait with an ended context: %v, want context.Canceled", err)
	}
}

func TestRun_OneAgentPerFolder(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	err := agent.Run(t.Context(), agent.Options{Layout: h.Layout, Command: agenttest.Command})
	if !errors.Is(err, agent.ErrRunning) {
		t.Errorf("second agent: %v, want ErrRunning", err)
	}
}

func TestSocket_IsTheOwnersAlone(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	path, err := h.Layout.Socket("agent.sock")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s: %v, want %v", p, got, want)
		}
	}
}
