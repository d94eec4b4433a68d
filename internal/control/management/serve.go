package management

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A request is one call in progress.
type request struct {
	*Handler
	r       *http.Request
	header  http.Header // of the answer
	who     Principal
	asked   arm.ID // as it came; id is changed on the way
	id      arm.ID
	version arm.Version
	row     *resource.Row
	base    string // scheme and host for absolute URLs

	operation string // name of the operation that was started, if any
	dry       *dryRun
	first     func(store.Tx) error // done in the transaction of the request, before it; may be nil
}

// A reply is what a handler answers. A nil body is an empty one.
type reply struct {
	status int
	body   any
	raw    []byte // instead of body, with its content type in the header
}

// ServeHTTP answers one request. The path is taken as it is: no redirects, because clients drop bodies on them.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	requestID, correlationID := arm.SetCommonHeaders(w.Header(), r, h.opt.Locations[0].Name, started)
	q := &request{Handler: h, r: r, header: w.Header(), base: h.opt.BaseURL(r)}
	rep, err := q.answer()
	status := 0
	switch {
	case err != nil:
		status = err.Status
		if status == http.StatusUnauthorized && h.opt.Challenge != nil {
			w.Header().Set("WWW-Authenticate", h.opt.Challenge(r, err))
		}
		arm.WriteError(w, err)
	case rep.raw != nil:
		status = rep.status
		w.WriteHeader(rep.status)
		_, _ = w.Write(rep.raw) // the client has gone; there is nobody left to tell
	case rep.body == nil:
		status = rep.status
		arm.WriteEmpty(w, rep.status)
	default:
		status = rep.status
		arm.WriteJSON(w, rep.status, rep.body)
	}
	q.record(correlationID, status, err)
	h.log.DebugContext(r.Context(), "management request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.Duration("took", time.Since(started)), slog.String("request_id", requestID), slog.String("correlation_id", correlationID))
}

// answer authenticates and routes. A panic is a bug: it is logged and answered like any internal error.
func (q *request) answer() (rep *reply, err *arm.Error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
				panic(p)
			}
			q.log.ErrorContext(q.r.Context(), "management request panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			rep, err = nil, internal()
		}
	}()
	if strings.HasPrefix(q.r.URL.Path, exportPath) {
		return q.exported()
	}
	if q.who, err = q.opt.Authenticate(q.r); err != nil {
		return nil, err
	}
	id, perr := arm.ParsePath(q.r.URL.EscapedPath())
	if perr != nil {
		return nil, problem(http.StatusBadRequest, "InvalidResourceName", "The path of the request is not a resource id: %s.", perr.Error())
	}
	q.id, q.asked = id, id
	return q.route()
}

// query returns a query parameter, its name compared without case.
func (q *request) query(name string) string { return arm.QueryValue(q.r.URL.Query(), name) }

// readBody returns the body, decompressed and bounded.
func (q *request) readBody() ([]byte, *arm.Error) {
	if ct := q.r.Header.Get("Content-Type"); ct != "" {
		kind, _, err := mime.ParseMediaType(ct)
		if err != nil || !(strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json") || kind == "text/plain") {
			if q.r.ContentLength != 0 {
				return nil, problem(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content media type '%s' is not supported. Only 'application/json' is supported.", ct)
			}
		}
	}
	var in io.Reader = http.MaxBytesReader(nil, q.r.Body, q.opt.MaxBody)
	switch enc := strings.ToLower(strings.TrimSpace(q.r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, badBody(err)
		}
		in = z
	default:
		return nil, problem(http.StatusUnsupportedMediaType, "UnsupportedMediaType", "The content encoding '%s' is not supported. Only 'gzip' is supported.", enc)
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(in, q.opt.MaxBody+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || n > q.opt.MaxBody {
		return nil, problem(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request content is larger than %d bytes.", q.opt.MaxBody)
	}
	if err != nil {
		return nil, badBody(err)
	}
	return bytes.TrimPrefix(b.Bytes(), []byte("\xef\xbb\xbf")), nil
}

func badBody(err error) *arm.Error {
	return problem(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s'.", err.Error())
}

func problem(status int, code, format string, args ...any) *arm.Error {
	return &arm.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func internal() *arm.Error {
	return problem(http.StatusInternalServerError, "InternalServerError", "Encountered internal server error.")
}

// finish turns what a transaction returned into the client's error; anything that is not one of ours is logged.
func (q *request) finish(err error) *arm.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*arm.Error](err); ok {
		return e
	}
	q.log.ErrorContext(q.r.Context(), "management request failed", slog.String("method", q.r.Method), slog.String("path", q.r.URL.Path), slog.Any("error", err))
	return internal()
}

// orNil keeps a nil *arm.Error from becoming a non-nil error.
func orNil(e *arm.Error) error {
	if e == nil {
		return nil
	}
	return e
}
