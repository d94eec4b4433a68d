package engine

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
)

// StatusPath is answered by every machine, whatever the host.
const StatusPath = "/status-0123456789abcdef"

// ServeHTTP takes one request from net/http to its answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(wireKey{}).(*wire)
	if conn == nil { // a check: it is no client's, and counts for nothing
		s.status(w, nil)
		return
	}
	s.active.Add(1)
	defer s.finish(r)
	switch {
	case r.URL.Path == StatusPath:
		s.pages.Add(1)
		s.status(w, conn)
	case r.Method == http.MethodConnect || backend.Listed(r.Header["Upgrade"], "websocket"):
		s.refuse(w, conn, http.StatusNotImplemented, "Protocol upgrades are not built yet.")
	default:
		s.forward(w, r, conn)
	}
}

// finish counts the request and turns a panic into the end of its connection; that is a bug and logged as one.
func (s *Server) finish(r *http.Request) {
	s.active.Add(-1)
	s.total.Add(1)
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		s.failed.Add(1)
		s.own.Add(1)
		s.log.ErrorContext(r.Context(), "request panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) forward(w http.ResponseWriter, r *http.Request, conn *wire) {
	host := service.Hostname(r.Host)
	svc, tenant, err := s.find(r.Context(), host)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "1")
		s.refuse(w, nil, http.StatusServiceUnavailable, "The service is not available right now.")
		s.log.InfoContext(r.Context(), "no service for request", slog.Any("error", err))
		return
	case svc == nil, s.misdirected(r, svc, host):
		s.refuse(w, conn, http.StatusMisdirectedRequest, "The requested host is not served here.")
		return
	}
	if !svc.Admits(localAddress(r)) {
		s.refuse(w, conn, http.StatusForbidden, closedText(svc.Name(), service.Hostname(r.RemoteAddr)))
		return
	}
	if tooLong(r) {
		s.refuse(w, ended(r, conn), http.StatusRequestURITooLong, "A segment of the path is too long.")
		return
	}
	if tenant != nil {
		done := s.admit(w, r, tenant, conn)
		if done == nil {
			return
		}
		defer done()
	}
	x, body := s.exchange(w, r)
	defer func() {
		x.Received = body.count.Load()
		x.Release()
	}()
	if tenant != nil {
		defer s.bound(x, tenant)()
	}
	if err := failpoint.Request(); err != nil {
		pipeline.Fail(x, nil, err)
	} else {
		svc.Handle(x)
	}
	s.logFailure(x, svc)
	switch {
	case body.broken.Load():
		_ = x.Response.Body.Close()
		s.refuse(w, ended(r, conn), http.StatusBadRequest, "Bad Request")
		return
	case body.late.Load() && x.LastError != nil:
		_ = x.Response.Body.Close()
		s.refuse(w, ended(r, conn), http.StatusRequestTimeout, "The request body did not come in time.")
		return
	case r.Context().Err() != nil: // nobody is left to answer
		_ = x.Response.Body.Close()
		panic(http.ErrAbortHandler)
	case x.Err() != nil:
		_ = x.Response.Body.Close()
		s.refuse(w, ended(r, conn), http.StatusGatewayTimeout, "The request took longer than it may.")
		return
	}
	if svc.Leaves() {
		end(w, conn)
	}
	s.count(x)
	s.send(w, r, x, conn)
}

// count notes an answer that callers see as an error.
func (s *Server) count(x *pipeline.Exchange) {
	if x.Response.Status >= http.StatusInternalServerError {
		s.failed.Add(1)
	}
	if f := x.LastError; f != nil && f.Internal() {
		s.own.Add(1)
	}
}

// misdirected reports whether a request should have come over another connection: one whose TLS greeting was for its
// service, and, where the host asks clients for a certificate, asked for it.
func (s *Server) misdirected(r *http.Request, svc *service.Service, host string) bool {
	if r.TLS == nil {
		return false
	}
	name := strings.ToLower(r.TLS.ServerName)
	return svc.AsksClient(host) && !svc.AsksClient(name) || s.tenants != nil && !svc.AnswersTo(name)
}

// localAddress is the address that a request came to.
func localAddress(r *http.Request) netip.Addr {
	if tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// closedText tells a caller from outside that a service has no public network access.
func closedText(name, client string) string {
	resource := "'Microsoft.ApiManagement/service/" + name + "'"
	return "Request originated from client public IP address " + client + ", public network access on this " + resource +
		" is disabled. To connect to " + resource + ", please use the Private Endpoint from inside your virtual network."
}

// ended is the connection that ends with a request whose body is broken: none with HTTP/2, where only its stream does.
func ended(r *http.Request, conn *wire) *wire {
	if r.ProtoMajor == 2 {
		return nil
	}
	return conn
}

// exchange makes the pipeline's view of a request.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) (*pipeline.Exchange, *clientBody) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if r.RequestURI == "" || r.RequestURI[0] != '/' { // absolute form
		path, query = r.URL.EscapedPath(), r.URL.RawQuery
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	m := &pipeline.Message{Method: r.Method, URL: pipeline.URL{Path: pipeline.WithoutDots(path), RawQuery: query}, Header: backend.Header(r.Header)}
	m.Header.Add("Host", r.Host)
	body := &clientBody{ReadCloser: r.Body}
	if r.ProtoMajor == 2 { // a stream among others: the connection's deadline says nothing about it
		body.timeout = s.opt.BodyTimeout
	}
	if r.ContentLength != 0 {
		m.Body = pipeline.Stream(body, r.ContentLength)
		// Without this net/http reads the rest of the request before the answer begins, and two streams that wait
		// for each other stand still. HTTP/2 is full duplex by nature and says that it does not know the setting.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
			s.log.DebugContext(r.Context(), "full duplex", slog.Any("error", err))
		}
	}
	for n := range r.Trailer {
		m.TrailerNames = append(m.TrailerNames, n)
	}
	if len(m.TrailerNames) > 0 {
		body.done = func() { h := backend.Header(r.Trailer); m.Trailer = &h }
	}
	x := &pipeline.Exchange{
		Context: r.Context(), Started: time.Now(), TLS: r.TLS, ClientIP: service.Hostname(r.RemoteAddr),
		OriginalURL:    pipeline.URL{Scheme: scheme, Host: r.Host, Path: path, RawQuery: query},
		OriginalMethod: r.Method, Request: m, MaxBuffer: s.opt.MaxBuffer, Machine: s.opt.Machine, Log: s.log,
	}
	if r.ProtoAtLeast(1, 1) {
		x.Early = func(status int, h pipeline.Header) { early(w, status, h) }
	}
	return x, body
}

func (s *Server) status(w http.ResponseWriter, conn *wire) {
	st := struct {
		Machine  string `json:"machine"`
		Gateway  string `json:"gateway"`
		Platform string `json:"platform"`
		Seq      int64  `json:"seq"`
		Active   *int   `json:"activeServices,omitempty"` // of an mtv1 worker
	}{Machine: s.opt.Machine, Gateway: s.opt.Gateway, Platform: s.opt.Platform}
	if s.tenants != nil {
		n := s.tenants.count()
		st.Active = &n
	}
	switch cur := s.current.Load(); {
	case s.opt.Seq != nil:
		st.Seq = s.opt.Seq()
	case s.tenants != nil:
		st.Seq = s.opt.Catalogue.Seq()
	case cur != nil:
		st.Seq = cur.Seq()
	}
	data, err := json.Marshal(st)
	if err != nil { // plain strings always marshal
		panic(err)
	}
	s.answer(w, conn, http.StatusOK, data)
}

// refuse answers in the gateway's own name. With conn the connection ends with the answer.
func (s *Server) refuse(w http.ResponseWriter, conn *wire, status int, message string) {
	if conn != nil {
		end(w, conn)
	}
	if status >= http.StatusInternalServerError {
		s.failed.Add(1)
		if status != http.StatusGatewayTimeout {
			s.own.Add(1)
		}
	}
	s.answer(w, conn, status, pipeline.ErrorBody(status, message))
}

func (s *Server) answer(w http.ResponseWriter, conn *wire, status int, body []byte) {
	s.closeWhenEnding(w, conn)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		s.log.Debug("write answer", slog.Any("error", err))
	}
}

// closeWhenEnding announces the end of a connection whose listener is closed.
func (s *Server) closeWhenEnding(w http.ResponseWriter, conn *wire) {
	if s.ending(conn) {
		end(w, conn)
	}
}

// end lets the connection end with the answer.
func end(w http.ResponseWriter, conn *wire) {
	if conn != nil {
		conn.linger.Store(true)
	}
	w.Header().Set("Connection", "close")
}

// logFailure logs what a client is not told.
func (s *Server) logFailure(x *pipeline.Exchange, svc *service.Service) {
	f := x.LastError
	if f == nil || f.Status != 0 && f.Status < 500 || f.Reason == pipeline.ReasonClient || f.KeepResponse {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", svc.Name()), slog.String("request", x.RequestID()), slog.String("source", f.Source),
		slog.String("reason", f.Reason), slog.Any("error", f.Err), slog.String("message", f.Message),
	}
	for _, err := range x.Secondary() {
		attrs = append(attrs, slog.Any("on_error", err))
	}
	s.log.LogAttrs(x, slog.LevelInfo, "request failed", attrs...)
}
