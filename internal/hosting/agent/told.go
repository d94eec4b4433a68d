package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"

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

// keep writes down what the agent was told. Those who wait for one another share a write: names come by the thousand, and
// each write holds all of them.
func (a *agent) keep() error {
	a.mu.Lock()
	a.asked++
	mine := a.asked
	a.mu.Unlock()
	a.keeping.Lock()
	defer a.keeping.Unlock()
	if a.written >= mine {
		return nil
	}
	a.mu.Lock()
	t := told{
		Boot: bootID(), Settings: a.opt.Settings, Inventory: a.listAll(), Injections: a.listInjections(), Epochs: maps.Clone(a.epochs), Down: a.downZones(), Changes: a.changes,
	}
	asked := a.asked
	a.mu.Unlock()
	if err := writeJSON(a.opt.Layout.AgentTold(), t); err != nil {
		return err
	}
	a.written = asked
	return nil
}

// tryKeep is keep where a failure costs nothing while this agent lives, and after that no more than the time until the
// control plane has told the next one everything again.
func (a *agent) tryKeep() {
	if err := a.keep(); err != nil {
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
	var t told
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("read what the agent was told %s: %w", path, err)
	}
	return &t, nil
}

// firstChange is where the agent begins to count.
func (t *told) firstChange() int64 {
	now := failpoint.Now().UnixMicro()
	if t == nil {
		return now
	}
	return max(now, t.Changes+changesApart)
}
