package clients

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/host"
	"github.com/portico-dev/portico/test/clients/sdk"
)

const group = "rg"

// A world is a Portico, the clients that talk to it, and an empty resource group.
type world struct {
	*armapimanagement.ClientFactory
	host   *host.Host
	groups *armresources.ResourceGroupsClient
	any    *armresources.Client
	ctx    context.Context
}

func start(t *testing.T) *world {
	t.Helper()
	h := host.Start(t)
	credential, options := sdk.Options(t, h)
	factory, err := armapimanagement.NewClientFactory(h.Credentials.SubscriptionID, credential, options)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := armresources.NewClientFactory(h.Credentials.SubscriptionID, credential, options)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ClientFactory: factory, host: h, groups: resources.NewResourceGroupsClient(), any: resources.NewClient(), ctx: t.Context()}
	sdk.Of(w.groups.CreateOrUpdate(w.ctx, group, armresources.ResourceGroup{Location: to.Ptr("westeurope")}, nil)).Must(t)
	return w
}

// id is the resource ID of a service.
func (w *world) id(service string) string {
	return "/subscriptions/" + w.host.Credentials.SubscriptionID + "/resourceGroups/" + group + "/providers/Microsoft.ApiManagement/service/" + service
}

// wanted is the smallest description of a service.
func wanted() armapimanagement.ServiceResource {
	return armapimanagement.ServiceResource{
		Location: to.Ptr("West Europe"),
		SKU:      &armapimanagement.ServiceSKUProperties{Name: to.Ptr(armapimanagement.SKUTypeDeveloper), Capacity: to.Ptr[int32](1)},
		Properties: &armapimanagement.ServiceProperties{
			PublisherName: to.Ptr("Clients"), PublisherEmail: to.Ptr("clients@example.com"),
		},
	}
}

// create makes a service and waits for it.
func (w *world) create(t *testing.T, name string) armapimanagement.ServiceResource {
	t.Helper()
	return sdk.Ended(w.NewServiceClient().BeginCreateOrUpdate(w.ctx, group, name, wanted(), nil)).Must(t).ServiceResource
}

// backend answers with the method, the path and one header of what it was asked.
func backend(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Policies"))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// An answer is what a gateway said.
type answer struct {
	Status int
	Body   string
}

// call sends a request through a gateway with a key.
func call(t *testing.T, url, key string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Ocp-Apim-Subscription-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, string(body)}
}

// comesTrue asks a gateway until it says what is wanted: what a client wrote reaches machines a moment later.
func comesTrue(t *testing.T, want answer, url, key string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // between two looks
		got := call(t, url, key)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			sdk.Equal(t, want, got)
		}
	}
}
