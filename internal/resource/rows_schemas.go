package resource

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// MaxSchema bounds the document of a schema in bytes, MaxSchemas the schemas of an API and those of a service, as the
// hosted service does.
const (
	MaxSchema  = 4 << 20
	MaxSchemas = 100
)

// apiSchemas are the schemas of an API, whose types the bodies of its API operations name by schemaId and typeName.
func apiSchemas() *Row {
	return &Row{
		Namespace: APIM, Path: "service/apis/schemas", Shape: Entity, Entity: "Schema", Proof: "TestGolden/schemas", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Delete | List, NameParam: "schemaId", NameMax: 80, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.contentType", Kind: String, Flags: Required, MinLen: 1},
			{Path: "properties.document.value", Kind: String},
			{Path: "properties.document.definitions", Kind: Any, From: v2019dec, Flags: Reset},
			{Path: "properties.document.components", Kind: Any, From: v2021apr, Flags: Reset},
			{Path: "properties.provisioningState", Kind: String, From: v2023may, Flags: ReadOnly},
		},
		Filters: map[string]string{"contentType": "properties.contentType"},
		Rules: []Rule{schemaDocument, func(c *Change) []arm.ErrorDetail {
			return schemasBounded(c, c.ID[:strings.LastIndex(c.ID, "/schemas/")])
		}},
		OnDelete: deleteSchema,
	}
}

// serviceSchemas are the schemas of a service, which no API owns: XML ones as a text, JSON ones as an object.
func serviceSchemas() *Row {
	return &Row{
		Namespace: APIM, Path: "service/schemas", Shape: Entity, Entity: "Schema", Proof: "TestGolden/globalschemas", Versions: since(apimVersions, v2021apr),
		Verbs: Get | Head | Put | Delete | List, NameParam: "schemaId", NameMax: 80, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.schemaType", Kind: String, Flags: Required, Enum: words("xml", "json")},
			{Path: "properties.description", Kind: String},
			{Path: "properties.value", Kind: Any},
			{Path: "properties.document", Kind: Any},
			{Path: "properties.provisioningState", Kind: String, From: v2023may, Flags: ReadOnly},
		},
		Filters: map[string]string{"name": "name", "schemaType": "properties.schemaType", "description": "properties.description"},
		Rules:   []Rule{serviceSchema, func(c *Change) []arm.ErrorDetail { return schemasBounded(c, c.Service()+"/schemas") }},
	}
}

// serviceSchema asks for the schema in the form of its type, which stays what it is.
func serviceSchema(c *Change) (found []arm.ErrorDetail) {
	kind := c.New.Text("properties.schemaType")
	if c.Old != nil && c.Old.Text("properties.schemaType") != kind {
		found = append(found, Finding("schemaType", "'schemaType' cannot be changed."))
	}
	text, isText := c.New.Get("properties.value").(string)
	_, isObject := c.New.Get("properties.document").(map[string]any)
	switch {
	case kind == "xml" && (!isText || c.New.Get("properties.document") != nil):
		found = append(found, Finding("value", "A schema of the type 'xml' has its text in 'value', and no 'document'."))
	case kind == "json" && (!isObject || c.New.Get("properties.value") != nil):
		found = append(found, Finding("document", "A schema of the type 'json' is an object in 'document', and has no 'value'."))
	case kind == "xml":
		found = append(found, wellFormed(text)...)
	}
	return found
}

// wellFormed asks for one XML document.
func wellFormed(text string) []arm.ErrorDetail {
	var root struct{ XMLName xml.Name }
	if err := xml.Unmarshal([]byte(text), &root); err != nil {
		return []arm.ErrorDetail{Finding("value", "'value' is no XML document: %s.", err)}
	}
	return nil
}

// schemaDocument asks for a document, of one kind.
func schemaDocument(c *Change) []arm.ErrorDetail {
	document, _ := c.New.Get("properties.document").(map[string]any)
	if len(document) != 1 {
		return []arm.ErrorDetail{Finding("document", "'document' must hold one of 'value', 'definitions' and 'components'.")}
	}
	return nil
}

func schemasBounded(c *Change, below string) []arm.ErrorDetail {
	data, err := canonical(c.New)
	if err != nil || len(data) > MaxSchema {
		return []arm.ErrorDetail{Finding("document", "The document of a schema may have at most %d bytes.", MaxSchema)}
	}
	if !c.Creating() {
		return nil
	}
	n, err := c.Tree.Count(store.Query{Type: strings.ToLower(c.Row.Type()), Prefix: below})
	if err != nil || n >= MaxSchemas {
		return []arm.ErrorDetail{Finding("schemaId", "There may be at most %d schemas.", MaxSchemas)}
	}
	return nil
}

// deleteSchema refuses while an API operation names the schema, unless force=true.
func deleteSchema(r *Removal) *arm.Error {
	if strings.EqualFold(r.Query("force"), "true") {
		return nil
	}
	api := r.ID[:strings.LastIndex(r.ID, "/schemas/")]
	docs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/service/apis/operations"), Prefix: api})
	if err != nil {
		return internalError(err)
	}
	for _, d := range docs {
		o, err := parseObject(d.Desired)
		if err == nil && namesSchema(o, lastSegment(r.ID)) {
			return arm.Invalid(Finding("schemaId", "The schema is in use by the API operation '%s'.", d.ID))
		}
	}
	return nil
}

// namesSchema says whether a body or a parameter of an API operation has its type from a schema.
func namesSchema(operation Object, schema string) bool {
	bodies := append(slices.Clone(operation.List("properties.responses")), operation.Get("properties.request"))
	found := slices.Clone(operation.List("properties.templateParameters"))
	for _, b := range bodies {
		body, _ := b.(map[string]any)
		for _, key := range []string{"representations", "headers", "queryParameters"} {
			list, _ := body[key].([]any)
			found = append(found, list...)
		}
	}
	return slices.ContainsFunc(found, func(x any) bool {
		m, _ := x.(map[string]any)
		return strings.EqualFold(Object(m).Text("schemaId"), schema)
	})
}
