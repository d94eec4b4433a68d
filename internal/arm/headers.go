package arm

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// SetCommonHeaders adds what every ARM answer carries. The routing ID names the location that answered.
func SetCommonHeaders(h http.Header, r *http.Request, location string, now time.Time) (requestID, correlationID string) {
	requestID = uuid.NewString()
	correlationID = r.Header.Get("X-Ms-Correlation-Request-Id")
	if uuid.Validate(correlationID) != nil {
		correlationID = uuid.NewString()
	}
	h.Set("X-Ms-Request-Id", requestID)
	h.Set("X-Ms-Correlation-Request-Id", correlationID)
	h.Set("X-Ms-Routing-Request-Id", strings.ToUpper(location)+":"+now.UTC().Format("20060102T150405Z")+":"+correlationID)
	if strings.EqualFold(r.Header.Get("X-Ms-Return-Client-Request-Id"), "true") {
		if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" && len(id) <= 128 {
			h.Set("X-Ms-Client-Request-Id", id)
		}
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	return requestID, correlationID
}
