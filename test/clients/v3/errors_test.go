package clients

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// TestErrors checks that the SDK finds status and code of what is refused, and that nothing came of it.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := start(t)
	services, apis := w.NewServiceClient(), w.NewAPIClient()
	const policy = armapimanagement.PolicyIDNamePolicy

	t.Run("service that is not there", func(t *testing.T) {
		sdk.Of(services.Get(w.ctx, group, "nobody", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(services.Get(w.ctx, "nowhere", "nobody", nil)).Fails(t, 404, "ResourceGroupNotFound")
		sdk.Ended(services.BeginCreateOrUpdate(w.ctx, "nowhere", "nobody", wanted(), nil)).Fails(t, 404, "ResourceGroupNotFound")
		sdk.Ended(services.BeginUpdate(w.ctx, group, "nobody", armapimanagement.ServiceUpdateParameters{}, nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewDeletedServicesClient().GetByName(w.ctx, "nobody", "westeurope", nil)).Fails(t, 404, "ServiceNotFound")
		sdk.Of(apis.Get(w.ctx, group, "nobody", "a", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Ended(apis.BeginCreateOrUpdate(w.ctx, group, "nobody", "a", armapimanagement.APICreateOrUpdateParameter{
			Properties: &armapimanagement.APICreateOrUpdateProperties{DisplayName: to.Ptr("A"), Path: to.Ptr("a")},
		}, nil)).Fails(t, 404, "ParentResourceNotFound")
	})
	t.Run("service that cannot be", func(t *testing.T) {
		for name, x := range map[string]struct {
			change func(*armapimanagement.ServiceResource)
			code   string
		}{
			"unknown tier": {func(s *armapimanagement.ServiceResource) { s.SKU.Name = to.Ptr(armapimanagement.SKUType("Gigantic")) }, "ValueNotSupported"},
			"no units":     {func(s *armapimanagement.ServiceResource) { s.SKU.Capacity = to.Ptr[int32](0) }, "InvalidParameters"},
			"no publisher": {func(s *armapimanagement.ServiceResource) { s.Properties.PublisherName = nil }, "ValidationError"},
			"no location":  {func(s *armapimanagement.ServiceResource) { s.Location = nil }, "LocationRequired"},
			"odd location": {func(s *armapimanagement.ServiceResource) { s.Location = to.Ptr("The Moon") }, "LocationNotAvailableForResourceType"},
			"zones":        {func(s *armapimanagement.ServiceResource) { s.Zones = []*string{to.Ptr("1")} }, "InvalidParameters"},
			"network": {func(s *armapimanagement.ServiceResource) {
				s.Properties.VirtualNetworkType = to.Ptr(armapimanagement.VirtualNetworkTypeExternal)
			}, "InvalidParameters"},
			"bad word": {func(s *armapimanagement.ServiceResource) {
				s.Properties.PublicNetworkAccess = to.Ptr(armapimanagement.PublicNetworkAccess("Maybe"))
			}, "ValidationError"},
			"restore": {func(s *armapimanagement.ServiceResource) { s.Properties.Restore = to.Ptr(true) }, "ServiceUndeleteNotPossible"},
		} {
			t.Run(name, func(t *testing.T) {
				body := wanted()
				x.change(&body)
				sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, "never", body, nil)).Fails(t, 400, x.code)
				sdk.Of(services.Get(w.ctx, group, "never", nil)).Fails(t, 404, "ResourceNotFound")
			})
		}
		sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, "not_a_name", wanted(), nil)).Fails(t, 400, "InvalidResourceName")
	})
	t.Run("service that is being made", func(t *testing.T) {
		poller := sdk.Of(services.BeginCreateOrUpdate(w.ctx, group, "here", wanted(), nil)).Must(t)
		update := sdk.Ended(services.BeginUpdate(w.ctx, group, "here", armapimanagement.ServiceUpdateParameters{}, nil))
		child := sdk.Of(w.NewProductClient().Delete(w.ctx, group, "here", "starter", "*", nil))
		after := sdk.Of(services.Get(w.ctx, group, "here", nil)).Must(t)
		sdk.Ended(poller, nil).Must(t)
		if *after.Properties.ProvisioningState == "Succeeded" {
			t.Skip("it was made before anything else could be asked")
		}
		sdk.Equal(t, "Activating", *after.Properties.TargetProvisioningState)
		update.Fails(t, 409, "ServiceLocked")
		child.Fails(t, 409, "ServiceLocked")
	})
	t.Run("service that is there", func(t *testing.T) {
		sdk.Of(w.groups.CreateOrUpdate(w.ctx, "other", armresources.ResourceGroup{Location: to.Ptr("westeurope")}, nil)).Must(t)
		sdk.Ended(services.BeginCreateOrUpdate(w.ctx, "other", "HERE", wanted(), nil)).Fails(t, 409, "ServiceAlreadyExists")
	})
	t.Run("children that are not there", func(t *testing.T) {
		sdk.Of(apis.Get(w.ctx, group, "here", "a", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(apis.Update(w.ctx, group, "here", "a", "*", armapimanagement.APIUpdateContract{}, nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewAPIOperationClient().Get(w.ctx, group, "here", "a", "o", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewNamedValueClient().ListValue(w.ctx, group, "here", "v", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewSubscriptionClient().ListSecrets(w.ctx, group, "here", "s", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewSubscriptionClient().RegeneratePrimaryKey(w.ctx, group, "here", "s", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewProductAPIClient().CreateOrUpdate(w.ctx, group, "here", "starter", "a", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewBackendClient().Delete(w.ctx, group, "here", "b", "*", nil)).Must(t)
		w.deleteAPI(t, "here", "a", "*")
	})
	t.Run("children that cannot be", func(t *testing.T) {
		put := func(p armapimanagement.APICreateOrUpdateProperties) sdk.Outcome[armapimanagement.APIClientCreateOrUpdateResponse] {
			return sdk.Ended(apis.BeginCreateOrUpdate(w.ctx, group, "here", "a", armapimanagement.APICreateOrUpdateParameter{Properties: &p}, nil))
		}
		put(armapimanagement.APICreateOrUpdateProperties{Path: to.Ptr("a")}).Fails(t, 400, "ValidationError")
		put(armapimanagement.APICreateOrUpdateProperties{Path: to.Ptr("a"), Format: to.Ptr(armapimanagement.ContentFormatOpenapi), Value: to.Ptr("openapi: 3.0.1\npaths: [")}).Fails(t, 400, "ValidationError")
		put(armapimanagement.APICreateOrUpdateProperties{Path: to.Ptr("a"), DisplayName: to.Ptr("A"), ServiceURL: to.Ptr("not a URL")}).Fails(t, 400, "ValidationError")
		sdk.Of(apis.Get(w.ctx, group, "here", "a", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Of(w.NewPolicyClient().CreateOrUpdate(w.ctx, group, "here", policy, armapimanagement.PolicyContract{
			Properties: &armapimanagement.PolicyContractProperties{Value: to.Ptr("<policies><inbound></policies>")},
		}, nil)).Fails(t, 400, "ValidationError")
		sdk.Of(w.NewSubscriptionClient().CreateOrUpdate(w.ctx, group, "here", "s", armapimanagement.SubscriptionCreateParameters{
			Properties: &armapimanagement.SubscriptionCreateParameterProperties{DisplayName: to.Ptr("S"), Scope: to.Ptr("/products/none")},
		}, nil)).Fails(t, 400, "ValidationError")
	})
	t.Run("ETags", func(t *testing.T) {
		product := armapimanagement.ProductContract{Properties: &armapimanagement.ProductContractProperties{DisplayName: to.Ptr("P")}}
		c := w.NewProductClient()
		first := sdk.Of(c.CreateOrUpdate(w.ctx, group, "here", "p", product, nil)).Must(t)
		product.Properties.Terms = to.Ptr("t")
		second := sdk.Of(c.CreateOrUpdate(w.ctx, group, "here", "p", product, &armapimanagement.ProductClientCreateOrUpdateOptions{IfMatch: first.ETag})).Must(t)
		sdk.Of(c.CreateOrUpdate(w.ctx, group, "here", "p", product, &armapimanagement.ProductClientCreateOrUpdateOptions{IfMatch: first.ETag})).Fails(t, 412, "PreconditionFailed")
		sdk.Of(c.Update(w.ctx, group, "here", "p", *first.ETag, armapimanagement.ProductUpdateParameters{
			Properties: &armapimanagement.ProductUpdateProperties{Terms: to.Ptr("u")},
		}, nil)).Fails(t, 412, "PreconditionFailed")
		sdk.Of(c.Delete(w.ctx, group, "here", "p", *first.ETag, nil)).Fails(t, 412, "PreconditionFailed")
		got := sdk.Of(c.Get(w.ctx, group, "here", "p", nil)).Must(t)
		sdk.Equal(t, "t", *got.Properties.Terms)
		sdk.Equal(t, *second.ETag, *got.ETag)
		sdk.Of(c.Delete(w.ctx, group, "here", "p", *got.ETag, nil)).Must(t)
	})
	t.Run("lists", func(t *testing.T) {
		page := func(o armapimanagement.APIClientListByServiceOptions) sdk.Outcome[armapimanagement.APIClientListByServiceResponse] {
			return sdk.Of(apis.NewListByServicePager(group, "here", &o).NextPage(w.ctx))
		}
		page(armapimanagement.APIClientListByServiceOptions{Filter: to.Ptr("colour eq 'red'")}).Fails(t, 400, "ValidationError")
		page(armapimanagement.APIClientListByServiceOptions{Filter: to.Ptr("path eq")}).Fails(t, 400, "ValidationError")
		page(armapimanagement.APIClientListByServiceOptions{Top: to.Ptr[int32](0)}).Fails(t, 400, "ValidationError")
	})
	t.Run("wrong secret", func(t *testing.T) {
		_, options := sdk.Options(t, w.host)
		c := w.host.Credentials
		credential, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, "wrong", &azidentity.ClientSecretCredentialOptions{
			ClientOptions: options.ClientOptions, DisableInstanceDiscovery: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		f, err := armapimanagement.NewClientFactory(c.SubscriptionID, credential, options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.NewServiceClient().Get(w.ctx, group, "here", nil)
		sdk.Unauthenticated(t, err, "AADSTS7000215")
	})
	t.Run("wrong Azure subscription", func(t *testing.T) {
		credential, options := sdk.Options(t, w.host)
		for id, code := range map[string]string{"00000000-0000-0000-0000-000000000001": "SubscriptionNotFound", "mine": "InvalidSubscriptionId"} {
			f, err := armapimanagement.NewClientFactory(id, credential, options)
			if err != nil {
				t.Fatal(err)
			}
			status := 404
			if code == "InvalidSubscriptionId" {
				status = 400
			}
			sdk.Of(f.NewServiceClient().Get(w.ctx, group, "here", nil)).Fails(t, status, code)
		}
	})
}
