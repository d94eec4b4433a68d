package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// server is one running edge.
type server struct {
	opt       Options
	table     *table
	slots     chan struct{}             // one for each connection whose head is being read
	refusals  chan struct{}             // the same for connections of doors, which so keep nobody else waiting
	doors     map[string][]net.Listener // by VIP ID; follow's own
	loops     sync.WaitGroup
	conns     sync.WaitGroup
	tie       wire.Tie
	listeners []net.Listener // HTTP, TLS
	files     []*wire.Handle // that they came from
	open      func()         // starts to accept
}

func newServer(opt Options) *server {
	return &server{
		opt: opt, table: newTable(), doors: map[string][]net.Listener{},
		slots: make(chan struct{}, opt.Waiting), refusals: make(chan struct{}, max(opt.Waiting/4, 1)),
	}
}

// A delivery is what becomes of a connection once its head is read.
type delivery func(ctx context.Context, p protocol, host string, c *net.TCPConn, head []byte)

// takeFrom takes the connections of two listeners, HTTP and TLS.
func (s *server) takeFrom(ctx context.Context, ls []net.Listener, slots chan struct{}, deliver delivery) {
	s.loops.Go(func() { s.accept(ctx, ls[0], slots, func(c *net.TCPConn) { s.plain(ctx, c, deliver) }) })
	s.loops.Go(func() { s.accept(ctx, ls[1], slots, func(c *net.TCPConn) { s.secure(ctx, c, deliver) }) })
}

// accept takes connections while there are slots; with none, all but one wait in the kernel queue. A slot is taken for
// a connection that is there: a listener without clients keeps none from the other.
func (s *server) accept(ctx context.Context, l net.Listener, slots chan struct{}, serve func(*net.TCPConn)) {
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors: those that are being read will free some.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.opt.Log.WarnContext(ctx, "accept failed", slog.Any("error", err))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			continue
		}
		pause = 0
		slots <- struct{}{} // when the edge stops too: nobody else has this connection, and slots get free soon
		s.conns.Go(func() {
			defer func() { <-slots }()
			defer c.Close() //nolint:errcheck // whoever got the connection has its own descriptor
			if tc, ok := c.(*net.TCPConn); ok {
				serve(tc)
			}
		})
	}
}

// plain routes a connection by the host of its first request: the empty one, which no set serves, when it names none.
func (s *server) plain(ctx context.Context, c *net.TCPConn, deliver delivery) {
	host, head, err := s.read(ctx, c, requestHost)
	if err != nil && !errors.Is(err, errNoHost) {
		s.answer(c, refusalOf(err, len(head)))
		return
	}
	deliver(ctx, plainly, host, c, head)
}

// secure routes a connection by the server name of its ClientHello.
func (s *server) secure(ctx context.Context, c *net.TCPConn, deliver delivery) {
	host, head, err := s.read(ctx, c, helloHost)
	if err != nil {
		if len(head) > 0 && !errors.Is(err, errSlow) {
			s.answer(c, alert(alertDecodeError))
		}
		return
	}
	deliver(ctx, securely, host, c, head)
}

// A protocol is what differs between the two listeners once the head of a connection is read.
type protocol struct {
	host          func(head []byte) (string, error)
	intake        func(*set) *intake
	unknown, full []byte // answers where nobody serves the host, and where there is no room
}

var (
	plainly  = protocol{requestHost, plainIntake, notFound, busy}
	securely = protocol{helloHost, secureIntake, alert(alertUnrecognizedName), alert(alertInternalError)}
)

// deliver hands a connection over, or says why not.
func (s *server) deliver(ctx context.Context, p protocol, host string, c *net.TCPConn, head []byte) {
	switch err := s.pass(ctx, host, p.intake, c, head); {
	case errors.Is(err, errUnknown):
		s.answer(c, p.unknown)
	case err != nil:
		s.answer(c, p.full)
	}
}

// errRefused is returned for a host of a set whose connections nobody takes.
var errRefused = errors.New("nobody takes connections for the host")

// errUnknown is returned for a host that no set serves.
var errUnknown = errors.New("nobody serves the host")

// pass hands a connection over to the set of its host. The deadline for its head does not go with it: it is this
// process's own. An intake that is closed meanwhile has been replaced, or its host points elsewhere now.
func (s *server) pass(ctx context.Context, host string, choose func(*set) *intake, c *net.TCPConn, head []byte) error {
	for {
		to := s.table.find(host)
		if to == nil {
			return errUnknown
		}
		if to.refuses.Load() {
			return errRefused
		}
		failpoint.Hit("edge.pass.before")
		err := choose(to).handOver(c, head, s.opt.IntakeTime)
		failpoint.Hit("edge.pass.after")
		switch {
		case err == nil:
			if s.table.find(host) != to || to.refuses.Load() { // that changed meanwhile, and whoever took back what waited may have come too early
				s.reclaim(ctx, to)
			}
			return nil
		case errors.Is(err, net.ErrClosed) && s.table.find(host) != to:
			continue
		}
		s.opt.Log.WarnContext(ctx, "connection not handed over", slog.Any("error", err))
		return err
	}
}

// errSlow is returned for a client that did not send its head in time, or went away.
var errSlow = errors.New("the head did not come in time")

// stopTime is how long connections may go on sending their head when the edge stops.
const stopTime = time.Second

// read reads until find knows the host. find returns errMore while what there is could still become a head.
func (s *server) read(ctx context.Context, c *net.TCPConn, find func([]byte) (string, error)) (host string, head []byte, err error) {
	if err := c.SetReadDeadline(time.Now().Add(s.opt.HeadTime)); err != nil {
		return "", nil, errSlow
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Now().Add(stopTime)) })()
	buf := make([]byte, 0, 2048)
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= wire.MaxHead {
				return "", buf, errLarge
			}
			buf = append(make([]byte, 0, min(2*cap(buf), wire.MaxHead)), buf...)
		}
		n, err := c.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n > 0 {
			host, ferr := find(buf)
			if !errors.Is(ferr, errMore) {
				return host, buf, ferr
			}
		}
		if err != nil {
			return "", buf, errSlow
		}
	}
}

// answer writes a last word and closes so that the client can read it: closing with unread data would reset the
// connection and could take the answer with it.
func (s *server) answer(c *net.TCPConn, data []byte) {
	if len(data) == 0 {
		return
	}
	const linger = 500 * time.Millisecond
	_ = c.SetDeadline(time.Now().Add(linger))
	if _, err := c.Write(data); err != nil {
		return
	}
	if err := c.CloseWrite(); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c, 256<<10)
}

// The edge's own answers. The body of notFound is that of a gateway for a path it does not know.
var (
	notFound = response(404, "Not Found", "Resource not found", "")
	busy     = response(503, "Service Unavailable", "The service is busy. Try again later.", "Retry-After: 1\r\n")
	badHead  = response(400, "Bad Request", "The request is malformed.", "")
	tooLarge = response(431, "Request Header Fields Too Large", "The request head is too large.", "")
	tooSlow  = response(408, "Request Timeout", "The request head did not come in time.", "")
)

func response(status int, reason, message, header string) []byte {
	body := fmt.Sprintf(`{ "statusCode": %d, "message": %q }`, status, message)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
		status, reason, len(body), header, body)
}

// refusalOf chooses the answer to a request whose host cannot be read; none for a client that said nothing.
func refusalOf(err error, got int) []byte {
	switch {
	case errors.Is(err, errHTTP2):
		return goAway
	case errors.Is(err, errLarge):
		return tooLarge
	case errors.Is(err, errSlow) && got == 0:
		return nil
	case errors.Is(err, errSlow):
		return tooSlow
	}
	return badHead
}
