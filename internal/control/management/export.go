package management

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/exporter"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// exportPath is where links to exported descriptions lead. A link is good for whoever holds it, for a few minutes.
const (
	exportPath   = "/portico/exports/"
	exportLinkOK = 5 * time.Minute
	exportSeal   = "portico/exports"
)

// exportFormats maps what a client asks for to what the answer calls it.
var exportFormats = map[string]string{
	"swagger-link": "swagger-link-json", "openapi-link": "openapi-link", "openapi+json-link": "openapi+json-link",
	"swagger": "swagger", "openapi": "openapi", "openapi+json": "openapi+json",
}

// export answers a read of an API with its description: with a link to it, or with the description itself when the
// format is not one of links.
func (q *request) export() (*reply, *arm.Error) {
	format := strings.ToLower(q.query("format"))
	shown, ok := exportFormats[format]
	switch {
	case format == "":
		return nil, arm.Invalid(resource.Finding("format", "'format' must not be empty."))
	case slices.Contains([]string{"wadl", "wadl-link", "wsdl", "wsdl-link"}, format):
		return nil, arm.Invalid(resource.Finding("format", "Export in the format '%s': not built in this version of Portico.", q.query("format")))
	case !ok, q.version.Before("2019-01-01") && format != "swagger-link":
		return nil, arm.Invalid(resource.Finding("format", "'%s' is not a valid value of 'format'. Possible values: swagger-link, openapi-link, openapi+json-link.", q.query("format")))
	}
	var rep *reply
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if err := q.readable(p); err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		plain, link := strings.CutSuffix(format, "-link")
		if !link {
			rep, err = q.described(t, p.doc.ID, plain)
			return err
		}
		url, err := q.exportLink(p.doc.ID, plain)
		if err != nil {
			return err
		}
		rep = &reply{status: http.StatusOK, body: q.exportResult(p, shown, url)}
		return nil
	})
	return rep, err
}

// exportResult is the answer with a link, in all the places where clients look for it: the schema declares value.link,
// while the service itself answers with link alone until 2020, and with properties.value.link later.
func (q *request) exportResult(p *place, format, url string) map[string]any {
	out := map[string]any{}
	value := map[string]any{"link": url}
	if q.version.Before("2021-01-01-preview") {
		out["link"] = url
	} else {
		id := p.shownID(p.doc.ID)
		out["name"], out["type"] = lastSegment(id), q.row.Type()
		out["properties"] = map[string]any{"format": format, "value": value}
	}
	if !q.version.Before("2019-01-01") {
		out["id"], out["format"], out["value"] = p.shownID(p.doc.ID), format, value
	}
	return out
}

// An exportTicket is what a link is made of, sealed so that nobody can make one.
type exportTicket struct {
	API     string `json:"api"`
	Format  string `json:"format"`
	Expires int64  `json:"expires"` // seconds
}

func (q *request) exportLink(api, format string) (string, error) {
	data, err := json.Marshal(exportTicket{API: api, Format: format, Expires: time.Now().Add(exportLinkOK).Unix()})
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", api, err)
	}
	sealed, err := q.opt.Sealer.Seal(data, exportSeal)
	if err != nil {
		return "", fmt.Errorf("link to %s: %w", api, err)
	}
	return q.base + exportPath + base64.RawURLEncoding.EncodeToString([]byte(sealed)), nil
}

// exported answers a link.
func (q *request) exported() (*reply, *arm.Error) {
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodHead {
		return nil, problem(http.StatusMethodNotAllowed, "MethodNotAllowed", "The HTTP method '%s' is not supported for links to exported APIs.", q.r.Method)
	}
	var ticket exportTicket
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(q.r.URL.Path, exportPath))
	if err == nil {
		var data []byte
		if data, err = q.opt.Sealer.Open(string(sealed), exportSeal); err == nil {
			err = json.Unmarshal(data, &ticket)
		}
	}
	if err != nil || time.Now().Unix() >= ticket.Expires {
		return nil, problem(http.StatusForbidden, "AuthenticationFailed", "The link is not, or no longer, valid.")
	}
	var rep *reply
	verr := q.view(func(t store.Reader) error {
		rep, err = q.described(t, ticket.API, ticket.Format)
		return err
	})
	return rep, verr
}

// described is the description of an API.
func (q *request) described(t store.Reader, id, format string) (*reply, error) {
	d, err := get(t, id)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, arm.NotFound("API")
	}
	api, err := q.describe(t, *d)
	if err != nil {
		return nil, err
	}
	data, mediaType, _, err := api.Write(format)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", id, err)
	}
	q.header.Set("Content-Type", mediaType)
	return &reply{status: http.StatusOK, raw: data}, nil
}

// describe gathers what the description of an API says.
func (q *request) describe(t store.Reader, d store.Document) (exporter.API, error) {
	o, err := q.engine.Open(d)
	if err != nil {
		return exporter.API{}, err
	}
	props := resource.Object(o)
	contact, _ := props.Get("properties.contact").(map[string]any)
	license, _ := props.Get("properties.license").(map[string]any)
	api := exporter.API{
		Title: props.Text("properties.displayName"), Description: props.Text("properties.description"), Version: props.Text("properties.apiVersion"),
		TermsOfService: props.Text("properties.termsOfServiceUrl"), Contact: contact, License: license,
		KeyHeader: props.Text("properties.subscriptionKeyParameterNames.header"), KeyQuery: props.Text("properties.subscriptionKeyParameterNames.query"),
		KeyRequired: props.Get("properties.subscriptionRequired") != false,
	}
	if api.Servers, err = q.serversOf(t, d, props); err != nil {
		return api, err
	}
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/service/apis/operations"), Prefix: d.ID})
	if err != nil {
		return api, err
	}
	for _, doc := range docs {
		op, err := q.engine.Open(doc)
		if err != nil {
			return api, err
		}
		properties, _ := op["properties"].(map[string]any)
		api.Operations = append(api.Operations, exporter.Operation{Name: lastSegment(doc.ID), Properties: properties})
	}
	api.Schemas, err = q.schemasOf(t, d.ID)
	return api, err
}

// schemasOf are the schemas of an API that OpenAPI and Swagger have words for.
func (q *request) schemasOf(t store.Reader, api string) ([]exporter.Schema, error) {
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/service/apis/schemas"), Prefix: api})
	if err != nil {
		return nil, err
	}
	var out []exporter.Schema
	for _, doc := range docs {
		o, err := q.engine.Open(doc)
		if err != nil {
			return nil, err
		}
		for _, at := range []string{"components.schemas", "definitions"} {
			if types, ok := o.Get("properties.document." + at).(map[string]any); ok {
				out = append(out, exporter.Schema{Name: lastSegment(doc.ID), Types: types})
			}
		}
	}
	return out, nil
}

// serversOf are the addresses of an API: the gateway's, with the path that requests for the API have.
func (q *request) serversOf(t store.Reader, d store.Document, api resource.Object) ([]string, error) {
	service, err := t.Get(resource.ServiceID(d.ID))
	if err != nil {
		return nil, err
	}
	o, err := q.engine.Open(service)
	if err != nil {
		return nil, err
	}
	gateway := q.env.URLs(resource.ServiceFacts{
		ID: service.ID, Name: lastSegment(service.ID), Location: resource.NormalLocation(o.Text("location")), Status: serviceStatus(&service),
	}).Gateway
	if gateway == "" {
		return nil, nil
	}
	schemes, err := q.versionSchemes(t, service.ID)
	if err != nil {
		return nil, err
	}
	path := resource.RequestPath(api, schemes)
	if _, revision := resource.SplitRevision(d.ID); revision != "" {
		path += ";rev=" + revision
	}
	return []string{strings.TrimRight(gateway+"/"+path, "/")}, nil
}

// versionSchemes maps the keys of a service's version sets to their schemes.
func (q *request) versionSchemes(t store.Reader, service string) (map[string]string, error) {
	docs, err := t.List(store.Query{Type: strings.ToLower(resource.APIM + "/service/apiVersionSets"), Prefix: service})
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(docs))
	for _, d := range docs {
		o, err := q.engine.Open(d)
		if err != nil {
			return nil, err
		}
		out[store.Key(d.ID)] = o.Text("properties.versioningScheme")
	}
	return out, nil
}
