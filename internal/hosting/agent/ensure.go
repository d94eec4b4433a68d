package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
)

// hostLog is the name of the agent's own log.
const hostLog = "host"

// Spawn starts an agent process that lives on without this one. The channel gets the end of the process, if it ends
// while this one runs.
type Spawn func() (exited <-chan error, err error)

// Ensure returns a client of the folder's agent. If none answers it starts one and waits until it does.
func Ensure(ctx context.Context, l config.Layout, spawn Spawn) (*local.Fabric, error) {
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		return nil, err
	}
	f := local.New(socket)
	if err := ping(ctx, f); err == nil {
		return f, nil
	}
	failpoint.Hit("up.spawn.before")
	exited, err := spawn()
	if err != nil {
		return nil, fmt.Errorf("start agent: %w", err)
	}
	failpoint.Hit("up.spawn.after")
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var end error // of the one that was started
	for {
		// It may have found another one, which a control plane started that has ended since; that one has the folder.
		gone := end != nil && !locked(l.AgentLock())
		if err = ping(ctx, f); err == nil {
			return f, nil
		}
		if gone && errors.Is(end, ErrRunning) {
			// That was one that had been killed: its last thread gave the folder up a moment later.
			if exited, err = spawn(); err != nil {
				return nil, fmt.Errorf("start agent: %w", err)
			}
			end = nil
		} else if gone {
			return nil, fmt.Errorf("the agent ended at once (%w): %s", end, lastLine(l.Log(hostLog)))
		}
		select {
		case <-tick.C:
		case end = <-exited:
			exited = nil
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for agent: %w: %w", ctx.Err(), err)
		}
	}
}

func ping(ctx context.Context, f *local.Fabric) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := f.Ping(ctx)
	return err
}

// Detached returns a Spawn that runs a command line in a session of its own, with its output in the folder's logs. The
// process is given the folder's lock, so that there is no moment in which it runs and cannot be noticed.
func Detached(l config.Layout, argv ...string) Spawn {
	return func() (<-chan error, error) {
		if len(argv) == 0 {
			return nil, errors.New("no command")
		}
		out, err := os.OpenFile(l.Log(hostLog), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
		defer out.Close() //nolint:errcheck // the process has its own
		exited := make(chan error, 1)
		folder, err := takeLock(l.AgentLock())
		if errors.Is(err, ErrRunning) {
			exited <- err
			return exited, nil
		}
		if err != nil {
			return nil, err
		}
		defer folder.Close()                      //nolint:errcheck // the process has its own
		cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // the caller's own program
		cmd.Stdout, cmd.Stderr = out, out
		cmd.ExtraFiles, cmd.Env = []*os.File{folder}, append(os.Environ(), lockVariable+"=3")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		go func() {
			err := cmd.Wait()
			if err == nil {
				err = errors.New("exit status 0")
			}
			exited <- err
		}()
		return exited, nil
	}
}

// lastLine returns the last words of a process that ended at once, or where to look for them.
func lastLine(path string) string {
	const most = 1 << 10 // bytes
	f, err := os.Open(path)
	if err != nil {
		return "see " + path
	}
	defer f.Close() //nolint:errcheck // only read
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, most))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return strings.TrimPrefix(last, "portico: start agent: ")
	}
	return "see " + path
}

// Replace makes the folder's agent run another program in its place, and waits until that answers.
func Replace(ctx context.Context, l config.Layout, program string) error {
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		return err
	}
	f := local.New(socket)
	defer f.Close()
	before, err := f.Ping(ctx)
	if err != nil {
		return fmt.Errorf("replace agent: %w", err)
	}
	if err := f.Replace(ctx, program); err != nil {
		return fmt.Errorf("replace agent: %w", err)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		after, err := f.Ping(ctx)
		switch {
		case err == nil && after.Run != before.Run:
			return nil
		case err != nil && !locked(l.AgentLock()):
			return fmt.Errorf("replace agent: it ended: %s", lastLine(l.Log(hostLog)))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("replace agent: %w", ctx.Err())
		}
	}
}
