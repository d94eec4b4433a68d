package hosting_test

import (
	"slices"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// TestAddresses_WhenTheyChange is the table of the documents, as far as no network takes part.
func TestAddresses_WhenTheyChange(t *testing.T) {
	t.Parallel()
	with := func(w platform.Wish, change func(*platform.Wish)) platform.Wish {
		change(&w)
		return w
	}
	update := func(wish platform.Wish) func(*world) {
		return func(w *world) { w.ended(w.ask("shop", "service.update", wish), lro.Succeeded) }
	}
	zones := []string{"1", "2", "3"}
	zoned := with(premium, func(w *platform.Wish) { w.Units, w.Zones, w.Address = 3, zones, platform.NewIP })
	for name, c := range map[string]struct {
		from   platform.Wish
		event  func(*world)
		change bool
	}{
		"the controller starts again": {premium, func(w *world) {
			if err := w.stop(); err != nil {
				w.t.Fatal(err)
			}
			w.start()
			w.ended(w.ask("shop", "service.update", premium), lro.Succeeded)
		}, false},
		"a machine starts again": {premium, func(w *world) {
			st, _ := w.status("shop")
			machine := st.Hosting.Sets[0].Machines[0].ID
			if !w.f.Kill(machine) {
				w.t.Fatal("there is no machine to kill")
			}
			w.until("the machine is back", func() bool {
				obs, err := w.f.Observe(w.t.Context())
				return err == nil && obs.Machines[machine].Phase == platform.Ready
			})
		}, false},
		"scale out":          {premium, update(with(premium, func(w *platform.Wish) { w.Units = 3 })), false},
		"scale in":           {with(premium, func(w *platform.Wish) { w.Units = 3 }), update(premium), false},
		"another tier":       {v2, update(premium), false},
		"a change of an API": {premium, func(w *world) { w.changeAPI() }, false},
		"a change of names":  {premium, func(w *world) { w.ended(w.rename("shop", "api.contoso.example"), lro.Succeeded) }, false},
		"a platform update": {premium, func(w *world) {
			w.ended(w.ask("shop", "service.upgrade", with(premium, func(w *platform.Wish) { w.Gateway = "2.0" })), lro.Succeeded)
		}, false},
		"a location is added": {premium, func(w *world) {
			w.ended(w.ask("shop", "service.update", premium, at("northeurope", premium)), lro.Succeeded)
		}, false},
		"deleted and created": {premium, func(w *world) {
			w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
			w.create("shop", premium)
		}, true},
		"zones are enabled": {premium, update(zoned), true},
		"zones are removed": {zoned, update(with(premium, func(w *platform.Wish) { w.Units, w.Address = 3, platform.NewIP })), true},
		"a zone is removed": {zoned, update(with(zoned, func(w *platform.Wish) { w.Units, w.Zones = 2, zones[:2] })), true},
		"stv1 to stv2":      {v1, func(w *world) { w.ended(w.ask("shop", "service.migrate", v2), lro.Succeeded) }, false},
		"stv1 to stv2, new IP": {v1, func(w *world) {
			w.ended(w.ask("shop", "service.migrate", with(v2, func(w *platform.Wish) { w.Address = platform.NewIP })), lro.Succeeded)
		}, true},
		"an operation that fails": {premium, func(w *world) {
			w.old(1000)
			op := w.rename("shop", "api.contoso.example")
			if err := w.stop(); err != nil {
				w.t.Fatal(err)
			}
			w.opt.OperationDeadline = time.Nanosecond
			w.start()
			w.ended(op, lro.Failed)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
			w.create("shop", c.from)
			before := w.settledAddress()
			c.event(w)
			if after := w.settledAddress(); (after != before) != c.change {
				t.Errorf("%s is %s afterwards", before, after)
			}
		})
	}
}

// TestAddresses_WhenNetworksChange is the part of that table in which networks take part. Both addresses are compared: the
// one of the gateway, which is a private one where it is internal, and the public one.
func TestAddresses_WhenNetworksChange(t *testing.T) {
	t.Parallel()
	update := func(wish platform.Wish) func(*world) {
		return func(w *world) { w.ended(w.ask("shop", "service.update", wish), lro.Succeeded) }
	}
	with := func(w platform.Wish, change func(*platform.Wish)) platform.Wish {
		change(&w)
		return w
	}
	outside := with(premium, func(w *platform.Wish) { w.Address = platform.NewIP })
	external, internal := in(premium, platform.External, "one", "198.18.0.9"), in(premium, platform.Internal, "one", "198.18.0.9")
	three := with(internal, func(w *platform.Wish) { w.Units = 3 })
	old := func(w platform.Wish) platform.Wish { w.Platform = platform.STv1; return w }
	for name, c := range map[string]struct {
		from            platform.Wish
		event           func(*world)
		gateway, public bool // whether the address changes
	}{
		"a network is added":               {premium, update(external), true, true},
		"a network is removed":             {external, update(outside), true, true},
		"an internal network is added":     {premium, update(internal), true, true},
		"an internal network is removed":   {internal, update(outside), true, true},
		"external to internal":             {external, update(in(premium, platform.Internal, "one", "198.18.0.10")), true, true},
		"internal to external":             {internal, update(in(premium, platform.External, "one", "198.18.0.10")), true, true},
		"another subnet, external":         {external, update(in(premium, platform.External, "two", "198.18.0.10")), true, true},
		"another subnet, internal":         {internal, update(in(premium, platform.Internal, "two", "198.18.0.10")), true, true},
		"another public address, external": {external, update(in(premium, platform.External, "one", "198.18.0.10")), true, true},
		"another public address, internal": {internal, update(in(premium, platform.Internal, "one", "198.18.0.10")), true, true},
		"zones are enabled": {three, update(with(in(three, platform.Internal, "one", "198.18.0.10"), func(w *platform.Wish) {
			w.Zones = []string{"1", "2", "3"}
		})), true, true},
		"scale out": {internal, update(three), false, false},
		"scale in":  {three, update(internal), false, false},
		"rules change": {internal, func(w *world) {
			w.rule("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/nsg", "Deny")
			w.ended(w.ask("shop", "service.update", internal), lro.Succeeded)
		}, false, false},
		"the controller starts again": {internal, func(w *world) {
			if err := w.stop(); err != nil {
				w.t.Fatal(err)
			}
			w.start()
			w.ended(w.ask("shop", "service.update", internal), lro.Succeeded)
		}, false, false},
		"a platform update": {internal, func(w *world) {
			w.ended(w.ask("shop", "service.upgrade", with(internal, func(w *platform.Wish) { w.Gateway = "2.0" })), lro.Succeeded)
		}, false, false},
		"a change of an API": {internal, func(w *world) { w.changeAPI() }, false, false},
		"stv1 to stv2, new IP": {old(internal), func(w *world) {
			w.ended(w.ask("shop", "service.migrate", in(premium, platform.Internal, "one", "198.18.0.10")), lro.Succeeded)
		}, true, true},
		"deleted and created, with the address of its owner": {external, func(w *world) {
			w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
			w.create("shop", in(premium, platform.External, "one", "198.18.0.10"))
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
			w.withNetwork()
			w.create("shop", c.from)
			gateway, public := w.settledAddress(), w.publicAddress()
			c.event(w)
			if after := w.settledAddress(); (after != gateway) != c.gateway {
				t.Errorf("the gateway's address %s is %s afterwards", gateway, after)
			}
			if after := w.publicAddress(); (after != public) != c.public {
				t.Errorf("the public address %s is %s afterwards", public, after)
			}
		})
	}
}

// publicAddress is that of the primary location of a service that is settled.
func (w *world) publicAddress() string {
	w.t.Helper()
	st, _ := w.status("shop")
	if set := st.Hosting.Set(st.Hosting.Active); set.Injection != nil {
		return set.Injection.Address
	}
	return st.Hosting.VIPs[0].Address
}

// A location that comes back has another address, and the others keep theirs.
func TestAddresses_LocationThatComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
	w.create("shop", premium)
	elsewhere := func() string {
		st, _ := w.status("shop")
		return st.Others[0].Hosting.VIPs[0].Address
	}
	w.ended(w.ask("shop", "service.update", premium, at("northeurope", premium)), lro.Succeeded)
	home, before := w.settledAddress(), elsewhere()
	w.ended(w.ask("shop", "service.update", premium), lro.Succeeded)
	w.until("the location is gone", func() bool {
		st, _ := w.status("shop")
		return len(st.Others) == 0
	})
	w.ended(w.ask("shop", "service.update", premium, at("northeurope", premium)), lro.Succeeded)
	if after := elsewhere(); after == before {
		t.Errorf("the location has %s as before", after)
	}
	if after := w.settledAddress(); after != home {
		t.Errorf("the primary location's %s is %s afterwards", home, after)
	}
}

// settledAddress is the one address that a service has at its primary location once nothing is kept from before.
func (w *world) settledAddress() (address string) {
	w.t.Helper()
	w.until("one address is left", func() bool {
		st, _ := w.status("shop")
		vips := st.Hosting.VIPs
		if len(vips) != 1 || len(st.Hosting.Sets) != 1 || st.Hosting.Coexistence != nil {
			return false
		}
		address = vips[0].Address
		return address != "" && slices.Contains(vips[0].Sets, st.Hosting.Active)
	})
	return address
}

// changeAPI stores an API of the service and waits until its machines have it.
func (w *world) changeAPI() {
	w.t.Helper()
	seq, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		_, err := tx.Put(store.Document{ID: id("shop") + "/apis/echo", Type: serviceType + "/apis", Desired: []byte(`{}`)})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("the machines have it", func() bool {
		obs, err := w.f.Observe(w.t.Context())
		for _, m := range obs.Machines {
			if m.Seq < seq {
				return false
			}
		}
		return err == nil && len(obs.Machines) > 0
	})
}
