package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// waiting is a connection that was taken back out of an intake, with what was read from it.
type waiting struct {
	conn *net.TCPConn
	head []byte
}

// reclaim takes back what waits in the intakes of sets that hosts have left, and delivers it to where the hosts lead now:
// a set whose machines are all dead, or are about to go, may never take it. What is for a host that has stayed goes back.
// Machines of the set that are alive take what they get to first, which is as good.
func (s *server) reclaim(ctx context.Context, left ...*set) {
	for _, from := range left {
		for i, p := range []protocol{plainly, securely} {
			for _, w := range s.takeBack(ctx, from.files[i]) {
				s.conns.Go(func() {
					defer w.conn.Close() //nolint:errcheck // whoever got the connection has its own descriptor
					if host, err := p.host(w.head); err == nil {
						s.deliver(ctx, p, host, w.conn, w.head)
					}
				})
			}
		}
	}
}

// takeBack empties one queue of an intake.
func (s *server) takeBack(ctx context.Context, recv *wire.Handle) (all []waiting) {
	uc, err := recv.Packets()
	if err != nil {
		return nil // the set is gone
	}
	defer uc.Close() //nolint:errcheck // a duplicate
	buf, oob := make([]byte, 1+wire.MaxHead), make([]byte, unix.CmsgSpace(4*4))
	for waits(uc) {
		_ = uc.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // somebody else may have taken it
		data, files, err := wire.ReadPacket(uc, buf, oob)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // a deadline may be over before the read begins: the queue itself says when it is empty
		}
		if err != nil {
			break
		}
		if len(files) != 1 || data[0] != wire.HandOver {
			wire.CloseAll(files)
			continue
		}
		nc, err := files[0].Conn()
		if err != nil {
			continue
		}
		c, ok := nc.(*net.TCPConn)
		if !ok {
			_ = nc.Close()
			continue
		}
		all = append(all, waiting{c, append([]byte(nil), data[1:]...)})
	}
	if len(all) > 0 {
		s.opt.Log.InfoContext(ctx, "waiting connections taken back", slog.Int("connections", len(all)))
	}
	return all
}

// waits says whether anything is in a queue, or comes within a millisecond.
func waits(uc *net.UnixConn) (ready bool) {
	raw, err := uc.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
		n, err := unix.Poll(p, 1)
		ready = err == nil && n > 0
	})
	return err == nil && ready
}
