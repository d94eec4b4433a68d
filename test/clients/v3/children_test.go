package clients

import (
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"

	"github.com/portico-dev/portico/test/clients/sdk"
)

const shop = "shop"

// TestChildren builds an API with everything around it, and ends with requests through the gateway.
func TestChildren(t *testing.T) {
	t.Parallel()
	w := start(t)
	gateway := *w.create(t, shop).Properties.GatewayURL
	backend := backend(t)
	t.Run("named values", w.namedValues)
	t.Run("backends", func(t *testing.T) { w.backends(t, backend) })
	t.Run("APIs", func(t *testing.T) { w.apis(t, backend) })
	t.Run("API operations", w.operations)
	t.Run("import", func(t *testing.T) { w.importAPI(t, backend) })
	t.Run("schemas", w.schemas)
	t.Run("import of many API operations", w.importMany)
	t.Run("policies", w.policies)
	t.Run("products", w.products)
	t.Run("subscriptions", func(t *testing.T) { w.subscriptions(t, gateway) })
	t.Run("deletions", w.deletions)
}

func (w *world) namedValues(t *testing.T) {
	c := w.NewNamedValueClient()
	plain := sdk.Ended(c.BeginCreateOrUpdate(w.ctx, group, shop, "colour", armapimanagement.NamedValueCreateContract{
		Properties: &armapimanagement.NamedValueCreateContractProperties{DisplayName: to.Ptr("Colour"), Value: to.Ptr("green"), Tags: []*string{to.Ptr("paint")}},
	}, nil)).Must(t).NamedValueContract
	want := sdk.Object{
		"id": w.id(shop) + "/namedValues/colour", "name": "colour", "type": "Microsoft.ApiManagement/service/namedValues",
		"properties": sdk.Object{"displayName": "Colour", "value": "green", "tags": []any{"paint"}, "secret": false},
	}
	sdk.EqualJSON(t, want, plain)
	sdk.Ended(c.BeginCreateOrUpdate(w.ctx, group, shop, "word", armapimanagement.NamedValueCreateContract{
		Properties: &armapimanagement.NamedValueCreateContractProperties{DisplayName: to.Ptr("Word"), Value: to.Ptr("swordfish"), Secret: to.Ptr(true)},
	}, nil)).Must(t)

	got := sdk.Of(c.Get(w.ctx, group, shop, "word", nil)).Must(t)
	sdk.EqualJSON(t, sdk.Object{
		"id": w.id(shop) + "/namedValues/word", "name": "word", "type": "Microsoft.ApiManagement/service/namedValues",
		"properties": sdk.Object{"displayName": "Word", "secret": true},
	}, got.NamedValueContract)
	head := sdk.Of(c.GetEntityTag(w.ctx, group, shop, "word", nil)).Must(t)
	sdk.Equal(t, true, head.Success)
	sdk.Equal(t, *got.ETag, *head.ETag)
	sdk.Equal(t, "swordfish", *sdk.Of(c.ListValue(w.ctx, group, shop, "word", nil)).Must(t).Value)
	sdk.Equal(t, [][]string{{"colour", "word"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, nil), func(p armapimanagement.NamedValueClientListByServiceResponse) []string {
		for _, v := range p.Value {
			if *v.Name == "word" && v.Properties.Value != nil {
				t.Error("a list shows a secret")
			}
		}
		return sdk.Names(p.Value, func(v *armapimanagement.NamedValueContract) *string { return v.Name })
	}))
	patched := sdk.Ended(c.BeginUpdate(w.ctx, group, shop, "colour", "*", armapimanagement.NamedValueUpdateParameters{
		Properties: &armapimanagement.NamedValueUpdateParameterProperties{Value: to.Ptr("blue")},
	}, nil)).Must(t)
	want["properties"].(sdk.Object)["value"] = "blue"
	sdk.EqualJSON(t, want, patched.NamedValueContract)
}

func (w *world) backends(t *testing.T, url string) {
	c := w.NewBackendClient()
	created := sdk.Of(c.CreateOrUpdate(w.ctx, group, shop, "sample", armapimanagement.BackendContract{Properties: &armapimanagement.BackendContractProperties{
		URL: to.Ptr(url + "/from-backend"), Protocol: to.Ptr(armapimanagement.BackendProtocolHTTP), Title: to.Ptr("Sample"),
		Credentials: &armapimanagement.BackendCredentialsContract{Header: map[string][]*string{"X-Token": {to.Ptr("t1")}}},
		TLS:         &armapimanagement.BackendTLSProperties{ValidateCertificateChain: to.Ptr(true), ValidateCertificateName: to.Ptr(false)},
	}}, nil)).Must(t)
	want := sdk.Object{
		"url": url + "/from-backend", "protocol": "http", "title": "Sample",
		"credentials": sdk.Object{"header": sdk.Object{"X-Token": []any{"t1"}}},
		"tls":         sdk.Object{"validateCertificateChain": true, "validateCertificateName": false},
	}
	addOwnBackend(want)
	entity := sdk.Object{"id": w.id(shop) + "/backends/sample", "name": "sample", "type": "Microsoft.ApiManagement/service/backends", "properties": want}
	sdk.EqualJSON(t, entity, created.BackendContract)
	updated := sdk.Of(c.Update(w.ctx, group, shop, "sample", *created.ETag, armapimanagement.BackendUpdateParameters{
		Properties: &armapimanagement.BackendUpdateParameterProperties{Description: to.Ptr("echoes")},
	}, nil)).Must(t)
	want["description"] = "echoes"
	sdk.EqualJSON(t, entity, updated.BackendContract)
	got := sdk.Of(c.Get(w.ctx, group, shop, "sample", nil)).Must(t)
	sdk.EqualJSON(t, entity, got.BackendContract)
	sdk.Equal(t, *updated.ETag, *got.ETag)
	sdk.Equal(t, *got.ETag, *sdk.Of(c.GetEntityTag(w.ctx, group, shop, "sample", nil)).Must(t).ETag)
	sdk.Equal(t, [][]string{{"sample"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, nil), func(p armapimanagement.BackendClientListByServiceResponse) []string {
		sdk.Equal(t, 1, *p.Count)
		return sdk.Names(p.Value, func(b *armapimanagement.BackendContract) *string { return b.Name })
	}))
}

func (w *world) apis(t *testing.T, url string) {
	c := w.NewAPIClient()
	for _, name := range []string{"api1", "api2", "api3"} {
		created := sdk.Ended(c.BeginCreateOrUpdate(w.ctx, group, shop, name, armapimanagement.APICreateOrUpdateParameter{
			Properties: &armapimanagement.APICreateOrUpdateProperties{
				DisplayName: to.Ptr("The " + name), Path: to.Ptr("v/" + name), ServiceURL: to.Ptr(url), Protocols: []*armapimanagement.Protocol{to.Ptr(armapimanagement.ProtocolHTTP)},
			},
		}, &armapimanagement.APIClientBeginCreateOrUpdateOptions{IfMatch: to.Ptr("*")})).Must(t)
		sdk.EqualJSON(t, w.api(name, "The "+name, "v/"+name, url), created.APIContract)
	}
	got := sdk.Of(c.Get(w.ctx, group, shop, "api1", nil)).Must(t)
	sdk.EqualJSON(t, w.api("api1", "The api1", "v/api1", url), got.APIContract)
	head := sdk.Of(c.GetEntityTag(w.ctx, group, shop, "api1", nil)).Must(t)
	sdk.Equal(t, *got.ETag, *head.ETag)
	updated := sdk.Of(c.Update(w.ctx, group, shop, "api1", *head.ETag, armapimanagement.APIUpdateContract{
		Properties: &armapimanagement.APIContractUpdateProperties{DisplayName: to.Ptr("One")},
	}, nil)).Must(t)
	sdk.EqualJSON(t, w.api("api1", "One", "v/api1", url), updated.APIContract)
	if *updated.ETag == *head.ETag {
		t.Errorf("ETag is still %s", *head.ETag)
	}
	sdk.Equal(t, w.id(shop)+"/apis/api1;rev=1", *sdk.Of(c.Get(w.ctx, group, shop, "api1;rev=1", nil)).Must(t).ID)
	sdk.Of(c.Get(w.ctx, group, shop, "api1;rev=2", nil)).Fails(t, 404, "ResourceNotFound")
	exported := sdk.Of(w.NewAPIExportClient().Get(w.ctx, group, shop, "api1", armapimanagement.ExportFormatOpenapi, armapimanagement.ExportAPITrue, nil)).Must(t)
	sdk.Equal(t, armapimanagement.ExportResultFormatOpenAPI, *exported.ExportResultFormat)
	sdk.Equal(t, w.id(shop)+"/apis/api1", *exported.ID)
	if link := *exported.Value.Link; !strings.HasPrefix(link, w.host.Endpoints.ARMTLS+"/portico/exports/") {
		t.Errorf("link %s", link)
	}
	sdk.Of(w.NewAPIExportClient().Get(w.ctx, group, shop, "api1", armapimanagement.ExportFormatWadl, armapimanagement.ExportAPITrue, nil)).Fails(t, 400, "ValidationError")
	names := func(p armapimanagement.APIClientListByServiceResponse) []string {
		sdk.Equal(t, 3, *p.Count)
		return sdk.Names(p.Value, func(a *armapimanagement.APIContract) *string { return a.Name })
	}
	sdk.Equal(t, [][]string{{"api1", "api2"}, {"api3"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, &armapimanagement.APIClientListByServiceOptions{Top: to.Ptr[int32](2)}), names))
	sdk.Equal(t, [][]string{{"api2"}, {"api3"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, &armapimanagement.APIClientListByServiceOptions{Top: to.Ptr[int32](1), Skip: to.Ptr[int32](1)}), names))
	sdk.Equal(t, [][]string{{"api2"}}, sdk.Pages(t, c.NewListByServicePager(group, shop, &armapimanagement.APIClientListByServiceOptions{Filter: to.Ptr("path eq 'v/api2'")}),
		func(p armapimanagement.APIClientListByServiceResponse) []string {
			return sdk.Names(p.Value, func(a *armapimanagement.APIContract) *string { return a.Name })
		}))
}

// api is what is shown of an API that is served over http.
func (w *world) api(name, display, path, url string) sdk.Object {
	return sdk.Object{
		"id": w.id(shop) + "/apis/" + name, "name": name, "type": "Microsoft.ApiManagement/service/apis",
		"properties": sdk.Object{
			"displayName": display, "path": path, "serviceUrl": url, "protocols": []any{"http"}, "apiRevision": "1", "isCurrent": true, "isOnline": true,
			"subscriptionRequired": true, "subscriptionKeyParameterNames": sdk.Object{"header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"},
		},
	}
}

func (w *world) operations(t *testing.T) {
	c := w.NewAPIOperationClient()
	created := sdk.Of(c.CreateOrUpdate(w.ctx, group, shop, "api1", "look", armapimanagement.OperationContract{Properties: &armapimanagement.OperationContractProperties{
		DisplayName: to.Ptr("Look"), Method: to.Ptr("GET"), URLTemplate: to.Ptr("/look/{id}"),
		TemplateParameters: []*armapimanagement.ParameterContract{{Name: to.Ptr("id"), Type: to.Ptr("string"), Required: to.Ptr(true)}},
		Request:            &armapimanagement.RequestContract{QueryParameters: []*armapimanagement.ParameterContract{{Name: to.Ptr("deep"), Type: to.Ptr("boolean")}}},
		Responses:          []*armapimanagement.ResponseContract{{StatusCode: to.Ptr[int32](200), Description: to.Ptr("seen")}},
	}}, nil)).Must(t)
	properties := sdk.Object{
		"displayName": "Look", "method": "GET", "urlTemplate": "/look/{id}",
		"templateParameters": []any{sdk.Object{"name": "id", "type": "string", "required": true}},
		"request":            sdk.Object{"queryParameters": []any{sdk.Object{"name": "deep", "type": "boolean"}}},
		"responses":          []any{sdk.Object{"statusCode": 200, "description": "seen"}},
	}
	want := sdk.Object{"id": w.id(shop) + "/apis/api1/operations/look", "name": "look", "type": "Microsoft.ApiManagement/service/apis/operations", "properties": properties}
	sdk.EqualJSON(t, want, created.OperationContract)
	updated := sdk.Of(c.Update(w.ctx, group, shop, "api1", "look", *created.ETag, armapimanagement.OperationUpdateContract{
		Properties: &armapimanagement.OperationUpdateContractProperties{Description: to.Ptr("Has a look.")},
	}, nil)).Must(t)
	properties["description"] = "Has a look."
	sdk.EqualJSON(t, want, updated.OperationContract)
	got := sdk.Of(c.Get(w.ctx, group, shop, "api1", "look", nil)).Must(t)
	sdk.EqualJSON(t, want, got.OperationContract)
	sdk.Equal(t, *got.ETag, *sdk.Of(c.GetEntityTag(w.ctx, group, shop, "api1", "look", nil)).Must(t).ETag)
	names := [][]string{{"a+b", "look", "with space", "ünï"}}
	for _, name := range []string{"with space", "ünï", "a+b"} {
		made := sdk.Of(c.CreateOrUpdate(w.ctx, group, shop, "api1", name, armapimanagement.OperationContract{Properties: &armapimanagement.OperationContractProperties{
			DisplayName: to.Ptr(name), Method: to.Ptr("GET"), URLTemplate: to.Ptr("/" + strconv.Itoa(len(name))),
		}}, nil)).Must(t)
		sdk.Equal(t, w.id(shop)+"/apis/api1/operations/"+name, *made.ID)
		sdk.Equal(t, name, *sdk.Of(c.Get(w.ctx, group, shop, "api1", name, nil)).Must(t).Name)
	}
	sdk.Equal(t, names, sdk.Pages(t, c.NewListByAPIPager(group, shop, "api1", nil), func(p armapimanagement.APIOperationClientListByAPIResponse) []string {
		return sdk.Names(p.Value, func(o *armapimanagement.OperationContract) *string { return o.Name })
	}))
}

const document = `openapi: 3.0.1
info: {title: Imported, version: "1"}
servers: [{url: SERVER}]
paths:
  /ping:
    get: {operationId: ping, summary: Ping, responses: {"200": {description: pong}}}
  /things/{id}:
    get:
      operationId: thing
      summary: A thing
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: it, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}}
components: {schemas: {Thing: {type: object, properties: {id: {type: string}}}}}
`
