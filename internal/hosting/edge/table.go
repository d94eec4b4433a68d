package edge

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// errFull is returned for a hand-over that found no room in time.
var errFull = errors.New("intake is full")

// An intake is the sending end of one queue of a set.
type intake struct {
	uc *net.UnixConn
	// turn is held by the one sender that may wait for room: a deadline belongs to the socket, not to a call.
	turn chan struct{}
}

// A set is where the connections of its hosts go.
type set struct {
	plain, secure *intake
	refuses       atomic.Bool    // nobody takes what comes
	files         []*wire.Handle // of the whole intake, for later agents
}

func plainIntake(s *set) *intake  { return s.plain }
func secureIntake(s *set) *intake { return s.secure }

// table knows which set serves which host, and keeps what later agents need back.
type table struct {
	mu    sync.RWMutex // guards below
	sets  map[string]*set
	hosts map[string]string         // host to set ID
	vips  map[string][]*wire.Handle // by VIP ID; kept, not accepted on
}

func newTable() *table {
	return &table{sets: map[string]*set{}, hosts: map[string]string{}, vips: map[string][]*wire.Handle{}}
}

// find returns the set of a host, or of all hosts beside it, or nil.
func (t *table) find(host string) *set {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id, ok := t.hosts[host]
	if _, parent, cut := strings.Cut(host, "."); !ok && cut {
		id = t.hosts["*."+parent]
	}
	return t.sets[id]
}

// left lists the sets that hosts leave by a message, or that refuse what comes from it on.
func (t *table) left(m wire.ToEdge) (sets []*set) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if s := t.sets[m.Set]; s != nil && m.Refuse { // what waits there is answered
		sets = append(sets, s)
	}
	for _, h := range m.Hosts {
		if s := t.sets[t.hosts[h]]; s != nil && t.hosts[h] != m.Set && !slices.Contains(sets, s) {
			sets = append(sets, s)
		}
	}
	return sets
}

// change does what one message of the agent says. It takes over files.
func (t *table) change(m wire.ToEdge, files []*wire.Handle) error {
	if m.VIP != "" {
		return t.keepVIP(m.VIP, files)
	}
	var made *set
	if len(files) > 0 {
		var err error
		if made, err = openSet(files); err != nil {
			return fmt.Errorf("open intake of set %s: %w", m.Set, err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if made != nil {
		t.drop(m.Set)
		t.sets[m.Set] = made
	}
	if s := t.sets[m.Set]; s != nil && m.Queue {
		s.refuses.Store(m.Refuse)
	}
	for _, h := range m.Hosts {
		if m.Set == "" {
			delete(t.hosts, h)
		} else {
			t.hosts[h] = m.Set
		}
	}
	if m.Forget {
		t.drop(m.Set)
		for h, id := range t.hosts {
			if id == m.Set {
				delete(t.hosts, h)
			}
		}
	}
	return nil
}

// keepVIP keeps the sockets of a VIP, or, when there are none, keeps them no longer.
func (t *table) keepVIP(id string, files []*wire.Handle) error {
	if n := len(files); n != 0 && n != wire.HeldVIP.FDs() {
		wire.CloseAll(files)
		return fmt.Errorf("VIP %s comes with %d descriptors", id, n)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wire.CloseAll(t.vips[id])
	if len(files) == 0 {
		delete(t.vips, id)
	} else {
		t.vips[id] = files
	}
	return nil
}

// vip is what the table keeps of a VIP.
func (t *table) vip(id string) []*wire.Handle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.vips[id]
}

func (t *table) drop(id string) {
	if s := t.sets[id]; s != nil {
		s.close()
		delete(t.sets, id)
	}
}

func (t *table) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.sets {
		t.drop(id)
	}
	for _, files := range t.vips {
		wire.CloseAll(files)
	}
}

// offer is what a later agent needs: who serves which host, and duplicates of all descriptors.
func (t *table) offer() (names map[string][]string, keeps []wire.Keep) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	names = map[string][]string{}
	for host, id := range t.hosts {
		names[id] = append(names[id], host)
	}
	for id, s := range t.sets {
		keeps = append(keeps, wire.Keep{Held: wire.Held{Kind: wire.HeldIntake, ID: id}, Files: s.files})
	}
	for id, files := range t.vips {
		keeps = append(keeps, wire.Keep{Held: wire.Held{Kind: wire.HeldVIP, ID: id}, Files: files})
	}
	return names, keeps
}

// openSet opens the sending ends of an intake and takes over its descriptors.
func openSet(files []*wire.Handle) (*set, error) {
	if n := len(files); n != wire.HeldIntake.FDs() {
		wire.CloseAll(files)
		return nil, fmt.Errorf("%d descriptors", n)
	}
	plain, err := files[2].Packets()
	if err != nil {
		wire.CloseAll(files)
		return nil, err
	}
	secure, err := files[3].Packets()
	if err != nil {
		wire.CloseAll(files)
		_ = plain.Close()
		return nil, err
	}
	return &set{
		plain:  &intake{uc: plain, turn: make(chan struct{}, 1)},
		secure: &intake{uc: secure, turn: make(chan struct{}, 1)},
		files:  files,
	}, nil
}

func (s *set) close() {
	_ = s.plain.uc.Close()
	_ = s.secure.uc.Close()
	wire.CloseAll(s.files)
}

// handOver puts a connection and what was read from it into the queue and waits at most so long for room. The caller
// keeps its own descriptor and should close it. An error means that nothing was handed over.
func (in *intake) handOver(c *net.TCPConn, head []byte, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case in.turn <- struct{}{}:
	case <-timer.C:
		return errFull
	}
	defer func() { <-in.turn }()

	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("hand over connection: %w", err)
	}
	if err := in.uc.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("hand over connection: %w", err)
	}
	packet := append(append(make([]byte, 0, 1+len(head)), wire.HandOver), head...)
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = in.uc.WriteMsgUnix(packet, unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return fmt.Errorf("hand over connection: %w", err)
	}
	// Too many descriptors in flight are a full queue too.
	if errors.Is(sent, os.ErrDeadlineExceeded) || errors.Is(sent, unix.ETOOMANYREFS) {
		return errFull
	}
	if sent != nil {
		return fmt.Errorf("hand over connection: %w", sent)
	}
	return nil
}
