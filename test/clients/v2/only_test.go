package clients

import (
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// What follows is 2022-08-01 alone; the other files are the same for every version of the module.

// addOwn adds what this api-version shows of a service and older ones do not.
func addOwn(properties sdk.Object) {
	properties["natGatewayState"] = "Disabled"
	properties["outboundPublicIPAddresses"] = []any{}
}

func (w *world) deleteAPI(t *testing.T, service, api, etag string) {
	t.Helper()
	sdk.Of(w.NewAPIClient().Delete(w.ctx, group, service, api, etag, nil)).Must(t)
}

func (w *world) deleteAPIFails(t *testing.T, service, api, etag string, status int, code string) {
	t.Helper()
	sdk.Of(w.NewAPIClient().Delete(w.ctx, group, service, api, etag, nil)).Fails(t, status, code)
}

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
	after := sdk.Ended(services.BeginMigrateToStv2(w.ctx, group, "move", nil)).Must(t)
	sdk.Equal(t, w.id("move"), *after.ID)
	sdk.Equal(t, armapimanagement.PlatformVersionStv2, *after.Properties.PlatformVersion)
	sdk.Equal(t, "Succeeded", *after.Properties.ProvisioningState)
	sdk.Equal(t, true, slices.ContainsFunc(after.Properties.PublicIPAddresses, func(a *string) bool { return *a == *before.Properties.PublicIPAddresses[0] }))
	sdk.Ended(services.BeginMigrateToStv2(w.ctx, group, "move", nil)).Fails(t, 400, "InvalidParameters")
}

// addOwnBackend adds what this api-version shows of a backend and older ones do not: nothing.
func addOwnBackend(sdk.Object) {}
