package edge

import (
	"context"
	"log/slog"
	"net"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// A door is a VIP whose connections no machine takes, and have waited for too long. Machines accept on a VIP themselves;
// while none does the edge takes what waits there and what comes, to say so: 503, or an alert of TLS, of which it has no
// keys. It opens and closes doors as the agent says, and leaves them as they are while there is none.

// setDoor makes the door of a VIP what a message says. The listeners that the table keeps may be new ones.
func (s *server) setDoor(ctx context.Context, m wire.ToEdge) {
	if m.VIP == "" {
		return
	}
	s.shutDoor(m.VIP)
	if !m.Refuse {
		return
	}
	var door []net.Listener
	for _, f := range s.table.vip(m.VIP) {
		l, err := f.Listener()
		if err != nil {
			s.opt.Log.ErrorContext(ctx, "connections of a VIP not refused", slog.String("vip", m.VIP), slog.Any("error", err))
			closeListeners(door)
			return
		}
		door = append(door, l)
	}
	if len(door) > 0 {
		s.doors[m.VIP] = door
		s.takeFrom(ctx, door, s.refusals, s.refuse)
	}
}

// refuse is the delivery of a door.
func (s *server) refuse(_ context.Context, p protocol, _ string, c *net.TCPConn, _ []byte) {
	s.answer(c, p.full)
}

func (s *server) shutDoor(vip string) {
	closeListeners(s.doors[vip])
	delete(s.doors, vip)
}

func (s *server) shutDoors() {
	for vip := range s.doors {
		s.shutDoor(vip)
	}
}

func closeListeners(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}
