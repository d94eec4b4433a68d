// Package guest is a machine's side of the local fabric: it takes orders from the agent over the channel that the
// process inherited, gives the gateway listeners to serve, and reports what the gateway says of itself. It knows no
// gateway: Handler is all it needs of one.
//
// A machine does not depend on its agent. When the channel breaks, it goes on serving with the last order, and offers
// itself, with duplicates of all that it accepts on, to the agent that comes next.
//
// Start reading at Guest.Run, then Guest.follow (orders.go).
package guest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
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

// A Checker is a Handler that can be asked whether it answers, past all of its queues and bounds.
type Checker interface {
	// Check serves one connection and returns without waiting for its end.
	Check(c net.Conn)
}

// Guest is a machine's tie to its agent. Its methods may be called concurrently.
type Guest struct {
	names  *names
	config fabric.MachineConfig
	tie    wire.Tie
	edge   wire.Keep // listeners of the edge, for an agent that needs them back
	log    *slog.Logger

	mu      sync.Mutex       // guards conn, state and serving
	conn    *wire.Conn       // nil while there is no agent
	state   wire.FromMachine // as it should be known to the agent
	serving *serving         // nil before Run
	kick    chan struct{}    // state has changed in a way that is reported at once
	load    chan struct{}    // only load has changed
}

// Attach opens the channel that the process inherited from its agent and reads what the machine is told first.
func Attach(log *slog.Logger) (*Guest, error) {
	g, err := AttachTo(wire.NewHandle(wire.ControlFD), log)
	if err == nil {
		g.names.use() // the process is the machine's own
	}
	return g, err
}

// AttachTo is Attach for a channel that is at hand. It takes the handle over.
func AttachTo(h *wire.Handle, log *slog.Logger) (*Guest, error) {
	conn, err := wire.NewConn(h)
	if err != nil {
		return nil, fmt.Errorf("attach machine: %w; machines are started by the agent", err)
	}
	g := &Guest{conn: conn, log: log, names: &names{}, kick: make(chan struct{}, 1), load: make(chan struct{}, 1)}
	if err := g.readConfig(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("attach machine: %w", err)
	}
	return g, nil
}

// readConfig reads the first message. The agent sends it only after it has noted the process; a process that never
// gets it ends by itself, so that none can be left over unknown.
func (g *Guest) readConfig() error {
	if err := g.conn.SetReadDeadline(time.Now().Add(attachTimeout)); err != nil {
		return err
	}
	var first wire.ToMachine
	files, err := g.conn.Recv(&first)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if first.Config == nil {
		wire.CloseAll(files)
		return errors.New("read configuration: the first message has none")
	}
	g.config, g.tie = *first.Config, first.Tie
	g.edge = wire.Keep{Held: wire.Held{Kind: wire.HeldEdge}, Files: files}
	return g.conn.SetReadDeadline(time.Time{})
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

// Load is how busy a machine is.
type Load struct {
	Active, Conns int              // requests in flight, open client connections
	Requests      int64            // answered so far; only machines that may sleep need to say
	Uses          platform.Load    // what that takes of the machine
	Answers       platform.Answers // what callers were answered since the process began
}

// Report says how busy the machine is. It is cheap enough to be called often: what it says is sent together, a few times
// a second at most.
func (g *Guest) Report(l Load) {
	g.mu.Lock()
	changed := l != Load{g.state.Active, g.state.Conns, g.state.Requests, g.state.Load, g.state.Answers}
	g.state.Active, g.state.Conns, g.state.Requests, g.state.Load, g.state.Answers = l.Active, l.Conns, l.Requests, l.Uses, l.Answers
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
	s := &serving{handler: h, log: g.log, names: g.names, vips: map[string]*accepted{}}
	g.mu.Lock()
	g.serving = s
	g.mu.Unlock()
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // a machine that drains still has an agent
	var wg sync.WaitGroup
	defer g.disconnect()
	defer wg.Wait()
	defer end()
	asked := make(chan int64, 1)
	wg.Go(func() { g.sendReports(life) })
	wg.Go(func() { g.follow(life, s, asked) })
	select {
	case <-ctx.Done():
		return g.drain(s, 0)
	case gen := <-asked:
		return g.drain(s, gen)
	}
}

// drain stops accepting, lets everything finish and says so. How long that may take is the agent's decision: it ends
// the process when it has waited enough.
func (g *Guest) drain(s *serving, gen int64) error {
	s.end()
	g.mu.Lock()
	g.state.Gen, g.state.Draining = max(g.state.Gen, gen), true
	g.mu.Unlock()
	g.say()
	failpoint.Hit("machine.drain.before")
	err := s.handler.Drain(context.Background())
	g.mu.Lock()
	g.state.Drained, g.state.Active, g.state.Conns, g.state.Load = true, 0, 0, platform.Load{}
	g.mu.Unlock()
	g.say() // the exit says it too
	failpoint.Hit("machine.drain.after")
	if err != nil {
		return fmt.Errorf("drain machine: %w", err)
	}
	return nil
}

// say sends the state, if there is an agent. It returns false when it could not be sent.
func (g *Guest) say() bool {
	g.mu.Lock()
	conn, state := g.conn, g.state
	g.mu.Unlock()
	if conn == nil {
		return true // the next agent is told everything
	}
	return conn.Send(state, sendTimeout) == nil
}

// connect makes conn the channel.
func (g *Guest) connect(conn *wire.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn = conn
	signal(g.kick) // the state may have changed since it was offered
}

// disconnect gives the channel up.
func (g *Guest) disconnect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn != nil {
		_ = g.conn.Close()
		g.conn = nil
	}
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
		if !g.say() && ctx.Err() == nil {
			g.log.WarnContext(ctx, "report to agent not sent")
		}
		load, wait = nil, time.After(reportEvery)
	}
}
