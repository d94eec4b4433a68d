package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/hosting/agent"
)

// A tenure is the time in which one control plane owns a data folder. The lock ends with the process, however it
// ends, and is handed on by `portico restart`.
type tenure struct {
	layout config.Layout
	lock   *os.File
}

// A tenant is what others may know of the control plane: DIR/run/control.json.
type tenant struct {
	PID     int       `json:"pid"`
	Ready   time.Time `json:"ready"`
	Version string    `json:"version"`
	Failed  string    `json:"failed,omitempty"` // which program was to take over, and why it did not
	// Until is when the probation of this program ends, which has the lock meanwhile and PID.
	Until time.Time `json:"until,omitzero"`
}

func lockPath(l config.Layout) string   { return filepath.Join(l.Run(), "control.lock") }
func tenantPath(l config.Layout) string { return filepath.Join(l.Run(), "control.json") }

// takeTenure locks the folder, or takes the lock over from the process that this one replaces. The parent of a trial keeps
// it.
func takeTenure(layout config.Layout, f *os.File, trial bool) (*tenure, error) {
	if f != nil || trial {
		return &tenure{layout, f}, nil
	}
	f, err := os.OpenFile(lockPath(layout), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := acquire(layout, f); err != nil {
		return nil, errors.Join(fmt.Errorf("a control plane already runs on %s: stop it with `portico down --data %s`", layout.Dir, layout.Dir), f.Close())
	}
	// What the last one wrote is not true any more; its process number may belong to somebody else by now.
	if err := os.Remove(tenantPath(layout)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, f.Close())
	}
	return &tenure{layout, f}, nil
}

// lockPatience is how long the lock of a control plane that runs no more is waited for.
const lockPatience = 5 * time.Second

// acquire locks a file. Where one was killed while it began a process, that has the lock until it has become another
// program; and who looks whether one runs has it for a moment.
func acquire(layout config.Layout, f *os.File) error {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if t, ok, err := readTenant(layout); err != nil || ok && syscall.Kill(t.PID, 0) == nil {
			return errors.Join(unix.EWOULDBLOCK, err)
		}
	}
}

func (t *tenure) ready(failed string) error {
	return t.write(tenant{PID: os.Getpid(), Failed: failed})
}

// onProbation says that this program has taken over, for as long as its parent lets it.
func (t *tenure) onProbation(until time.Time) error {
	return t.write(tenant{PID: os.Getppid(), Until: until})
}

func (t *tenure) write(now tenant) error {
	now.Ready, now.Version = time.Now(), buildVersion()
	data, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return replaceFile(tenantPath(t.layout), data)
}

func (t *tenure) end() {
	if t.lock != nil {
		_ = t.lock.Close()
	}
}

// File duplicates the lock's descriptor for the process that replaces this one.
func (t *tenure) File() (*os.File, error) {
	fd, err := unix.FcntlInt(t.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "lock"), nil
}

// held tells whether a control plane owns the folder.
func held(layout config.Layout) (bool, error) {
	f, err := os.OpenFile(lockPath(layout), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// current reads who owns the folder; ok is false when nobody does, or nobody is ready yet.
func current(layout config.Layout) (tenant, bool, error) {
	owned, err := held(layout)
	if err != nil || !owned {
		return tenant{}, false, err
	}
	return readTenant(layout)
}

// readTenant reads who owned the folder last; ok is false when nobody was ready.
func readTenant(layout config.Layout) (tenant, bool, error) {
	data, err := os.ReadFile(tenantPath(layout))
	if errors.Is(err, fs.ErrNotExist) {
		return tenant{}, false, nil
	}
	if err != nil {
		return tenant{}, false, err
	}
	var t tenant
	if err := json.Unmarshal(data, &t); err != nil {
		return tenant{}, false, fmt.Errorf("read %s: %w", tenantPath(layout), err)
	}
	return t, true, nil
}

// existing opens the layout of a folder that must be there already.
func existing(dir string) (config.Layout, error) {
	if _, err := os.Stat(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return config.Layout{}, fmt.Errorf("no Portico has run in %s yet (--data names another folder)", dir)
		}
		return config.Layout{}, err
	}
	return config.OpenLayout(dir)
}

func restartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restart",
		Short: "replace the control plane, or the agent, by a new process; gateways do not notice",
		Args:  takes(),
	}
	dir := dataFlag(cmd)
	ofAgent := cmd.Flags().Bool("agent", false, "replace the agent, which runs the gateways, by this program")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		layout, err := existing(*dir)
		if err != nil {
			return err
		}
		if *ofAgent {
			return replaceAgent(cmd.Context(), layout)
		}
		before, ok, err := current(layout)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("no control plane runs on %s: start one with `portico up --data %s`", layout.Dir, layout.Dir)
		}
		if err := syscall.Kill(before.PID, syscall.SIGHUP); err != nil {
			return err
		}
		return poll(cmd.Context(), 30*time.Second, func() (bool, error) {
			now, ok, err := current(layout)
			if err == nil && !ok {
				if owned, err := held(layout); err == nil && !owned {
					return false, errors.New("the control plane ended; see its output")
				}
			}
			return ok && now.Ready.After(before.Ready), err
		})
	}
	return cmd
}

func replaceAgent(ctx context.Context, layout config.Layout) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return agent.Replace(ctx, layout, exe)
}

func downCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "down",
		Short: "drain and stop everything that runs on a data folder",
		Args:  takes(),
	}
	dir := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		layout, err := existing(*dir)
		if err != nil {
			return err
		}
		if err := stopControlPlane(cmd.Context(), layout); err != nil {
			return err
		}
		return agent.StopAll(cmd.Context(), layout)
	}
	return cmd
}

// stopControlPlane ends the control plane, if there is one, and waits until it is gone.
func stopControlPlane(ctx context.Context, layout config.Layout) error {
	if t, ok, err := current(layout); err != nil {
		return err
	} else if ok {
		if err := syscall.Kill(t.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return poll(ctx, stopTimeout+10*time.Second, func() (bool, error) {
		owned, err := held(layout)
		return !owned, err
	})
}

// poll looks every few milliseconds until ok or the limit.
func poll(ctx context.Context, limit time.Duration, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
