package clients

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// What follows is 2024-05-01 alone; the other files are the same for every version of the module.

// addOwn adds what this api-version shows of a service and older ones do not.
func addOwn(properties sdk.Object) {
	properties["natGatewayState"] = "Disabled"
	properties["outboundPublicIPAddresses"] = []any{}
	properties["legacyPortalStatus"] = "Disabled"
	properties["developerPortalStatus"] = "Disabled"
}

func (w *world) deleteAPI(t *testing.T, service, api, etag string) {
	t.Helper()
	sdk.Ended(w.NewAPIClient().BeginDelete(w.ctx, group, service, api, etag, nil)).Must(t)
}

func (w *world) deleteAPIFails(t *testing.T, service, api, etag string, status int, code string) {
	t.Helper()
	sdk.Ended(w.NewAPIClient().BeginDelete(w.ctx, group, service, api, etag, nil)).Fails(t, status, code)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	w := start(t)
	services := w.NewServiceClient()
	old := armresources.GenericResource{
		Location: to.Ptr("West Europe"), SKU: &armresources.SKU{Name: to.Ptr("Developer"), Capacity: to.Ptr[int32](1)},
		Properties: sdk.Object{"publisherName": "Clients", "publisherEmail": "clients@example.com"},
	}
	for mode, keeps := range map[armapimanagement.MigrateToStv2Mode]bool{
		armapimanagement.MigrateToStv2ModePreserveIP: true, armapimanagement.MigrateToStv2ModeNewIP: false,
	} {
		t.Run(string(mode), func(t *testing.T) {
			name := "move" + string(mode)
			sdk.Ended(w.any.BeginCreateOrUpdateByID(w.ctx, w.id(name), "2020-12-01", old, nil)).Must(t)
			before := sdk.Of(services.Get(w.ctx, group, name, nil)).Must(t)
			sdk.Equal(t, armapimanagement.PlatformVersionStv1, *before.Properties.PlatformVersion)
			move := func() sdk.Outcome[armapimanagement.ServiceClientMigrateToStv2Response] {
				return sdk.Ended(services.BeginMigrateToStv2(w.ctx, group, name, &armapimanagement.ServiceClientBeginMigrateToStv2Options{
					Parameters: &armapimanagement.MigrateToStv2Contract{Mode: to.Ptr(mode)},
				}))
			}
			after := move().Must(t)
			sdk.Equal(t, w.id(name), *after.ID)
			sdk.Equal(t, armapimanagement.PlatformVersionStv2, *after.Properties.PlatformVersion)
			sdk.Equal(t, "Succeeded", *after.Properties.ProvisioningState)
			addresses := map[string]bool{}
			for _, a := range after.Properties.PublicIPAddresses {
				addresses[*a] = true
			}
			sdk.Equal(t, !keeps, len(addresses) == 2)
			sdk.Equal(t, true, addresses[*before.Properties.PublicIPAddresses[0]])
			move().Fails(t, 400, "InvalidParameters")
		})
	}
}

// addOwnBackend adds what this api-version shows of a backend and older ones do not.
func addOwnBackend(properties sdk.Object) { properties["type"] = "Single" }
