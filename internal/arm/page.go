package arm

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// DefaultPage is the size of a page when the client names none; MaxPage bounds what it may name.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// A Page is the window of a list.
type Page struct {
	Top, Skip int
}

// QueryValue returns a query parameter, its name compared without case.
func QueryValue(q url.Values, name string) string {
	if v, ok := q[name]; ok && len(v) > 0 {
		return v[0]
	}
	for k, v := range q {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// ParsePage reads $top and $skip (APIM children), or $top and $skiptoken (ARM lists).
func ParsePage(q url.Values) (Page, *Error) {
	p := Page{Top: DefaultPage}
	if s := QueryValue(q, "$top"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return p, badQuery("$top", s)
		}
		p.Top = min(n, MaxPage)
	}
	if s := QueryValue(q, "$skip"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return p, badQuery("$skip", s)
		}
		p.Skip = n
	}
	if s := QueryValue(q, "$skiptoken"); s != "" {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		n, err2 := strconv.Atoi(string(raw))
		if err != nil || err2 != nil || n < 0 {
			return p, badQuery("$skiptoken", s)
		}
		p.Skip = n
	}
	return p, nil
}

func badQuery(name, value string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: "ValidationError", Target: name,
		Message: fmt.Sprintf("Invalid value %q of query parameter '%s'.", value, name),
	}
}

// Slice is the part of n items that the page shows, and whether more remain.
func (p Page) Slice(n int) (from, to int, more bool) {
	from = min(p.Skip, n)
	to = from + min(p.Top, n-from)
	return from, to, to < n
}

// NextLink is the absolute URL of the page after p: the same request with $skip, or $skiptoken, moved on.
func NextLink(base string, u *url.URL, p Page, token bool) string {
	q := u.Query()
	for k := range q {
		if strings.EqualFold(k, "$skip") || strings.EqualFold(k, "$skiptoken") {
			q.Del(k)
		}
	}
	next := strconv.Itoa(p.Skip + p.Top)
	if token {
		q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(next)))
	} else {
		q.Set("$skip", next)
	}
	return base + u.EscapedPath() + "?" + q.Encode()
}
