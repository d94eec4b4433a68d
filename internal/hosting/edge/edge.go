// Package edge shares one address among many services: it accepts connections, reads just enough of each to know
// which host it is for, and hands the connection and the bytes to the machines of the set that serves that host. It
// holds no key, decrypts nothing, and no byte of a connection passes through it after that. It also answers for machines
// that do not come (door.go).
//
// The agent starts it, gives it its listeners, and tells it which set serves which host. It goes on with what it
// knows when the agent is gone, and keeps a duplicate of every socket of the host for the agent that comes next.
//
// Start reading at Server.route (route.go); the two parsers are in head.go and hello.go.
package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// Options bound the edge. Zero values take the defaults.
type Options struct {
	// Waiting is how many connections may wait for their head at once; with more, the rest waits in the kernel
	// queue. 4096 by default; each holds at most 16 KiB.
	Waiting int
	// HeadTime bounds the time until the host of a connection is known. 10 s by default.
	HeadTime time.Duration
	// IntakeTime is how long a connection waits for room in a full intake. 5 s by default.
	IntakeTime time.Duration
	// Version is that of this program; an agent of another one starts a new edge in its place.
	Version string
	Log     *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Waiting <= 0 {
		o.Waiting = 4096
	}
	if o.HeadTime <= 0 {
		o.HeadTime = 10 * time.Second
	}
	if o.IntakeTime <= 0 {
		o.IntakeTime = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

const (
	attachTimeout = 20 * time.Second // for the agent's first message
	sendTimeout   = 5 * time.Second
)

// Run is the edge's process: it serves with the channel inherited from the agent until the agent asks it to stop or
// ctx ends.
func Run(ctx context.Context, opt Options) error {
	conn, err := wire.NewConn(wire.NewHandle(wire.ControlFD))
	if err != nil {
		return fmt.Errorf("start edge: %w; it is started by the agent", err)
	}
	return Serve(ctx, conn, opt)
}

// Serve is Run on a channel that is at hand. It closes conn.
func Serve(ctx context.Context, conn *wire.Conn, opt Options) error {
	opt = opt.withDefaults()
	s := newServer(opt)
	if err := s.listen(conn); err != nil {
		_ = conn.Close()
		return fmt.Errorf("start edge: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer s.table.close()
	defer s.conns.Wait()

	defer s.loops.Wait()
	s.open = sync.OnceFunc(func() { s.takeFrom(ctx, s.listeners, s.slots, s.deliver) })
	s.loops.Go(func() {
		defer s.shutDoors()
		if s.follow(ctx, conn) {
			stop()
		}
	})
	<-ctx.Done()
	for i, l := range s.listeners {
		_ = l.Close()
		_ = s.files[i].Close()
	}
	return nil
}

// listen reads the first message, which brings the listeners, and opens these.
func (s *server) listen(conn *wire.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(attachTimeout)); err != nil {
		return err
	}
	var first wire.ToEdge
	files, err := conn.Recv(&first)
	if err != nil {
		return fmt.Errorf("read first message: %w", err)
	}
	if !first.Listen || len(files) != wire.HeldEdge.FDs() {
		wire.CloseAll(files)
		return errors.New("the first message brings no listeners")
	}
	s.tie, s.files = first.Tie, files
	for _, f := range files {
		l, err := f.Listener()
		if err != nil {
			return err // the process ends, and what it opened with it
		}
		s.listeners = append(s.listeners, l)
	}
	return conn.SetReadDeadline(time.Time{})
}

// follow keeps the table as the agent says, the one that started the edge and those that come after it. It closes conn.
// It returns true when an agent asked to stop or ctx has ended, false when no later agent can take the edge back.
func (s *server) follow(ctx context.Context, conn *wire.Conn) (stop bool) {
	for {
		stop := s.obey(ctx, conn)
		_ = conn.Close()
		if stop {
			return true
		}
		s.opt.Log.WarnContext(ctx, "agent is gone, serving on")
		var err error
		failpoint.Hit("edge.return.before")
		if conn, err = wire.Rejoin(ctx, s.tie, s.offer); err != nil {
			return ctx.Err() != nil
		}
		failpoint.Hit("edge.return.after")
		s.opt.Log.InfoContext(ctx, "offered to another agent")
	}
}

// offer is everything that a later agent needs.
func (s *server) offer() wire.Offer {
	o := wire.Offer{Return: wire.Return{Kind: wire.KindEdge, Name: wire.KindEdge, Secret: s.tie.Secret, Version: s.opt.Version}}
	o.Names, o.Keeps = s.table.offer()
	o.Keeps = append(o.Keeps, wire.Keep{Held: wire.Held{Kind: wire.HeldEdge}, Files: s.files})
	return o
}

// obey keeps the table as one agent says. It returns true when the agent asked to stop or ctx has ended, false when
// the agent is gone.
func (s *server) obey(ctx context.Context, conn *wire.Conn) (stop bool) {
	// A blocked read does not see ctx; a deadline in the past wakes it.
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		var m wire.ToEdge
		files, err := conn.Recv(&m)
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				s.opt.Log.ErrorContext(ctx, "channel to agent broke", slog.Any("error", err))
			}
			return ctx.Err() != nil
		}
		switch {
		case m.Stop:
			wire.CloseAll(files)
			return true
		case m.Open:
			s.open()
		}
		failpoint.Hit("edge.change.before")
		left := s.table.left(m)
		if err := s.table.change(m, files); err != nil {
			s.opt.Log.ErrorContext(ctx, "order refused", slog.Any("error", err))
		}
		s.reclaim(ctx, left...)
		s.setDoor(ctx, m)
		failpoint.Hit("edge.change.after")
		if err := conn.Send(wire.FromEdge{Gen: m.Gen}, sendTimeout); err != nil && ctx.Err() == nil {
			s.opt.Log.WarnContext(ctx, "order not acknowledged", slog.Any("error", err))
		}
	}
}
