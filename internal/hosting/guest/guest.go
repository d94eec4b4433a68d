// Package guest is a machine's side of the local fabric: it takes orders from the agent over the channel that the
// process inherited, gives the gateway listeners to serve, and reports what the gateway says of itself. It knows no
// gateway: Handler is all it needs of one.
//
// A machine does not depend on its agent. When the channel breaks, it goes on serving with the last order.
//
// Start reading at Guest.Run, then Guest.obey (orders.go).
package guest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
)

const (
	attachTimeout = 20 * time.Second       // for the agent's first message
	sendTimeout   = 5 * time.Second        // for an agent that does not read
	reportEvery   = 250 * time.Millisecond // load alone is not reported more often
)

// A Handler serves connections: a gateway.
type Handler interface {
	// Serve accepts plain connections from l until l is closed, serves every one that Accept returned, also one that
	// it returned while l was being closed, and returns when it accepts no more.
	Serve(l net.Listener) error
	// ServeTLS is Serve for connections that speak TLS.
	ServeTLS(l net.Listener) error
	// StopListener closes l and lets the connections that came from it end, by "Connection: close" on their next
	// answer.
	StopListener(l net.Listener) error
	// Drain returns when every request is finished and every connection closed, or when ctx is done.
	Drain(ctx context.Context) error
}

// Guest is a machine's tie to its agent. Its methods may be called concurrently.
type Guest struct {
	config fabric.MachineConfig
	conn   *wire.Conn
	log    *slog.Logger

	mu    sync.Mutex       // guards state
	state wire.FromMachine // as it should be known to the agent
	kick  chan struct{}    // state has changed in a way that is reported at once
	load  chan struct{}    // only load has changed
}

// Attach opens the channel that the process inherited from its agent and reads what the machine is told first.
func Attach(log *slog.Logger) (*Guest, error) {
	return AttachTo(wire.NewHandle(wire.ControlFD), log)
}

// AttachTo is Attach for a channel that is at hand. It takes the handle over.
func AttachTo(h *wire.Handle, log *slog.Logger) (*Guest, error) {
	conn, err := wire.NewConn(h)
	if err != nil {
		return nil, fmt.Errorf("attach machine: %w; machines are started by the agent", err)
	}
	config, err := readConfig(conn)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("attach machine: %w", err)
	}
	return &Guest{
		config: config, conn: conn, log: log,
		kick: make(chan struct{}, 1), load: make(chan struct{}, 1),
	}, nil
}

// readConfig reads the first message. The agent sends it only after it has noted the process; a process that never
// gets it ends by itself, so that none can be left over unknown.
func readConfig(conn *wire.Conn) (fabric.MachineConfig, error) {
	if err := conn.SetReadDeadline(time.Now().Add(attachTimeout)); err != nil {
		return fabric.MachineConfig{}, err
	}
	var first wire.ToMachine
	files, err := conn.Recv(&first)
	if err != nil {
		return fabric.MachineConfig{}, fmt.Errorf("read configuration: %w", err)
	}
	wire.CloseAll(files)
	if first.Config == nil {
		return fabric.MachineConfig{}, errors.New("read configuration: the first message has none")
	}
	return *first.Config, conn.SetReadDeadline(time.Time{})
}

// Config is what the machine was told when it started.
func (g *Guest) Config() fabric.MachineConfig { return g.config }

// Ready reports that the machine serves the full snapshot of Seq with that digest.
func (g *Guest) Ready(seq int64, digest string) {
	g.report(func(s *wire.FromMachine) { s.Ready, s.Seq, s.Digest = true, seq, digest })
}

// Runs reports the version of the gateway program.
func (g *Guest) Runs(version string) {
	g.report(func(s *wire.FromMachine) { s.Gateway = clip(version) })
}

// Refused reports what of its configuration the machine cannot serve; an empty reason takes that back.
func (g *Guest) Refused(reason string) {
	g.report(func(s *wire.FromMachine) { s.Refused = clip(reason) })
}

// Report says how many requests are in flight and how many client connections are open. It is cheap enough to be
// called often: what it says is sent together, a few times a second at most.
func (g *Guest) Report(active, conns int) {
	g.mu.Lock()
	changed := active != g.state.Active || conns != g.state.Conns
	g.state.Active, g.state.Conns = active, conns
	g.mu.Unlock()
	if changed {
		signal(g.load)
	}
}

func (g *Guest) report(change func(*wire.FromMachine)) {
	g.mu.Lock()
	before := g.state
	change(&g.state)
	changed := before != g.state
	g.mu.Unlock()
	if changed {
		signal(g.kick)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// clip bounds what a machine says about itself, so that a report always fits into a message.
func clip(s string) string {
	const most = 2 << 10
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// Run carries out orders until the agent has the machine drain or ctx ends; then it drains and returns nil. The
// process should exit after that. The loss of the channel ends nothing.
func (g *Guest) Run(ctx context.Context, h Handler) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer g.conn.Close() //nolint:errcheck // nothing is left to be said
	defer stop()
	wg.Go(func() { g.sendReports(ctx) })
	orders := make(chan received)
	wg.Go(func() { g.readOrders(ctx, orders) })

	s := &serving{handler: h, log: g.log, vips: map[string][]*served{}}
	for {
		select {
		case <-ctx.Done():
			return g.drain(s, 0)
		case o := <-orders:
			if o.order.Drain {
				wire.CloseAll(o.files)
				return g.drain(s, o.order.Gen)
			}
			g.obey(s, o)
		}
	}
}

// drain stops accepting, lets everything finish and says so. How long that may take is the agent's decision: it ends
// the process when it has waited enough.
func (g *Guest) drain(s *serving, gen int64) error {
	s.stopAll()
	g.mu.Lock()
	g.state.Gen = max(g.state.Gen, gen)
	stopped := g.state
	g.mu.Unlock()
	_ = g.conn.Send(stopped, sendTimeout) // without an agent nobody waits for it
	err := s.handler.Drain(context.Background())
	g.mu.Lock()
	g.state.Drained, g.state.Active, g.state.Conns = true, 0, 0
	last := g.state
	g.mu.Unlock()
	_ = g.conn.Send(last, sendTimeout) // the exit says it too
	if err != nil {
		return fmt.Errorf("drain machine: %w", err)
	}
	return nil
}

// sendReports sends the state whenever it has changed, and load at most every reportEvery.
func (g *Guest) sendReports(ctx context.Context) {
	load := g.load
	var wait <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.kick:
		case <-load:
		case <-wait:
			load, wait = g.load, nil
			continue
		}
		g.mu.Lock()
		now := g.state
		g.mu.Unlock()
		if err := g.conn.Send(now, sendTimeout); err != nil && ctx.Err() == nil {
			g.log.WarnContext(ctx, "report to agent not sent", slog.Any("error", err))
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				return // nobody will ever read from this channel again
			}
		}
		load, wait = nil, time.After(reportEvery)
	}
}
