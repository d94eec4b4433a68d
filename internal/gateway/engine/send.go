package engine

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// early sends an informational answer.
func early(w http.ResponseWriter, status int, h pipeline.Header) {
	for _, f := range h.Fields() {
		w.Header().Add(f.Name, f.Value)
	}
	w.WriteHeader(status)
	for _, f := range h.Fields() {
		w.Header().Del(f.Name)
	}
}

// send sends the exchange's response. After the head has gone out an error can only cut the connection.
func (s *Server) send(w http.ResponseWriter, r *http.Request, x *pipeline.Exchange, conn *wire) {
	m := x.Response
	defer func() {
		if err := m.Body.Close(); err != nil {
			s.log.DebugContext(x, "close response body", slog.Any("error", err))
		}
	}()
	h := w.Header()
	s.closeWhenEnding(w, conn)
	if conn != nil && r.ProtoMajor == 1 {
		conn.reason = phrase(m.Reason)
	}
	setHeader(h, x)
	bodyAllowed := r.Method != http.MethodHead && m.Status != http.StatusNoContent && m.Status != http.StatusNotModified
	size := m.Body.Size()
	switch {
	case !bodyAllowed && m.Status != http.StatusNoContent: // tells of what a GET would bring
		if v := m.Header.Get("Content-Length"); size > 0 { // a policy has set a body
			h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
		} else if v != "" {
			h["Content-Length"] = []string{v}
		}
	case bodyAllowed && size >= 0 && len(m.TrailerNames) == 0:
		h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	}
	if len(m.TrailerNames) > 0 {
		h["Trailer"] = m.TrailerNames
	}
	w.WriteHeader(m.Status)
	if !bodyAllowed {
		return
	}
	if r.ProtoMajor == 2 {
		w = &streamWriter{ResponseWriter: w, timeout: s.opt.SendTimeout}
	}
	if err := copyBody(w, x, m); err != nil {
		level := slog.LevelInfo
		if x.Err() != nil {
			level = slog.LevelDebug // the client went away
		}
		s.log.Log(x, level, "transfer response", slog.Any("error", err), slog.String("request", x.RequestID()))
		panic(http.ErrAbortHandler)
	}
	if m.Trailer != nil {
		for _, f := range m.Trailer.Fields() {
			h.Add(f.Name, f.Value)
		}
	}
}

// setHeader copies the response's headers and those attached by statements. What belongs to the gateway's own
// connection is left out; a missing Content-Type stays missing.
func setHeader(h http.Header, x *pipeline.Exchange) {
	m := x.Response
	for _, f := range x.Attached() {
		m.Header.Set(f.Name, f.Value)
	}
	for _, f := range x.AttachedMore() {
		m.Header.Add(f.Name, f.Value)
	}
	fields := m.Header.Fields()
	values := make([]string, len(fields))
	for i, f := range fields {
		if backend.HopByHop(f.Name) || strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		key := textproto.CanonicalMIMEHeaderKey(f.Name)
		if have := h[key]; have != nil {
			h[key] = append(have, f.Value)
			continue
		}
		values[i] = f.Value
		h[key] = values[i : i+1 : i+1]
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // nothing is guessed
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// copyBody streams the body. Pieces are gathered by net/http's buffer unless the response asks for each at once.
func copyBody(w http.ResponseWriter, x *pipeline.Exchange, m *pipeline.Message) error {
	if data, held := m.Body.Held(); held {
		n, err := w.Write(data)
		x.Sent += int64(n)
		return err
	}
	r := m.Body.Reader()
	if r == nil {
		return nil
	}
	n, err := copyStream(w, r, x.Unbuffered || strings.HasPrefix(m.Header.Get("Content-Type"), "text/event-stream"))
	x.Sent += n
	return errors.Join(err, r.Close())
}

func copyStream(w http.ResponseWriter, r io.Reader, flush bool) (sent int64, err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	control := http.NewResponseController(w)
	if flush {
		if err := control.Flush(); err != nil {
			return 0, err
		}
	}
	for {
		n, err := r.Read(*buf)
		if n > 0 {
			written, err := w.Write((*buf)[:n])
			sent += int64(written)
			if err == nil && flush {
				err = control.Flush()
			}
			if err != nil {
				return sent, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return sent, nil
		case err != nil:
			return sent, err
		}
	}
}
