package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/hosting/fabric"
)

// told is what the agent was asked for: all that it knows, but for what processes themselves can say. It is kept in
// told.json for the agent that comes next.
type told struct {
	Boot      string            `json:"boot"` // identifies the time since the host was started
	Settings  map[string]string `json:"settings,omitempty"`
	Inventory fabric.Inventory  `json:"inventory"`
	// Injections are those of the inventory, with the addresses that were picked for them.
	Injections []injection      `json:"injections,omitempty"`
	Epochs     map[string]int64 `json:"epochs"`
	Down       []string         `json:"down,omitempty"` // zones
	Changes    int64            `json:"changes"`
}

// changesApart keeps the numbers of a new agent above those of the one before, which went on counting after it last
// kept what it was told, also when the clock was set back meanwhile.
const changesApart = 1 << 32

// A note is a name that was pointed somewhere since the whole was written. There are names by the ten thousand, and each
// comes alone: notes follow the whole in the file, one a line, until they are longer than it.
type note struct {
	Lease   fabric.Lease `json:"lease"`
	Names   fabric.Names `json:"names"`
	Changes int64        `json:"changes"`
}

// wholeAgain is how long notes may become at least.
const wholeAgain = 64 << 10

// keeper is how far the file is.
type keeper struct {
	mu           sync.Mutex // held while the file is written; guards below
	written      int64      // the last one of those that asked
	whole, notes int64      // bytes
}

// keep writes down what the agent was told: all of it, or, where names alone are new, these. Those who wait for one
// another share a write.
func (a *agent) keep(whole bool) error {
	a.mu.Lock()
	a.asked++
	mine := a.asked
	a.unkept = a.unkept || whole
	a.mu.Unlock()
	k := &a.keeping
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.written >= mine {
		return nil
	}
	a.mu.Lock()
	asked, notes := a.asked, a.notes
	whole = a.unkept || k.notes > max(k.whole, wholeAgain)
	a.notes, a.unkept = nil, false
	var t told
	if whole {
		t = told{
			Boot: bootID(), Settings: a.opt.Settings, Inventory: a.listAll(), Injections: a.listInjections(), Epochs: maps.Clone(a.epochs), Down: a.downZones(), Changes: a.changes,
		}
	}
	a.mu.Unlock()
	var err error
	if whole {
		err = k.write(a.opt.Layout.AgentTold(), t)
	} else {
		err = k.add(a.opt.Layout.AgentTold(), notes)
	}
	if err != nil {
		a.mu.Lock()
		a.unkept = true
		a.mu.Unlock()
		return err
	}
	k.written = asked
	return nil
}

// write begins the file anew. k.mu is held.
func (k *keeper) write(path string, t told) error {
	if err := writeJSON(path, t); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	k.whole, k.notes = info.Size(), 0
	return nil
}

// add writes notes behind what is there. k.mu is held.
func (k *keeper) add(path string, notes []note) error {
	var lines []byte
	for _, n := range notes {
		line, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
		lines = append(append(lines, line...), '\n')
	}
	if err := failpoint.Full(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(lines)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	k.notes += int64(len(lines))
	return nil
}

// tryKeep is keep where a failure costs nothing while this agent lives, and after that no more than the time until the
// control plane has told the next one everything again.
func (a *agent) tryKeep(whole bool) {
	if err := a.keep(whole); err != nil {
		a.log.Warn("what the agent was told is not kept", slog.Any("error", err))
	}
}

// readTold reads what the agent before was told; nil when that is not known.
func readTold(path string) (*told, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the agent was told: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	var t told
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("read what the agent was told %s: %w", path, err)
	}
	for {
		var n note
		if d.Decode(&n) != nil { // the end, or the beginning of a note that nobody was told to be kept
			return &t, nil //nolint:nilerr // as said
		}
		t.take(n)
	}
}

// take brings a note in.
func (t *told) take(n note) {
	t.Epochs[strings.ToLower(n.Lease.Service)] = n.Lease.Epoch
	t.Changes = n.Changes
	for _, h := range n.Names.Hosts {
		if h = strings.ToLower(h); len(n.Names.Sets) == 0 {
			delete(t.Inventory.Hosts, h)
		} else {
			t.Inventory.Hosts[h] = n.Names.Sets
		}
	}
}

// firstChange is where the agent begins to count.
func (t *told) firstChange() int64 {
	now := failpoint.Now().UnixMicro()
	if t == nil {
		return now
	}
	return max(now, t.Changes+changesApart)
}
