package clients

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// TestResources uses the general clients: resource groups, providers, and resources by their ID.
func TestResources(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := "/subscriptions/" + w.host.Credentials.SubscriptionID

	t.Run("groups", func(t *testing.T) {
		sdk.Of(w.groups.Get(w.ctx, "two", nil)).Fails(t, 404, "ResourceGroupNotFound")
		sdk.Equal(t, false, sdk.Of(w.groups.CheckExistence(w.ctx, "two", nil)).Must(t).Success)
		made := sdk.Of(w.groups.CreateOrUpdate(w.ctx, "Two", armresources.ResourceGroup{Location: to.Ptr("North Europe"), Tags: map[string]*string{"a": to.Ptr("b")}}, nil)).Must(t)
		want := sdk.Object{
			"id": id + "/resourceGroups/Two", "name": "Two", "type": "Microsoft.Resources/resourceGroups", "location": "northeurope",
			"tags": sdk.Object{"a": "b"}, "properties": sdk.Object{"provisioningState": "Succeeded"},
		}
		sdk.EqualJSON(t, want, made.ResourceGroup)
		sdk.Equal(t, true, sdk.Of(w.groups.CheckExistence(w.ctx, "TWO", nil)).Must(t).Success)
		sdk.EqualJSON(t, want, sdk.Of(w.groups.Get(w.ctx, "two", nil)).Must(t).ResourceGroup)
		want["tags"] = sdk.Object{"c": "d"}
		sdk.EqualJSON(t, want, sdk.Of(w.groups.Update(w.ctx, "two", armresources.ResourceGroupPatchable{Tags: map[string]*string{"c": to.Ptr("d")}}, nil)).Must(t).ResourceGroup)
		sdk.Equal(t, [][]string{{"rg"}, {"Two"}}, sdk.Pages(t, w.groups.NewListPager(&armresources.ResourceGroupsClientListOptions{Top: to.Ptr[int32](1)}), func(p armresources.ResourceGroupsClientListResponse) []string {
			return sdk.Names(p.Value, func(g *armresources.ResourceGroup) *string { return g.Name })
		}))
		sdk.Of(w.groups.CreateOrUpdate(w.ctx, "two", armresources.ResourceGroup{Location: to.Ptr("westeurope")}, nil)).Fails(t, 409, "InvalidResourceGroupLocation")
		sdk.Ended(w.groups.BeginDelete(w.ctx, "two", nil)).Must(t)
		sdk.Of(w.groups.Get(w.ctx, "two", nil)).Fails(t, 404, "ResourceGroupNotFound")
		sdk.Ended(w.groups.BeginDelete(w.ctx, "two", nil)).Fails(t, 404, "ResourceGroupNotFound")
	})
	t.Run("providers", func(t *testing.T) {
		credential, options := sdk.Options(t, w.host)
		c, err := armresources.NewProvidersClient(w.host.Credentials.SubscriptionID, credential, options)
		if err != nil {
			t.Fatal(err)
		}
		sdk.Equal(t, "Registered", *sdk.Of(c.Get(w.ctx, "microsoft.apimanagement", nil)).Must(t).RegistrationState)
		sdk.Equal(t, "Registered", *sdk.Of(c.Register(w.ctx, "Microsoft.ApiManagement", nil)).Must(t).RegistrationState)
		sdk.Equal(t, [][]string{{"Microsoft.ApiManagement", "Microsoft.Network", "Microsoft.ManagedIdentity", "Microsoft.Insights", "Microsoft.Resources"}}, sdk.Pages(t, c.NewListPager(nil), func(p armresources.ProvidersClientListResponse) []string {
			return sdk.Names(p.Value, func(p *armresources.Provider) *string { return p.Namespace })
		}))
		names := map[string]bool{}
		sdk.Pages(t, w.NewOperationsClient().NewListPager(nil), func(p armapimanagement.OperationsClientListResponse) []string {
			for _, o := range p.Value {
				names[*o.Name] = true
			}
			return nil
		})
		for _, name := range []string{"Microsoft.ApiManagement/service/read", "Microsoft.ApiManagement/service/apis/write", "Microsoft.ApiManagement/service/migrateToStv2/action"} {
			sdk.Equal(t, true, names[name])
		}
	})
	t.Run("through another name of the host", func(t *testing.T) {
		local := *w.host
		local.Endpoints.ARMTLS = strings.Replace(local.Endpoints.ARMTLS, "127.0.0.1", "localhost", 1)
		credential, options := sdk.Options(t, &local)
		f, err := armapimanagement.NewClientFactory(local.Credentials.SubscriptionID, credential, options)
		if err != nil {
			t.Fatal(err)
		}
		sdk.Of(f.NewServiceClient().Get(w.ctx, group, "nobody", nil)).Fails(t, 404, "ResourceNotFound")
	})
	t.Run("by ID", func(t *testing.T) {
		const version = "2022-08-01"
		sdk.Equal(t, false, sdk.Of(w.any.CheckExistenceByID(w.ctx, w.id("byid"), version, nil)).Must(t).Success)
		sdk.Of(w.any.GetByID(w.ctx, w.id("byid"), version, nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.any.GetByID(w.ctx, w.id("byid"), "2001-01-01", nil)).Fails(t, 400, "NoRegisteredProviderFound")
		w.create(t, "byid")
		sdk.Equal(t, true, sdk.Of(w.any.CheckExistenceByID(w.ctx, w.id("byid"), version, nil)).Must(t).Success)
		api := w.id("byid") + "/apis/one"
		made := sdk.Ended(w.any.BeginCreateOrUpdateByID(w.ctx, api, version, armresources.GenericResource{
			Properties: sdk.Object{"displayName": "One", "path": "one", "protocols": []string{"https"}},
		}, nil)).Must(t)
		sdk.Equal(t, api, *made.ID)
		sdk.Equal(t, "Microsoft.ApiManagement/service/apis", *made.Type)
		sdk.Equal(t, any("One"), sdk.Of(w.any.GetByID(w.ctx, api, version, nil)).Must(t).Properties.(sdk.Object)["displayName"])
		changed := sdk.Ended(w.any.BeginUpdateByID(w.ctx, w.id("byid"), version, armresources.GenericResource{Tags: map[string]*string{"k": to.Ptr("v")}}, nil)).Must(t)
		sdk.Equal(t, "v", *changed.Tags["k"])
		sdk.Ended(w.any.BeginDeleteByID(w.ctx, w.id("byid"), version, nil)).Must(t)
		sdk.Equal(t, false, sdk.Of(w.any.CheckExistenceByID(w.ctx, w.id("byid"), version, nil)).Must(t).Success)
	})
	t.Run("public IP address", func(t *testing.T) {
		const version = "2024-05-01"
		address := id + "/resourceGroups/" + group + "/providers/Microsoft.Network/publicIPAddresses/ip"
		made := sdk.Ended(w.any.BeginCreateOrUpdateByID(w.ctx, address, version, armresources.GenericResource{
			Location: to.Ptr("westeurope"), SKU: &armresources.SKU{Name: to.Ptr("Standard")},
			Properties: sdk.Object{"publicIPAllocationMethod": "Static", "dnsSettings": sdk.Object{"domainNameLabel": "clients"}},
		}, nil)).Must(t)
		sdk.Equal(t, address, *made.ID)
		properties := made.Properties.(sdk.Object)
		sdk.Equal(t, any("Succeeded"), properties["provisioningState"])
		sdk.Equal(t, any("Static"), properties["publicIPAllocationMethod"])
		sdk.Equal(t, [][]string{{"ip"}}, sdk.Pages(t, w.any.NewListPager(&armresources.ClientListOptions{
			Filter: to.Ptr("resourceType eq 'Microsoft.Network/publicIPAddresses'"),
		}), func(p armresources.ClientListResponse) []string {
			return sdk.Names(p.Value, func(r *armresources.GenericResourceExpanded) *string { return r.Name })
		}))
		injected := wanted()
		injected.Properties.VirtualNetworkType = to.Ptr(armapimanagement.VirtualNetworkTypeInternal)
		injected.Properties.PublicIPAddressID = to.Ptr(address)
		sdk.Ended(w.NewServiceClient().BeginCreateOrUpdate(w.ctx, group, "injected", injected, nil)).Fails(t, 400, "InvalidParameters")
		sdk.Ended(w.any.BeginDeleteByID(w.ctx, address, version, nil)).Must(t)
		sdk.Of(w.any.GetByID(w.ctx, address, version, nil)).Fails(t, 404, "ResourceNotFound")
	})
}
