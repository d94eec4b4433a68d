package hosting_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const networkID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/vnet"

// put writes a document as the control plane does.
func (w *world) put(id, docType, desired string) {
	w.t.Helper()
	_, err := w.st.Update(w.t.Context(), func(tx store.Tx) error {
		_, err := tx.Put(store.Document{ID: id, Type: strings.ToLower(docType), Desired: json.RawMessage(desired)})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// withNetwork makes a virtual network with the subnets one and two, with a security group.
func (w *world) withNetwork() {
	group := "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/nsg"
	w.put(networkID, "Microsoft.Network/virtualNetworks", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`)
	for i, name := range []string{"one", "two"} {
		w.put(networkID+"/subnets/"+name, "Microsoft.Network/virtualNetworks/subnets", fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.%d.0/24","networkSecurityGroup":{"id":%q}}}`, i+1, group))
	}
	w.put(group, "Microsoft.Network/networkSecurityGroups", `{}`)
	w.rule(group, "Allow")
}

func (w *world) rule(group, access string) {
	w.put(group+"/securityRules/web", "Microsoft.Network/networkSecurityGroups/securityRules", fmt.Sprintf(`{"properties":{"priority":100,"direction":"Inbound","access":%q,"protocol":"Tcp",
		"sourceAddressPrefix":"Internet","sourcePortRange":"*","destinationAddressPrefix":"VirtualNetwork","destinationPortRange":"443"}}`, access))
}

// in is a wish for a subnet, by a mode and with a public address.
func in(wish platform.Wish, mode platform.NetworkMode, subnet, address string) platform.Wish {
	wish.Injection = &platform.Injection{ID: "n" + subnet + address, Mode: mode, Subnet: networkID + "/subnets/" + subnet, PublicIP: "/ip/" + address, Address: address, Addresses: 2}
	wish.Address = platform.NewIP
	return wish
}

func TestInjection_ExternalInternalAndOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
	w.withNetwork()
	w.create("shop", in(premium, platform.External, "one", "198.18.0.9"))
	st := w.settled("shop")
	if got := st.VIPs[0]; got.Address != "198.18.0.9" || got.Injection != "none198.18.0.9" || got.Inside {
		t.Errorf("the VIP of an external service is %+v", got)
	}
	if got, err := w.get("198.18.0.9"); err != nil || !strings.Contains(fmt.Sprint(st.Sets[0].Machines), got) {
		t.Errorf("the address answers %q, %v", got, err)
	}
	a := w.f.Attached()["none198.18.0.9"]
	if a.Prefix.String() != "10.0.1.0/24" || !a.Filter || a.Rules[0].Name != "web" || len(a.Rules) != 7 {
		t.Errorf("the fabric was told of %+v", a)
	}

	w.ended(w.ask("shop", "service.update", in(premium, platform.Internal, "two", "198.18.0.10")), lro.Succeeded)
	st = w.settled("shop")
	if got := st.VIPs[0]; got.Address != "10.0.2.4" && !strings.HasPrefix(got.Address, "10.0.2.") || !got.Inside {
		t.Errorf("the VIP of an internal service is %+v", got)
	}
	w.until("the name is gone and the old subnet is left", func() bool {
		inv, err := w.f.Inventory(t.Context())
		return err == nil && len(inv.Hosts) == 0 && len(w.f.Attached()) == 1
	})

	w.ended(w.ask("shop", "service.update", func() platform.Wish { x := premium; x.Address = platform.NewIP; return x }()), lro.Succeeded)
	st = w.settled("shop")
	if got := st.VIPs[0]; got.Injection != "" || strings.HasPrefix(got.Address, "10.") {
		t.Errorf("the VIP outside of networks is %+v", got)
	}
	w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
	w.clean()
	w.until("no network is left", func() bool { return len(w.f.Attached()) == 0 })
}

// Rules are read anew when they change, and told to the fabric; nothing moves.
func TestInjection_FollowsItsRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.withNetwork()
	before := w.create("shop", in(premium, platform.External, "one", "198.18.0.9"))
	w.rule("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/nsg", "Deny")
	w.until("the rule is told", func() bool {
		a := w.f.Attached()["none198.18.0.9"]
		return len(a.Rules) > 0 && !a.Rules[0].Allow
	})
	st, _ := w.status("shop")
	if d := cmp.Diff(before, st.Hosting); d != "" {
		t.Errorf("the service has changed (-want +got):\n%s", d)
	}
}

// Each virtual network has addresses of its own, and each subnet gives one address once.
func TestInjection_AddressesInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{})
	w.withNetwork()
	seen := map[string]bool{}
	for i := range 3 {
		st := w.create(fmt.Sprint("shop", i), in(premium, platform.Internal, "one", fmt.Sprint("198.18.0.", i+1)))
		if a := st.VIPs[0].Address; seen[a] || !strings.HasPrefix(a, "10.0.1.") {
			t.Errorf("address %q, after %v", a, seen)
		}
		seen[st.VIPs[0].Address] = true
	}
	// A controller that starts again finds everything on record, and leaves it.
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.ended(w.ask("shop0", "service.delete", gone), lro.Succeeded)
	w.until("its injection goes", func() bool { return len(w.f.Attached()) == 2 })
}

// Private endpoints lead to whatever serves, also after it moved, and go when they are approved no more.
func TestEndpoint_FollowsTheService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hosting.Options{Coexistence: time.Millisecond})
	w.withNetwork()
	w.create("shop", v1premium)
	e := platform.Endpoint{ID: "/pe1", Subnet: networkID + "/subnets/two", Address: "10.0.2.9"}
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.Endpoints = []platform.Endpoint{e} })
	leads := func() bool {
		st, _ := w.status("shop")
		got, err := w.get("10.0.2.9")
		return err == nil && strings.Contains(fmt.Sprint(st.Hosting.Set(st.Hosting.Active).Machines), got)
	}
	attached := func() bool { return len(w.f.Attached()) == 1 }
	w.until("the endpoint is there", attached)
	w.until("the endpoint leads to the service", leads)
	w.ended(w.ask("shop", "service.migrate", premium), lro.Succeeded)
	w.settled("shop")
	w.until("the endpoint leads to the service where it is now", leads)
	w.rewrite("shop", func(st *platform.ServiceStatus) { st.Endpoints = nil })
	w.until("the endpoint is gone", func() bool { return !attached() })
	w.ended(w.ask("shop", "service.delete", gone), lro.Succeeded)
	w.clean()
}
