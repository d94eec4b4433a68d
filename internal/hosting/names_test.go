package hosting_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// rename changes the host names that the owner of a service brings, as the control plane does.
func (w *world) rename(service string, names ...string) (operation string) {
	w.t.Helper()
	hosts := []map[string]string{}
	for _, n := range names {
		hosts = append(hosts, map[string]string{"type": "Proxy", "hostName": n})
	}
	desired, err := json.Marshal(map[string]any{"location": "West Europe", "properties": map[string]any{"hostnameConfigurations": hosts}})
	if err != nil {
		w.t.Fatal(err)
	}
	var op lro.Operation
	_, err = w.st.Update(w.t.Context(), func(tx store.Tx) error {
		d, err := tx.Get(id(service))
		if err != nil {
			return err
		}
		var st platform.ServiceStatus
		if err := json.Unmarshal(d.Status, &st); err != nil {
			return err
		}
		if op, err = lro.Start(tx, lro.Operation{Kind: "service.update", Target: d.ID, Started: time.Now()}); err != nil {
			return err
		}
		st.Before, d.Desired, st.Operation, st.Renames = d.Desired, desired, op.Name, true
		st.ProvisioningState, st.TargetProvisioningState = "Updating", "Updating"
		st.Want(st.Wish, nil)
		if d.Status, err = json.Marshal(st); err != nil {
			return err
		}
		_, err = tx.Put(d)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return op.Name
}

// old lets machines tell a Seq that is this much too low.
func (w *world) old(by int64) {
	w.spoil(badness{report: func(_ fabric.MachineConfig, s *platform.MachineStatus) { s.Seq -= by }})
	w.f.Changed()
}

// Names come and go at once; the operation ends when every machine answers to them.
func TestNames_OfTheOwner(t *testing.T) {
	t.Parallel()
	for _, wish := range []platform.Wish{premium, {Platform: platform.MTv1, Tier: platform.Consumption}} {
		t.Run(string(wish.Platform), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hosting.Options{})
			set := w.create("shop", wish).Active
			want := func(names ...string) {
				t.Helper()
				hosts := map[string][]string{"shop.apim.localhost": {set}}
				if wish.Platform != platform.MTv1 {
					hosts["shop-westeurope-01.regional.apim.localhost"] = []string{set}
				}
				for _, n := range names {
					hosts[n] = []string{set}
				}
				w.wantHosts(hosts)
			}
			want()
			w.old(1000)
			op := w.rename("shop", "API.contoso.example", "*.contoso.example")
			w.until("the edge knows the names", func() bool {
				inv, err := w.f.Inventory(t.Context())
				return err == nil && inv.Hosts["*.contoso.example"] != nil
			})
			if got := w.operation(op).Status; got != lro.InProgress {
				t.Errorf("the operation is %s though no machine knows the names", got)
			}
			w.old(0)
			w.ended(op, lro.Succeeded)
			want("api.contoso.example", "*.contoso.example")
			if st, _ := w.status("shop"); st.Renames || st.Before != nil {
				t.Errorf("left: %v, %s", st.Renames, st.Before)
			}

			// The names outlive the controller. What another one does not know of is taken back by the record.
			if err := w.stop(); err != nil {
				t.Fatal(err)
			}
			op = w.rename("shop", "www.contoso.example")
			w.start()
			w.ended(op, lro.Succeeded)
			want("www.contoso.example")
			w.ended(w.rename("shop"), lro.Succeeded)
			want()
			w.ended(w.rename("shop", "api.contoso.example"), lro.Succeeded)
			w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
			w.clean()
		})
	}
}

// A change of names that fails leaves those from before, though another controller began it.
func TestNames_GoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	set := w.create("shop", premium).Active
	w.ended(w.rename("shop", "api.contoso.example"), lro.Succeeded)
	w.old(1000)
	op := w.rename("shop", "www.contoso.example")
	w.until("the edge knows the new name alone", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && inv.Hosts["www.contoso.example"] != nil && inv.Hosts["api.contoso.example"] == nil
	})
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.opt.OperationDeadline = time.Nanosecond
	w.start()
	w.ended(op, lro.Failed)
	w.until("the names are those from before", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && inv.Hosts["www.contoso.example"] == nil && inv.Hosts["api.contoso.example"] != nil
	})
	want := []string{set}
	w.wantHosts(map[string][]string{"shop.apim.localhost": want, "shop-westeurope-01.regional.apim.localhost": want, "api.contoso.example": want})
}
