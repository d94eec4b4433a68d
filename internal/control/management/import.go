package management

import (
	"context"
	"errors"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/fetch"
	"github.com/portico-dev/portico/internal/control/importer"
	"github.com/portico-dev/portico/internal/resource"
)

// importAPI reads an API description for the resource engine.
func importAPI(d resource.Description) (*resource.Imported, *arm.Error) {
	result, err := importer.Options{RequiredQueryStaysQuery: d.RequiredQueryStays, Base: d.Link}.Import(d.Format, d.Value)
	if err != nil {
		return nil, err
	}
	out := &resource.Imported{
		DisplayName: result.DisplayName, Description: result.Description, ServiceURL: result.ServiceURL,
		Protocols: result.Protocols, Operations: make([]resource.ImportedChild, len(result.Operations)),
	}
	for i, o := range result.Operations {
		out.Operations[i] = resource.ImportedChild(o)
	}
	if s := result.Schema; s != nil {
		out.Schemas = []resource.ImportedChild{{Name: importer.SchemaName, Properties: map[string]any{"contentType": s.ContentType, "document": s.Document}}}
	}
	return out, nil
}

// fetchLink reads a document that a client names by a link.
func (h *Handler) fetchLink(ctx context.Context, link string, limit int64) (string, *arm.Error) {
	data, err := h.opt.Fetch(ctx, link, limit)
	if err == nil {
		return string(data), nil
	}
	why := "it cannot be reached"
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		why = e.Reason
	}
	return "", arm.Invalid(resource.Finding("value", "The document at '%s' cannot be read: %s.", strings.TrimSpace(link), why))
}
