package agent

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// edgeStop is how long the edge may take to stop.
const edgeStop = 5 * time.Second

// edgeEntry names the edge in the list of processes.
var edgeEntry = listedProcess{Kind: KindEdge, Name: KindEdge}

// edgeKeeper keeps an edge running and tells it what changes in the table of hosts.
type edgeKeeper struct {
	a         *agent
	listeners []*wire.Handle // HTTP, TLS; open for as long as the agent runs
	kick      chan struct{}

	// Guarded by agent.mu.
	rev   int64           // of the table; grows with each mark
	known int64           // the newest rev that the edge has acknowledged
	hosts map[string]bool // changed since they were last sent
	sets  map[string]bool
	vips  map[string]bool
	waits map[string]bool // sets whose connections wait now, or are refused
	up    bool            // there is a process
	open  bool            // it is to accept once it knows the table

	adopted  *process // that an earlier agent started; taken by start
	outdated bool     // it runs another version of the program
}

func newEdgeKeeper(a *agent) *edgeKeeper {
	return &edgeKeeper{a: a, kick: make(chan struct{}, 1), hosts: map[string]bool{}, sets: map[string]bool{}, vips: map[string]bool{}, waits: map[string]bool{}}
}

// markHost, markSet, markVIP and markQueue note that the edge should look at a host, a set, a VIP or the queue of a set
// again. a.mu is held.
func (e *edgeKeeper) markHost(h string) { e.rev++; e.hosts[h] = true }
func (e *edgeKeeper) markSet(id string) { e.rev++; e.sets[id] = true }
func (e *edgeKeeper) markVIP(id string) { e.rev++; e.vips[id] = true }

func (e *edgeKeeper) markQueue(id string) { e.rev++; e.waits[id] = true }

func (e *edgeKeeper) closeListeners() { wire.CloseAll(e.listeners) }

// supervise keeps an edge running until the agent drains.
func (e *edgeKeeper) supervise() {
	failures := 0
	for {
		started := time.Now()
		if e.run() {
			return
		}
		if time.Since(started) >= healthyTime {
			failures = 0
		}
		timer := time.NewTimer(backoff(failures))
		failures++
		select {
		case <-timer.C:
		case <-e.a.drain:
			timer.Stop()
			return
		}
	}
}

// run sees one process to its end. It returns true when the agent drains.
func (e *edgeKeeper) run() bool {
	p, err := e.start()
	if err != nil {
		e.a.log.Error("edge could not start", slog.Any("error", err))
		return false
	}
	defer p.close()
	defer e.ended()
	if e.outdated {
		e.outdated = false
		e.a.log.Info("edge of another version is replaced", slog.Int("pid", p.pid))
		e.stop(p) // what comes meanwhile waits for the next one
		return false
	}
	acks := make(chan int64)
	p.reader.Go(func() { readAcks(p, acks) })
	t := &telling{keeper: e, p: p}
	for {
		if err := t.tell(); err != nil {
			// It may not have heard everything: start over with a new one.
			e.a.log.Error("edge not told", slog.Any("error", err))
			p.kill()
		}
		select {
		case <-e.kick:
		case gen := <-acks:
			t.acked(gen)
		case <-p.exited:
			e.a.log.Error("edge ended", slog.Int("pid", p.pid), slog.String("why", p.end.text))
			return false
		case <-e.a.drain:
			e.stop(p)
			return true
		}
	}
}

// start starts a process, gives it its listeners, and notes that it knows nothing else. One that an earlier agent
// started has them.
func (e *edgeKeeper) start() (*process, error) {
	if p := e.adopted; p != nil {
		e.adopted = nil
		return p, nil
	}
	p, err := e.a.launch(edgeEntry, "", nil, "")
	if err != nil {
		return nil, err
	}
	if err := p.conn.Send(wire.ToEdge{Listen: true, Tie: p.tie}, sendTimeout, e.listeners...); err != nil {
		p.kill()
		<-p.exited
		p.close()
		return nil, fmt.Errorf("tell the edge its listeners: %w", err)
	}
	e.a.mu.Lock()
	defer e.a.mu.Unlock()
	e.up, e.open = true, true
	e.markAll()
	e.a.log.Info("edge started", slog.Int("pid", p.pid))
	return p, nil
}

// ended notes that there is no process.
func (e *edgeKeeper) ended() {
	e.a.procs.remove(edgeEntry)
	e.a.mu.Lock()
	defer e.a.mu.Unlock()
	e.up = false
	e.a.bump()
}

func readAcks(p *process, acks chan<- int64) {
	for {
		var m wire.FromEdge
		files, err := p.conn.Recv(&m)
		if err != nil {
			return
		}
		wire.CloseAll(files)
		select {
		case acks <- m.Gen:
		case <-p.closing:
			return
		}
	}
}

// stop ends the edge in order, or by force.
func (e *edgeKeeper) stop(p *process) {
	if err := p.conn.Send(wire.ToEdge{Stop: true}, sendTimeout); err != nil {
		p.kill()
	}
	select {
	case <-p.exited:
	case <-time.After(edgeStop):
		p.kill()
		<-p.exited
	}
}

// markAll makes a new edge be told everything. a.mu is held.
func (e *edgeKeeper) markAll() {
	for id := range e.a.sets {
		e.markSet(id)
	}
	for h := range e.a.hosts {
		e.markHost(h)
	}
	for id := range e.a.vips {
		e.markVIP(id)
	}
}

// telling is the conversation with one edge: one batch of changes at a time.
type telling struct {
	keeper *edgeKeeper
	p      *process
	gen    int64 // of the last message
	rev    int64 // that the batch under way brings
	busy   bool
}

// tell sends what changed, unless a batch is under way.
func (t *telling) tell() error {
	if t.busy {
		return nil
	}
	batch, files := t.take()
	for i, m := range batch {
		t.gen++
		m.Gen = t.gen
		failpoint.Hit("agent.tell.before")
		if err := t.p.conn.Send(m, sendTimeout, files[i]...); err != nil {
			return err
		}
		failpoint.Hit("agent.tell.after")
	}
	t.busy = len(batch) > 0
	return nil
}

// take turns the marks into messages: new sets first, so that no host points at one that is not known, and those that are
// gone last, when no host does any more.
func (t *telling) take() (batch []wire.ToEdge, files [][]*wire.Handle) {
	e := t.keeper
	e.a.mu.Lock()
	defer e.a.mu.Unlock()
	for id := range e.sets {
		if s := e.a.sets[id]; s != nil {
			batch, files = append(batch, wire.ToEdge{Set: id}), append(files, s.intake)
			if s.refuses {
				e.waits[id] = true
			}
		}
	}
	for id := range e.waits {
		if s := e.a.sets[id]; s != nil {
			batch, files = append(batch, wire.ToEdge{Set: id, Queue: true, Refuse: s.refuses}), append(files, nil)
		}
	}
	bySet := map[string][]string{}
	for h := range e.hosts {
		id := e.a.leadsTo(h)
		bySet[id] = append(bySet[id], h)
	}
	for id, hosts := range bySet {
		for part := range slices.Chunk(hosts, wire.NamesPerMessage) {
			batch, files = append(batch, wire.ToEdge{Set: id, Hosts: part}), append(files, nil)
		}
	}
	for id := range e.sets {
		if e.a.sets[id] == nil {
			batch, files = append(batch, wire.ToEdge{Set: id, Forget: true}), append(files, nil)
		}
	}
	for id := range e.vips {
		var fds []*wire.Handle
		refuses := false
		if v := e.a.vips[id]; v != nil {
			fds, refuses = v.files, v.refuses
		}
		batch, files = append(batch, wire.ToEdge{VIP: id, Refuse: refuses}), append(files, fds)
	}
	if e.open {
		batch, files = append(batch, wire.ToEdge{Open: true}), append(files, nil)
		e.open = false
	}
	clear(e.sets)
	clear(e.hosts)
	clear(e.vips)
	clear(e.waits)
	t.rev = e.rev
	return batch, files
}

// acked notes what the edge has done.
func (t *telling) acked(gen int64) {
	if gen != t.gen {
		return
	}
	t.busy = false
	a := t.keeper.a
	a.mu.Lock()
	defer a.mu.Unlock()
	t.keeper.known = t.rev
	a.bump()
}
