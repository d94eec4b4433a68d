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
}

// launch starts a process of a kind and version under a name and notes it in the list of processes. Its output goes
// straight to a file and through no pipe of the agent's, so that it can go on printing when the agent is gone.
func (a *agent) launch(kind, name, version string) (*process, error) {
	argv, err := a.opt.Command(kind, version)
	if err != nil {
		return nil, err
	}
	out, err := a.openLog(name)
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
	cmd.ExtraFiles = []*os.File{channel}
	cmd.Stdout, cmd.Stderr = out, out
	// A session of its own: a signal to the agent's group is not for its machines.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	p := &process{
		pid: cmd.Process.Pid, tie: wire.Tie{Secret: rand.Text(), Socket: a.returns},
		reports: make(chan wire.FromMachine), exited: make(chan struct{}), closing: make(chan struct{}),
		kill: func() { _ = cmd.Process.Kill() },
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // its state tells
		p.end = ending{cmd.ProcessState.String(), cmd.ProcessState.Success()}
	}()
	if p.conn, err = wire.NewConn(ours); err == nil {
		err = a.procs.add(kind, name, p.pid)
	}
	if err != nil {
		p.kill()
		<-p.exited
		if p.conn != nil {
			_ = p.conn.Close()
		}
		return nil, fmt.Errorf("%w: %s", err, p.end.text)
	}
	if kind == KindMachine {
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

// A listedProcess is one entry of agent.json. The start time tells it from a later process with the same number.
type listedProcess struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Start string `json:"start"`
}

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

func (p *processes) save() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return writeJSON(p.path, p.list)
}

func (p *processes) add(kind, name string, pid int) error {
	start := startTime(pid)
	if start == "" {
		return errEnded
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.Processes = append(p.list.Processes, listedProcess{Kind: kind, Name: name, PID: pid, Start: start})
	return writeJSON(p.path, p.list)
}

// remove takes out a process that has ended. That the file may still have it is harmless: its start time is unlike
// that of any later process.
func (p *processes) remove(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list.Processes = slices.DeleteFunc(p.list.Processes, func(l listedProcess) bool { return l.PID == pid })
	_ = writeJSON(p.path, p.list)
}
