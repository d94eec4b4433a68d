package hosting_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// TestRollback_LeavesTheServiceAsItWas lets a migration fail for each cause, under load.
func TestRollback_LeavesTheServiceAsItWas(t *testing.T) {
	t.Parallel()
	on := func(v platform.Version, f func(*platform.MachineStatus)) badness {
		return badness{report: func(m fabric.MachineConfig, s *platform.MachineStatus) {
			if m.Platform == v {
				f(s)
			}
		}}
	}
	tests := []struct {
		name  string
		spoil func(*world)
		code  string
		text  string // # is the machine
	}{
		{"crash at start", func(w *world) {
			w.spoil(badness{start: func(m fabric.MachineConfig) error {
				if m.Platform == platform.STv2 {
					return errors.New("exit status 7")
				}
				return nil
			}})
		}, platform.CodeCrashed, "# of gateway 1.0 ends again and again: exit status 7."},
		{
			"hang at start", func(w *world) { w.holdMachines("shop", platform.STv2) },
			platform.CodeNotReady, "# of gateway 1.0 was not ready within 500ms: it is starting.",
		},
		{"wrong version", func(w *world) {
			w.spoil(on(platform.STv2, func(s *platform.MachineStatus) { s.Gateway = "0.9" }))
		}, platform.CodeWrongVersion, "# runs gateway 0.9 instead of 1.0."},
		{"refused snapshot", func(w *world) {
			w.spoil(on(platform.STv2, func(s *platform.MachineStatus) { s.Refused = "/apis/a: unknown statement" }))
		}, platform.CodeRefused, "# of gateway 1.0 cannot serve the configuration of the service: /apis/a: unknown statement."},
		{
			"port taken", func(w *world) { w.fault("reserve", fmt.Errorf("listen: %w", fabric.ErrNoAddress)) },
			platform.CodeNoAddress, "No address could be opened within 500ms: those that are not another service's are in use by other programs.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Gateway: "1.0", HealthDeadline: 500 * time.Millisecond, Retry: 100 * time.Millisecond})
			before, desired := w.create("shop", v1), w.desired("shop")
			stop := w.load(before.VIPs[0].Address)
			tt.spoil(w)
			wish := v2
			wish.Address = platform.NewIP
			name := w.ask("shop", "service.migrate", wish)
			machine := ""
			w.until("the new set is listed", func() bool {
				st, _ := w.status("shop")
				for _, s := range st.Hosting.Sets {
					if s.Platform == platform.STv2 {
						machine = s.Machines[0].ID
					}
				}
				return machine != "" || w.operation(name).Status != lro.InProgress
			})
			op := w.ended(name, lro.Failed)
			want := strings.ReplaceAll(tt.text, "#", "Machine "+machine) + " The service goes on as before."
			if op.Error.Code != tt.code || op.Error.Message != want {
				t.Errorf("error %s %q, want %s %q", op.Error.Code, op.Error.Message, tt.code, want)
			}
			if d := cmp.Diff(before, w.settled("shop")); d != "" {
				t.Errorf("compute differs (-want +got):\n%s", d)
			}
			w.until("what was started is gone", func() bool {
				inv, err := w.f.Inventory(t.Context())
				return err == nil && len(inv.Sets) == 1 && len(inv.VIPs) == 1
			})
			if good, failed := stop(); len(failed) > 0 || good == 0 {
				t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
			}
			st, _ := w.status("shop")
			got := [6]any{st.ProvisioningState, st.Operation, st.Wish.Platform, st.Previous == nil, len(st.Before), w.desired("shop")}
			if d := cmp.Diff([6]any{"Failed", "", platform.STv1, true, 0, desired}, got); d != "" {
				t.Errorf("status differs (-want +got):\n%s", d)
			}
		})
	}
}

// TestRollback_CrashAfterEveryCall lets the controller die at each of the calls of a migration that fails.
func TestRollback_CrashAfterEveryCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t, hosting.Options{Retry: 100 * time.Millisecond})
		before := w.create("shop", v1)
		w.spoil(badness{start: func(m fabric.MachineConfig) error {
			if m.Platform == platform.STv2 {
				return errors.New("exit status 7")
			}
			return nil
		}})
		stop := w.load(before.VIPs[0].Address)
		crashed := w.crashAt(n)
		w.ended(w.ask("shop", "service.migrate", v2), lro.Failed)
		if d := cmp.Diff(before, w.settled("shop")); d != "" {
			t.Errorf("crash at call %d: compute differs (-want +got):\n%s", n, d)
		}
		w.until("what was started is gone", func() bool {
			inv, err := w.f.Inventory(t.Context())
			return err == nil && len(inv.Sets) == 1 && len(inv.VIPs) == 1
		})
		if good, failed := stop(); len(failed) > 0 || good == 0 {
			t.Fatalf("crash at call %d: %d requests failed of %d, the first: %v", n, len(failed), good+len(failed), failed[0])
		}
		if !crashed() {
			t.Logf("%d calls", n-1)
			return
		}
		w.close()
	}
}

// desired is what the client of a service asked for.
func (w *world) desired(service string) (text string) {
	w.t.Helper()
	if err := w.st.View(w.t.Context(), func(r store.Reader) error {
		d, err := r.Get(id(service))
		text = string(d.Desired)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return text
}

// TestRollback_OfAnUpgrade lets a new version of the gateway fail on its first machine: nothing else is touched.
func TestRollback_OfAnUpgrade(t *testing.T) {
	t.Parallel()
	for _, v := range []platform.Version{platform.STv1, platform.STv2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Gateway: "1.0"})
			wish := platform.Wish{Platform: v, Tier: platform.Premium, Units: 2, Gateway: "1.0"}
			before := w.create("shop", wish)
			stop := w.load(before.VIPs[0].Address)
			w.spoil(badness{start: func(m fabric.MachineConfig) error {
				if m.Machine.Gateway == "2.0" {
					return errors.New("exit status 7")
				}
				return nil
			}})
			wish.Gateway = "2.0"
			op := w.ended(w.ask("shop", "service.upgrade", wish), lro.Failed)
			if op.Error.Code != platform.CodeCrashed {
				t.Errorf("error %+v", op.Error)
			}
			w.settled("shop")
			w.until("the old version is back", func() bool {
				st, _ := w.status("shop")
				kept := 0
				for _, m := range st.Hosting.Sets[0].Machines {
					if m.Gateway != "1.0" {
						return false
					}
					if slices.ContainsFunc(before.Sets[0].Machines, func(was platform.Machine) bool { return was.ID == m.ID }) {
						kept++
					}
				}
				return v == platform.STv2 && kept == 4 || v == platform.STv1 && kept == 3
			})
			if good, failed := stop(); len(failed) > 0 || good == 0 {
				t.Errorf("%d requests failed of %d, the first: %v", len(failed), good+len(failed), failed)
			}
		})
	}
}
