// Package wire is what the processes of the local fabric say to each other: the agent to the edge and to machines
// over a channel that each inherits, and the control plane to the agent over a unix socket. It holds messages and the
// channel; who does what with them is the matter of agent, edge, guest and local.
//
// A channel keeps message boundaries and carries descriptors. Start reading at Conn, then messages.go.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ControlFD is the descriptor on which an edge or a machine inherits its channel to the agent.
const ControlFD = 3

// MaxMessage bounds one message in bytes.
const MaxMessage = 64 << 10

// NamesPerMessage is how many of the longest host names fit into one message.
const NamesPerMessage = 200

// MaxFDs bounds the descriptors of one message; the kernel's own limit is 253.
const MaxFDs = 64

// Conn is one end of a channel. Send may be called concurrently; Recv by one goroutine at a time.
type Conn struct {
	uc  *net.UnixConn
	mu  sync.Mutex // guards writes, so that a deadline belongs to one of them
	buf []byte     // of Recv
	oob []byte
}

// NewConn opens one end of a Pair and takes the handle over.
func NewConn(h *Handle) (*Conn, error) {
	defer h.Close() //nolint:errcheck // the Conn has its own
	uc, err := h.Packets()
	if err != nil {
		return nil, err
	}
	return &Conn{uc: uc}, nil
}

// Send writes v with duplicates of files; the caller keeps its own. It gives up after timeout when the other end does
// not read; a message is sent whole or not at all. A file that is closed meanwhile is an error, never another file.
func (c *Conn) Send(v any, timeout time.Duration, files ...*Handle) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(data) > MaxMessage || len(files) > MaxFDs {
		return fmt.Errorf("message of %d bytes and %d descriptors is too large", len(data), len(files))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.uc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return hold(files, nil, func(fds []int) error {
		var oob []byte
		if len(fds) > 0 {
			oob = unix.UnixRights(fds...)
		}
		if _, _, err := c.uc.WriteMsgUnix(data, oob, nil); err != nil {
			return fmt.Errorf("send message: %w", err)
		}
		return nil
	})
}

// hold calls f with the descriptors of files, none of which can be closed until f returns.
func hold(files []*Handle, fds []int, f func([]int) error) error {
	if len(files) == 0 {
		return f(fds)
	}
	return files[0].Use(func(fd int) error { return hold(files[1:], append(fds, fd), f) })
}

// Recv reads one message into v and returns the descriptors that came with it, which are the caller's to close. It
// returns io.EOF when the other end is gone.
func (c *Conn) Recv(v any) ([]*Handle, error) {
	if c.buf == nil {
		c.buf, c.oob = make([]byte, MaxMessage), make([]byte, unix.CmsgSpace(4*MaxFDs))
	}
	data, fds, err := ReadPacket(c.uc, c.buf, c.oob)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		CloseAll(fds)
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return fds, nil
}

// SetReadDeadline bounds the next Recv.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.uc.SetReadDeadline(t) }

// Close closes this end.
func (c *Conn) Close() error { return c.uc.Close() }

// ReadPacket reads one packet and its descriptors. The data lies in buf. No packet is empty, so that nothing read
// means that the other end is gone: io.EOF.
func ReadPacket(uc *net.UnixConn, buf, oob []byte) ([]byte, []*Handle, error) {
	n, oobn, flags, _, err := uc.ReadMsgUnix(buf, oob)
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) {
			return nil, nil, io.EOF
		}
		return nil, nil, err
	}
	fds, err := rights(oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		CloseAll(fds)
		return nil, nil, errors.New("message was cut off")
	}
	if n == 0 {
		CloseAll(fds)
		return nil, nil, io.EOF
	}
	return buf[:n], fds, nil
}

func rights(oob []byte) ([]*Handle, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("decode descriptors: %w", err)
	}
	var fds []*Handle
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			CloseAll(fds)
			return nil, fmt.Errorf("decode descriptors: %w", err)
		}
		for _, fd := range got {
			fds = append(fds, NewHandle(fd))
		}
	}
	return fds, nil
}
