// Package importer turns an API description into what API Management makes of it: the API's own properties and one
// API operation per method and path. It reads OpenAPI 3.0 and 3.1 and Swagger 2.0, each in JSON or YAML, from the
// text it is given and from nowhere else: references to other files or addresses are refused.
//
// A description is first read into a tree of positioned values (tree.go), so that every finding can name its line and
// column; then walked (reader.go). Import is all or nothing. Start reading at Options.Import.
package importer

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
)

// MaxBytes bounds a description, as the hosted service does.
const MaxBytes = 4 << 20

// A Result is what a description says. Empty fields were not said.
type Result struct {
	DisplayName string
	Description string
	ServiceURL  string   // absolute, without a trailing slash
	Protocols   []string // http, https, in this order; never empty
	Operations  []Operation
	Schema      *Schema // the types that bodies have; nil for none
}

// An Operation is one API operation. Properties has the shape that the management API gives it.
type Operation struct {
	Name       string         // unique among the operations of a Result
	Properties map[string]any // displayName, method, urlTemplate, templateParameters, request, responses, …
}

// Options change how a description is translated. The zero value does what the hosted service does by default.
type Options struct {
	// RequiredQueryStaysQuery leaves required query parameters in request.queryParameters; otherwise they become
	// template parameters in the URL template (translateRequiredQueryParameters: query or template).
	RequiredQueryStaysQuery bool
	// Base is the link that the description was read from; empty for none. Servers that it names relatively, or not at
	// all, are meant relative to that.
	Base string
}

// Import translates with the default Options.
func Import(format, value string) (*Result, *arm.Error) { return Options{}.Import(format, value) }

// Import translates value, a description in the given format of the management API. The text decides by itself
// whether it is JSON or YAML and which specification it follows, so a format that fits badly is forgiven. All
// findings are reported in one error.
func (o Options) Import(format, value string) (*Result, *arm.Error) {
	if err := checkFormat(format); err != nil {
		return nil, err
	}
	if len(value) > MaxBytes {
		return nil, refuse(finding{text: fmt.Sprintf("the document has %d bytes, more than the %d that are allowed", len(value), MaxBytes)})
	}
	root, err := parse(value)
	if err != nil {
		return nil, refuse(*err)
	}
	r := newReader(o, root)
	res := r.read()
	if len(r.findings) > 0 {
		return nil, refuse(r.findings...)
	}
	return res, nil
}

func checkFormat(format string) *arm.Error {
	switch strings.ToLower(format) {
	case "openapi", "openapi+json", "swagger-json":
		return nil
	case "wsdl", "wsdl-link", "wadl-xml", "wadl-link-json", "graphql-link", "odata", "odata-link", "grpc", "grpc-link":
		return invalid("format", fmt.Sprintf("Import of the format '%s' is not built yet. Built are OpenAPI and Swagger.", format))
	case "":
		return invalid("format", "The format of the imported document is required.")
	}
	return invalid("format", fmt.Sprintf("'%s' is not a format of API descriptions.", format))
}

// A finding is one thing that is wrong with a description. A zero line means that there is no place to point at.
type finding struct {
	text      string
	line, col int
}

func (f finding) String() string {
	if f.line == 0 {
		return f.text
	}
	return fmt.Sprintf("%s (line %d, column %d)", f.text, f.line, f.col)
}

// refuse words findings as the hosted service does; the target is its name for the imported document.
func refuse(findings ...finding) *arm.Error {
	details := make([]arm.ErrorDetail, 0, len(findings))
	for _, f := range findings {
		details = append(details, arm.ErrorDetail{Code: "ValidationError", Target: "representation", Message: "Parsing error(s): " + f.String()})
	}
	return arm.Invalid(details...)
}

func invalid(target, message string) *arm.Error {
	return arm.Invalid(arm.ErrorDetail{Code: "ValidationError", Target: target, Message: message})
}
