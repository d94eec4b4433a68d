package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/platform"
)

// mostMissed is how many questions in a row a machine may leave unanswered: fewer are what a busy host does.
const mostMissed = 3

// A pulse asks one process again and again whether it still answers. It belongs to the goroutine of the machine.
type pulse struct {
	every  time.Duration
	tick   *time.Ticker
	answer chan error // to the question under way
	asking bool
	missed int // in a row
}

func newPulse(hangTime time.Duration) *pulse {
	every := max(hangTime/mostMissed, time.Millisecond)
	return &pulse{every: every, tick: time.NewTicker(every), answer: make(chan error, 1)}
}

// due says when to ask.
func (h *pulse) due() <-chan time.Time { return h.tick.C }

// ask asks, unless the last question is still open.
func (h *pulse) ask(p *process) {
	if h.asking {
		return
	}
	h.asking = true
	go func() { h.answer <- p.check(h.every) }()
}

// lost takes an answer in, and says whether the machine is lost.
func (h *pulse) lost(err error) bool {
	h.asking = false
	if err == nil {
		h.missed = 0
		return false
	}
	h.missed++
	return h.missed >= mostMissed
}

// stop ends the pulse of a process that has exited, of which a question is answered at once.
func (h *pulse) stop() {
	h.tick.Stop()
	if h.asking {
		<-h.answer //nolint:errcheck // whatever it is, the process has ended
	}
}

// statusRequest is what every gateway answers, whatever the host.
const statusRequest = "GET /status-0123456789abcdef HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n"

// check asks the process, on a connection that passes no queue, for the status of its gateway. Whatever it answers, it
// does not hang; one that closes the connection without a word is of a version that knows of no checks.
func (p *process) check(within time.Duration) error {
	ours, theirs, err := wire.Stream()
	if err != nil {
		return nil //nolint:nilerr // the agent's trouble, not the machine's
	}
	defer ours.Close() //nolint:errcheck // nothing is waiting to be written
	err = p.conn.Send(wire.ToMachine{Check: true}, within, theirs)
	_ = theirs.Close()
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if err := ours.SetDeadline(time.Now().Add(within)); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if _, err := io.WriteString(ours, statusRequest); err != nil {
		return nil //nolint:nilerr // it is closed already
	}
	line, err := bufio.NewReader(io.LimitReader(ours, 4<<10)).ReadString('\n')
	switch {
	case strings.HasPrefix(line, "HTTP/1.1 "), line == "" && closed(err):
		return nil
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	}
	return fmt.Errorf("read answer: %q", line)
}

// closed says whether a read has met the end of a connection, orderly or not.
func closed(err error) bool {
	var timeout interface{ Timeout() bool }
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// answers says whether the machine has to answer: it is neither starting nor on its way out, which have deadlines of
// their own.
func (m *machine) answers() bool {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	return m.status.Phase == platform.Ready && !m.leaving
}

// hang kills a process that does not answer any more. What waits in the queues that it accepted from is not its own: the
// next one, or another machine of the set, takes it.
func (m *machine) hang(p *process, err error) {
	m.hung = true
	m.a.log.Warn("machine killed: it does not answer", slog.String("machine", m.status.ID), slog.Int("pid", p.pid), slog.Any("error", err))
	p.kill()
}
