package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// gatewayFile is where the machines of a version find their program.
func (h *host) gatewayFile(version string) string {
	return filepath.Join(h.dir, "gateways", version, "portico")
}

// swap puts another program in the place of a version's until the test ends. Machines that run do not notice.
func (h *host) swap(t *testing.T, version, file string) {
	t.Helper()
	path := h.gatewayFile(version)
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	move(path, path+".good")
	move(path+".new", path)
	t.Cleanup(func() { move(path+".good", path) })
}

// gatewayScript writes a program that says what version it is and otherwise does what the line says.
func gatewayScript(t testing.TB, version, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway")
	text := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = version ]; then echo %s; else %s; fi\n", version, line)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

// fails runs a long-running request that must fail, and returns the operation's error.
func (h *host) fails(method, path string, body any) *arm.Error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := h.client.Run(ctx, method, path, latest, body, nil)
	e, ok := errors.AsType[*arm.Error](err)
	if !ok {
		h.t.Fatalf("%s %s: %v, want a failed operation", method, path, err)
	}
	return e
}

// A layout is all that must be as before after an operation has failed.
type layout struct {
	Platform, Gateway string
	Addresses         []string
	Machines          []machine
	Sets, VIPs        int
}

func (h *host) layout(name string) layout {
	h.t.Helper()
	u, v := h.units(name), h.show(name)
	l := layout{Platform: v.Properties.PlatformVersion, Gateway: v.Properties.GatewayURL, Addresses: v.Properties.PublicIPs, Machines: h.machines(name)}
	for i := range l.Machines {
		l.Machines[i].Seq = 0
	}
	for _, at := range u.Locations {
		l.Sets, l.VIPs = l.Sets+len(at.Sets), l.VIPs+len(at.VIPs)
	}
	return l
}

// goesBack waits until a service is as it was.
func (h *host) goesBack(t *testing.T, name string, before layout) {
	t.Helper()
	diff := "not looked"
	for deadline := time.Now().Add(patience); diff != ""; {
		if diff = cmp.Diff(before, h.layout(name)); time.Now().After(deadline) {
			t.Fatalf("%s is not as it was (-before +now):\n%s", name, diff)
		}
	}
	if s := h.show(name); s.Properties.ProvisioningState != "Failed" || s.Properties.TargetState != "" {
		t.Errorf("state %+v", s.Properties)
	}
}

// TestRollback_OfAMigration lets a migration fail for each cause while requests go on.
func TestRollback_OfAMigration(t *testing.T) {
	other := next(t)
	pool := netip.MustParsePrefix("127.130.3.0/29")
	h := start(t, "--health-deadline", "2s", "--vip-pool", pool.String())
	h.create("legacy", "Basic", 1, old)
	h.do(http.MethodPut, h.service("legacy")+"/policies/policy", recent, object{"properties": object{
		"format": "rawxml", "value": `<policies><inbound><set-header name="X-Known" exists-action="override"><value>1</value></set-header></inbound><backend><forward-request /></backend><outbound /><on-error /></policies>`,
	}})
	target := h.shop("legacy")
	before := h.layout("legacy")
	p := press(t, 300, target)
	p.since()
	tests := []struct {
		name    string
		mode    string
		prepare func(*testing.T)
		code    string
		text    string // # is the machine
	}{
		{
			"exits at once", "PreserveIp", func(t *testing.T) { h.swap(t, "e2e", gatewayScript(t, "e2e", "exit 7")) },
			"GatewayCrashed", "Machine # of gateway e2e ends again and again: ",
		},
		{
			"hangs", "PreserveIp", func(t *testing.T) { h.swap(t, "e2e", gatewayScript(t, "e2e", "exec sleep 1000")) },
			"GatewayNotReady", "Machine # of gateway e2e was not ready within 2s: it is starting.",
		},
		{
			"is another version", "NewIP", func(t *testing.T) { h.swap(t, "e2e", other) },
			"GatewayVersionMismatch", "Machine # runs gateway " + nextVersion + " instead of e2e.",
		},
		{
			"finds no port", "NewIP", func(t *testing.T) { h.occupy(t, pool) },
			"AddressNotAvailable", "No address could be opened within 2s: those that are not another service's are in use by other programs.",
		},
		{
			"refuses the snapshot", "PreserveIp", func(t *testing.T) { h.spoilPolicy(t, "legacy") },
			"GatewayRefusedSnapshot", "Machine # of gateway e2e cannot serve the configuration of the service: ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.prepare(t)
			got := h.fails(http.MethodPost, h.service("legacy")+"/migrateToStv2", object{"mode": tt.mode})
			start, end, _ := strings.Cut(tt.text, "#")
			if got.Code != tt.code || !strings.HasPrefix(got.Message, start) || !strings.Contains(got.Message, end) || !strings.HasSuffix(got.Message, " The service goes on as before.") {
				t.Errorf("failed with %s %q, want %s %q", got.Code, got.Message, tt.code, tt.text)
			}
			h.goesBack(t, "legacy", before)
		})
	}
	p.unharmed(p.since(), 1000)
}

// occupy listens on every address of a pool that is free.
func (h *host) occupy(t *testing.T, pool netip.Prefix) {
	t.Helper()
	for a := pool.Addr(); pool.Contains(a); a = a.Next() {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, 9080).String())
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
	}
}

// spoilPolicy writes a statement that no gateway knows into the policy of a service, behind the control plane's back.
func (h *host) spoilPolicy(t *testing.T, name string) {
	t.Helper()
	h.kill()
	st, err := sqlite.Open(t.Context(), filepath.Join(h.dir, "portico.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.Update(t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(h.service(name) + "/policies/policy")
		if err != nil {
			return err
		}
		d.Desired = bytes.ReplaceAll(d.Desired, []byte("set-header"), []byte("set-future"))
		_, err = tx.Put(d)
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	h.up(nil, h.args...)
}

// TestRollback_OfAnUpgrade installs versions that are no good, on both ways of walking, while requests go on.
func TestRollback_OfAnUpgrade(t *testing.T) {
	h := start(t, "--health-deadline", "2s")
	h.create("classic", "Basic", 1, old)
	h.create("wide", "Basic", 2, recent)
	h.create("thin", "Consumption", 0, recent)
	p := press(t, 300, h.shop("classic"), h.shop("wide"), h.shop("thin"))
	p.since()
	h.portico("gateway", "install", gatewayScript(t, "crash-1", "exit 7"))
	h.portico("gateway", "install", gatewayScript(t, "hang-1", "exec sleep 1000"))
	for _, try := range []struct{ service, version, code string }{
		{"wide", "crash-1", "GatewayCrashed"},
		{"wide", "hang-1", "GatewayNotReady"},
		{"thin", "crash-1", "GatewayCrashed"},
		{"classic", "crash-1", "GatewayCrashed"},
	} {
		before := h.layout(try.service)
		got := h.fails(http.MethodPost, h.service(try.service)+"/providers/Portico.Hosting/upgrade", object{"gateway": try.version})
		if got.Code != try.code || !strings.Contains(got.Message, " of gateway "+try.version+" ") {
			t.Errorf("%s failed with %s %q, want %s", try.service, got.Code, got.Message, try.code)
		}
		if try.service != "classic" { // there a machine has to go first
			h.goesBack(t, try.service, before)
		}
		eventually(t, 30*time.Second, try.service+" on its old version", func() bool {
			for _, m := range h.machines(try.service) {
				if m.Gateway != "e2e" || m.Mode != "serving" || m.Phase != "ready" {
					return false
				}
			}
			return len(h.machines(try.service)) == len(before.Machines)
		})
	}
	out, err := exec.Command(program, "service", "upgrade", "--all", "--to", "crash-1", "--data", h.dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "GatewayCrashed") || !strings.Contains(string(out), "(2 services not touched)") {
		t.Errorf("upgrade of all: %v\n%s", err, out)
	}
	h.listsGateways(map[string][2]int{"e2e": {3, 7}, "crash-1": {}, "hang-1": {}})
	p.unharmed(p.since(), 300)
}
