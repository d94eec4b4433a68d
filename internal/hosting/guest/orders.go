package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// received is an order with its descriptors.
type received struct {
	order wire.Order
	files []*wire.Handle
}

// readOrders hands on orders until the channel breaks or ctx ends.
func (g *Guest) readOrders(ctx context.Context, orders chan<- received) {
	// A blocked read does not see ctx; a deadline in the past wakes it.
	defer context.AfterFunc(ctx, func() { _ = g.conn.SetReadDeadline(longAgo) })()
	for {
		var m wire.ToMachine
		files, err := g.conn.Recv(&m)
		switch {
		case ctx.Err() != nil:
			wire.CloseAll(files)
			return
		case errors.Is(err, io.EOF):
			g.log.WarnContext(ctx, "agent is gone, serving on")
			return
		case err != nil:
			g.log.ErrorContext(ctx, "channel to agent broke, serving on", slog.Any("error", err))
			return
		case m.Order == nil:
			wire.CloseAll(files)
			continue
		}
		select {
		case orders <- received{*m.Order, files}:
		case <-ctx.Done():
			wire.CloseAll(files)
			return
		}
	}
}

// obey makes an order true and says so: first what is new is accepted, then what is no longer listed is given back.
func (g *Guest) obey(s *serving, o received) {
	err := s.take(o)
	if err != nil {
		g.log.Error("order refused", slog.Int64("gen", o.order.Gen), slog.Any("error", err))
		g.report(func(st *wire.FromMachine) { st.Failed = clip(err.Error()) })
		return
	}
	s.giveBack(o.order)
	g.report(func(st *wire.FromMachine) { st.Gen, st.Failed = o.order.Gen, "" })
}

// serving is what a machine accepts on. One goroutine uses it.
type serving struct {
	handler Handler
	log     *slog.Logger
	vips    map[string][]*served // by VIP ID: HTTP, HTTPS
	intake  []*served            // plain, TLS; nil: off
}

// served is one listener that the handler serves.
type served struct {
	l    net.Listener
	done chan struct{} // closed when the handler accepts no more
}

// take starts what the order lists and the machine does not accept on yet. It uses up the descriptors.
func (s *serving) take(o received) error {
	files := o.files
	want := 2 * len(o.order.VIPs)
	if o.order.Intake {
		want += 2
	}
	if len(files) != want {
		wire.CloseAll(files)
		return fmt.Errorf("order %d has %d descriptors instead of %d", o.order.Gen, len(files), want)
	}
	if o.order.Intake {
		if s.intake == nil {
			pair, err := s.start(files[:2], newIntake)
			if err != nil {
				wire.CloseAll(files[2:])
				return fmt.Errorf("serve intake: %w", err)
			}
			s.intake = pair
		} else {
			wire.CloseAll(files[:2])
		}
		files = files[2:]
	}
	for i, id := range o.order.VIPs {
		pair := files[2*i : 2*i+2]
		if s.vips[id] != nil {
			wire.CloseAll(pair)
			continue
		}
		started, err := s.start(pair, newListener)
		if err != nil {
			wire.CloseAll(files[2*i+2:])
			return fmt.Errorf("serve VIP %s: %w", id, err)
		}
		s.vips[id] = started
	}
	return nil
}

// start serves a pair of descriptors, plain and TLS, and takes them over. It starts both or none.
func (s *serving) start(files []*wire.Handle, open func(*wire.Handle) (net.Listener, error)) ([]*served, error) {
	plain, err := open(files[0])
	if err != nil {
		_ = files[1].Close()
		return nil, err
	}
	secure, err := open(files[1])
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return []*served{s.serve(plain, s.handler.Serve), s.serve(secure, s.handler.ServeTLS)}, nil
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

// giveBack stops what the order does not list. When it returns nothing is accepted there any more.
func (s *serving) giveBack(o wire.Order) {
	keep := map[string]bool{}
	for _, id := range o.VIPs {
		keep[id] = true
	}
	for id, pair := range s.vips {
		if !keep[id] {
			s.stop(pair)
			delete(s.vips, id)
		}
	}
	if !o.Intake && s.intake != nil {
		s.stop(s.intake)
		s.intake = nil
	}
}

func (s *serving) stopAll() { s.giveBack(wire.Order{}) }

func (s *serving) stop(pair []*served) {
	for _, one := range pair {
		if err := s.handler.StopListener(one.l); err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("listener not closed", slog.Any("error", err))
		}
	}
	for _, one := range pair {
		<-one.done
	}
}
