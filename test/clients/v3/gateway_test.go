package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"

	"github.com/portico-dev/portico/test/clients/sdk"
)

func (w *world) importAPI(t *testing.T, url string) {
	imported := sdk.Ended(w.NewAPIClient().BeginCreateOrUpdate(w.ctx, group, shop, "imported", armapimanagement.APICreateOrUpdateParameter{
		Properties: &armapimanagement.APICreateOrUpdateProperties{
			Path: to.Ptr("imported"), Format: to.Ptr(armapimanagement.ContentFormatOpenapi), Value: to.Ptr(strings.ReplaceAll(document, "SERVER", url)),
		},
	}, nil)).Must(t)
	want := w.api("imported", "Imported", "imported", url)
	sdk.EqualJSON(t, want, imported.APIContract)
	got := [][]string{}
	sdk.Pages(t, w.NewAPIOperationClient().NewListByAPIPager(group, shop, "imported", nil), func(p armapimanagement.APIOperationClientListByAPIResponse) []string {
		for _, o := range p.Value {
			got = append(got, []string{*o.Name, *o.Properties.DisplayName, *o.Properties.Method, *o.Properties.URLTemplate})
		}
		return nil
	})
	sdk.Equal(t, [][]string{{"ping", "Ping", "GET", "/ping"}, {"thing", "A thing", "GET", "/things/{id}"}}, got)
}

// schemas looks at the one that came with the import, and makes and deletes another.
func (w *world) schemas(t *testing.T) {
	c := w.NewAPISchemaClient()
	id := w.id(shop) + "/apis/imported/schemas/"
	sdk.EqualJSON(t, sdk.Object{
		"id": id + "imported", "name": "imported", "type": "Microsoft.ApiManagement/service/apis/schemas",
		"properties": sdk.Object{
			"contentType": "application/vnd.oai.openapi.components+json",
			"document": sdk.Object{"components": sdk.Object{"schemas": sdk.Object{
				"Thing": sdk.Object{"type": "object", "properties": sdk.Object{"id": sdk.Object{"type": "string"}}},
			}}},
		},
	}, sdk.Of(c.Get(w.ctx, group, shop, "imported", "imported", nil)).Must(t).SchemaContract)
	content := sdk.Of(w.NewAPIOperationClient().Get(w.ctx, group, shop, "imported", "thing", nil)).Must(t).Properties.Responses[0].Representations[0]
	sdk.Equal(t, []string{"application/json", "imported", "Thing"}, []string{*content.ContentType, *content.SchemaID, *content.TypeName})

	made := sdk.Ended(c.BeginCreateOrUpdate(w.ctx, group, shop, "imported", "xsd", armapimanagement.SchemaContract{Properties: &armapimanagement.SchemaContractProperties{
		ContentType: to.Ptr("application/vnd.ms-azure-apim.xsd+xml"), Document: &armapimanagement.SchemaDocumentProperties{Value: to.Ptr("<s/>")},
	}}, nil)).Must(t)
	sdk.EqualJSON(t, sdk.Object{
		"id": id + "xsd", "name": "xsd", "type": "Microsoft.ApiManagement/service/apis/schemas",
		"properties": sdk.Object{"contentType": "application/vnd.ms-azure-apim.xsd+xml", "document": sdk.Object{"value": "<s/>"}},
	}, made.SchemaContract)
	list := func() [][]string {
		return sdk.Pages(t, c.NewListByAPIPager(group, shop, "imported", &armapimanagement.APISchemaClientListByAPIOptions{Top: to.Ptr[int32](1)}),
			func(p armapimanagement.APISchemaClientListByAPIResponse) []string {
				return sdk.Names(p.Value, func(s *armapimanagement.SchemaContract) *string { return s.Name })
			})
	}
	sdk.Equal(t, [][]string{{"imported"}, {"xsd"}}, list())
	tag := *sdk.Of(c.GetEntityTag(w.ctx, group, shop, "imported", "xsd", nil)).Must(t).ETag
	sdk.Of(c.Delete(w.ctx, group, shop, "imported", "xsd", tag, nil)).Must(t)
	sdk.Of(c.Delete(w.ctx, group, shop, "imported", "imported", "*", nil)).Fails(t, 400, "ValidationError")
	sdk.Equal(t, [][]string{{"imported"}}, list())
}

// importMany imports 250 API operations: a list of them has three pages when no size is asked for.
func (w *world) importMany(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(`{"openapi":"3.0.1","info":{"title":"Many","version":"1"},"paths":{`)
	var want [][]string
	for i := range 250 {
		if i > 0 {
			doc.WriteByte(',')
		}
		fmt.Fprintf(&doc, `"/p%03d":{"get":{"operationId":"op%03d","responses":{"200":{"description":"ok"}}}}`, i, i)
		if i%100 == 0 {
			want = append(want, nil)
		}
		want[i/100] = append(want[i/100], fmt.Sprintf("op%03d", i))
	}
	doc.WriteString("}}")
	sdk.Ended(w.NewAPIClient().BeginCreateOrUpdate(w.ctx, group, shop, "many", armapimanagement.APICreateOrUpdateParameter{
		Properties: &armapimanagement.APICreateOrUpdateProperties{
			Path: to.Ptr("many"), Format: to.Ptr(armapimanagement.ContentFormatOpenapiJSON), Value: to.Ptr(doc.String()),
		},
	}, nil)).Must(t)
	got := sdk.Pages(t, w.NewAPIOperationClient().NewListByAPIPager(group, shop, "many", nil), func(p armapimanagement.APIOperationClientListByAPIResponse) []string {
		sdk.Equal(t, 250, *p.Count)
		return sdk.Names(p.Value, func(o *armapimanagement.OperationContract) *string { return o.Name })
	})
	sdk.Equal(t, want, got)
	w.deleteAPI(t, shop, "many", "*")
}

// appends is a policy that adds a word to a header at the end of the scopes above.
func appends(word string, more ...string) *armapimanagement.PolicyContractProperties {
	return &armapimanagement.PolicyContractProperties{
		Format: to.Ptr(armapimanagement.PolicyContentFormatRawxml),
		Value: to.Ptr(`<policies><inbound><base /><set-header name="X-Policies" exists-action="append"><value>` + word + `</value></set-header>` +
			strings.Join(more, "") + `</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>`),
	}
}

func (w *world) policies(t *testing.T) {
	const policy = armapimanagement.PolicyIDNamePolicy
	raw := to.Ptr(armapimanagement.PolicyExportFormatRawxml)

	global := w.NewPolicyClient()
	before := sdk.Of(global.GetEntityTag(w.ctx, group, shop, policy, nil)).Must(t)
	service := &armapimanagement.PolicyContractProperties{Format: to.Ptr(armapimanagement.PolicyContentFormatXML), Value: to.Ptr(
		`<policies><inbound><set-header name="X-Policies" exists-action="override"><value>service-{{Colour}}</value></set-header></inbound>` +
			`<backend><forward-request /></backend><outbound /><on-error /></policies>`)}
	put := sdk.Of(global.CreateOrUpdate(w.ctx, group, shop, policy, armapimanagement.PolicyContract{Properties: service},
		&armapimanagement.PolicyClientCreateOrUpdateOptions{IfMatch: before.ETag})).Must(t)
	sdk.Equal(t, w.id(shop)+"/policies/policy", *put.ID)
	sdk.Equal(t, "Microsoft.ApiManagement/service/policies", *put.Type)
	got := sdk.Of(global.Get(w.ctx, group, shop, policy, &armapimanagement.PolicyClientGetOptions{Format: raw})).Must(t)
	sdk.EqualJSON(t, sdk.Object{
		"id": w.id(shop) + "/policies/policy", "name": "policy", "type": "Microsoft.ApiManagement/service/policies",
		"properties": sdk.Object{"format": "rawxml", "value": *service.Value},
	}, got.PolicyContract)
	sdk.Equal(t, *put.ETag, *got.ETag)
	sdk.Of(global.CreateOrUpdate(w.ctx, group, shop, policy, armapimanagement.PolicyContract{Properties: service},
		&armapimanagement.PolicyClientCreateOrUpdateOptions{IfMatch: before.ETag})).Fails(t, 412, "PreconditionFailed")

	api := w.NewAPIPolicyClient()
	sdk.Of(api.GetEntityTag(w.ctx, group, shop, "imported", policy, nil)).Fails(t, 404, "ResourceNotFound")
	sdk.Of(api.CreateOrUpdate(w.ctx, group, shop, "imported", policy, armapimanagement.PolicyContract{Properties: appends("api")}, nil)).Must(t)
	ofAPI := sdk.Of(api.Get(w.ctx, group, shop, "imported", policy, &armapimanagement.APIPolicyClientGetOptions{Format: raw})).Must(t)
	sdk.Equal(t, *appends("api").Value, *ofAPI.Properties.Value)
	sdk.Equal(t, *ofAPI.ETag, *sdk.Of(api.GetEntityTag(w.ctx, group, shop, "imported", policy, nil)).Must(t).ETag)

	operation := w.NewAPIOperationPolicyClient()
	doc := appends("operation", `<set-backend-service backend-id="sample" />`)
	sdk.Of(operation.CreateOrUpdate(w.ctx, group, shop, "imported", "thing", policy, armapimanagement.PolicyContract{Properties: doc}, nil)).Must(t)
	ofOperation := sdk.Of(operation.Get(w.ctx, group, shop, "imported", "thing", policy, &armapimanagement.APIOperationPolicyClientGetOptions{Format: raw})).Must(t)
	sdk.EqualJSON(t, sdk.Object{
		"id": w.id(shop) + "/apis/imported/operations/thing/policies/policy", "name": "policy", "type": "Microsoft.ApiManagement/service/apis/operations/policies",
		"properties": sdk.Object{"format": "rawxml", "value": *doc.Value},
	}, ofOperation.PolicyContract)
	list := sdk.Of(operation.ListByOperation(w.ctx, group, shop, "imported", "thing", nil)).Must(t)
	sdk.Equal(t, []string{"policy"}, sdk.Names(list.Value, func(p *armapimanagement.PolicyContract) *string { return p.Name }))

	sdk.Of(api.CreateOrUpdate(w.ctx, group, shop, "imported", policy, armapimanagement.PolicyContract{Properties: appends("api", "<no-such-statement />")}, nil)).Fails(t, 400, "ValidationError")
}

func (w *world) products(t *testing.T) {
	c, links := w.NewProductClient(), w.NewProductAPIClient()
	created := sdk.Of(c.CreateOrUpdate(w.ctx, group, shop, "gold", armapimanagement.ProductContract{Properties: &armapimanagement.ProductContractProperties{
		DisplayName: to.Ptr("Gold"), Description: to.Ptr("All that glitters"), State: to.Ptr(armapimanagement.ProductStatePublished),
		SubscriptionRequired: to.Ptr(true), ApprovalRequired: to.Ptr(false), SubscriptionsLimit: to.Ptr[int32](7),
	}}, nil)).Must(t)
	properties := sdk.Object{
		"displayName": "Gold", "description": "All that glitters", "state": "published", "subscriptionRequired": true, "approvalRequired": false, "subscriptionsLimit": 7,
	}
	want := sdk.Object{"id": w.id(shop) + "/products/gold", "name": "gold", "type": "Microsoft.ApiManagement/service/products", "properties": properties}
	sdk.EqualJSON(t, want, created.ProductContract)
	updated := sdk.Of(c.Update(w.ctx, group, shop, "gold", *created.ETag, armapimanagement.ProductUpdateParameters{
		Properties: &armapimanagement.ProductUpdateProperties{Terms: to.Ptr("None."), SubscriptionsLimit: to.Ptr[int32](8)},
	}, nil)).Must(t)
	properties["terms"], properties["subscriptionsLimit"] = "None.", 8
	sdk.EqualJSON(t, want, updated.ProductContract)
	sdk.Equal(t, *updated.ETag, *sdk.Of(c.GetEntityTag(w.ctx, group, shop, "gold", nil)).Must(t).ETag)
	sdk.Equal(t, [][]string{{"gold", "starter", "unlimited"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, nil), func(p armapimanagement.ProductClientListByServiceResponse) []string {
		return sdk.Names(p.Value, func(p *armapimanagement.ProductContract) *string { return p.Name })
	}))

	cleared := sdk.Of(c.Update(w.ctx, group, shop, "gold", "*", armapimanagement.ProductUpdateParameters{
		Properties: &armapimanagement.ProductUpdateProperties{Terms: azcore.NullValue[*string]()},
	}, nil)).Must(t)
	delete(properties, "terms")
	sdk.EqualJSON(t, want, cleared.ProductContract)

	sdk.Of(links.CheckEntityExists(w.ctx, group, shop, "gold", "imported", nil)).Fails(t, 404, "ResourceNotFound")
	linked := sdk.Of(links.CreateOrUpdate(w.ctx, group, shop, "gold", "imported", nil)).Must(t)
	sdk.Equal(t, w.id(shop)+"/apis/imported", *linked.ID)
	sdk.Equal(t, true, sdk.Of(links.CheckEntityExists(w.ctx, group, shop, "gold", "imported", nil)).Must(t).Success)
	sdk.Of(links.CreateOrUpdate(w.ctx, group, shop, "gold", "api1", nil)).Must(t)
	sdk.Equal(t, [][]string{{"gold"}}, sdk.Pages(t, w.NewAPIProductClient().NewListByApisPager(group, shop, "api1", nil), func(p armapimanagement.APIProductClientListByApisResponse) []string {
		return sdk.Names(p.Value, func(p *armapimanagement.ProductContract) *string { return p.Name })
	}))
	sdk.Equal(t, [][]string{{"api1"}, {"imported"}}, sdk.Pages(t, links.NewListByProductPager(group, shop, "gold", &armapimanagement.ProductAPIClientListByProductOptions{Top: to.Ptr[int32](1)}),
		func(p armapimanagement.ProductAPIClientListByProductResponse) []string {
			return sdk.Names(p.Value, func(a *armapimanagement.APIContract) *string { return a.Name })
		}))
	sdk.Of(links.Delete(w.ctx, group, shop, "gold", "api1", nil)).Must(t)
	sdk.Of(links.Delete(w.ctx, group, shop, "gold", "api1", nil)).Must(t)
	sdk.Of(links.CheckEntityExists(w.ctx, group, shop, "gold", "api1", nil)).Fails(t, 404, "ResourceNotFound")
}

func (w *world) subscriptions(t *testing.T, gateway string) {
	c := w.NewSubscriptionClient()
	created := sdk.Of(c.CreateOrUpdate(w.ctx, group, shop, "sub1", armapimanagement.SubscriptionCreateParameters{
		Properties: &armapimanagement.SubscriptionCreateParameterProperties{
			DisplayName: to.Ptr("First"), Scope: to.Ptr("/products/gold"), State: to.Ptr(armapimanagement.SubscriptionStateActive), PrimaryKey: to.Ptr("primary-of-the-test"),
		},
	}, nil)).Must(t)
	properties := sdk.Object{
		"displayName": "First", "scope": w.id(shop) + "/products/gold", "state": "active", "allowTracing": false, "createdDate": *created.Properties.CreatedDate, "startDate": *created.Properties.StartDate,
	}
	want := sdk.Object{"id": w.id(shop) + "/subscriptions/sub1", "name": "sub1", "type": "Microsoft.ApiManagement/service/subscriptions", "properties": properties}
	sdk.EqualJSON(t, want, created.SubscriptionContract)
	updated := sdk.Of(c.Update(w.ctx, group, shop, "sub1", *created.ETag, armapimanagement.SubscriptionUpdateParameters{
		Properties: &armapimanagement.SubscriptionUpdateParameterProperties{DisplayName: to.Ptr("The first")},
	}, nil)).Must(t)
	properties["displayName"] = "The first"
	sdk.EqualJSON(t, want, updated.SubscriptionContract)
	sdk.Equal(t, *updated.ETag, *sdk.Of(c.GetEntityTag(w.ctx, group, shop, "sub1", nil)).Must(t).ETag)
	sdk.Equal(t, [][]string{{"master"}, {"sub1"}}, sdk.Pages(t, c.NewListPager(group, shop, &armapimanagement.SubscriptionClientListOptions{Top: to.Ptr[int32](1)}),
		func(p armapimanagement.SubscriptionClientListResponse) []string {
			return sdk.Names(p.Value, func(s *armapimanagement.SubscriptionContract) *string { return s.Name })
		}))

	sdk.Equal(t, [][]string{{"sub1"}}, sdk.Pages(t, w.NewProductSubscriptionsClient().NewListPager(group, shop, "gold", nil), func(p armapimanagement.ProductSubscriptionsClientListResponse) []string {
		return sdk.Names(p.Value, func(s *armapimanagement.SubscriptionContract) *string { return s.Name })
	}))

	secrets := func() armapimanagement.SubscriptionKeysContract {
		t.Helper()
		return sdk.Of(c.ListSecrets(w.ctx, group, shop, "sub1", nil)).Must(t).SubscriptionKeysContract
	}
	keys := secrets()
	sdk.Equal(t, "primary-of-the-test", *keys.PrimaryKey)
	ping, thing := gateway+"/imported/ping", gateway+"/imported/things/7?a=b"
	comesTrue(t, answer{200, "GET /ping service-blue,api"}, ping, *keys.PrimaryKey)
	comesTrue(t, answer{200, "GET /from-backend/things/7?a=b service-blue,api,operation"}, thing, *keys.SecondaryKey)
	sdk.Equal(t, answer{401, `{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }`}, call(t, ping, ""))

	sdk.Of(w.NewProductPolicyClient().CreateOrUpdate(w.ctx, group, shop, "gold", armapimanagement.PolicyIDNamePolicy, armapimanagement.PolicyContract{Properties: appends("product")}, nil)).Must(t)
	comesTrue(t, answer{200, "GET /ping service-blue,product,api"}, ping, *keys.PrimaryKey)

	sdk.Of(c.RegeneratePrimaryKey(w.ctx, group, shop, "sub1", nil)).Must(t)
	fresh := secrets()
	sdk.Equal(t, *keys.SecondaryKey, *fresh.SecondaryKey)
	comesTrue(t, answer{200, "GET /ping service-blue,product,api"}, ping, *fresh.PrimaryKey)
	comesTrue(t, answer{401, `{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }`}, ping, *keys.PrimaryKey)
	sdk.Of(c.RegenerateSecondaryKey(w.ctx, group, shop, "sub1", nil)).Must(t)
	last := secrets()
	sdk.Equal(t, *fresh.PrimaryKey, *last.PrimaryKey)
	if *last.SecondaryKey == *fresh.SecondaryKey || *fresh.PrimaryKey == *keys.PrimaryKey {
		t.Error("a key that was made anew is the old one")
	}
}

func (w *world) deletions(t *testing.T) {
	subscriptions, products, values := w.NewSubscriptionClient(), w.NewProductClient(), w.NewNamedValueClient()
	sdk.Of(products.Delete(w.ctx, group, shop, "gold", "*", nil)).Fails(t, 400, "ValidationError")
	sdk.Of(products.Delete(w.ctx, group, shop, "gold", "*", &armapimanagement.ProductClientDeleteOptions{DeleteSubscriptions: to.Ptr(true)})).Must(t)
	sdk.Of(subscriptions.Get(w.ctx, group, shop, "sub1", nil)).Fails(t, 404, "ResourceNotFound")
	w.deleteAPIFails(t, shop, "imported", `"no such tag"`, 412, "PreconditionFailed")
	w.deleteAPI(t, shop, "imported", "*")
	w.deleteAPI(t, shop, "imported", "*")
	sdk.Of(w.NewAPIPolicyClient().Get(w.ctx, group, shop, "imported", armapimanagement.PolicyIDNamePolicy, nil)).Fails(t, 404, "ResourceNotFound")
	sdk.Of(w.NewBackendClient().Delete(w.ctx, group, shop, "sample", "*", nil)).Must(t)
	sdk.Of(values.Delete(w.ctx, group, shop, "colour", "*", nil)).Fails(t, 400, "ValidationError")
	sdk.Of(w.NewPolicyClient().Delete(w.ctx, group, shop, armapimanagement.PolicyIDNamePolicy, "*", nil)).Must(t)
	sdk.Of(values.Delete(w.ctx, group, shop, "colour", "*", nil)).Must(t)
	etag := sdk.Of(w.NewAPIOperationClient().GetEntityTag(w.ctx, group, shop, "api1", "look", nil)).Must(t).ETag
	sdk.Of(w.NewAPIOperationClient().Delete(w.ctx, group, shop, "api1", "look", *etag, nil)).Must(t)
	sdk.Of(w.NewAPIOperationClient().Get(w.ctx, group, shop, "api1", "look", nil)).Fails(t, 404, "ResourceNotFound")
}
