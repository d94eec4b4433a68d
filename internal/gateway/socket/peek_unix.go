//go:build unix

package socket

import "syscall"

// Peek copies what waits in the receive buffer into p. waiting is false when nothing does; with n == 0 it is the end
// of the stream that waits. A nil socket has nothing waiting.
func Peek(raw syscall.RawConn, p []byte) (n int, waiting bool) {
	if raw == nil {
		return 0, false
	}
	err := raw.Control(func(fd uintptr) {
		var err error
		n, _, err = syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		waiting = err == nil
	})
	return max(n, 0), err == nil && waiting
}
