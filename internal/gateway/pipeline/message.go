package pipeline

import (
	"errors"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// A Message is a request or a response. Method and URL belong to requests, Status and Reason to responses.
type Message struct {
	Method string
	URL    URL // of a request: the path below the backend's base URL, and the query
	Status int
	Reason string // empty: the usual phrase for Status
	Header Header
	Body   Body
	// Trailer is known once Body was read to its end; TrailerNames, before.
	Trailer      *Header
	TrailerNames []string

	req  requestView
	resp ResponseView
}

// NewResponse makes a response without headers and body.
func NewResponse(status int) *Message { return &Message{Status: status} }

// HeadSize is the bytes of the message's head as HTTP/1.1 writes it.
func (m *Message) HeadSize() int64 {
	n := len("HTTP/1.1 200 \r\n\r\n") + len(m.Reason)
	switch {
	case m.Method != "":
		n = len(m.Method) + len(m.URL.String()) + len("  HTTP/1.1\r\n\r\n")
	case m.Reason == "":
		n += len(http.StatusText(m.Status))
	}
	for _, f := range m.Header.fields {
		n += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	return int64(n)
}

// messageView is what requests and responses have in common for expressions.
type messageView struct {
	m       *Message
	x       *Exchange
	content bodyView
	fields  headerView
}

func (v *messageView) of(m *Message, x *Exchange) { v.m, v.x = m, x }

// Body is nil for a message without content. One whose content was taken says so when it is read again.
func (v *messageView) Body() apim.Body {
	if v.m.Body.Empty() && !v.m.Body.taken {
		return nil
	}
	v.content = bodyView{&v.m.Body, v.x.MaxBuffer}
	return &v.content
}

// Headers are the fields of the message.
func (v *messageView) Headers() apim.Header {
	v.fields.of = &v.m.Header
	return &v.fields
}

// requestView is the request as expressions see it.
type requestView struct{ messageView }

func (m *Message) request(x *Exchange) apim.Request {
	m.req.of(m, x)
	return &m.req
}

func (r *requestView) IPAddress() string { return r.x.ClientIP }
func (r *requestView) Method() string    { return r.m.Method }

func (r *requestView) Certificate() *lib.Certificate { return r.x.certificate() }

func (r *requestView) MatchedParameters() apim.Strings {
	v := &r.x.view.params
	v.list = r.x.Params
	return v
}

func (r *requestView) OriginalURL() apim.URL {
	v := &r.x.view.original
	v.URL = r.x.OriginalURL
	return v
}

// URL is where the request would go now; without a backend, below the address it came to.
func (r *requestView) URL() apim.URL {
	v := &r.x.view.url
	u, ok := r.x.BackendURL()
	if !ok {
		u = URL{Scheme: r.x.OriginalURL.Scheme, Host: r.x.OriginalURL.Host}.Join(r.m.URL.Path, r.m.URL.RawQuery)
	}
	v.URL = u
	return v
}

// ResponseView is a response as expressions see it: context.Response, and what statements keep in variables.
type ResponseView struct{ messageView }

// AsResponse is the message as expressions see it; a nil message gives nil.
func (m *Message) AsResponse(x *Exchange) apim.Response {
	if m == nil {
		return nil
	}
	m.resp.of(m, x)
	return &m.resp
}

// Message is the response itself.
func (r *ResponseView) Message() *Message { return r.m }

// StatusCode is the status code.
func (r *ResponseView) StatusCode() int { return r.m.Status }

// StatusReason is the phrase that is sent with the status code.
func (r *ResponseView) StatusReason() string {
	if r.m.Reason == "" {
		return http.StatusText(r.m.Status)
	}
	return r.m.Reason
}

// bodyView is the content of a message.
type bodyView struct {
	b     *Body
	limit int64 // bytes
}

var errTaken = errors.New("the body was read before; read it with preserveContent: true to keep it")

// Read takes the content; with preserve it stays readable.
func (v *bodyView) Read(preserve bool) ([]byte, error) {
	if v.b.taken {
		return nil, errTaken
	}
	data, err := v.b.Buffer(v.limit)
	if err == nil && !preserve {
		*v.b = Body{taken: true}
	}
	return data, err
}

// headerView is a header as expressions see it.
type headerView struct {
	of   *Header
	dict apim.HeaderMap
}

// HeaderMap is the dictionary that expressions see, the same one each time.
func (h *headerView) HeaderMap() *apim.HeaderMap {
	h.dict.Header = h
	return &h.dict
}

// Get joins the values of a name with commas.
func (h *headerView) Get(name string) (value string, ok bool) {
	more := false
	for i := range h.of.fields {
		if !strings.EqualFold(h.of.fields[i].Name, name) {
			continue
		}
		if ok {
			more = true
			break
		}
		value, ok = h.of.fields[i].Value, true
	}
	if more {
		value = strings.Join(h.of.Values(name), ",")
	}
	return value, ok
}

// Values lists the values of a name; nil when it is absent.
func (h *headerView) Values(name string) []string { return h.of.Values(name) }

// Len is the number of different names.
func (h *headerView) Len() int {
	n := 0
	h.Each(func(string) bool { n++; return true })
	return n
}

// Each yields each name once, as it is first spelt.
func (h *headerView) Each(yield func(name string) bool) {
	for i, f := range h.of.fields {
		if h.first(f.Name) == i && !yield(f.Name) {
			return
		}
	}
}

func (h *headerView) first(name string) int {
	for i := range h.of.fields {
		if strings.EqualFold(h.of.fields[i].Name, name) {
			return i
		}
	}
	return -1
}
