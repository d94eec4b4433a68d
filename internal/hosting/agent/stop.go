package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
	"github.com/portico-dev/portico/internal/hosting/vnet"
)

// pollEvery is how often the end of a process of somebody else's is looked for.
const pollEvery = 10 * time.Millisecond

// leftoverTime is how long processes without an agent may drain before they are killed.
const leftoverTime = 10 * time.Second

// StopAll ends the agent of a data folder with all its processes, or what is left of them when the agent is gone. It
// returns when none runs any more. Nothing running is not an error.
func StopAll(ctx context.Context, l config.Layout) error {
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		return err
	}
	f := local.New(socket)
	defer f.Close()
	// One that is starting has the folder and does not answer yet; when it does, it has written its list.
	for deadline := time.Now().Add(leftoverTime); ping(ctx, f) != nil && locked(l.AgentLock()) && time.Now().Before(deadline); {
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return fmt.Errorf("stop agent: %w", ctx.Err())
		}
	}
	before, _ := readProcesses(l.AgentState()) // missing: no agent runs
	err = f.Stop(ctx)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("stop agent: %w", err)
	}
	// The agent has stopped everything, or is gone, possibly while it was asked.
	if before != nil && before.Boot == bootID() {
		if err := waitGone(ctx, before.Agent, leftoverTime); err != nil {
			return err
		}
	}
	if err := stopLeftovers(ctx, l, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("stop what the agent left: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove agent socket: %w", err)
	}
	return nil
}

// stopLeftovers ends the processes that an agent listed which is gone: politely, then by force.
func stopLeftovers(ctx context.Context, l config.Layout, log *slog.Logger) error {
	list, err := readProcesses(l.AgentState())
	if err != nil {
		return err
	}
	if list == nil {
		return nil
	}
	if list.Boot == bootID() {
		for _, p := range list.Processes {
			if p.running() {
				log.InfoContext(ctx, "stopping what an earlier agent left", slog.String("name", p.Name), slog.Int("pid", p.PID))
			}
		}
		if err := stopProcesses(ctx, list.Processes, leftoverTime); err != nil {
			return err
		}
	}
	if err := vnet.NewHost(l.Dir).RemoveAll(); err != nil {
		return fmt.Errorf("remove virtual networks that an earlier agent left: %w", err)
	}
	for _, path := range []string{l.AgentState(), l.AgentTold()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget what an earlier agent left: %w", err)
		}
	}
	return nil
}

// stopProcesses ends processes: politely, then, after patience with all together, by force.
func stopProcesses(ctx context.Context, list []listedProcess, patience time.Duration) error {
	for _, p := range list {
		if err := p.signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(patience)
	for _, p := range list {
		if err := waitGone(ctx, p, time.Until(deadline)); err != nil {
			return err
		}
	}
	return nil
}

// readProcesses reads agent.json; nil when there is none.
func readProcesses(path string) (*processList, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read list of processes: %w", err)
	}
	var list processList
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read list of processes %s: %w", path, err)
	}
	return &list, nil
}

// running reports that this very process runs, and not another one with its number.
func (p listedProcess) running() bool {
	return p.PID > 0 && p.Start != "" && startTime(p.PID) == p.Start
}

// signal signals this very process. The handle is taken first and the start time checked after that, so that the
// number cannot change hands in between (where the system has handles for processes: pidfd on Linux).
func (p listedProcess) signal(sig os.Signal) error {
	if p.PID <= 0 {
		return nil
	}
	proc, err := os.FindProcess(p.PID)
	if err != nil {
		return nil //nolint:nilerr // it is not there any more
	}
	defer proc.Release() //nolint:errcheck // nothing to be done about it
	if !p.running() {
		return nil
	}
	if err := proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s (process %d): %w", p.Name, p.PID, err)
	}
	return nil
}

// waitGone waits until a process has ended and kills it after patience.
func waitGone(ctx context.Context, p listedProcess, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for p.running() {
		if time.Now().After(deadline) {
			if err := p.signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of process %d: %w", p.PID, ctx.Err())
		}
	}
	return nil
}
