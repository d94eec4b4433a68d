package management_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/platform"
)

// All that a body says besides `restore` is ignored, and so is what it leaves out: tools send the location alone.
func TestRestore_NeedsNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	const body = `{"location":"West Europe","properties":{"restore":true}}`
	w.want(400, "PUT", servicePath, body) // an active service is updated
	before := w.want(200, "GET", servicePath, "").Body
	w.want(202, "DELETE", servicePath, "")
	w.settle()

	w.want(400, "PUT", servicePath+"?api-version=2019-12-01", body) // knows no `restore`
	w.want(400, "PUT", servicePath, strings.Replace(body, "true", "false", 1))
	if a := w.want(400, "PUT", strings.Replace(servicePath, "apimService1", "other", 1), body); a.code() != "ServiceUndeleteNotPossible" {
		t.Errorf("restoring what was never there: %s", a.Raw)
	}
	w.want(201, "PUT", servicePath, body)
	w.settle()
	after := w.want(200, "GET", servicePath, "").Body
	for _, path := range []string{"sku.name", "properties.publisherEmail", "properties.publisherName"} {
		if after.Text(path) != before.Text(path) {
			t.Errorf("%s is %q, was %q", path, after.Text(path), before.Text(path))
		}
	}
}

// What was closed to the public and reached by its private endpoints comes back as that, with or without them.
func TestRestore_OfWhatIsPrivate(t *testing.T) {
	t.Parallel()
	const body = `{"location":"West Europe","properties":{"restore":true}}`
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, developerBody)
	w.settle()
	w.want(201, "PUT", endpointPath+"?api-version=2024-03-01", endpointBody("privateLinkServiceConnections", ""))
	w.want(200, "PATCH", servicePath, `{"properties":{"publicNetworkAccess":"Disabled"}}`)
	endpoints := status(t, w, servicePath).Endpoints
	for _, want := range [][]platform.Endpoint{endpoints, nil} {
		w.want(202, "DELETE", servicePath, "")
		w.settle()
		if want == nil {
			w.want(200, "DELETE", endpointPath+"?api-version=2024-03-01", "")
		}
		if got := w.want(201, "PUT", servicePath, body).text("properties.publicNetworkAccess"); got != "Disabled" {
			t.Errorf("publicNetworkAccess is %q", got)
		}
		w.settle()
		if d := cmp.Diff(want, status(t, w, servicePath).Endpoints); d != "" {
			t.Errorf("private endpoints (-want +got):\n%s", d)
		}
	}
}

// A service comes back to the platform that it was on, whatever the api-version of the request.
func TestRestore_KeepsThePlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath+"?api-version=2020-12-01", strings.Replace(injectedBody("External", "free", "ip1"), `,"publicIpAddressId":"`+networkPath+`/publicIPAddresses/ip1"`, "", 1))
	w.settle()
	w.want(202, "DELETE", servicePath, "")
	w.settle()
	w.want(201, "PUT", servicePath, `{"location":"West Europe","properties":{"restore":true}}`)
	w.settle()
	if got := w.want(200, "GET", servicePath, "").text("properties.platformVersion"); got != "stv1" {
		t.Errorf("the service is on %s", got)
	}
}
