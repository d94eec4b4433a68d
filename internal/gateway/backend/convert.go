package backend

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// HopByHop reports whether a header concerns one connection only and is not passed on.
func HopByHop(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE")
	case 7:
		return strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Upgrade")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 16:
		return strings.EqualFold(name, "Proxy-Connection")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 18:
		return strings.EqualFold(name, "Proxy-Authenticate")
	case 19:
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}

// Listed reports whether the Connection headers of a message name a header as one of this connection only.
func Listed(connection []string, name string) bool {
	for _, line := range connection {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), name) {
				return true
			}
		}
	}
	return false
}

// request makes the request for the transport.
func request(ctx context.Context, x *pipeline.Exchange, address pipeline.URL) *http.Request {
	m, t := x.Request, x.Target
	for _, q := range t.Query {
		address.WithoutQuery(q.Name)
	}
	for _, q := range t.Query {
		address.AddQuery(q.Name, q.Value)
	}
	req := &http.Request{
		Method: m.Method, URL: target(address, t.Proxy != nil), Host: address.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, m.Header.Len()+1),
	}
	values := make([]string, m.Header.Len())
	for i, f := range m.Header.Fields() {
		switch {
		case strings.EqualFold(f.Name, "Host"):
			if x.HostChosen {
				req.Host = f.Value
			}
		case HopByHop(f.Name), strings.EqualFold(f.Name, "Content-Length"):
		default:
			key := textproto.CanonicalMIMEHeaderKey(f.Name)
			if have := req.Header[key]; have != nil {
				req.Header[key] = append(have, f.Value)
				continue
			}
			values[i] = f.Value
			req.Header[key] = values[i : i+1 : i+1]
		}
	}
	for _, f := range t.Header {
		req.Header.Del(f.Name)
	}
	for _, f := range t.Header {
		req.Header.Add(f.Name, f.Value)
	}
	if t.Authorization != "" {
		req.Header.Set("Authorization", t.Authorization)
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil // none came, none is sent
	}
	setBody(req, m)
	return req.WithContext(ctx)
}

// target writes the URL so that the path goes out exactly as it is.
func target(u pipeline.URL, proxied bool) *url.URL {
	if u.Path == "" {
		u.Path = "/"
	}
	out := &url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery}
	switch {
	case strings.HasPrefix(u.Path, "//"):
		plain, err := url.PathUnescape(u.Path)
		if err != nil {
			plain = u.Path
		}
		out.Path, out.RawPath = plain, u.Path
	case proxied:
		out.Opaque = "//" + u.Host + u.Path
	default:
		out.Opaque = u.Path
	}
	return out
}

func setBody(req *http.Request, m *pipeline.Message) {
	size := m.Body.Size()
	_, held := m.Body.Held()
	if len(m.TrailerNames) > 0 {
		req.Trailer = make(http.Header, len(m.TrailerNames))
		for _, n := range m.TrailerNames {
			req.Trailer[textproto.CanonicalMIMEHeaderKey(n)] = nil
		}
		size = -1 // trailers need chunks
	}
	r := m.Body.Reader()
	if r == nil {
		return
	}
	req.ContentLength = size
	req.Body = r
	if req.Trailer != nil {
		req.Body = &trailing{ReadCloser: r, done: func() {
			if m.Trailer == nil {
				return
			}
			for _, f := range m.Trailer.Fields() {
				req.Trailer.Add(f.Name, f.Value)
			}
		}}
	}
	if held {
		req.GetBody = func() (io.ReadCloser, error) { return m.Body.Reader(), nil }
	}
}

// trailing runs done once when the content has been read to its end.
type trailing struct {
	io.ReadCloser
	done func()
}

func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err == io.EOF && t.done != nil {
		t.done()
		t.done = nil
	}
	return n, err
}

// message makes the pipeline's response with a body that reads from res.
func message(res *http.Response, b *body) *pipeline.Message {
	m := pipeline.NewResponse(res.StatusCode)
	if _, phrase, ok := strings.Cut(res.Status, " "); ok && phrase != http.StatusText(res.StatusCode) {
		m.Reason = phrase
	}
	m.Header = Header(res.Header)
	if len(res.Trailer) > 0 {
		for n := range res.Trailer {
			m.TrailerNames = append(m.TrailerNames, n)
		}
		slices.Sort(m.TrailerNames)
		b.done = func() { h := Header(res.Trailer); m.Trailer = &h }
	}
	size := res.ContentLength
	if res.Request.Method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		size = 0 // Content-Length, if there is one, tells of a body that does not follow
	}
	m.Body = pipeline.Stream(b, size)
	return m
}

// body is a response's content. It notes trailers at the end and lets go of the request when closed.
type body struct {
	io.ReadCloser
	timer   *time.Timer   // ends the request; runs only while a read waits
	timeout time.Duration // for the next bytes
	release func()
	done    func()
}

func (b *body) Read(p []byte) (int, error) {
	b.timer.Reset(b.timeout)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err == io.EOF && b.done != nil {
		b.done()
		b.done = nil
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}

// Header turns the map of net/http into an ordered list without hop-by-hop headers. The map has lost the order of
// different names; sorting makes it at least always the same.
func Header(h http.Header) pipeline.Header {
	names := make([]string, 0, 24)
	size := 0
	connection := h["Connection"]
	for n, v := range h {
		if !HopByHop(n) && !(connection != nil && Listed(connection, n)) {
			names = append(names, n)
			size += len(v)
		}
	}
	slices.Sort(names)
	fields := make([]pipeline.Field, 0, size+2)
	for _, n := range names {
		for _, v := range h[n] {
			fields = append(fields, pipeline.Field{Name: n, Value: v})
		}
	}
	return pipeline.NewHeader(fields...)
}
