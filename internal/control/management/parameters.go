package management

import (
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
)

// unbuilt are the query parameters of reads that would change the answer and whose effect is not built. They are
// refused, because a client that asks for something else and is given the usual answer takes it for what it asked for.
var unbuilt = []struct {
	path, name, what string
	collection       bool
}{
	{"service/policyFragments", "$orderby", "Sorted lists", true},
	{"service/namedValues", "isKeyVaultRefreshFailed", "Named values from a key vault", true},
	{"service/certificates", "isKeyVaultRefreshFailed", "Certificates from a key vault", true},
}

// checkParameters refuses a read that asks for one of them. "false" asks for nothing.
func (q *request) checkParameters() *arm.Error {
	if q.r.Method != http.MethodGet || q.row.Namespace != resource.APIM {
		return nil
	}
	for _, p := range unbuilt {
		value := q.query(p.name)
		if q.row.Path != p.path || q.id.IsCollection() != p.collection || value == "" || strings.EqualFold(value, "false") {
			continue
		}
		return arm.Invalid(resource.Finding(p.name, "%s: not built in this version of Portico.", p.what))
	}
	return nil
}
