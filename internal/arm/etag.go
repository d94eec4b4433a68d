package arm

import (
	"net/http"
	"strings"
)

// QuoteETag is the form that the ETag header has.
func QuoteETag(etag string) string { return `"` + etag + `"` }

// A Precondition is what If-Match and If-None-Match say.
type Precondition struct {
	IfMatch     string
	IfNoneMatch string
}

// Preconditions reads them from a request.
func Preconditions(h http.Header) Precondition {
	return Precondition{
		IfMatch:     strings.TrimSpace(strings.Join(h.Values("If-Match"), ",")),
		IfNoneMatch: strings.TrimSpace(strings.Join(h.Values("If-None-Match"), ",")),
	}
}

// Check compares with the entity's ETag; empty means that there is no entity. If-Match of a missing entity passes
// only for "*", as the service creates it then.
func (p Precondition) Check(etag string) *Error {
	if p.IfMatch != "" && !matches(p.IfMatch, etag, etag == "") {
		return preconditionFailed()
	}
	if p.IfNoneMatch != "" && etag != "" && matches(p.IfNoneMatch, etag, true) {
		return preconditionFailed()
	}
	return nil
}

// matches compares a list of ETags, each maybe quoted and weak, with one.
func matches(list, etag string, missing bool) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "*" {
			return true
		}
		one = strings.TrimPrefix(strings.TrimPrefix(one, "W/"), "w/")
		if one = strings.Trim(one, `"`); !missing && one == etag || missing && etag != "" && one == etag {
			return true
		}
	}
	return false
}

func preconditionFailed() *Error {
	return &Error{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed", Message: "Resource was modified since last retrieval."}
}
