package guest

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// longAgo is a deadline that wakes a blocked read.
var longAgo = time.Unix(1, 0)

// intake is a listener whose connections were accepted, and read from, by the edge.
type intake struct {
	uc *net.UnixConn

	mu  sync.Mutex // one Accept at a time; guards below
	buf []byte
	oob []byte
}

// newIntake makes a listener of a receiving end of a set's intake.
func newIntake(h *wire.Handle) (net.Listener, error) {
	uc, err := h.Packets()
	if err != nil {
		return nil, err
	}
	return &intake{
		uc:  uc,
		buf: make([]byte, 1+wire.MaxHead),
		oob: make([]byte, unix.CmsgSpace(4*4)),
	}, nil
}

// Accept returns the next connection. A packet is taken off the queue by Accept itself and by nothing else, so that
// closing the listener loses none: it was taken and is returned, or it stays for the next machine.
func (l *intake) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		data, files, err := wire.ReadPacket(l.uc, l.buf, l.oob)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = net.ErrClosed
			}
			return nil, err
		}
		if c := handedOver(data, files); c != nil {
			return c, nil
		}
	}
}

// handedOver opens the connection of a packet; nil for a packet that holds none, which only an edge of another
// version could have sent.
func handedOver(data []byte, files []*wire.Handle) net.Conn {
	if len(files) != 1 || data[0] != wire.HandOver {
		wire.CloseAll(files)
		return nil
	}
	nc, err := files[0].Conn()
	if err != nil {
		return nil
	}
	return &Conn{Conn: nc, head: append([]byte(nil), data[1:]...)}
}

// Close stops Accept. The deadline comes first: a read that has already taken a packet still returns it.
func (l *intake) Close() error {
	_ = l.uc.SetReadDeadline(longAgo)
	return l.uc.Close()
}

// Addr names the listener in logs; each connection has its own real addresses.
func (l *intake) Addr() net.Addr { return &net.UnixAddr{Name: "intake", Net: "unixpacket"} }

// Conn is a connection that the edge handed over. What the edge has read from it is read first.
type Conn struct {
	net.Conn
	head []byte // read by one goroutine at a time, like every connection
}

// Read reads what the edge read, then the connection.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.head)
	if c.head = c.head[n:]; len(c.head) == 0 {
		c.head = nil
	}
	return n, nil
}

// SyscallConn gives the socket to those who ask the kernel about it. Reading by it misses what the edge read.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite ends this side's half, where the connection has halves.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
