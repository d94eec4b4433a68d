package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A program on trial is a child of the control plane that it is to follow. Both hold one end of a tether. The child writes
// a byte when it is ready, and works until the other end is closed: by its parent, or with it. The parent does nothing
// meanwhile, so that it can go back to what it was, with sockets and lock and as the same process, whatever the child does.

// tetherName is the descriptor of the tether among those that are handed on.
const tetherName = "tether"

// Bounds of a probation.
const (
	askEvery = time.Second
	deafTime = 30 * time.Second // without an answer
	endTime  = 20 * time.Second // for a program to end that was asked to
)

// A trial is a program that may take over.
type trial struct {
	cmd    *exec.Cmd
	tether *os.File
	words  *ending
	ready  chan struct{}
	ended  chan error
}

// trial has a program show that it gets ready, and watches it for a while.
func (c *controlPlane) trial(ctx context.Context, s successor, to takeover, hup <-chan os.Signal) error {
	runtime.LockOSThread() // the child depends on the thread that made it
	defer runtime.UnlockOSThread()
	t, err := s.try(to)
	if err != nil {
		return err
	}
	defer t.tether.Close()
	late := time.NewTimer(to.within)
	defer late.Stop()
	select {
	case err := <-t.ended: // one that knows of no probation has shown all it can
		if err != nil {
			return errors.New(t.words.or(err))
		}
		return nil
	case <-late.C:
		t.kill()
		return fmt.Errorf("it was not ready within %s", to.within)
	case <-ctx.Done():
		t.kill()
		return ctx.Err()
	case <-t.ready:
	}
	if to.watch > 0 {
		debug.FreeOSMemory() // this process rests
		if err := c.watch(ctx, t, to.watch, hup); err != nil {
			return err
		}
	}
	return t.end()
}

// try starts a program with the sockets of this process.
func (s *successor) try(to takeover) (*trial, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("make a tether: %w", err)
	}
	unix.CloseOnExec(ends[0])
	unix.CloseOnExec(ends[1])
	if err := unix.SetNonblock(ends[0], true); err != nil { // so that closing it ends the read
		return nil, fmt.Errorf("make a tether: %w", err)
	}
	theirs := os.NewFile(uintptr(ends[1]), tetherName)
	defer theirs.Close()
	t := &trial{
		cmd:    exec.Command(to.program, os.Args[1:]...), //nolint:gosec // an operator has put it there
		tether: os.NewFile(uintptr(ends[0]), tetherName), words: &ending{}, ready: make(chan struct{}), ended: make(chan error, 1),
	}
	t.cmd.Stderr, t.cmd.WaitDelay, t.cmd.SysProcAttr = io.MultiWriter(os.Stderr, t.words), time.Second, dependent()
	var pairs []string
	hand := func(name string, f *os.File) {
		const first = 3 // of the descriptors that are not standard
		pairs = append(pairs, fmt.Sprintf("%s=%d", name, first+len(t.cmd.ExtraFiles)))
		t.cmd.ExtraFiles = append(t.cmd.ExtraFiles, f)
	}
	for i, f := range s.files {
		if s.names[i] != "lock" { // stays with this process
			hand(s.names[i], f)
		}
	}
	hand(tetherName, theirs)
	t.cmd.Env = append(environment(), inheritEnv+"="+strings.Join(pairs, ","), trialEnv+"="+to.watch.String())
	if err := t.cmd.Start(); err != nil {
		return nil, errors.Join(err, t.tether.Close())
	}
	go func() { t.ended <- t.cmd.Wait() }()
	go func() {
		if n, _ := t.tether.Read(make([]byte, 1)); n == 1 {
			close(t.ready)
		}
	}()
	return t, nil
}

// watch returns when a probation is over: nil when the program has stood it, or somebody has told this process to end or to
// go on with it.
func (c *controlPlane) watch(ctx context.Context, t *trial, length time.Duration, hup <-chan os.Signal) error {
	begin := time.Now()
	over, tick := time.NewTimer(length), time.NewTicker(askEvery)
	defer over.Stop()
	defer tick.Stop()
	for answered := begin; ; {
		select {
		case err := <-t.ended:
			return fmt.Errorf("it ended %s after it had taken over: %s", time.Since(begin).Round(time.Second), t.words.crash(err))
		case <-over.C:
			return nil
		case <-hup:
			return nil
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		ask, cancel := context.WithTimeout(ctx, deafTime/2)
		if err := c.tried(ask); err == nil {
			answered = time.Now()
		}
		cancel()
		if ctx.Err() == nil && time.Since(answered) > deafTime {
			t.kill()
			return fmt.Errorf("it did not answer for %s", deafTime)
		}
	}
}

// end asks the program to end, and waits until it has.
func (t *trial) end() error {
	_ = t.tether.Close()
	late := time.AfterFunc(endTime, func() { _ = t.cmd.Process.Kill() })
	defer late.Stop()
	if err := <-t.ended; err != nil {
		return errors.New(t.words.or(err))
	}
	return nil
}

func (t *trial) kill() {
	_ = t.cmd.Process.Kill()
	<-t.ended //nolint:errcheck // killed
}

// crash says why a program ended that had worked.
func (e *ending) crash(err error) string {
	for line := range strings.SplitSeq(e.String(), "\n") {
		for _, begins := range []string{"panic: ", "fatal error: ", "portico: "} {
			if strings.HasPrefix(line, begins) {
				return strings.TrimPrefix(line, "portico: ")
			}
		}
	}
	if err == nil {
		return "nobody had asked it to"
	}
	return err.Error()
}

// begin notes that this program is on probation, if it is. What its parent says comes from another version, perhaps one that
// knows of none.
func (c *controlPlane) begin(trial string) {
	if length, err := time.ParseDuration(trial); err == nil && length > 0 {
		c.probation = time.Now().Add(length)
	}
}

// onTrial is what this program does on trial: it shows that it answers, and works until its parent has seen enough or ctx
// ends. failed gets the error of a part that ends by itself.
func (c *controlPlane) onTrial(ctx context.Context, t *tenure, tether *os.File, failed <-chan error) error {
	if err := c.tried(ctx); err != nil || tether == nil {
		return err
	}
	defer tether.Close()
	if !c.probation.IsZero() {
		go tidy(ctx)
		if err := t.onProbation(c.probation); err != nil {
			return err
		}
		c.log.InfoContext(ctx, "control plane on probation", slog.String("version", buildVersion()), slog.Time("until", c.probation))
	}
	if _, err := tether.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell the parent: %w", err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = tether.Read(make([]byte, 1))
	}()
	select {
	case <-asked:
	case <-ctx.Done():
	case err := <-failed:
		return err
	}
	return nil
}

// tried says whether the control plane on these sockets answers.
func (c *controlPlane) tried(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoints.ARM+"/readyz", nil)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", res.Status)
	}
	return nil
}
