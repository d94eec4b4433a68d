package agent

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A grip is a hold on a process that another agent started, or this program before it was replaced. It is of that very
// process for as long as it is held, whatever becomes of its number.
type grip struct {
	listedProcess
	pidfd  *os.File // nil where the kernel gives none: then the start time tells processes apart
	exited chan struct{}
	end    ending // valid once exited is closed
}

// grab takes hold of a listed process. Where it does not run any more, it returns nil and how it ended, as far as can
// be known.
func grab(p listedProcess) (*grip, ending) {
	g := &grip{listedProcess: p, exited: make(chan struct{})}
	// The handle comes first and is checked after that: a number can change hands, a handle cannot.
	if fd, err := unix.PidfdOpen(p.PID, 0); err == nil {
		_ = unix.SetNonblock(fd, true)
		g.pidfd = os.NewFile(uintptr(fd), "process")
	}
	if !p.running() {
		g.release()
		return nil, reap(p.PID)
	}
	go func() {
		defer close(g.exited)
		g.wait()
		g.end = reap(p.PID)
	}()
	return g, ending{}
}

func (g *grip) release() {
	if g.pidfd != nil {
		_ = g.pidfd.Close()
	}
}

// wait returns when the process has exited.
func (g *grip) wait() {
	defer g.release()
	if g.pidfd == nil {
		_ = waitGone(context.Background(), g.listedProcess, 1<<62)
		return
	}
	raw, err := g.pidfd.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(ready, 0)
			return err == nil && n > 0
		})
	}
	if err != nil { // a system whose poller does not take such handles
		_ = waitGone(context.Background(), g.listedProcess, 1<<62)
	}
}

// signal signals this very process.
func (g *grip) signal(sig syscall.Signal) error {
	if g.pidfd == nil {
		return g.listedProcess.signal(sig)
	}
	raw, err := g.pidfd.SyscallConn()
	if err != nil {
		return nil //nolint:nilerr // it has exited
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil || sent == unix.ESRCH {
		return nil //nolint:nilerr // it has exited
	}
	if sent != nil {
		return fmt.Errorf("signal %s (process %d): %w", g.Name, g.PID, sent)
	}
	return nil
}

// reap learns how a process ended that this program started before it was replaced. Nobody else's child can be waited
// for, nor has its number been given away before it was.
func reap(pid int) ending {
	var status unix.WaitStatus
	got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
	for err == unix.EINTR {
		got, err = unix.Wait4(pid, &status, unix.WNOHANG, nil)
	}
	switch {
	case err != nil || got != pid:
		return ending{text: "nobody saw how", blind: true}
	case status.Signaled():
		return ending{text: "signal: " + status.Signal().String()}
	}
	return ending{text: fmt.Sprintf("exit status %d", status.ExitStatus()), clean: status.ExitStatus() == 0}
}
