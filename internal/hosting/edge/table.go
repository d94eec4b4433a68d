package edge

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
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
type set struct{ plain, secure *intake }

// table knows which set serves which host.
type table struct {
	mu    sync.RWMutex // guards below
	sets  map[string]*set
	hosts map[string]string // host to set ID
}

func newTable() *table { return &table{sets: map[string]*set{}, hosts: map[string]string{}} }

// find returns the set of a host, or nil.
func (t *table) find(host string) *set {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.sets[t.hosts[host]]
}

// change does what one message of the agent says. It takes over files.
func (t *table) change(m wire.ToEdge, files []*wire.Handle) error {
	if len(files) != 0 && len(files) != 2 {
		wire.CloseAll(files)
		return fmt.Errorf("set %s comes with %d descriptors", m.Set, len(files))
	}
	var made *set
	if len(files) == 2 {
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
}

func openSet(files []*wire.Handle) (*set, error) {
	defer wire.CloseAll(files) // the intakes have their own
	plain, err := files[0].Packets()
	if err != nil {
		return nil, err
	}
	secure, err := files[1].Packets()
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return &set{
		plain:  &intake{uc: plain, turn: make(chan struct{}, 1)},
		secure: &intake{uc: secure, turn: make(chan struct{}, 1)},
	}, nil
}

func (s *set) close() {
	_ = s.plain.uc.Close()
	_ = s.secure.uc.Close()
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
