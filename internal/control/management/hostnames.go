package management

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// uploads opens the certificate files in the body of a service, before any transaction.
func (q *request) uploads(body []byte, fresh resource.Object, patch bool) (map[resource.Upload]*resource.KeyPair, *arm.Error) {
	if patch {
		var err *arm.Error
		if fresh, err = q.engine.DecodePatch(q.row, q.version, body); err != nil {
			return nil, err
		}
	}
	return resource.OpenUploads(q.env, fresh)
}

// claimHosts refuses a host name that another service has: one that it gives up is its own until the operation that
// takes it away has ended, which may still go back.
func (w *serviceWrite) claimHosts() error {
	wanted := resource.HostNamesOf(w.change.New)
	if len(wanted) == 0 {
		return nil
	}
	services, err := w.tx.List(store.Query{Type: strings.ToLower(resource.APIM + "/service")})
	if err != nil {
		return err
	}
	for _, d := range services {
		if arm.SameID(d.ID, w.place.id) {
			continue
		}
		for _, name := range append(resource.HostNames(d.Desired), resource.HostNames(serviceStatus(&d).Before)...) {
			if slices.Contains(wanted, name) {
				return problem(http.StatusConflict, "HostnameAlreadyInUse", "The host name '%s' is in use by another API Management service.", name)
			}
		}
	}
	return nil
}
