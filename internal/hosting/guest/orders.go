package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// follow carries out the orders of the agent that started the machine, and of those that come after it, until ctx
// ends. An order to drain goes to asked.
func (g *Guest) follow(ctx context.Context, s *serving, asked chan<- int64) {
	conn := g.conn // nothing else changes it yet
	for {
		g.readOrders(ctx, conn, s, asked)
		if ctx.Err() != nil {
			return
		}
		g.disconnect()
		g.log.WarnContext(ctx, "agent is gone, serving on")
		failpoint.Hit("machine.return.before")
		var err error
		if conn, err = wire.Rejoin(ctx, g.tie, func() wire.Offer { return g.offer(s) }); err != nil {
			return // ctx has ended, or this system's agents take nothing back
		}
		failpoint.Hit("machine.return.after")
		g.connect(conn)
		g.log.InfoContext(ctx, "offered to another agent")
	}
}

// readOrders carries out the orders of one agent until the channel breaks or ctx ends.
func (g *Guest) readOrders(ctx context.Context, conn *wire.Conn, s *serving, asked chan<- int64) {
	// A blocked read does not see ctx; a deadline in the past wakes it.
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(longAgo) })()
	for {
		var m wire.ToMachine
		files, err := conn.Recv(&m)
		switch {
		case ctx.Err() != nil:
			wire.CloseAll(files)
			return
		case err != nil:
			if !errors.Is(err, io.EOF) {
				g.log.ErrorContext(ctx, "channel to agent broke", slog.Any("error", err))
			}
			return
		case m.Check:
			s.check(files)
		case m.Order == nil:
			wire.CloseAll(files)
		case m.Order.Drain:
			wire.CloseAll(files)
			select {
			case asked <- m.Order.Gen:
			default:
			}
		default:
			g.obey(s, *m.Order, files)
		}
	}
}

// obey makes an order true and says so: first what is new is accepted, then what is no longer listed is given back.
func (g *Guest) obey(s *serving, o wire.Order, files []*wire.Handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		wire.CloseAll(files)
		return
	}
	failpoint.Hit("machine.order.before")
	defer failpoint.Hit("machine.order.after")
	if err := s.take(o, files); err != nil {
		g.log.Error("order refused", slog.Int64("gen", o.Gen), slog.Any("error", err))
		g.report(func(st *wire.FromMachine) { st.Failed = clip(err.Error()) })
		return
	}
	s.giveBack(o)
	s.dns = o.DNS
	s.names.ask(o.DNS)
	g.report(func(st *wire.FromMachine) { st.Gen, st.Failed = o.Gen, "" })
}

// check lets the handler answer on the connection of a check, or closes it.
func (s *serving) check(files []*wire.Handle) {
	c, ok := s.handler.(Checker)
	if !ok || len(files) != 1 {
		wire.CloseAll(files)
		return
	}
	conn, err := files[0].Conn()
	if err != nil {
		s.log.Error("check not answered", slog.Any("error", err))
		return
	}
	c.Check(conn)
}

// offer is everything that the next agent needs: who this is, how it is, and duplicates of what it accepts on. No order
// is carried out meanwhile.
func (g *Guest) offer(s *serving) wire.Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.mu.Lock()
	state := g.state
	g.mu.Unlock()
	o := wire.Offer{Return: wire.Return{
		Kind: wire.KindMachine, Name: g.config.Machine.ID, Secret: g.tie.Secret,
		Machine: &state, Order: &wire.Order{Gen: state.Gen, Drain: s.ended, Intake: s.intake != nil, DNS: s.dns},
	}}
	if len(g.edge.Files) > 0 {
		o.Keeps = append(o.Keeps, g.edge)
	}
	if s.intake != nil {
		o.Keeps = append(o.Keeps, wire.Keep{Held: wire.Held{Kind: wire.HeldIntake, ID: g.config.Set}, Files: s.intake.files})
	}
	for _, id := range slices.Sorted(maps.Keys(s.vips)) {
		o.Order.VIPs = append(o.Order.VIPs, id)
		o.Keeps = append(o.Keeps, wire.Keep{Held: wire.Held{Kind: wire.HeldVIP, ID: id}, Files: s.vips[id].files})
	}
	return o
}

// serving is what a machine accepts on.
type serving struct {
	handler Handler
	log     *slog.Logger
	names   *names

	mu     sync.Mutex // held while an order is carried out; guards below
	dns    []string   // of the newest order
	vips   map[string]*accepted
	intake *accepted // nil: off
	ended  bool      // nothing is accepted any more
}

// accepted is a pair of listeners, plain and TLS, that the handler serves, with the descriptors that they came from.
type accepted struct {
	listeners []*served
	files     []*wire.Handle
}

// served is one listener.
type served struct {
	l    net.Listener
	done chan struct{} // closed when the handler accepts no more
}

// take starts what the order lists and the machine does not accept on yet. It uses up the descriptors. s.mu is held.
func (s *serving) take(o wire.Order, files []*wire.Handle) error {
	n, want := 0, wire.HeldVIP.FDs()*len(o.VIPs)
	if o.Intake {
		n = wire.HeldIntake.FDs()
		want += n
	}
	if len(files) != want {
		wire.CloseAll(files)
		return fmt.Errorf("order %d has %d descriptors instead of %d", o.Gen, len(files), want)
	}
	if o.Intake {
		if s.intake != nil {
			wire.CloseAll(files[:n])
		} else if err := s.start(&s.intake, files[:n], newIntake); err != nil {
			wire.CloseAll(files[n:])
			return fmt.Errorf("serve intake: %w", err)
		}
		files = files[n:]
	}
	n = wire.HeldVIP.FDs()
	for _, id := range o.VIPs {
		pair := files[:n]
		files = files[n:]
		if s.vips[id] != nil {
			wire.CloseAll(pair)
			continue
		}
		var one *accepted
		if err := s.start(&one, pair, (*wire.Handle).Listener); err != nil {
			wire.CloseAll(files)
			return fmt.Errorf("serve VIP %s: %w", id, err)
		}
		s.vips[id] = one
	}
	return nil
}

// start serves the first two of some descriptors, plain and TLS, and takes all of them over. It starts both or none.
func (s *serving) start(to **accepted, files []*wire.Handle, open func(*wire.Handle) (net.Listener, error)) error {
	plain, err := open(files[0])
	if err != nil {
		wire.CloseAll(files)
		return err
	}
	secure, err := open(files[1])
	if err != nil {
		wire.CloseAll(files)
		_ = plain.Close()
		return err
	}
	*to = &accepted{files: files, listeners: []*served{s.serve(plain, s.handler.Serve), s.serve(secure, s.handler.ServeTLS)}}
	return nil
}

func (s *serving) serve(l net.Listener, serve func(net.Listener) error) *served {
	one := &served{l: l, done: make(chan struct{})}
	go func() {
		defer close(one.done)
		if err := serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Error("listener ended", slog.String("address", l.Addr().String()), slog.Any("error", err))
		}
	}()
	return one
}

// giveBack stops what the order does not list. When it returns nothing is accepted there any more. s.mu is held.
func (s *serving) giveBack(o wire.Order) {
	for id, one := range s.vips {
		if !slices.Contains(o.VIPs, id) {
			s.stop(one)
			delete(s.vips, id)
		}
	}
	if !o.Intake && s.intake != nil {
		s.stop(s.intake)
		s.intake = nil
	}
}

// end stops everything for good.
func (s *serving) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.giveBack(wire.Order{})
}

func (s *serving) stop(a *accepted) {
	for _, one := range a.listeners {
		if err := s.handler.StopListener(one.l); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("listener not closed", slog.Any("error", err))
		}
	}
	for _, one := range a.listeners {
		<-one.done
	}
	wire.CloseAll(a.files)
}
