package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// A client that stands still may not hold a request for ever. On HTTP/1.1 deadlines of the socket see to it, renewed
// as bytes move; on HTTP/2, where one connection carries many requests, each stream is watched by itself.

// await gives the client a time for the next bytes of a body. A deadline is renewed only once a quarter of it has
// passed, so that busy connections seldom pay for it.
func (w *wire) await(timeout time.Duration) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.awaited.IsZero() && now.Sub(w.awaited) < timeout/4 {
		return
	}
	w.awaited, w.deadline = now, now.Add(timeout)
	if !w.nudged {
		w.setDeadline(w.deadline)
	}
}

// arrived takes the deadline of await back: the body is complete.
func (w *wire) arrived() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.awaited.IsZero() {
		return
	}
	w.awaited, w.deadline = time.Time{}, time.Time{}
	if !w.nudged {
		w.setDeadline(w.deadline)
	}
}

// allow is await for writing.
func (w *wire) allow(timeout time.Duration) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fixedWrite || !w.allowed.IsZero() && now.Sub(w.allowed) < timeout/4 {
		return
	}
	w.allowed = now
	_ = w.Conn.SetWriteDeadline(now.Add(timeout)) // fails only on a closed connection, of which the write tells
}

// Write goes on for as long as the client takes something within SendTimeout.
func (w *wire) Write(p []byte) (int, error) {
	sent := 0
	for {
		w.allow(w.srv.opt.SendTimeout)
		n, err := w.Conn.Write(p[sent:])
		sent += n
		if n == 0 || !timedOut(err) {
			return sent, err
		}
	}
}

// Write puts the phrase that a policy or the backend chose into a status line. net/http begins one with a write of
// its own and knows only the usual phrases.
func (g *guard) Write(p []byte) (int, error) {
	const code = len("HTTP/1.1 200")
	end := bytes.Index(p, []byte("\r\n"))
	if g.wire.reason == "" || end < code || !bytes.HasPrefix(p, []byte("HTTP/1.")) || p[code-3] == '1' {
		return g.Conn.Write(p)
	}
	line := append(append(append(make([]byte, 0, len(p)+len(g.wire.reason)), p[:code]...), ' '), g.wire.reason...)
	g.wire.reason = ""
	if _, err := g.Conn.Write(append(line, p[end:]...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// phrase is a reason phrase as a status line may hold it; one that may not stand there is left out.
func phrase(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return s
}

// clientBody is the content of a request. It notes when the client breaks the protocol in the middle of it, or
// stands still.
type clientBody struct {
	io.ReadCloser
	timeout time.Duration // for the next bytes of a stream of HTTP/2; 0: the connection has a deadline
	broken  atomic.Bool   // the transport may still be reading when the answer is there
	late    atomic.Bool
	count   atomic.Int64
	done    func() // called once at the end of the content
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.read(p)
	b.count.Add(int64(n))
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		if b.done != nil {
			b.done()
			b.done = nil
		}
	case errors.Is(err, errMalformed):
		b.broken.Store(true)
	case timedOut(err):
		b.late.Store(true)
	}
	return n, err
}

func (b *clientBody) read(p []byte) (int, error) {
	if b.timeout == 0 {
		return b.ReadCloser.Read(p)
	}
	var late atomic.Bool
	timer := time.AfterFunc(b.timeout, func() {
		late.Store(true)
		_ = b.ReadCloser.Close() // ends the read below
	})
	defer timer.Stop()
	n, err := b.ReadCloser.Read(p)
	if err != nil && late.Load() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// streamWriter writes to a stream of HTTP/2 and resets it when the client opens no window for more in time.
type streamWriter struct {
	http.ResponseWriter
	timeout time.Duration
}

// pieceSize is what is written within one timeout.
const pieceSize = 32 << 10

// Unwrap is for http.ResponseController.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *streamWriter) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := s.piece(p[sent:min(len(p), sent+pieceSize)])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func (s *streamWriter) piece(p []byte) (int, error) {
	done, err := s.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	return s.ResponseWriter.Write(p)
}

// FlushError implements what http.ResponseController looks for.
func (s *streamWriter) FlushError() error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// begin sets the deadline of one piece; done takes it back, since it would reset the stream also between pieces.
func (s *streamWriter) begin() (done func(), err error) {
	control := http.NewResponseController(s.ResponseWriter)
	if err := control.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return nil, err
	}
	return func() { _ = control.SetWriteDeadline(time.Time{}) }, nil
}
