package management

import (
	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/importer"
	"github.com/portico-dev/portico/internal/resource"
)

// importAPI reads an API description for the resource engine.
func importAPI(format, value string, requiredQueryStays bool) (*resource.Imported, *arm.Error) {
	result, err := importer.Options{RequiredQueryStaysQuery: requiredQueryStays}.Import(format, value)
	if err != nil {
		return nil, err
	}
	out := &resource.Imported{
		DisplayName: result.DisplayName, Description: result.Description, ServiceURL: result.ServiceURL,
		Protocols: result.Protocols, Operations: make([]resource.ImportedOperation, len(result.Operations)),
	}
	for i, o := range result.Operations {
		out.Operations[i] = resource.ImportedOperation(o)
	}
	return out, nil
}
