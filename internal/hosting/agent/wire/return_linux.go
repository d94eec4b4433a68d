package wire

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Returns is where processes come back to an agent that did not start them.
type Returns struct{ *net.UnixListener }

// ListenReturns opens the socket.
func ListenReturns(path string) (*Returns, error) {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("open socket for returning processes: %w", err)
	}
	return &Returns{l}, nil
}

// Accept waits for the next process, which has said nothing yet, and tells its number. Other users' are turned away.
func (r *Returns) Accept() (c *Conn, pid int, err error) {
	for {
		uc, err := r.AcceptUnix()
		if err != nil {
			return nil, 0, err
		}
		pid, uid, err := Peer(uc)
		if err == nil && uid == os.Getuid() {
			return &Conn{uc: uc}, pid, nil
		}
		_ = uc.Close()
	}
}

// Peer says which process of which user is at the other end of a unix socket.
func Peer(c syscall.Conn) (pid, uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, -1, fmt.Errorf("peer of socket: %w", err)
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil {
		err = e
	}
	if err != nil {
		return 0, -1, fmt.Errorf("peer of socket: %w", err)
	}
	return int(cred.Pid), int(cred.Uid), nil
}

func dialReturn(path string) (*Conn, error) {
	uc, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	return &Conn{uc: uc}, nil
}
