package management_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefusals is the table of bad input: each request is refused with its status, code and message, and changes
// nothing at all.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	w.want(201, "PUT", servicePath+"/apis/echo/operations/get", `{"properties":{"displayName":"Get","method":"GET","urlTemplate":"/a/{id}","templateParameters":[{"name":"id","type":"string","required":true}]}}`)
	w.want(201, "PUT", servicePath+"/apis/echo/operations/get/policies/policy", `{"properties":{"format":"rawxml","value":"<policies><inbound><rewrite-uri template='/b/{id}' /></inbound></policies>"}}`)
	w.want(201, "PUT", servicePath+"/products/p1", `{"properties":{"displayName":"P1"}}`)
	w.want(201, "PUT", servicePath+"/namedValues/nv", `{"properties":{"displayName":"nv","value":"v"}}`)
	w.want(200, "PUT", servicePath+"/policies/policy", `{"properties":{"format":"rawxml","value":"<policies><inbound><set-header name=\"x\"><value>{{nv}}</value></set-header></inbound></policies>"}}`)
	w.want(201, "PUT", servicePath+"/tags/red", `{"properties":{"displayName":"red"}}`)
	w.want(201, "PUT", servicePath+"/users/u", `{"properties":{"email":"u@b.c","firstName":"U","lastName":"V"}}`)
	w.want(201, "PUT", servicePath+"/subscriptions/owned", `{"properties":{"displayName":"Owned","scope":"/apis","ownerId":"/users/u"}}`)
	const (
		shape   = "InvalidRequestContent"
		invalid = "ValidationError"
		fields  = "One or more fields contain incorrect values:"
	)
	other := groupPath + "/providers/Microsoft.ApiManagement/service/other"
	body := func(sku, rest string) string {
		return `{"location":"westeurope","sku":` + sku + rest + `,"properties":{"publisherEmail":"a@b.c","publisherName":"C"}}`
	}
	policy := func(xml string) string { return `{"properties":{"format":"rawxml","value":"` + xml + `"}}` }
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, message            string // the message's beginning
		target                   string // of the first detail
		headers                  []string
	}{
		{"no api-version", "GET", servicePath + "?api-version=", "", 400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.", "", nil},
		{"malformed api-version", "GET", servicePath + "?api-version=banana", "", 400, "InvalidApiVersionParameter", "The api-version 'banana' is invalid. The supported versions are '2025-09-01-preview,", "", nil},
		{"unknown api-version", "GET", servicePath + "?api-version=2024-05-02", "", 400, "NoRegisteredProviderFound", "No registered resource provider found for location 'westeurope' and API version '2024-05-02' for type 'service'. The supported api-versions are '2025-09-01-preview, ", "", nil},
		{"unknown api-version of a group", "GET", groupPath + "?api-version=2024-05-01", "", 400, "InvalidApiVersionParameter", "The api-version '2024-05-01' is invalid. The supported versions are '2025-04-01,", "", nil},
		{"type newer than the api-version", "GET", servicePath + "/namedValues?api-version=2019-01-01", "", 400, "NoRegisteredProviderFound", "No registered resource provider found for location 'westeurope' and API version '2019-01-01' for type 'service/namedValues'.", "", nil},
		{"action newer than the api-version", "POST", servicePath + "/migrateToStv2?api-version=2021-08-01", "", 404, "InvalidResourceType", "The resource type 'service/migrateToStv2' could not be found", "", nil},
		{"unknown type", "GET", servicePath + "/gizmos", "", 404, "InvalidResourceType", "The resource type 'service/gizmos' could not be found in the namespace 'Microsoft.ApiManagement'", "", nil},
		{"unknown namespace", "GET", groupPath + "/providers/Contoso.X/y/z", "", 404, "InvalidResourceNamespace", "The resource namespace 'Contoso.X' is invalid.", "", nil},
		{"malformed subscription", "GET", "/subscriptions/abc/resourceGroups", "", 400, "InvalidSubscriptionId", "The provided subscription identifier 'abc' is malformed or invalid.", "", nil},
		{"unknown subscription", "GET", "/subscriptions/99999999-0000-0000-0000-000000000000", "", 404, "SubscriptionNotFound", "The subscription '99999999-0000-0000-0000-000000000000' could not be found.", "", nil},
		{"unknown group", "GET", strings.Replace(servicePath, "rg1", "rg9", 1), "", 404, "ResourceGroupNotFound", "Resource group 'rg9' could not be found.", "", nil},
		{"no such service", "GET", other, "", 404, "ResourceNotFound", "The Resource 'Microsoft.ApiManagement/service/other' under resource group 'rg1' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", "", nil},
		{"missing parent, read", "GET", servicePath + "/apis/none/operations", "", 404, "ResourceNotFound", "API not found.", "", nil},
		{"missing parent, write", "PUT", servicePath + "/apis/none/operations/get", `{"properties":{"displayName":"G","method":"GET","urlTemplate":"/"}}`, 404, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type 'service/apis/operations', because the parent resource '" + servicePath + "/apis/none' could not be found.", "", nil},
		{"missing service, write", "PUT", other + "/apis/a", `{"properties":{"displayName":"A","path":"a"}}`, 404, "ParentResourceNotFound", "Failed to perform 'write' on resource(s) of type 'service/apis', because the parent resource '" + other + "' could not be found.", "", nil},
		{"slash in a name", "GET", servicePath + "/apis/a%2Fb", "", 400, "InvalidResourceName", "The path of the request is not a resource id", "", nil},
		{"method", "PATCH", servicePath + "/policies/policy", "{}", 405, "MethodNotAllowed", "The HTTP method 'PATCH' is not supported for", "", nil},
		{"method on a collection", "DELETE", servicePath + "/apis", "", 405, "MethodNotAllowed", "The HTTP method 'DELETE' is not supported for", "", nil},

		{"export in WADL", "GET", servicePath + "/apis/echo?export=true&format=wadl-link", "", 400, invalid, fields, "format", nil},
		{"export in WSDL", "GET", servicePath + "/apis/echo?export=true&format=WSDL-Link", "", 400, invalid, fields, "format", nil},
		{"export in no format", "GET", servicePath + "/apis/echo?export=true", "", 400, invalid, fields, "format", nil},
		{"export in an unknown format", "GET", servicePath + "/apis/echo?export=true&format=raml", "", 400, invalid, fields, "format", nil},
		{"export in a format of a newer api-version", "GET", servicePath + "/apis/echo?export=true&format=openapi-link&api-version=2018-01-01", "", 400, invalid, fields, "format", nil},
		{"export of nothing", "GET", servicePath + "/apis/none?export=true&format=openapi-link", "", 404, "ResourceNotFound", "API not found.", "", nil},
		{"forged link", "GET", "/portico/exports/AAAA", "", 403, "AuthenticationFailed", "The link is not, or no longer, valid.", "", nil},
		{"tags of a scope", "GET", servicePath + "/tags?scope=gizmos", "", 400, invalid, fields, "scope", nil},
		{"tag name taken", "PUT", servicePath + "/tags/x", `{"properties":{"displayName":"RED"}}`, 400, invalid, fields, "displayName", nil},
		{"tag that does not exist", "PUT", servicePath + "/apis/echo/tags/none", "", 404, "ResourceNotFound", "Tag not found.", "", nil},
		{"named values that failed", "GET", servicePath + "/namedValues?isKeyVaultRefreshFailed=true", "", 400, invalid, fields, "isKeyVaultRefreshFailed", nil},

		{"no JSON", "PUT", servicePath + "/apis/x", `{"properties":`, 400, shape, "The request content was invalid and could not be deserialized: 'unexpected EOF'.", "", nil},
		{"empty body", "PUT", servicePath + "/apis/x", "", 400, shape, "The request content was invalid and could not be deserialized: 'unexpected end of content'.", "", nil},
		{"an array", "PUT", servicePath + "/apis/x", "[]", 400, shape, "The request content was invalid and could not be deserialized: 'a JSON object is expected, got an array'.", "", nil},
		{"two values", "PUT", servicePath + "/apis/x", "{} {}", 400, shape, "The request content was invalid and could not be deserialized: 'unexpected content after the JSON value'.", "", nil},
		{"wrong media type", "PUT", servicePath + "/apis/x", "a=b", 415, "UnsupportedMediaType", "The content media type 'application/x-www-form-urlencoded' is not supported.", "", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"wrong encoding", "PUT", servicePath + "/apis/x", "{}", 415, "UnsupportedMediaType", "The content encoding 'br' is not supported.", "", []string{"Content-Encoding", "br"}},
		{"broken gzip", "PUT", servicePath + "/apis/x", "{}", 400, shape, "The request content was invalid", "", []string{"Content-Encoding", "gzip"}},
		{"wrong types", "PUT", servicePath + "/apis/x", `{"properties":{"displayName":5,"path":"x","protocols":"http"}}`, 400, shape, "The request content was invalid and could not be deserialized: 'displayName must be a string, got a number'.", "displayName", nil},
		{"a sealed secret from outside", "PUT", servicePath + "/namedValues/x", `{"properties":{"displayName":"x","value":{"$sealed":"AAAA"}}}`, 400, shape, "The request content was invalid and could not be deserialized: 'value must be a string, got an object'.", "value", nil},
		{"fraction", "PUT", servicePath + "/products/x", `{"properties":{"displayName":"X","subscriptionsLimit":1.5}}`, 400, shape, "The request content was invalid and could not be deserialized: 'subscriptionsLimit must be a whole number, got a number'.", "subscriptionsLimit", nil},

		{"unknown tier", "PUT", other, body(`{"name":"Gold","capacity":1}`, ""), 400, "ValueNotSupported", "The value 'Gold' of 'sku.name' is not supported. Allowed values: ", "sku.name", nil},
		{"tier of a newer api-version", "PUT", other + "?api-version=2022-08-01", body(`{"name":"StandardV2","capacity":1}`, ""), 400, "OperationSupportedInSkuForApiVersions", "Operation on StandardV2 SKU is only supported in the api-versions 2023-03-01-preview,2023-05-01-preview,2023-09-01-preview,2024-05-01,2024-06-01-preview,", "sku.name", nil},
		{"a classic service to v2", "PATCH", servicePath, `{"sku":{"name":"BasicV2","capacity":1}}`, 400, "InvalidParameters", "The tier cannot be changed from 'Developer' to 'BasicV2': a service of tier Developer can change to Basic, Standard, Premium only. Create a new service instead.", "sku.name", nil},
		{"units out of range", "PUT", other, body(`{"name":"Developer","capacity":2}`, ""), 400, "InvalidParameters", "The value 2 of 'sku.capacity' is not valid for tier 'Developer'. Allowed values: 1.", "sku.capacity", nil},
		{"units of Consumption", "PUT", other, body(`{"name":"Consumption","capacity":1}`, ""), 400, "InvalidParameters", "The value 1 of 'sku.capacity' is not valid for tier 'Consumption'. Allowed values: 0.", "sku.capacity", nil},
		{"negative units", "PUT", other, body(`{"name":"Premium","capacity":-1}`, ""), 400, invalid, fields, "sku.capacity", nil},
		{"zones without zones", "PUT", other, body(`{"name":"Developer","capacity":1}`, `,"zones":["1"]`), 400, "InvalidParameters", "The tier 'Developer' does not support 'zones'.", "zones", nil},
		{"no units", "PUT", other, body(`{"name":"Developer"}`, ""), 400, invalid, fields, "sku.capacity", nil},
		{"no sku", "PUT", other, `{"location":"westeurope","properties":{"publisherEmail":"a@b.c","publisherName":"C"}}`, 400, invalid, fields, "sku.capacity", nil},
		{"no publisher", "PUT", other, `{"location":"westeurope","sku":{"name":"Developer","capacity":1}}`, 400, invalid, fields, "publisherEmail", nil},
		{"no location", "PUT", other, `{"sku":{"name":"Developer","capacity":1},"properties":{"publisherEmail":"a@b.c","publisherName":"C"}}`, 400, "LocationRequired", "The location property is required for this definition.", "", nil},
		{"unknown location", "PUT", other, strings.Replace(developerBody, "West Europe", "Atlantis", 1), 400, "LocationNotAvailableForResourceType", "The provided location 'Atlantis' is not available for resource type 'Microsoft.ApiManagement/service'.", "", nil},
		{"another location", "PUT", servicePath, strings.Replace(developerBody, "West Europe", "East US", 1), 409, "InvalidResourceLocation", "The resource 'apimService1' already exists in location 'westeurope' in resource group 'rg1'. A resource with the same name cannot be created in location 'eastus'.", "", nil},
		{"service name", "PUT", groupPath + "/providers/Microsoft.ApiManagement/service/1bad_", developerBody, 400, "InvalidResourceName", "The name '1bad_' of type 'Microsoft.ApiManagement/service' is invalid:", "", nil},
		{"group in an unknown location", "PUT", "/subscriptions/" + subscriptionID + "/resourceGroups/x?api-version=2021-04-01", `{"location":"atlantis"}`, 400, "LocationNotAvailableForResourceGroup", "The provided location 'atlantis' is not available", "", nil},
		{"group in another location", "PUT", groupPath + "?api-version=2021-04-01", `{"location":"eastus"}`, 409, "InvalidResourceGroupLocation", "The resource 'rg1' already exists in location 'westeurope'", "", nil},
		{"external network without address", "PUT", other, strings.Replace(developerBody, `"publisherName"`, `"virtualNetworkType":"External","publisherName"`, 1), 400, "InvalidParameters", "'publicIpAddressId' is required when 'virtualNetworkType' is External", "publicIpAddressId", nil},
		{"additional locations", "PUT", other, strings.Replace(developerBody, `"publisherName"`, `"additionalLocations":[{"location":"eastus","sku":{"name":"Premium","capacity":1}}],"publisherName"`, 1), 400, "InvalidParameters", "The tier 'Developer' does not support 'additionalLocations'. Tiers that do: Premium.", "additionalLocations", nil},
		{"zones where there are none", "PUT", other, strings.NewReplacer("West Europe", "West US", `"Developer","capacity":1}`, `"Premium","capacity":2},"zones":["1","2"]`).Replace(developerBody), 400, "InvalidParameters", "The location 'westus' has no availability zones.", "zones", nil},
		{"zones where there are none, elsewhere", "PUT", other, strings.NewReplacer(`"Developer"`, `"Premium"`, `"publisherName"`, `"additionalLocations":[{"location":"West US","sku":{"name":"Premium","capacity":1},"zones":["1"]}],"publisherName"`).Replace(developerBody), 400, "InvalidParameters", "The location 'westus' has no availability zones.", "additionalLocations[0].zones", nil},
		{"out of rotation at its one location", "PUT", other, strings.Replace(developerBody, `"publisherName"`, `"disableGateway":true,"publisherName"`, 1), 400, "InvalidParameters", "'disableGateway' is for services at several locations", "disableGateway", nil},
		{"restore of nothing", "PUT", other, strings.Replace(developerBody, `"publisherName"`, `"restore":true,"publisherName"`, 1), 400, "ServiceUndeleteNotPossible", "Unable to undelete service other: it is not soft-deleted.", "", nil},
		{"migration of stv2", "POST", servicePath + "/migrateToStv2", "", 400, "InvalidParameters", "The service is already on platform version stv2.", "platformVersion", nil},
		{"migration mode", "POST", servicePath + "/migrateToStv2", `{"mode":"Sideways"}`, 400, "ValueNotSupported", "The value 'Sideways' of 'mode' is not supported.", "mode", nil},

		{"API without path", "PUT", servicePath + "/apis/x", `{"properties":{"displayName":"X"}}`, 400, invalid, fields, "path", nil},
		{"API without name", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x"}}`, 400, invalid, fields, "displayName", nil},
		{"API path taken", "PUT", servicePath + "/apis/x", `{"properties":{"displayName":"X","path":"/Echo/"}}`, 400, invalid, fields, "path", nil},
		{"API id", "PUT", servicePath + "/apis/a*b", `{"properties":{"displayName":"X","path":"x"}}`, 400, invalid, fields, "apiId", nil},
		{"revision of another path", "PUT", servicePath + "/apis/echo;rev=2", `{"properties":{"path":"other"}}`, 400, invalid, fields, "path", nil},
		{"protocol", "PUT", servicePath + "/apis/x", `{"properties":{"displayName":"X","path":"x","protocols":["gopher"]}}`, 400, invalid, fields, "protocols[0]", nil},
		{"protocol of a newer api-version", "PUT", servicePath + "/apis/x?api-version=2020-12-01", `{"properties":{"displayName":"X","path":"x","protocols":["ws"]}}`, 400, invalid, fields, "protocols[0]", nil},
		{"broken OpenAPI", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x","format":"openapi","value":"{"}}`, 400, invalid, "", "", nil},
		{"format without value", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x","format":"openapi"}}`, 400, invalid, fields, "value", nil},
		{"operation without parameter", "PUT", servicePath + "/apis/echo/operations/x", `{"properties":{"displayName":"X","method":"GET","urlTemplate":"/a/{b}"}}`, 400, invalid, fields, "templateParameters", nil},

		{"broken XML", "PUT", servicePath + "/policies/policy", policy("<policies><inbound></policies>"), 400, invalid, fields, "", nil},
		{"unknown statement", "PUT", servicePath + "/policies/policy", policy("<policies>\\n  <inbound><fly /></inbound></policies>"), 400, invalid, fields, "fly", nil},
		{"expression of a wrong type", "PUT", servicePath + "/policies/policy", policy("<policies><inbound><set-status code='@(new List<int>())' /></inbound></policies>"), 400, invalid, fields, "set-status", nil},
		{"unknown named value", "PUT", servicePath + "/policies/policy", policy("<policies><inbound><set-header name='x'><value>{{none}}</value></set-header></inbound></policies>"), 400, invalid, fields, "", nil},
		{"unknown backend", "PUT", servicePath + "/policies/policy", policy("<policies><inbound><set-backend-service backend-id='none' /></inbound></policies>"), 400, invalid, fields, "set-backend-service", nil},
		{"unknown parameter", "PUT", servicePath + "/apis/echo/operations/get/policies/policy", policy("<policies><inbound><rewrite-uri template='/b/{other}' /></inbound></policies>"), 400, invalid, fields, "rewrite-uri", nil},
		{"policy by a link to nothing", "PUT", servicePath + "/policies/policy", `{"properties":{"format":"xml-link","value":"http://127.0.0.1:1/p.xml"}}`, 400, invalid, fields, "value", nil},
		{"policy by a link to a metadata service", "PUT", servicePath + "/policies/policy", `{"properties":{"format":"rawxml-link","value":"http://169.254.169.254/p.xml"}}`, 400, invalid, fields, "value", nil},
		{"import by a link to a metadata service", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x","format":"openapi-link","value":"http://169.254.169.254/o.yaml"}}`, 400, invalid, fields, "value", nil},
		{"import by a link that is none", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x","format":"swagger-link-json","value":"o.json"}}`, 400, invalid, fields, "value", nil},
		{"import of WSDL", "PUT", servicePath + "/apis/x", `{"properties":{"path":"x","format":"wsdl-link","value":"http://127.0.0.1:1/"}}`, 400, invalid, fields, "format", nil},
		{"policy without value", "PUT", servicePath + "/policies/policy", `{"properties":{}}`, 400, invalid, fields, "value", nil},
		{"policy id", "PUT", servicePath + "/policies/other", policy("<policies />"), 400, invalid, fields, "policyId", nil},

		{"subscription without scope", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X"}}`, 400, invalid, fields, "scope", nil},
		{"unknown scope", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"/products/none"}}`, 400, invalid, fields, "scope", nil},
		{"scope of another service", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"` + other + `/apis"}}`, 400, invalid, fields, "scope", nil},
		{"built-in scope", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"` + servicePath + `"}}`, 400, invalid, fields, "scope", nil},
		{"date", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"/apis","expirationDate":"tomorrow"}}`, 400, invalid, fields, "expirationDate", nil},
		{"built-in subscription", "DELETE", servicePath + "/subscriptions/master", "", 400, invalid, fields, "sid", []string{"If-Match", "*"}},
		{"unknown owner", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"/apis","ownerId":"/users/none"}}`, 400, invalid, fields, "ownerId", nil},
		{"owner of another service", "PUT", servicePath + "/subscriptions/x", `{"properties":{"displayName":"X","scope":"/apis","ownerId":"` + other + `/users/1"}}`, 400, invalid, fields, "ownerId", nil},
		{"email", "PUT", servicePath + "/users/x", `{"properties":{"email":"nobody","firstName":"X","lastName":"Y"}}`, 400, invalid, fields, "email", nil},
		{"email taken", "PUT", servicePath + "/users/x", `{"properties":{"email":"A@B.C","firstName":"X","lastName":"Y"}}`, 400, invalid, fields, "email", nil},
		{"user without name", "PUT", servicePath + "/users/x", `{"properties":{"email":"x@y.z","lastName":"Y"}}`, 400, invalid, fields, "firstName", nil},
		{"state of a user", "PUT", servicePath + "/users/x", `{"properties":{"email":"x@y.z","firstName":"X","lastName":"Y","state":"asleep"}}`, 400, invalid, fields, "state", nil},
		{"administrator", "DELETE", servicePath + "/users/1", "", 400, invalid, fields, "userId", []string{"If-Match", "*"}},
		{"user with subscriptions", "DELETE", servicePath + "/users/u", "", 400, invalid, fields, "deleteSubscriptions", []string{"If-Match", "*"}},
		{"token without key", "POST", servicePath + "/users/1/token", `{"properties":{"expiry":"2024-01-01T00:00:00Z"}}`, 400, invalid, fields, "keyType", nil},
		{"token for a year", "POST", servicePath + "/users/1/token", `{"properties":{"keyType":"primary","expiry":"2999-01-01T00:00:00Z"}}`, 400, invalid, fields, "expiry", nil},
		{"token of nobody", "POST", servicePath + "/users/none/token", `{"properties":{"keyType":"primary","expiry":"2024-01-01T00:00:00Z"}}`, 404, "ResourceNotFound", "User not found.", "", nil},
		{"single sign-on", "POST", servicePath + "/users/1/generateSsoUrl", "", 400, invalid, fields, "generateSsoUrl", nil},
		{"single sign-on of the publisher", "POST", servicePath + "/getssotoken", "", 400, invalid, fields, "getssotoken", nil},
		{"confirmation by mail", "POST", servicePath + "/users/1/confirmations/password/send", "", 400, invalid, fields, "send", nil},
		{"built-in group", "PUT", servicePath + "/groups/developers", `{"properties":{"displayName":"D"}}`, 400, invalid, fields, "groupId", nil},
		{"built-in group, deletion", "DELETE", servicePath + "/groups/guests", "", 400, invalid, fields, "groupId", []string{"If-Match", "*"}},
		{"group of type system", "PUT", servicePath + "/groups/x", `{"properties":{"displayName":"X","type":"system"}}`, 400, invalid, fields, "type", nil},
		{"group name taken", "PUT", servicePath + "/groups/x", `{"properties":{"displayName":"guests"}}`, 400, invalid, fields, "displayName", nil},
		{"member of a built-in group", "PUT", servicePath + "/groups/administrators/users/u", "", 400, invalid, fields, "groupId", nil},
		{"leaving a built-in group", "DELETE", servicePath + "/groups/developers/users/u", "", 400, invalid, fields, "groupId", nil},
		{"member that does not exist", "PUT", servicePath + "/groups/developers/users/none", "", 404, "ResourceNotFound", "User not found.", "", nil},
		{"named value name", "PUT", servicePath + "/namedValues/x", `{"properties":{"displayName":"a b","value":"v"}}`, 400, invalid, fields, "displayName", nil},
		{"named value in use", "DELETE", servicePath + "/namedValues/nv", "", 400, invalid, fields, "namedValueId", []string{"If-Match", "*"}},
		{"named value from a key vault", "PUT", servicePath + "/namedValues/x", `{"properties":{"displayName":"x","secret":true,"keyVault":{"secretIdentifier":"https://v/secrets/s"}}}`, 400, invalid, fields, "keyVault", nil},
		{"backend URL", "PUT", servicePath + "/backends/x", `{"properties":{"url":"not a url","protocol":"http"}}`, 400, invalid, fields, "url", nil},
		{"backend pool", "PUT", servicePath + "/backends/x", `{"properties":{"type":"Pool","pool":{"services":[{"id":"/backends/y"}]}}}`, 400, invalid, fields, "pool", nil},
		{"link to no API", "PUT", servicePath + "/products/p1/apis/none", "", 404, "ResourceNotFound", "API not found.", "", nil},
		{"approval without subscriptions", "PUT", servicePath + "/products/x", `{"properties":{"displayName":"X","subscriptionRequired":false,"approvalRequired":true}}`, 400, invalid, fields, "approvalRequired", nil},

		{"no If-Match on DELETE", "DELETE", servicePath + "/apis/echo", "", 400, invalid, "The If-Match header is required.", "If-Match", nil},
		{"no If-Match on PATCH", "PATCH", servicePath + "/apis/echo", "{}", 400, invalid, "The If-Match header is required.", "If-Match", nil},
		{"another ETag", "PUT", servicePath + "/apis/echo", `{"properties":{"displayName":"E","path":"echo"}}`, 412, "PreconditionFailed", "Resource was modified since last retrieval.", "", []string{"If-Match", `"AAAA"`}},
		{"exists", "PUT", servicePath + "/apis/echo", `{"properties":{"displayName":"E","path":"echo"}}`, 412, "PreconditionFailed", "Resource was modified since last retrieval.", "", []string{"If-None-Match", "*"}},
		{"ETag of nothing", "PUT", servicePath + "/apis/x", `{"properties":{"displayName":"X","path":"x"}}`, 412, "PreconditionFailed", "Resource was modified since last retrieval.", "", []string{"If-Match", `"AAAA"`}},
		{"$top", "GET", servicePath + "/apis?$top=0", "", 400, invalid, "Invalid value \"0\" of query parameter '$top'.", "", nil},
		{"$skip", "GET", servicePath + "/apis?$skip=-1", "", 400, invalid, "Invalid value \"-1\" of query parameter '$skip'.", "", nil},
		{"$filter", "GET", servicePath + "/apis?$filter=displayName%20is%20%27a%27", "", 400, invalid, "Invalid value 'displayName is 'a'' of query parameter '$filter': 'is' is no operator.", "", nil},
		{"$filter field", "GET", servicePath + "/apis?$filter=color%20eq%20%27a%27", "", 400, invalid, "Invalid value 'color eq 'a'' of query parameter '$filter': the collection cannot be filtered by 'color'.", "", nil},
		{"no token", "GET", servicePath, "", 401, "AuthenticationFailed", "Authentication failed.", "", []string{"Authorization", ""}},
		{"no token, no api-version", "GET", "/subscriptions/whatever?api-version=", "", 401, "AuthenticationFailed", "Authentication failed.", "", []string{"Authorization", "Bearer bad"}},
	} {
		before := w.seq()
		a := w.do(c.method, c.path, c.body, c.headers...)
		if a.Status != c.status || a.code() != c.code || !strings.HasPrefix(a.text("error.message"), c.message) {
			t.Errorf("%s: %d %s %q\nwant %d %s %q…\nbody: %s", c.name, a.Status, a.code(), a.text("error.message"), c.status, c.code, c.message, a.Raw)
		}
		if c.target != "" {
			got := ""
			if l := a.Body.List("error.details"); len(l) > 0 {
				got, _ = l[0].(map[string]any)["target"].(string)
			}
			if got != c.target {
				t.Errorf("%s: first target %q, want %q: %s", c.name, got, c.target, a.Raw)
			}
		}
		if c.status == 401 && a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", c.name)
		}
		if after := w.seq(); after != before {
			t.Errorf("%s: the store went from %d to %d", c.name, before, after)
		}
	}
}

func TestRefusal_TellsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	a := w.want(400, "PUT", servicePath+"/products/x", `{"properties":{"subscriptionsLimit":-1,"state":"sold","description":"`+strings.Repeat("x", 1001)+`"}}`)
	var got []string
	for _, d := range a.Body.List("error.details") {
		got = append(got, d.(map[string]any)["target"].(string))
	}
	if d := cmp.Diff([]string{"description", "state", "subscriptionsLimit", "displayName"}, got); d != "" {
		t.Errorf("targets (-want +got):\n%s", d)
	}
}

func TestBody_GzipAndBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(`{"properties":{"displayName":"Zipped"}}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.want(http.StatusCreated, "PUT", servicePath+"/products/z", b.String(), "Content-Encoding", "gzip")
	if got := a.text("properties.displayName"); got != "Zipped" {
		t.Errorf("displayName = %q", got)
	}
	b.Reset()
	z = gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 17<<20))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w.want(http.StatusRequestEntityTooLarge, "PUT", servicePath+"/products/z", b.String(), "Content-Encoding", "gzip")
}

// TestPutPolicy_ExpressionErrors sends expressions that do not compile: all errors come at once, each with its place.
func TestPutPolicy_ExpressionErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	const xml = "<policies>\n  <inbound>\n    <set-header name=\"x\"><value>@(contxt.Request.Method)</value></set-header>\n" +
		"    <set-variable name=\"f\" value=\"@(System.IO.File.ReadAllText(&quot;a&quot;))\" />\n" +
		"    <set-variable name=\"s\" value=\"@(1 + )\" />\n  </inbound>\n</policies>"
	body, err := json.Marshal(map[string]any{"properties": map[string]any{"format": "xml", "value": xml}})
	if err != nil {
		t.Fatal(err)
	}
	seq := w.seq()
	r := w.want(400, "PUT", servicePath+"/policies/policy", string(body))
	var got []string
	for _, d := range r.Body.List("error.details") {
		d := d.(map[string]any)
		got = append(got, d["target"].(string)+": "+d["message"].(string))
	}
	want := []string{
		"value: Error in element 'value' on line 3, column 35: The name 'contxt' does not exist in the current context",
		"set-variable: Error in element 'set-variable' on line 4, column 37: Usage of type 'System.IO.File' is not supported within expressions",
		"set-variable: Error in element 'set-variable' on line 5, column 41: Expected expression",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w.seq() != seq {
		t.Error("a refused policy changed the store")
	}
}
