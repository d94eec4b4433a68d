package route

import (
	"net/url"
	"strings"
)

// A Version says how requests choose an API among several with the same path. A version that is a segment of the path
// is part of the path and needs none.
type Version struct {
	In   Place
	Name string // of the header, or of the query parameter
	// Value is compared without case. The API with an empty one is for requests that name no version.
	Value string
}

// Place is where a request names a version.
type Place uint8

// The places.
const (
	Nowhere Place = iota // every request is for the API
	Header
	Query
)

func (v Version) wanted(r Request) bool {
	sent, value := false, ""
	switch v.In {
	case Nowhere:
		return true
	case Header:
		if sent = r.Header != nil && r.Header.Has(v.Name); sent {
			value = r.Header.Get(v.Name)
		}
	case Query:
		if value, sent = queryValue(r.Query, v.Name); strings.ContainsAny(value, "%+") {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
		}
	}
	return sent == (v.Value != "") && strings.EqualFold(value, v.Value)
}
