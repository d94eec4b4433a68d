package pipeline

import (
	"fmt"
	"net/url"
	"strings"
)

// URL is an address in parts as they stand on the wire: Path and RawQuery keep their percent-encoding.
type URL struct {
	Scheme   string
	Host     string // with the port when there is one
	Path     string
	RawQuery string
}

// ParseURL reads an absolute http or https URL.
func ParseURL(s string) (URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return URL{}, fmt.Errorf("read url: %w", err)
	}
	scheme := strings.ToLower(u.Scheme)
	if (scheme != "http" && scheme != "https") || u.Host == "" {
		return URL{}, fmt.Errorf("read url: %q is no absolute http or https url", s)
	}
	return URL{Scheme: scheme, Host: u.Host, Path: strings.TrimSuffix(u.EscapedPath(), "/"), RawQuery: u.RawQuery}, nil
}

// String is the URL in one piece.
func (u URL) String() string {
	s := u.Path
	if u.Host != "" {
		s = u.Scheme + "://" + u.Host + u.Path
	}
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	return s
}

// Join appends the path and query of a request below a base: http://b/v1?k=1 and /orders?x=2 give
// http://b/v1/orders?k=1&x=2.
func (u URL) Join(path, query string) URL {
	if path != "" && path[0] != '/' {
		path = "/" + path
	}
	u.Path += path
	u.RawQuery = joinQuery(u.RawQuery, query)
	return u
}

func joinQuery(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// SetQuery puts values in the place of all query parameters of that name, without case; none removes them.
func (u *URL) SetQuery(name string, values ...string) {
	u.RawQuery = withoutKeys(u.RawQuery, name)
	u.AddQuery(name, values...)
}

// AddQuery appends query parameters.
func (u *URL) AddQuery(name string, values ...string) {
	for _, v := range values {
		u.RawQuery = joinQuery(u.RawQuery, url.QueryEscape(name)+"="+url.QueryEscape(v))
	}
}

// HasQuery reports whether there is a query parameter of that name, without case.
func (u *URL) HasQuery(name string) bool { return u.RawQuery != withoutKeys(u.RawQuery, name) }

// WithoutQuery removes the query parameters of the given names, without case.
func (u *URL) WithoutQuery(names ...string) {
	for _, n := range names {
		u.RawQuery = withoutKeys(u.RawQuery, n)
	}
}

// QueryValue is the first value of a query parameter, decoded.
func QueryValue(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if !sameKey(k, name) {
			continue
		}
		if plain, err := url.QueryUnescape(v); err == nil {
			v = plain
		}
		return v, true
	}
	return "", false
}

func withoutKeys(query, name string) string {
	var b strings.Builder
	changed := false
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		k, _, _ := strings.Cut(pair, "=")
		if sameKey(k, name) {
			changed = true
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pair)
	}
	if !changed {
		return query
	}
	return b.String()
}

func sameKey(encoded, name string) bool {
	if strings.ContainsAny(encoded, "%+") {
		if plain, err := url.QueryUnescape(encoded); err == nil {
			encoded = plain
		}
	}
	return strings.EqualFold(encoded, name)
}

// WithoutDots resolves the segments "." and ".." of a path, also where their dots are percent-encoded. They would let
// a request reach around the API operation that it is matched with, or out of the path of the backend. What leads
// above the root is dropped.
func WithoutDots(path string) string {
	if !strings.Contains(path, "/.") && !strings.Contains(path, "/%2") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		n := dots(s)
		if n == 0 {
			kept = append(kept, s)
			continue
		}
		if n == 2 && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if i == len(segments)-1 {
			kept = append(kept, "") // the slash before it stays
		}
	}
	return "/" + strings.Join(kept, "/")
}

// dots counts the dots of a segment "." or ".."; any other gives 0.
func dots(segment string) int {
	n := 0
	for ; segment != "" && n < 3; n++ {
		rest, ok := strings.CutPrefix(segment, ".")
		if !ok && len(segment) >= 3 && strings.EqualFold(segment[:3], "%2e") {
			rest, ok = segment[3:], true
		}
		if !ok {
			return 0
		}
		segment = rest
	}
	if n > 2 {
		return 0
	}
	return n
}
