package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// collectTime is how long the processes of an earlier agent may take to come back. They try several times a second.
const collectTime = 5 * time.Second

// silentTime is how long one may drain that did not come back in that time.
const silentTime = 2 * time.Second

// collector waits for the processes that an earlier agent started.
type collector struct {
	log     *slog.Logger
	waiting map[int]*grip // by process number: those that run and have not come back
	offers  chan offered
	gone    chan *grip
	done    chan struct{} // closed when nobody listens to the channels any more
	found   *remains
}

// offered is what somebody said who came.
type offered struct {
	pid   int
	conn  *wire.Conn
	offer wire.Offer
}

// collect takes back the processes that an earlier agent listed. Each proves by its number, which the kernel tells, and
// by its secret that it is the one listed. What runs and does not come back in time is stopped: it may hold sockets and
// nobody could lead it.
func (a *agent) collect(ctx context.Context, list *processList) (*remains, error) {
	if err := os.Remove(a.returns); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open socket for returning processes: %w", err)
	}
	returns, err := wire.ListenReturns(a.returns)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("agent.collect.before")
	c := &collector{
		log: a.log, waiting: map[int]*grip{}, offers: make(chan offered), gone: make(chan *grip),
		done: make(chan struct{}), found: &remains{list: list, ended: map[string]ending{}},
	}
	accepting := make(chan struct{})
	go func() { defer close(accepting); c.accept(returns) }()
	defer func() {
		_ = returns.Close()
		<-accepting
		close(c.done)
	}()
	for _, p := range list.Processes {
		c.expect(p)
	}
	c.wait(ctx)
	failpoint.Hit("agent.collect.after")
	return c.found, c.stopOthers(ctx)
}

// expect waits for one listed process, if it runs.
func (c *collector) expect(p listedProcess) {
	if p.PID == 0 {
		return
	}
	g, end := grab(p)
	if g == nil {
		c.ended(p, end)
		return
	}
	c.waiting[p.PID] = g
	go func() {
		<-g.exited
		select {
		case c.gone <- g:
		case <-c.done:
		}
	}()
}

func (c *collector) ended(p listedProcess, end ending) {
	c.log.Warn("process ended while no agent ran", slog.String("name", p.Name), slog.Int("pid", p.PID), slog.String("why", end.text))
	if p.Kind == KindMachine {
		c.found.ended[p.Name] = end
	}
}

// wait returns when every process is back or gone, or time is up.
func (c *collector) wait(ctx context.Context) {
	timer := time.NewTimer(collectTime)
	defer timer.Stop()
	for len(c.waiting) > 0 {
		select {
		case o := <-c.offers:
			c.check(o)
		case g := <-c.gone:
			if c.waiting[g.PID] == g {
				delete(c.waiting, g.PID)
				c.ended(g.listedProcess, g.end)
			}
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// accept reads what each process says that comes.
func (c *collector) accept(r *wire.Returns) {
	for {
		conn, pid, err := r.Accept()
		if err != nil {
			return // closed
		}
		go c.read(conn, pid)
	}
}

func (c *collector) read(conn *wire.Conn, pid int) {
	_ = conn.SetReadDeadline(time.Now().Add(collectTime))
	offer, err := conn.RecvOffer()
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil {
		c.log.Warn("process not taken back", slog.Int("pid", pid), slog.Any("error", err))
		_ = conn.Close()
		return
	}
	select {
	case c.offers <- offered{pid, conn, offer}:
	case <-c.done:
		offer.Close()
		_ = conn.Close()
	}
}

// check takes a process back if it is the one that was listed.
func (c *collector) check(o offered) {
	g := c.waiting[o.pid]
	if g == nil || g.Kind != o.offer.Kind || g.Name != o.offer.Name || g.Secret == "" || g.Secret != o.offer.Secret ||
		g.Kind == KindMachine && (o.offer.Machine == nil || o.offer.Order == nil) {
		c.log.Warn("process not taken back: it is not the one that was listed", slog.Int("pid", o.pid), slog.String("name", o.offer.Name))
		o.offer.Close()
		_ = o.conn.Close()
		return
	}
	delete(c.waiting, o.pid)
	p := &process{
		pid: o.pid, tie: wire.Tie{Secret: g.Secret}, conn: o.conn,
		reports: make(chan wire.FromMachine), exited: make(chan struct{}), closing: make(chan struct{}),
		kill: func() { _ = g.signal(syscall.SIGKILL) },
	}
	go func() {
		<-g.exited
		p.end = g.end
		close(p.exited)
	}()
	if g.Kind == KindMachine {
		p.reader.Go(p.read)
	}
	c.found.back = append(c.found.back, returned{entry: g.listedProcess, process: p, offer: o.offer})
}

// stopOthers ends what did not come back.
func (c *collector) stopOthers(ctx context.Context) error {
	var left []listedProcess
	for _, g := range c.waiting {
		c.log.WarnContext(ctx, "process stopped: it did not come back", slog.String("name", g.Name), slog.Int("pid", g.PID))
		left = append(left, g.listedProcess)
		if g.Kind == KindMachine {
			c.found.ended[g.Name] = ending{text: "stopped: it did not come back to a new agent"}
		}
	}
	return stopProcesses(ctx, left, silentTime)
}
