package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// handOverVariable tells a program that replaces an agent the descriptor of what it is handed.
const handOverVariable = "PORTICO_AGENT_HANDOVER"

// handOver is what one program hands to the one that replaces it in the same process: the numbers of descriptors. The
// lock of the folder goes the way that it always goes.
type handOver struct {
	Format int          `json:"format"` // wire.Format
	Socket int          `json:"socket"`
	Held   []handedHeld `json:"held"`
}

type handedHeld struct {
	wire.Held
	FDs []int `json:"fds"`
}

// replace makes this process run another program with the same arguments, which carries on: it has the lock, all sockets
// and the children, and edge and machines return to it like to any other agent. When replace returns, nothing has
// changed.
func (a *agent) replace(program string) error {
	if err := unix.Access(program, unix.X_OK); err != nil {
		return invalid("run %s: %v", program, err)
	}
	// No process is between its start and its note.
	a.launching.Lock()
	defer a.launching.Unlock()
	if err := a.keep(true); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return errStopping
	}
	lock, err := wire.Take(a.lock)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // a duplicate
	var h handOver
	err = useAll(append([]*wire.Handle{lock, a.socket}, a.handles(&h)...), nil, func(fds []int) error {
		return a.exec(program, &h, fds)
	})
	a.log.Error("agent not replaced", slog.String("program", program), slog.Any("error", err))
	return fmt.Errorf("run %s: %w", program, err)
}

// exec runs another program in this process, with the lock, the agent's socket, and what h lists.
func (a *agent) exec(program string, h *handOver, fds []int) error {
	h.number(fds[1:])
	list, err := h.write()
	if err != nil {
		return err
	}
	defer list.Close() //nolint:errcheck // nobody came to read it
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return err
		}
		defer unix.CloseOnExec(fd)
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d", lockVariable, fds[0]), fmt.Sprintf("%s=%d", handOverVariable, list.Fd()))
	a.log.Info("agent is replaced by another program", slog.String("program", program))
	failpoint.Hit("agent.exec.before")
	return syscall.Exec(program, append([]string{program}, os.Args[1:]...), env) //nolint:gosec // the caller is this very user
}

// handles lists what the agent holds. a.mu is held.
func (a *agent) handles(h *handOver) (files []*wire.Handle) {
	add := func(kind wire.HeldKind, id string, more []*wire.Handle) {
		h.Held = append(h.Held, handedHeld{Held: wire.Held{Kind: kind, ID: id}})
		files = append(files, more...)
	}
	add(wire.HeldEdge, "", a.edge.listeners)
	for id, s := range a.sets {
		add(wire.HeldIntake, id, s.intake)
	}
	for id, v := range a.vips {
		add(wire.HeldVIP, id, v.files)
	}
	return files
}

// number fills in the descriptors: that of the agent's socket, then those in the order of handles.
func (h *handOver) number(fds []int) {
	h.Format, h.Socket = wire.Format, fds[0]
	fds = fds[1:]
	for i := range h.Held {
		n := h.Held[i].Kind.FDs()
		h.Held[i].FDs, fds = fds[:n], fds[n:]
	}
}

// write puts the list into memory that outlives the program.
func (h *handOver) write() (*os.File, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("portico-agent", 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "hand-over")
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// useAll calls f with the descriptors of handles, all of which stay open until it returns.
func useAll(files []*wire.Handle, fds []int, f func([]int) error) error {
	if len(files) == 0 {
		return f(fds)
	}
	return files[0].Use(func(fd int) error { return useAll(files[1:], append(fds, fd), f) })
}

// takeHanded takes over what was handed to this program; nil when there is nothing.
func takeHanded() (*handed, error) {
	text := os.Getenv(handOverVariable)
	if text == "" {
		return nil, nil
	}
	_ = os.Unsetenv(handOverVariable)
	failpoint.Hit("agent.exec.after")
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("take over: %s=%q", handOverVariable, text)
	}
	f := os.NewFile(uintptr(fd), "hand-over")
	defer f.Close() //nolint:errcheck // only read
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("take over: %w", err)
	}
	var h handOver
	if err := json.NewDecoder(f).Decode(&h); err != nil {
		return nil, fmt.Errorf("take over: %w", err)
	}
	if h.Format != wire.Format {
		return nil, errors.New("take over: from a program with another format")
	}
	out := &handed{socket: own(h.Socket)}
	for _, held := range h.Held {
		k := wire.Keep{Held: held.Held}
		for _, fd := range held.FDs {
			k.Files = append(k.Files, own(fd))
		}
		out.keeps = append(out.keeps, k)
	}
	return out, nil
}

func own(fd int) *wire.Handle {
	unix.CloseOnExec(fd)
	return wire.NewHandle(fd)
}
