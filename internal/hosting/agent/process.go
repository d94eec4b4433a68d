package agent

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// process is a running edge or machine with its channel.
type process struct {
	pid     int
	tie     wire.Tie
	conn    *wire.Conn
	reports chan wire.FromMachine // what a machine says, until its channel ends
	exited  chan struct{}
	end     ending        // valid once exited is closed
	closing chan struct{} // closed by close: nobody listens to reports any more
	reader  sync.WaitGroup
	kill    func()
}

// ending is how a process ended: "exit status 1", "signal: killed".
type ending struct {
	text  string
	clean bool // by itself and well
	blind bool // nobody saw how
}

// launch starts a process of a version with some variables, in a place of a virtual network if it is given one, and notes
// it in the list of processes. Its output goes straight to a file and
// through no pipe of the agent's, so that it can go on printing when the agent is gone.
func (a *agent) launch(e listedProcess, version string, env []string, injection string) (*process, error) {
	failpoint.Hit("agent.launch.before")
	argv, err := a.opt.Command(e.Kind, version)
	if err != nil {
		return nil, err
	}
	out, err := a.openLog(e.Name)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the process has its own
	ours, theirs, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	channel := theirs.File()
	defer channel.Close()                     //nolint:errcheck // the process has its own
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // the agent's own configuration
	cmd.ExtraFiles, cmd.Env = []*os.File{channel}, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	// A session of its own: a signal to the agent's group is not for its machines.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	a.launching.RLock()
	defer a.launching.RUnlock()
	start := cmd.Start
	if injection != "" {
		start = func() error { return a.nets.Enter(injection, cmd.Start) }
	}
	if err := start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	failpoint.Hit("agent.launch.started")
	p := &process{
		pid: cmd.Process.Pid, tie: wire.Tie{Secret: rand.Text(), Socket: a.returns},
		reports: make(chan wire.FromMachine), exited: make(chan struct{}), closing: make(chan struct{}),
		kill: func() { _ = cmd.Process.Kill() },
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // its state tells
		p.end = ending{text: cmd.ProcessState.String(), clean: cmd.ProcessState.Success()}
	}()
	if p.conn, err = wire.NewConn(ours); err == nil {
		e.PID, e.Secret = p.pid, p.tie.Secret
		err = a.procs.put(e)
	}
	if err != nil {
		p.kill()
		<-p.exited
		if p.conn != nil {
			_ = p.conn.Close()
		}
		return nil, fmt.Errorf("%w: %s", err, p.end.text)
	}
	failpoint.Hit("agent.launch.after")
	if e.Kind == KindMachine {
		p.reader.Go(p.read)
	}
	return p, nil
}

// read hands on reports until the channel ends.
func (p *process) read() {
	for {
		var r wire.FromMachine
		files, err := p.conn.Recv(&r)
		if err != nil {
			return
		}
		wire.CloseAll(files)
		select {
		case p.reports <- r:
		case <-p.closing:
			return
		}
	}
}

// close gives up the channel of a process that has exited.
func (p *process) close() {
	close(p.closing)
	_ = p.conn.Close()
	p.reader.Wait()
}

// A listedProcess is one entry of agent.json: a process, or a machine that waits for its next start. The start time tells
// a process from a later one with the same number, the secret from one that says it were it.
type listedProcess struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	PID    int    `json:"pid,omitempty"`
	Start  string `json:"start,omitempty"`
	Secret string `json:"secret,omitempty"`
	// Of a machine: where it belongs, and how it fared so far.
	Set      string `json:"set,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	Failures int    `json:"failures,omitempty"`
	Error    string `json:"error,omitempty"`
	Asleep   bool   `json:"asleep,omitempty"` // it waits for a connection
}

func (p listedProcess) is(o listedProcess) bool { return p.Kind == o.Kind && p.Name == o.Name }

// processList is the content of agent.json.
type processList struct {
	Boot      string          `json:"boot"` // identifies the time since the host was started
	Agent     listedProcess   `json:"agent"`
	Processes []listedProcess `json:"processes"`
}

// errEnded says that a process ended before it was told anything.
var errEnded = errors.New("it ended at once")

// processes keeps agent.json true, so that what the agent started can be ended when the agent is gone.
type processes struct {
	path string
	mu   sync.Mutex // guards below and the file
	list processList
}

func newProcesses(path string) *processes {
	return &processes{path: path, list: processList{
		Boot:      bootID(),
		Agent:     listedProcess{Kind: "agent", PID: os.Getpid(), Start: startTime(os.Getpid())},
		Processes: []listedProcess{},
	}}
}

// save writes the list, with the entries of an earlier agent.
func (p *processes) save(earlier []listedProcess) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.Processes = append(p.list.Processes, earlier...)
	return writeJSON(p.path, p.list)
}

// put notes how a machine or the edge is now. What the file has of a process that ended is harmless when it cannot be
// written: its start time is unlike that of any later process.
func (p *processes) put(e listedProcess) error {
	if e.PID != 0 {
		if e.Start = startTime(e.PID); e.Start == "" {
			return errEnded
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.Processes = append(slices.DeleteFunc(p.list.Processes, e.is), e)
	return writeJSON(p.path, p.list)
}

// remove forgets a machine or the edge.
func (p *processes) remove(e listedProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.Processes = slices.DeleteFunc(p.list.Processes, e.is)
	_ = writeJSON(p.path, p.list)
}
