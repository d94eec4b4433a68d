package wire

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Handle is a descriptor that is kept and handed on. Unlike an os.File it is never polled, also when another process
// has made what it refers to non-blocking, which holds for every duplicate of it: whoever polls a listening socket wakes
// up for each of its connections.
type Handle struct {
	mu    sync.Mutex // guards below
	fd    int        // -1 when it is closed
	users int        // calls that use fd now
	given bool       // close when the last of them is done
}

// NewHandle takes over a descriptor.
func NewHandle(fd int) *Handle { return &Handle{fd: fd} }

// Take makes a handle of what an open file, connection or listener refers to, in a duplicate.
func Take(from syscall.Conn) (made *Handle, err error) {
	raw, err := from.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take descriptor: %w", err)
	}
	if err := raw.Control(func(fd uintptr) { made, err = duplicate(int(fd)) }); err != nil {
		return nil, fmt.Errorf("take descriptor: %w", err)
	}
	return made, err
}

func duplicate(fd int) (*Handle, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate descriptor: %w", err)
	}
	return NewHandle(dup), nil
}

// Use calls f with the descriptor, which stays open until f returns. For a handle that is closed it returns
// os.ErrClosed.
func (h *Handle) Use(f func(fd int) error) error {
	h.mu.Lock()
	fd := h.fd
	if fd < 0 || h.given {
		h.mu.Unlock()
		return os.ErrClosed
	}
	h.users++
	h.mu.Unlock()
	defer h.done()
	return f(fd)
}

func (h *Handle) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users--; h.given && h.users == 0 {
		_ = unix.Close(h.fd)
		h.fd = -1
	}
}

// Close gives the descriptor up, at once or after the calls that use it.
func (h *Handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fd < 0 || h.given {
		return os.ErrClosed
	}
	if h.given = true; h.users > 0 {
		return nil
	}
	fd := h.fd
	h.fd = -1
	return unix.Close(fd)
}

// Dup makes a second handle.
func (h *Handle) Dup() (made *Handle, err error) {
	err = h.Use(func(fd int) error {
		made, err = duplicate(fd)
		return err
	})
	return made, err
}

// Same reports that two handles are of the same thing.
func (h *Handle) Same(o *Handle) bool {
	var a, b unix.Stat_t
	stat := func(to *unix.Stat_t) func(int) error { return func(fd int) error { return unix.Fstat(fd, to) } }
	return h.Use(stat(&a)) == nil && o.Use(stat(&b)) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// File turns the handle into a file, which has the descriptor from then on.
func (h *Handle) File() *os.File {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fd < 0 || h.given || h.users > 0 {
		return nil
	}
	f := os.NewFile(uintptr(h.fd), "passed")
	h.fd = -1
	return f
}

// Listener opens the listening socket for accepting, in a duplicate.
func (h *Handle) Listener() (net.Listener, error) {
	d, err := h.Dup()
	if err != nil {
		return nil, fmt.Errorf("open listener: %w", err)
	}
	f := d.File()
	defer f.Close() //nolint:errcheck // the listener has its own
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("open listener: %w", err)
	}
	return l, nil
}

// Packets opens one end of a Pair, in a duplicate.
func (h *Handle) Packets() (*net.UnixConn, error) {
	d, err := h.Dup()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	c, err := d.Conn()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	uc, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("open channel: descriptor is a %T", c)
	}
	return uc, nil
}

// Conn turns the handle into a connection. The handle is used up.
func (h *Handle) Conn() (net.Conn, error) {
	f := h.File()
	if f == nil {
		return nil, os.ErrClosed
	}
	defer f.Close() //nolint:errcheck // the connection has its own
	return net.FileConn(f)
}

// CloseAll closes handles that nobody wants.
func CloseAll(handles []*Handle) {
	for _, h := range handles {
		_ = h.Close()
	}
}
