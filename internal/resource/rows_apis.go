package resource

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

func apis() *Row {
	kinds := newer(newer(newer(newer(words("http", "soap"), v2021jan, "websocket"), v2021apr, "graphql"), v2023mar, "odata"), v2023may, "grpc")
	oldFormats := words("wadl-xml", "wadl-link-json", "swagger-json", "swagger-link-json", "wsdl", "wsdl-link")
	formats := newer(newer(newer(newer(slices.Clone(oldFormats), "", "openapi", "openapi+json", "openapi-link", "openapi+json-link"), v2021apr, "graphql-link"), v2023mar, "odata", "odata-link"), v2023may, "grpc", "grpc-link")
	senders := words("authorizationHeader", "query")
	return &Row{
		Namespace: APIM, Path: "service/apis", Lookup: "properties.path", Shape: Entity, Entity: "API", Proof: "TestGolden/apis", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "apiId", PatchSilentUntil: v2020pre, NameMax: 256, NameLike: plainName,
		Fields: slices.Concat([]Field{
			{Path: "properties.description", Kind: String},
			{Path: "properties.authenticationSettings.oAuth2.authorizationServerId", Kind: String},
			{Path: "properties.authenticationSettings.oAuth2.scope", Kind: String},
			{Path: "properties.authenticationSettings.openid.openidProviderId", Kind: String},
			{Path: "properties.authenticationSettings.openid.bearerTokenSendingMethods", Kind: Array, Enum: senders},
			{Path: "properties.authenticationSettings.subscriptionKeyRequired", Kind: Bool, Until: v2019, As: "properties.subscriptionRequired"},
			{Path: "properties.subscriptionKeyParameterNames.header", Kind: String, Default: "Ocp-Apim-Subscription-Key"},
			{Path: "properties.subscriptionKeyParameterNames.query", Kind: String, Default: "subscription-key"},
			{Path: "properties.type", Kind: String, Enum: kinds},
			{Path: "properties.apiType", Kind: String, Enum: kinds, Flags: WriteOnly},
			{Path: "properties.apiRevision", Kind: String, MinLen: 1, MaxLen: 100},
			{Path: "properties.apiVersion", Kind: String, MaxLen: 100},
			{Path: "properties.isCurrent", Kind: Bool},
			{Path: "properties.isOnline", Kind: Bool, Flags: ReadOnly},
			{Path: "properties.apiRevisionDescription", Kind: String, MaxLen: 256},
			{Path: "properties.apiVersionDescription", Kind: String, MaxLen: 256},
			{Path: "properties.apiVersionSetId", Kind: String},
			{Path: "properties.apiVersionSet.id", Kind: String},
			{Path: "properties.apiVersionSet.name", Kind: String, From: v2019},
			{Path: "properties.apiVersionSet.description", Kind: String},
			{Path: "properties.apiVersionSet.versioningScheme", Kind: String, Enum: words("Segment", "Query", "Header")},
			{Path: "properties.apiVersionSet.versionQueryName", Kind: String},
			{Path: "properties.apiVersionSet.versionHeaderName", Kind: String},
			{Path: "properties.displayName", Kind: String, MinLen: 1, MaxLen: 300},
			{Path: "properties.serviceUrl", Kind: String, MaxLen: 2000},
			{Path: "properties.path", Kind: String, Flags: Required, MaxLen: 400},
			{Path: "properties.protocols", Kind: Array, Enum: newer(words("http", "https"), v2021jan, "ws", "wss")},
			{Path: "properties.subscriptionRequired", Kind: Bool, From: v2019, Default: true},
			{Path: "properties.wsdlSelector.wsdlServiceName", Kind: String, Flags: WriteOnly},
			{Path: "properties.wsdlSelector.wsdlEndpointName", Kind: String, Flags: WriteOnly},
			{Path: "properties.contentValue", Kind: String, Until: v2019, As: "properties.value"},
			{Path: "properties.contentFormat", Kind: String, Until: v2019, As: "properties.format", Enum: oldFormats},
			{Path: "properties.value", Kind: String, From: v2019, Flags: WriteOnly},
			{Path: "properties.format", Kind: String, From: v2019, Flags: WriteOnly, Enum: formats},
			{Path: "properties.sourceApiId", Kind: String, From: v2019, Flags: WriteOnly},
			{Path: "properties.translateRequiredQueryParameters", Kind: String, From: v2022apr, Flags: WriteOnly, Enum: words("template", "query")},
		}, from(v2021jan, []Field{
			{Path: "properties.termsOfServiceUrl", Kind: String},
			{Path: "properties.contact.name", Kind: String},
			{Path: "properties.contact.url", Kind: String},
			{Path: "properties.contact.email", Kind: String},
			{Path: "properties.license.name", Kind: String},
			{Path: "properties.license.url", Kind: String},
		}...), from(v2022apr, []Field{
			{Path: "properties.authenticationSettings.oAuth2AuthenticationSettings[].authorizationServerId", Kind: String},
			{Path: "properties.authenticationSettings.oAuth2AuthenticationSettings[].scope", Kind: String},
			{Path: "properties.authenticationSettings.openidAuthenticationSettings[].openidProviderId", Kind: String},
			{Path: "properties.authenticationSettings.openidAuthenticationSettings[].bearerTokenSendingMethods", Kind: Array, Enum: senders},
		}...), []Field{
			{Path: "properties.provisioningState", Kind: String, From: v2023may, Flags: ReadOnly},
			{Path: "times.created", Kind: String, From: hidden},
			{Path: "times.updated", Kind: String, From: hidden},
		}),
		Filters: map[string]string{
			"name": "properties.displayName", "displayName": "properties.displayName", "description": "properties.description",
			"serviceUrl": "properties.serviceUrl", "path": "properties.path", "isCurrent": "properties.isCurrent",
		},
		Prepare: importAPI, Complete: completeAPI,
		Rules: []Rule{apiNotBuilt, apiNamed, apiServiceURL, apiKeyNames, apiVersioned, revisionRules, apiPathFree, stamp("times.created", "times.updated")},
		Compute: func(s *Shown) {
			_, revision := SplitRevision(s.Doc.ID)
			s.Object.Set("properties.isCurrent", revision == "")
			s.Object.Set("properties.isOnline", true)
			showVersionSet(s)
		},
		Stored:   storedAPI,
		OnDelete: deleteAPI, DeletedFrom: v2023may,
	}
}

// linkFormats are the formats that are read from a link, and what is found there.
var linkFormats = map[string]string{"openapi-link": "openapi", "openapi+json-link": "openapi+json", "swagger-link-json": "swagger-json"}

// MaxDescription bounds the description of an API, in bytes, as the hosted service does.
const MaxDescription = 4 << 20

// importAPI reads the description that a body carries or leads to.
func importAPI(ctx context.Context, c *Change) *arm.Error {
	d := Description{
		Format: c.New.Text("properties.format"), Value: c.New.Text("properties.value"),
		RequiredQueryStays: c.New.Text("properties.translateRequiredQueryParameters") == "query",
	}
	if d.Value == "" && d.Format == "" {
		return nil
	}
	if d.Format == "" || d.Value == "" {
		return arm.Invalid(Finding("value", "'format' and 'value' must be given together."))
	}
	if plain := linkFormats[d.Format]; plain != "" {
		text, err := c.Env.Fetch(ctx, d.Value, MaxDescription)
		if err != nil {
			return err
		}
		d.Format, d.Link, d.Value = plain, d.Value, text
	}
	result, err := c.Env.Import(d)
	if err != nil {
		return err
	}
	c.Imported = result
	return nil
}

func completeAPI(c *Change) {
	c.inherit()
	if c.Imported != nil {
		for path, v := range map[string]string{"displayName": c.Imported.DisplayName, "description": c.Imported.Description, "serviceUrl": c.Imported.ServiceURL} {
			if v != "" {
				c.New.SetDefault("properties."+path, v)
			}
		}
		if c.New.Get("properties.protocols") == nil && len(c.Imported.Protocols) > 0 {
			c.New.Set("properties.protocols", texts(c.Imported.Protocols))
		}
	}
	revision := c.Revision
	if revision == "" {
		revision = c.Old.Text("properties.apiRevision")
	}
	if revision == "" {
		revision = "1"
	}
	c.New.SetDefault("properties.apiRevision", revision)
	if c.New.List("properties.protocols") == nil || len(c.New.List("properties.protocols")) == 0 {
		c.New.Set("properties.protocols", []any{"https"})
	}
	c.New.Set("properties.path", strings.Trim(c.New.Text("properties.path"), "/"))
	// In old api-versions the key names are one object: an answer always shows both.
	if c.New.Get("properties.subscriptionKeyParameterNames") == nil {
		c.New.Set("properties.subscriptionKeyParameterNames", map[string]any{})
	}
	c.MakeCurrent = c.New.Flag("properties.isCurrent")
	c.New.Remove("properties.isCurrent")
	completeVersion(c)
}

func texts(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

// apiNotBuilt refuses, by name, what this version of Portico does not do.
func apiNotBuilt(c *Change) (found []arm.ErrorDetail) {
	for _, kind := range []string{"type", "apiType"} {
		if t := c.New.Text("properties." + kind); t != "" && t != "http" {
			found = append(found, notBuilt(kind, "APIs of type '"+t+"'"))
		}
	}
	for _, p := range c.New.Texts("properties.protocols") {
		if p == "ws" || p == "wss" {
			found = append(found, notBuilt("protocols", "The protocol '"+p+"'"))
		}
	}
	return found
}

// notBuilt is the finding for something that Azure has and Portico does not have yet.
func notBuilt(target, what string) arm.ErrorDetail {
	return Finding(target, "%s: not built in this version of Portico.", what)
}

func apiNamed(c *Change) []arm.ErrorDetail {
	if c.New.Text("properties.displayName") == "" {
		return []arm.ErrorDetail{Finding("displayName", "'displayName' must not be empty.")}
	}
	return nil
}

func apiServiceURL(c *Change) []arm.ErrorDetail {
	if u := c.New.Text("properties.serviceUrl"); u != "" && !absoluteURL(u) {
		return []arm.ErrorDetail{Finding("serviceUrl", "'serviceUrl' must be an absolute http or https URL.")}
	}
	return nil
}

func apiKeyNames(c *Change) []arm.ErrorDetail {
	const names = "properties.subscriptionKeyParameterNames."
	h := c.New.Text(names + "header")
	if !isToken(h) {
		return []arm.ErrorDetail{Finding("subscriptionKeyParameterNames.header", "'%s' is not a header name.", h)}
	}
	return nil
}

// apiPathFree refuses a path that another API of the service has, unless requests tell the two apart as versions of one
// set.
func apiPathFree(c *Change) []arm.ErrorDetail {
	schemes := c.versionSchemes()
	path, set, version := RequestPath(c.New, schemes), c.New.Text("properties.apiVersionSetId"), c.New.Text("properties.apiVersion")
	mine, _ := SplitRevision(c.ID)
	docs, objects := c.Named(APIM+"/service/apis", path)
	if path != "" { // and those that have its last segment as their version
		more, theirs := c.Named(APIM+"/service/apis", path[:max(0, strings.LastIndexByte(path, '/'))])
		docs, objects = append(docs, more...), append(objects, theirs...)
	}
	for i, o := range objects {
		other, _ := SplitRevision(docs[i].ID)
		switch {
		case store.Key(other) == store.Key(mine) || !strings.EqualFold(RequestPath(o, schemes), path):
		case set == "" || !arm.SameID(set, o.Text("properties.apiVersionSetId")):
			return []arm.ErrorDetail{Finding("path", "Cannot create API '%s' with the same Path '%s' as the existing API '%s'.", c.New.Text("properties.displayName"), path, o.Text("properties.displayName"))}
		case strings.EqualFold(o.Text("properties.apiVersion"), version):
			return []arm.ErrorDetail{Finding("apiVersion", "Cannot create API '%s' with the same Path '%s' and Version '%s' as the existing API '%s'.", c.New.Text("properties.displayName"), c.New.Text("properties.path"), version, o.Text("properties.displayName"))}
		}
	}
	return nil
}

// withScope adds the subscriptions whose scope is the removed entity.
func withScope(r *Removal) *arm.Error {
	subs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/service/subscriptions"), Prefix: ServiceID(r.ID)})
	if err != nil {
		return internalError(err)
	}
	for _, d := range subs {
		if o, err := parseObject(d.Desired); err == nil && arm.SameID(o.Text("properties.scope"), r.ID) {
			r.Also = append(r.Also, d.ID)
		}
	}
	return nil
}

func internalError(error) *arm.Error {
	return &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The stored state could not be read."}
}

// parameters are the fields of one list of parameters of an API operation.
func parameters(path string) []Field {
	return slices.Concat(below(path+"[]",
		Field{Path: "name", Kind: String, Flags: Required},
		Field{Path: "description", Kind: String},
		Field{Path: "type", Kind: String, Flags: Required},
		Field{Path: "defaultValue", Kind: String},
		Field{Path: "required", Kind: Bool},
		Field{Path: "values", Kind: Array},
	), from(v2021jan, below(path+"[]",
		Field{Path: "schemaId", Kind: String},
		Field{Path: "typeName", Kind: String},
		Field{Path: "examples", Kind: Map, Of: Any},
	)...))
}

// representations are the fields of a list of request or response bodies.
func representations(path string) []Field {
	return slices.Concat(below(path+"[]",
		Field{Path: "contentType", Kind: String, Flags: Required},
		Field{Path: "sample", Kind: String, Until: v2021jan},
		Field{Path: "schemaId", Kind: String},
		Field{Path: "typeName", Kind: String},
		Field{Path: "examples", Kind: Map, Of: Any, From: v2021apr},
	), parameters(path+"[].formParameters"))
}

func operations() *Row {
	return &Row{
		Namespace: APIM, Path: "service/apis/operations", Shape: Entity, Entity: "Operation", Proof: "TestGolden/operations", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "operationId", PatchSilentUntil: v2020pre, NameMax: 80,
		Fields: slices.Concat([]Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 300},
			{Path: "properties.method", Kind: String, Flags: Required, MinLen: 1, MaxLen: 20},
			{Path: "properties.urlTemplate", Kind: String, Flags: Required, MinLen: 1, MaxLen: 1000},
			{Path: "properties.description", Kind: String, MaxLen: 1000},
			{Path: "properties.policies", Kind: String, Flags: WriteOnly},
			{Path: "properties.request.description", Kind: String},
			{Path: "properties.responses[].statusCode", Kind: Int, Flags: Required, Min: new(int64(100)), Max: new(int64(599))},
			{Path: "properties.responses[].description", Kind: String},
		},
			parameters("properties.templateParameters"),
			parameters("properties.request.queryParameters"), parameters("properties.request.headers"),
			representations("properties.request.representations"), representations("properties.responses[].representations"),
			parameters("properties.responses[].headers"),
		),
		Filters: map[string]string{
			"name": "properties.displayName", "displayName": "properties.displayName", "method": "properties.method",
			"description": "properties.description", "urlTemplate": "properties.urlTemplate",
		},
		Complete: func(c *Change) {
			c.New.SetDefault("properties.templateParameters", []any{})
			if t := c.New.Text("properties.urlTemplate"); !strings.HasPrefix(t, "/") && t != "*" {
				c.New.Set("properties.urlTemplate", "/"+t)
			}
		},
		Rules: []Rule{operationMethod, operationTemplate, operationFree, operationPolicies},
	}
}

func operationPolicies(c *Change) []arm.ErrorDetail {
	if c.New.Text("properties.policies") != "" {
		return []arm.ErrorDetail{notBuilt("policies", "Policies inside an API operation (PUT them as policies/policy)")}
	}
	return nil
}

func operationMethod(c *Change) []arm.ErrorDetail {
	m := c.New.Text("properties.method")
	if m == "*" || !strings.ContainsFunc(m, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-' || r == '_') }) {
		return nil
	}
	return []arm.ErrorDetail{Finding("method", "'%s' is not an HTTP method.", m)}
}

// operationTemplate asks that the parameters named in the template and those listed agree.
func operationTemplate(c *Change) (found []arm.ErrorDetail) {
	names, ok := templateNames(c.New.Text("properties.urlTemplate"))
	if !ok {
		return []arm.ErrorDetail{Finding("urlTemplate", "The braces of 'urlTemplate' do not match, or a parameter has no name or appears twice.")}
	}
	listed := map[string]bool{}
	for _, p := range c.New.List("properties.templateParameters") {
		if m, ok := p.(map[string]any); ok {
			listed[Object(m).Text("name")] = true
		}
	}
	for _, n := range names {
		if !listed[n] {
			found = append(found, Finding("templateParameters", "All template parameters used in the UriTemplate must be defined in the Operation, and parameter '%s' is not.", n))
		}
		delete(listed, n)
	}
	for n := range listed {
		found = append(found, Finding("templateParameters", "Template parameter '%s' is not used in the UriTemplate.", n))
	}
	slices.SortFunc(found, func(a, b arm.ErrorDetail) int { return strings.Compare(a.Message, b.Message) })
	return found
}

// templateNames lists the parameters of "/a/{b}/{*c}?d={e}". It reports false for unmatched braces, an empty name, or
// a name used twice.
func templateNames(t string) ([]string, bool) {
	var names []string
	for {
		open := strings.IndexAny(t, "{}")
		if open < 0 {
			return names, true
		}
		end := strings.IndexAny(t[open+1:], "{}")
		if t[open] == '}' || end < 0 || t[open+1+end] == '{' {
			return nil, false
		}
		name := strings.TrimPrefix(t[open+1:open+1+end], "*")
		if name == "" || slices.Contains(names, name) {
			return nil, false
		}
		names = append(names, name)
		t = t[open+end+2:]
	}
}

// operationFree refuses a method and template that another operation of the API has.
func operationFree(c *Change) []arm.ErrorDetail {
	docs, objects := c.Siblings(APIM+"/service/apis/operations", c.ID[:strings.LastIndexByte(c.ID, '/')])
	for i, o := range objects {
		if store.Key(docs[i].ID) != store.Key(c.ID) && strings.EqualFold(o.Text("properties.method"), c.New.Text("properties.method")) &&
			strings.EqualFold(o.Text("properties.urlTemplate"), c.New.Text("properties.urlTemplate")) {
			return []arm.ErrorDetail{Finding("urlTemplate", "Operation with the same method and URL template already exists: '%s'.", o.Text("properties.displayName"))}
		}
	}
	return nil
}
