package feed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A journal keeps the manifest of a service: one file with the whole of it, and one with the changes since, each of
// which says which manifest it belongs to. So a change costs what it is. When the changes have become longer than the
// whole, that is written again, and the changes before it fit no more.
type journal struct {
	last           saved // what it says
	whole, changes int   // bytes
	broken         bool  // the end of the changes is not known to be good: nothing may follow
}

// saved is what a journal has to say.
type saved struct {
	Manifest snapshot.Manifest `json:"manifest"`
	// Good lists last good parts in the place of those that were refused.
	Good []snapshot.PartRef `json:"good,omitempty"`
	// Hosts are the names of the service, of a worker's: it would read them out of a part of each of thousands.
	Hosts []string `json:"hosts,omitempty"`
}

// step is one change.
type step struct {
	Change snapshot.Change    `json:"change"`
	Good   []snapshot.PartRef `json:"good,omitempty"`
}

// wholeAgain is how long changes may become at least.
const wholeAgain = 64 << 10

// journalFile is the name that both files of a service have in their folders.
func journalFile(serviceID string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(serviceID)))
	return hex.EncodeToString(sum[:16])
}

// putManifest keeps what a service came to.
func (c *cache) putManifest(s saved) error {
	if c.dir == "" {
		return nil
	}
	name := journalFile(s.Manifest.Service)
	j := c.journals[name]
	if j == nil || j.broken || !slices.Equal(s.Hosts, j.last.Hosts) {
		return c.begin(name, s)
	}
	change := snapshot.Diff(j.last.Manifest, s.Manifest)
	if len(change.Gone)+len(change.Put) == 0 && slices.Equal(s.Good, j.last.Good) {
		return nil
	}
	record, err := c.record(name, step{change, s.Good})
	if err != nil {
		return err
	}
	if j.changes+len(record) > max(j.whole, wholeAgain) {
		return c.begin(name, s)
	}
	if err := c.follow(j, name, record); err != nil {
		return err
	}
	j.last = s
	return nil
}

// begin writes the whole.
func (c *cache) begin(name string, s saved) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := c.write(filepath.Join("services", name), data); err != nil {
		return err
	}
	c.journals[name] = &journal{last: s, whole: len(data)}
	return removed(os.Remove(filepath.Join(c.dir, "changes", name)))
}

// record is a step as it stands in the file: its length, sealed content.
func (c *cache) record(name string, s step) ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	sealed := c.sealed(filepath.Join("changes", name), data)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...), nil //nolint:gosec // shorter than an answer
}

// follow adds a record to the changes.
func (c *cache) follow(j *journal, name string, record []byte) error {
	err := failpoint.Full()
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(filepath.Join(c.dir, "changes", name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err == nil {
			_, err = f.Write(record)
			err = errors.Join(err, f.Close()) // not synced: what a power failure damages counts as absent
		}
	}
	j.changes += len(record)
	j.broken = err != nil
	return err
}

func (c *cache) dropManifest(serviceID string) error {
	if c.dir == "" {
		return nil
	}
	name := journalFile(serviceID)
	delete(c.journals, name)
	return errors.Join(
		removed(os.Remove(filepath.Join(c.dir, "services", name))), removed(os.Remove(filepath.Join(c.dir, "changes", name))))
}

// removed is the error of a removal; a file that was not there is no error.
func removed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// let stops keeping the manifest of a service in memory, and says whether it is on disk.
func (c *cache) let(serviceID string) bool {
	name := journalFile(serviceID)
	j := c.journals[name]
	if j == nil || j.broken {
		return false
	}
	delete(c.journals, name)
	return true
}

// manifests reads all manifests that can be opened, one after another; the error names those that cannot.
func (c *cache) manifests(take func(saved)) error {
	if c.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, "services"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		s, j, err := c.kept(e.Name())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Name(), err))
			continue
		}
		c.journals[e.Name()] = j
		take(s)
	}
	return errors.Join(errs...)
}

// kept reads a whole manifest and goes through its changes as far as they are readable and follow each other. It may be
// called while they are written: it then finds the manifest before or after.
func (c *cache) kept(name string) (s saved, j *journal, err error) {
	data, err := c.read(filepath.Join("services", name))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.Manifest.Format > snapshot.Format {
		err = fmt.Errorf("format %d is newer than %d", s.Manifest.Format, snapshot.Format)
	}
	if err != nil {
		return s, nil, err
	}
	j = &journal{whole: len(data)}
	defer func() { j.last = s }()
	changes, err := os.ReadFile(filepath.Join(c.dir, "changes", name))
	if removed(err) != nil {
		return s, j, err
	}
	j.changes = len(changes)
	for len(changes) > 0 && !j.broken {
		var next step
		if next, changes, err = c.next(name, changes); err == nil {
			var m snapshot.Manifest
			if m, err = next.Change.Apply(s.Manifest); err == nil {
				s = saved{Manifest: m, Good: next.Good}
			}
		}
		j.broken = err != nil // also where changes precede the whole
	}
	return s, j, nil
}

var errCut = errors.New("the change is cut off")

// next reads the first of some records.
func (c *cache) next(name string, records []byte) (s step, rest []byte, err error) {
	if len(records) < 4 {
		return s, nil, errCut
	}
	n := int64(binary.BigEndian.Uint32(records))
	records = records[4:]
	if n > int64(len(records)) {
		return s, nil, errCut
	}
	data, err := c.unseal(filepath.Join("changes", name), records[:n])
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, records[n:], err
}
