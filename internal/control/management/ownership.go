package management

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
)

// domainOwnership answers with what an owner of a domain would put into its DNS. It is the subscription's, and the same
// always. Nobody is asked to prove anything with it here: host names of services are taken without.
func (q *request) domainOwnership() (*reply, *arm.Error) {
	if q.row, _ = q.engine.Row(resource.APIM + "/service"); q.version.Before("2020-06-01-preview") {
		return nil, q.noSuchType()
	}
	if err := q.checkVersion(); err != nil {
		return nil, err
	}
	if q.r.Method != http.MethodPost {
		return nil, q.noSuchMethod()
	}
	sum := sha256.Sum256([]byte("domain ownership " + q.opt.TenantID + " " + q.opt.Subscription.ID))
	return &reply{status: http.StatusOK, body: map[string]any{"domainOwnershipIdentifier": base64.StdEncoding.EncodeToString(sum[:])}}, nil
}
