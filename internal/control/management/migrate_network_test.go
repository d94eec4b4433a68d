package management_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
)

// withoutIP is the body of a service in a subnet, with an address of the platform: what stv1 has.
func withoutIP(mode, subnet string) string {
	return strings.Replace(injectedBody(mode, subnet, "ip1"), `,"publicIpAddressId":"`+networkPath+`/publicIPAddresses/ip1"`, "", 1)
}

// guarded is the body of a subnet with the group that stv2 needs.
func guarded(prefix string) string {
	return `{"properties":{"addressPrefix":"` + prefix + `","networkSecurityGroup":{"id":"` + networkPath + `/networkSecurityGroups/nsg"}}}`
}

const subnets = networkPath + "/virtualNetworks/vnet/subnets/"

// A migration within a subnet needs what stv2 needs there, and room for a second copy of the service.
func TestMigrate_InItsSubnet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(http.StatusCreated, "PUT", subnets+"small?api-version=2024-03-01", guarded("10.0.3.0/29"))
	for subnet, want := range map[string]string{
		"free":  "needs a network security group on platform version stv2",
		"small": "2 addresses are needed and 1 are free",
	} {
		w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("Internal", subnet))
		w.settle()
		a := w.want(http.StatusBadRequest, "POST", servicePath+"/migrateToStv2", "")
		if a.text("error.target") != "virtualNetworkConfiguration.subnetResourceId" || !strings.Contains(a.text("error.message"), want) {
			t.Errorf("in %s: %s", subnet, a.Raw)
		}
		w.want(http.StatusAccepted, "DELETE", servicePath+"?api-version=2019-12-01", "")
		w.settle()
	}
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("Internal", "apim"))
	w.settle()
	was := w.statusOf(servicePath, nil).Wish
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", `{"mode":"PreserveIp"}`)
	got := w.statusOf(servicePath, nil).Wish
	if s, ok := platform.ScenarioOf(was, got); !ok || s.Number != 5 || !cmp.Equal(was.Injection, got.Injection) {
		t.Errorf("scenario %d, injection %+v, was %+v", s.Number, got.Injection, was.Injection)
	}
}

// While a service migrates in its subnet it has the addresses of two, so that several go one after another where there is
// no room for more.
func TestMigrate_OneAfterAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(http.StatusCreated, "PUT", subnets+"small?api-version=2024-03-01", guarded("10.0.3.0/29"))
	second := strings.Replace(servicePath, "apimService1", "second", 1)
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("External", "small"))
	w.want(http.StatusCreated, "PUT", second+oldVersion, withoutIP("External", "small"))
	w.settle()
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", "")
	if a := w.want(http.StatusBadRequest, "POST", second+"/migrateToStv2", ""); !strings.Contains(a.text("error.message"), "1 addresses are needed and 0 are free") {
		t.Errorf("both at a time: %s", a.Raw)
	}
	w.settle()
	w.want(http.StatusAccepted, "POST", second+"/migrateToStv2", "")
}

// Scenarios 7 and 10: to another subnet by an update of the network, and back when the old machines are gone.
func TestMigrate_ToAnotherSubnetAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(http.StatusCreated, "PUT", subnets+"other?api-version=2024-03-01", guarded("10.0.3.0/27"))
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("External", "apim"))
	w.settle()
	was := w.statusOf(servicePath, nil).Wish
	w.want(http.StatusOK, "PUT", servicePath, injectedBody("External", "other", "ip1"))
	got := w.statusOf(servicePath, nil).Wish
	if s, ok := platform.ScenarioOf(was, got); !ok || s.Number != 7 || got.Platform != platform.STv2 || got.Address != platform.NewIP {
		t.Errorf("scenario %d (%s), wish %+v", s.Number, s.Name, got)
	}
	w.settle()
	w.statusOf(servicePath, func(st *platform.ServiceStatus) {
		st.Hosting.Sets = append(st.Hosting.Sets, platform.Set{ID: "old", Platform: platform.STv1, Injection: was.Injection})
	})
	a := w.want(http.StatusBadRequest, "PUT", servicePath, injectedBody("External", "apim", "ip2"))
	if !strings.Contains(a.text("error.message"), "still holds the old machines of the service") {
		t.Errorf("back too early: %s", a.Raw)
	}
	w.statusOf(servicePath, func(st *platform.ServiceStatus) { st.Hosting.Sets = st.Hosting.Sets[:1] })
	w.want(http.StatusOK, "PUT", servicePath, injectedBody("External", "apim", "ip2"))
}

// After the retirement of stv1 a service goes whose subnet has no room for stv2, too: it leaves its network, and nobody is
// served until its owner has seen to that. It keeps no other one from going.
func TestRetire_OutOfAnUnfitSubnet(t *testing.T) {
	t.Parallel()
	var clock *pace.Clock
	w := newWorld(t, canNetwork, func(o *management.Options) {
		clock = pace.New(pace.Manual())
		o.Clock, o.RetireSTv1 = clock, clock.Now().Add(time.Hour)
	}).withNetwork()
	const disabled = "Microsoft.WindowsAzure.ApiManagement.Service.Disabled"
	sound := strings.Replace(servicePath, "apimService1", "sound", 1)
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("Internal", "free"))
	w.want(http.StatusCreated, "PUT", sound+oldVersion, developerBody)
	w.settle()
	if _, err := clock.Advance(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := w.handler.Retire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.statusOf(sound, nil).Wish; got.Platform != platform.STv2 || got.Address != platform.PreserveIP {
		t.Errorf("the other service: wish %+v", got)
	}
	st := w.statusOf(servicePath, nil)
	want := platform.Wish{Platform: platform.STv2, Tier: platform.Developer, Units: 1, Address: platform.NewIP, Gateway: "1.0"}
	if d := cmp.Diff(want, st.Wish); d != "" || st.ModifiedBy != "Portico.Hosting" || !strings.Contains(string(st.Before), "subnets/free") {
		t.Errorf("status %+v, wish differs (-want +got):\n%s", st, d)
	}
	w.settle()
	got := w.want(http.StatusOK, "GET", servicePath, "").Body
	custom, _ := got.Get("properties.customProperties").(map[string]any)
	if got.Text("properties.virtualNetworkType") != "None" || got.Get("properties.virtualNetworkConfiguration") != nil || custom[disabled] != "True" {
		t.Errorf("the service shows %v", got)
	}
	w.want(http.StatusAccepted, "PATCH", servicePath, `{"properties":{"virtualNetworkType":"External","virtualNetworkConfiguration":{"subnetResourceId":"`+subnets+`apim"},
		"publicIpAddressId":"`+networkPath+`/publicIPAddresses/ip1","customProperties":{"`+disabled+`":"False"}}}`)
	if got := w.statusOf(servicePath, nil).Wish.Injection; got == nil || !strings.HasSuffix(got.Subnet, "/apim") {
		t.Errorf("injection %+v", got)
	}
}

const preparedKey = "Microsoft.WindowsAzure.ApiManagement.Stv2MigrationPreCreatedIps"

// A service on stv1 shows the address that it will have, which nobody else gets and no client writes.
func TestMigrate_PreparedAddresses(t *testing.T) {
	t.Parallel()
	outside := 0
	w := newWorld(t, canNetwork, func(o *management.Options) {
		o.PrepareIP = func(string) (string, error) { outside++; return fmt.Sprintf("127.8.0.%d", outside), nil }
	}).withNetwork()
	prepared := func() any {
		custom, _ := w.want(http.StatusOK, "GET", servicePath, "").Body.Get("properties.customProperties").(map[string]any)
		return custom[preparedKey]
	}
	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, developerBody)
	w.settle()
	if got := prepared(); got != "127.8.0.1" {
		t.Errorf("the address prepared is %v", got)
	}
	changed := strings.Replace(developerBody, `"publisherName":"Contoso"`, `"publisherName":"Other","customProperties":{"`+preparedKey+`":"1.2.3.4"}`, 1)
	w.want(http.StatusOK, "PUT", servicePath+oldVersion, changed)
	if got := prepared(); got != "127.8.0.1" {
		t.Errorf("after an update the address prepared is %v", got)
	}
	w.want(http.StatusAccepted, "POST", servicePath+"/migrateToStv2", `{"mode":"NewIP"}`)
	if got := w.statusOf(servicePath, nil).Wish.Prepared; got != "127.8.0.1" {
		t.Errorf("the migration has the address %q prepared", got)
	}
	w.settle()
	if got := prepared(); got != nil {
		t.Errorf("on stv2 the address prepared is %v", got)
	}
	w.want(http.StatusAccepted, "DELETE", servicePath+"?api-version=2019-12-01", "")
	w.settle()

	w.want(http.StatusCreated, "PUT", servicePath+oldVersion, withoutIP("External", "apim"))
	w.settle()
	if got := prepared(); got != "127.9.0.3" || outside != 1 { // of the addresses of public IP address resources
		t.Errorf("in an external network the address prepared is %v", got)
	}
	w.want(http.StatusOK, "PUT", servicePath+oldVersion, withoutIP("Internal", "apim"))
	w.settle()
	if got := prepared(); got != nil {
		t.Errorf("in an internal network the address prepared is %v", got)
	}
}
