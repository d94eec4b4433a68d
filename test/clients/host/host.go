// Package host runs the real program for tests of clients: one Portico in a folder of its own. It needs the standard
// library alone, so that a test can say why it is skipped when no module can be fetched.
package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Host is a running Portico.
type Host struct {
	Dir string
	// Endpoints is what endpoints.json says, Credentials what credentials.json says.
	Endpoints struct {
		ARM, ARMTLS, Edge, EdgeTLS, CAFile string
	}
	Credentials struct {
		TenantID, ClientID, ClientSecret, SubscriptionID string
	}

	program string
	cmd     *exec.Cmd
	done    chan error
}

// startLimit and stopLimit bound how long Portico may take to serve and to stop.
const (
	startLimit = 30 * time.Second
	stopLimit  = 30 * time.Second
)

// Start runs Portico on free ports and stops everything it started when the test ends.
func Start(t *testing.T) *Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "pclients-") // a short name: sockets are below it
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Dir: dir, program: program(t), done: make(chan error, 1)}
	t.Cleanup(func() { h.stop(t) })
	if err := h.up(); err != nil {
		t.Fatalf("%v\n%s", err, h.log())
	}
	return h
}

// program is the binary under test: PORTICO_BIN, a path from the root of the repository, or one built for this test.
func program(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("PORTICO_BIN"); filepath.IsAbs(bin) {
		return bin
	} else if bin != "" {
		return filepath.Join(Root(t), bin)
	}
	bin := filepath.Join(t.TempDir(), "portico")
	build := exec.Command("go", "build", "-o", bin, "./cmd/portico")
	build.Dir = Root(t)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build portico: %v\n%s", err, out)
	}
	return bin
}

// Root is the folder of the repository.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "portico")); err == nil {
			return dir
		}
	}
	t.Fatal("not inside the repository")
	return ""
}

func (h *Host) up() error {
	log, err := os.Create(filepath.Join(h.Dir, "up.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	h.cmd = exec.Command(h.program, "up", "--data", h.Dir, "--arm", "127.0.0.1:0", "--arm-tls", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--edge-tls", "127.0.0.1:0")
	h.cmd.Stderr = log
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := h.cmd.Start(); err != nil {
		h.cmd = nil
		return err
	}
	ready := make(chan struct{}, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			if strings.HasPrefix(s.Text(), "portico ready in ") {
				ready <- struct{}{}
			}
		}
		h.done <- h.cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-h.done:
		h.done <- err
		return fmt.Errorf("portico up ended: %w", err)
	case <-time.After(startLimit):
		return fmt.Errorf("portico up did not get ready in %v", startLimit)
	}
	if err := read(filepath.Join(h.Dir, "endpoints.json"), &h.Endpoints); err != nil {
		return err
	}
	return read(filepath.Join(h.Dir, "credentials.json"), &h.Credentials)
}

// Restart restarts the control plane and returns when it serves again.
func (h *Host) Restart(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(h.program, "restart", "--data", h.Dir).CombinedOutput(); err != nil {
		t.Fatalf("portico restart: %v\n%s", err, out)
	}
}

func read(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// log is the end of what Portico wrote to its standard error.
func (h *Host) log() string {
	data, _ := os.ReadFile(filepath.Join(h.Dir, "up.log")) // a log that cannot be read is an empty one
	return string(data[max(0, len(data)-8000):])
}

// stop ends the control plane and everything it started, and removes the folder.
func (h *Host) stop(t *testing.T) {
	if h.cmd != nil {
		_ = h.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-h.done:
		case <-time.After(stopLimit):
			t.Errorf("portico up still runs %v after SIGTERM", stopLimit)
			_ = h.cmd.Process.Kill()
			<-h.done
		}
	}
	if out, err := exec.Command(h.program, "down", "--data", h.Dir).CombinedOutput(); err != nil {
		t.Errorf("portico down: %v\n%s", err, out)
	}
	if t.Failed() {
		t.Logf("log of Portico:\n%s", h.log())
	}
	if err := os.RemoveAll(h.Dir); err != nil {
		t.Error(err)
	}
}
