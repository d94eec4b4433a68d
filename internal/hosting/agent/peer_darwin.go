package agent

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerUID says which user is at the other end of a unix socket.
func peerUID(c net.Conn) (int, error) {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return -1, fmt.Errorf("peer of a %T: not a unix socket", c)
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("peer of socket: %w", err)
	}
	uid, inner := -1, error(nil)
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err != nil {
			inner = err
			return
		}
		uid = int(cred.Uid)
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return -1, fmt.Errorf("peer of socket: %w", err)
	}
	return uid, nil
}
