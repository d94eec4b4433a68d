package clients

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"github.com/portico-dev/portico/test/clients/sdk"
)

// shown is what every api-version shows of a service that wanted describes.
func (w *world) shown(name string, got armapimanagement.ServiceResource) sdk.Object {
	o := sdk.Object{
		"id": w.id(name), "name": name, "type": "Microsoft.ApiManagement/service", "location": "West Europe",
		"sku": sdk.Object{"name": "Developer", "capacity": 1}, "etag": *got.Etag,
		"systemData": sdk.Object{
			"createdBy": *got.SystemData.CreatedBy, "createdByType": "Application", "createdAt": *got.SystemData.CreatedAt,
			"lastModifiedBy": *got.SystemData.LastModifiedBy, "lastModifiedByType": "Application", "lastModifiedAt": *got.SystemData.LastModifiedAt,
		},
		"properties": sdk.Object{
			"publisherName": "Clients", "publisherEmail": "clients@example.com",
			"notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com",
			"provisioningState":       "Succeeded", "targetProvisioningState": "", "platformVersion": "stv2",
			"virtualNetworkType": "None", "publicNetworkAccess": "Enabled", "disableGateway": false, "apiVersionConstraint": sdk.Object{},
			"createdAtUtc": *got.Properties.CreatedAtUTC, "gatewayUrl": *got.Properties.GatewayURL,
			"gatewayRegionalUrl": "http://" + name + "-westeurope-01.regional.apim.localhost" + w.host.Endpoints.Edge[strings.LastIndexByte(w.host.Endpoints.Edge, ':'):],
			"publicIPAddresses":  []any{*got.Properties.PublicIPAddresses[0]},
			"hostnameConfigurations": []any{sdk.Object{
				"type": "Proxy", "hostName": name + ".apim.localhost", "defaultSslBinding": true,
				"negotiateClientCertificate": false, "certificateSource": "BuiltIn",
			}},
		},
	}
	addOwn(o["properties"].(sdk.Object))
	return o
}

func TestService(t *testing.T) {
	t.Parallel()
	w := start(t)
	services, began := w.NewServiceClient(), time.Now().Add(-time.Second)

	t.Run("check name", func(t *testing.T) {
		got := sdk.Of(services.CheckNameAvailability(w.ctx, armapimanagement.ServiceCheckNameAvailabilityParameters{Name: to.Ptr("life")}, nil)).Must(t)
		sdk.Equal(t, true, *got.NameAvailable)
		sdk.Equal(t, armapimanagement.NameAvailabilityReasonValid, *got.Reason)
	})
	t.Run("create", func(t *testing.T) {
		got := w.create(t, "life")
		sdk.EqualJSON(t, w.shown("life", got), got)
		ip, err := netip.ParseAddr(*got.Properties.PublicIPAddresses[0])
		if err != nil || !ip.IsLoopback() {
			t.Errorf("address %s: not on loopback (%v)", ip, err)
		}
		if at := *got.Properties.CreatedAtUTC; at.Before(began) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("created at %v", at)
		}
	})
	t.Run("get", func(t *testing.T) {
		got := sdk.Of(services.Get(w.ctx, group, "LIFE", nil)).Must(t).ServiceResource
		sdk.EqualJSON(t, w.shown("life", got), got)
	})
	t.Run("put without a change", func(t *testing.T) {
		before := sdk.Of(services.Get(w.ctx, group, "life", nil)).Must(t).ServiceResource
		after := sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, "life", before, nil)).Must(t).ServiceResource
		sdk.EqualJSON(t, w.shown("life", before), after)
	})
	t.Run("update", func(t *testing.T) {
		before := sdk.Of(services.Get(w.ctx, group, "life", nil)).Must(t).ServiceResource
		got := sdk.Ended(services.BeginUpdate(w.ctx, group, "life", armapimanagement.ServiceUpdateParameters{
			Tags:       map[string]*string{"Stage": to.Ptr("test")},
			Properties: &armapimanagement.ServiceUpdateProperties{PublisherName: to.Ptr("Others")},
		}, nil)).Must(t).ServiceResource
		want := w.shown("life", got)
		want["tags"] = sdk.Object{"Stage": "test"}
		want["properties"].(sdk.Object)["publisherName"] = "Others"
		sdk.EqualJSON(t, want, got)
		if *got.Etag == *before.Etag {
			t.Errorf("etag is still %s", *got.Etag)
		}
	})
	t.Run("update resumed by another poller", func(t *testing.T) {
		first := sdk.Of(services.BeginUpdate(w.ctx, group, "life", armapimanagement.ServiceUpdateParameters{
			SKU: &armapimanagement.ServiceSKUProperties{Name: to.Ptr(armapimanagement.SKUTypeStandard), Capacity: to.Ptr[int32](1)},
		}, nil)).Must(t)
		token := sdk.Of(first.ResumeToken()).Must(t)
		got := sdk.Ended(services.BeginUpdate(w.ctx, group, "life", armapimanagement.ServiceUpdateParameters{},
			&armapimanagement.ServiceClientBeginUpdateOptions{ResumeToken: token})).Must(t).ServiceResource
		sdk.Equal(t, armapimanagement.SKUTypeStandard, *got.SKU.Name)
		sdk.Equal(t, "Succeeded", *got.Properties.ProvisioningState)
	})
	t.Run("update over a restart of the control plane", func(t *testing.T) {
		poller := sdk.Of(services.BeginUpdate(w.ctx, group, "life", armapimanagement.ServiceUpdateParameters{
			SKU: &armapimanagement.ServiceSKUProperties{Name: to.Ptr(armapimanagement.SKUTypePremium), Capacity: to.Ptr[int32](1)},
		}, nil)).Must(t)
		w.host.Restart(t)
		got := sdk.Ended(poller, nil).Must(t).ServiceResource
		sdk.Equal(t, armapimanagement.SKUTypePremium, *got.SKU.Name)
		sdk.Equal(t, "Succeeded", *got.Properties.ProvisioningState)
	})
	t.Run("scale", func(t *testing.T) {
		got := sdk.Ended(services.BeginUpdate(w.ctx, group, "life", armapimanagement.ServiceUpdateParameters{
			SKU: &armapimanagement.ServiceSKUProperties{Name: to.Ptr(armapimanagement.SKUTypePremium), Capacity: to.Ptr[int32](2)},
		}, nil)).Must(t).ServiceResource
		sdk.Equal(t, armapimanagement.SKUTypePremium, *got.SKU.Name)
		sdk.Equal(t, 2, *got.SKU.Capacity)
		sdk.Equal(t, "Succeeded", *got.Properties.ProvisioningState)
	})
	t.Run("lists", func(t *testing.T) {
		w.create(t, "second")
		want := [][]string{{"life", "second"}}
		name := func(s *armapimanagement.ServiceResource) *string { return s.Name }
		sdk.Equal(t, want, sdk.Pages(t, services.NewListPager(nil), func(p armapimanagement.ServiceClientListResponse) []string { return sdk.Names(p.Value, name) }))
		sdk.Equal(t, want, sdk.Pages(t, services.NewListByResourceGroupPager(group, nil), func(p armapimanagement.ServiceClientListByResourceGroupResponse) []string {
			return sdk.Names(p.Value, name)
		}))
		sdk.Equal(t, want, sdk.Pages(t, w.any.NewListByResourceGroupPager(group, &armresources.ClientListByResourceGroupOptions{
			Filter: to.Ptr("resourceType eq 'Microsoft.ApiManagement/service'"),
		}), func(p armresources.ClientListByResourceGroupResponse) []string {
			return sdk.Names(p.Value, func(r *armresources.GenericResourceExpanded) *string { return r.Name })
		}))
	})
	t.Run("tiers", func(t *testing.T) {
		tiers := sdk.Pages(t, w.NewServiceSKUsClient().NewListAvailableServiceSKUsPager(group, "life", nil), func(p armapimanagement.ServiceSKUsClientListAvailableServiceSKUsResponse) []string {
			var names []string
			for _, s := range p.Value {
				names = append(names, fmt.Sprint(*s.SKU.Name, " ", *s.Capacity.Minimum, "-", *s.Capacity.Maximum, " ", *s.Capacity.ScaleType))
			}
			return names
		})
		sdk.Equal(t, [][]string{{"Developer 1-1 none", "Basic 1-2 manual", "Standard 1-4 automatic", "Premium 1-31 automatic"}}, tiers)
		all := sdk.Pages(t, w.NewSKUsClient().NewListPager(nil), func(p armapimanagement.SKUsClientListResponse) []string {
			var names []string
			for _, s := range p.Value {
				if *s.Locations[0] == "westeurope" && *s.Name != string(armapimanagement.SKUTypePremium) && len(s.LocationInfo[0].Zones) == 0 {
					names = append(names, *s.Name)
				}
			}
			return names[:5]
		})
		sdk.Equal(t, [][]string{{"Consumption", "Developer", "Basic", "Standard", "Isolated"}}, all)
	})
	t.Run("name is taken", func(t *testing.T) {
		got := sdk.Of(services.CheckNameAvailability(w.ctx, armapimanagement.ServiceCheckNameAvailabilityParameters{Name: to.Ptr("Life")}, nil)).Must(t)
		sdk.Equal(t, false, *got.NameAvailable)
		sdk.Equal(t, armapimanagement.NameAvailabilityReasonAlreadyExists, *got.Reason)
	})
	t.Run("delete", func(t *testing.T) {
		sdk.Ended(services.BeginDelete(w.ctx, group, "life", nil)).Must(t)
		sdk.Of(services.Get(w.ctx, group, "life", nil)).Fails(t, 404, "ResourceNotFound")
		sdk.Ended(services.BeginDelete(w.ctx, group, "life", nil)).Must(t)
	})
	t.Run("deleted services", func(t *testing.T) { w.deleted(t, "life", began) })
	t.Run("delete the group", func(t *testing.T) {
		sdk.Ended(w.groups.BeginDelete(w.ctx, group, nil)).Must(t)
		if sdk.Of(w.groups.CheckExistence(w.ctx, group, nil)).Must(t).Success {
			t.Error("the group is still there")
		}
		sdk.Of(services.Get(w.ctx, group, "second", nil)).Fails(t, 404, "ResourceGroupNotFound")
	})
}

// deleted looks at a soft-deleted service, brings it back, deletes it again and purges it.
func (w *world) deleted(t *testing.T, name string, began time.Time) {
	services, deleted := w.NewServiceClient(), w.NewDeletedServicesClient()
	record := sdk.Of(deleted.GetByName(w.ctx, name, "westeurope", nil)).Must(t).DeletedServiceContract
	id := "/subscriptions/" + w.host.Credentials.SubscriptionID + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/" + name
	sdk.EqualJSON(t, sdk.Object{
		"id": id, "name": name, "type": "Microsoft.ApiManagement/deletedservices", "location": "West Europe",
		"properties": sdk.Object{"serviceId": w.id(name), "deletionDate": *record.Properties.DeletionDate, "scheduledPurgeDate": *record.Properties.ScheduledPurgeDate},
	}, record)
	sdk.Equal(t, 48*time.Hour, record.Properties.ScheduledPurgeDate.Sub(*record.Properties.DeletionDate))
	if record.Properties.DeletionDate.Before(began) {
		t.Errorf("deleted at %v", record.Properties.DeletionDate)
	}
	list := func() [][]string {
		return sdk.Pages(t, deleted.NewListBySubscriptionPager(nil), func(p armapimanagement.DeletedServicesClientListBySubscriptionResponse) []string {
			return sdk.Names(p.Value, func(d *armapimanagement.DeletedServiceContract) *string { return d.Name })
		})
	}
	sdk.Equal(t, [][]string{{name}}, list())
	sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, name, wanted(), nil)).Fails(t, 409, "ServiceAlreadyExistsInSoftDeletedState")

	restore := wanted()
	restore.Properties.Restore = to.Ptr(true)
	back := sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, name, restore, nil)).Must(t).ServiceResource
	sdk.Equal(t, "Others", *back.Properties.PublisherName)
	sdk.Equal(t, armapimanagement.SKUTypePremium, *back.SKU.Name)
	sdk.Equal(t, [][]string{{}}, list())

	sdk.Ended(services.BeginDelete(w.ctx, group, name, nil)).Must(t)
	sdk.Equal(t, [][]string{{name}}, list())
	sdk.Ended(deleted.BeginPurge(w.ctx, name, "westeurope", nil)).Must(t)
	sdk.Of(deleted.GetByName(w.ctx, name, "westeurope", nil)).Fails(t, 404, "ServiceNotFound")
	sdk.Equal(t, [][]string{{}}, list())
	sdk.Ended(deleted.BeginPurge(w.ctx, name, "westeurope", nil)).Must(t)
	sdk.Ended(services.BeginCreateOrUpdate(w.ctx, group, name, restore, nil)).Fails(t, 400, "ServiceUndeleteNotPossible")
}
