package clients

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// What follows is 2021-08-01 alone; the other files are the same for every version of the module.

// addOwn adds what this api-version shows of a service and older ones do not: nothing.
func addOwn(sdk.Object) {}

func (w *world) deleteAPI(t *testing.T, service, api, etag string) {
	t.Helper()
	sdk.Of(w.NewAPIClient().Delete(w.ctx, group, service, api, etag, nil)).Must(t)
}

func (w *world) deleteAPIFails(t *testing.T, service, api, etag string, status int, code string) {
	t.Helper()
	sdk.Of(w.NewAPIClient().Delete(w.ctx, group, service, api, etag, nil)).Fails(t, status, code)
}

// TestMigrate: this version has no call of its own for it, an update moves a service.
func TestMigrate(t *testing.T) {
	t.Parallel()
	w := start(t)
	services := w.NewServiceClient()
	old := armresources.GenericResource{
		Location: to.Ptr("West Europe"), SKU: &armresources.SKU{Name: to.Ptr("Developer"), Capacity: to.Ptr[int32](1)},
		Properties: sdk.Object{"publisherName": "Clients", "publisherEmail": "clients@example.com"},
	}
	sdk.Ended(w.any.BeginCreateOrUpdateByID(w.ctx, w.id("move"), "2020-12-01", old, nil)).Must(t)
	before := sdk.Of(services.Get(w.ctx, group, "move", nil)).Must(t)
	sdk.Equal(t, armapimanagement.PlatformVersionStv1, *before.Properties.PlatformVersion)
	patch := armapimanagement.ServiceUpdateParameters{Tags: map[string]*string{"moved": to.Ptr("yes")}}
	after := sdk.Ended(services.BeginUpdate(w.ctx, group, "move", patch, nil)).Must(t)
	sdk.Equal(t, armapimanagement.PlatformVersionStv2, *after.Properties.PlatformVersion)
	sdk.Equal(t, "Succeeded", *after.Properties.ProvisioningState)
	sdk.Equal(t, "yes", *after.Tags["moved"])
	sdk.Equal(t, *before.Properties.PublicIPAddresses[0], *after.Properties.PublicIPAddresses[0])
}

// addOwnBackend adds what this api-version shows of a backend and older ones do not: nothing.
func addOwnBackend(sdk.Object) {}
