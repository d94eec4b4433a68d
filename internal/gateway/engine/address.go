package engine

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// longestSegment is how many characters a segment of a path may have, in every tier.
// https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits
const longestSegment = 1024

// tooLong says whether a path has a longer segment. Characters count, however they are spelt.
func tooLong(r *http.Request) bool {
	if len(r.RequestURI) <= longestSegment && r.RequestURI != "" {
		return false
	}
	for s := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		if len(s) <= longestSegment {
			continue
		}
		if plain, err := url.PathUnescape(s); err != nil || utf8.RuneCountInString(plain) > longestSegment {
			return true
		}
	}
	return false
}
