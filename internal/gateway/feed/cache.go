package feed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/portico-dev/portico/internal/failpoint"
)

// cache keeps parts and manifests, sealed, each in a file that appears whole or not at all:
//
//	DIR/parts/<digest>
//	DIR/services/<hash of the resource ID>
//	DIR/changes/<hash of the resource ID>, what came after: see journal.go
//	DIR/summary, of all of it, while no worker runs: see summary.go
//
// A file that cannot be opened, because it is damaged or sealed with another key, counts as absent. Without a folder
// parts live in memory.
type cache struct {
	dir  string
	seal cipher.AEAD

	journals map[string]*journal // by service; used by Feed.Run alone
	summary  *summary            // that the worker before has left; used by Feed.Run alone

	mu     sync.Mutex // guards below
	parts  map[string]use
	memory map[string][]byte
	damage bool            // a part was forgotten
	gone   map[string]bool // parts that were, and did not come again
}

// use is what is known of a part.
type use struct {
	services int32 // that use it
	held     bool
}

const format = 1 // first byte of each file

func openCache(dir string, key []byte) (*cache, error) {
	c := &cache{
		dir: dir, journals: make(map[string]*journal), parts: make(map[string]use), memory: make(map[string][]byte), gone: make(map[string]bool),
	}
	if dir == "" {
		return c, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if c.seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, err
	}
	for _, sub := range []string{"parts", "services", "changes"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if c.summary = c.takeSummary(); c.summary != nil {
		return c, nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, "parts"))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		c.parts[e.Name()] = use{held: true}
	}
	return c, nil
}

// list names the digests of parts that are there.
func (c *cache) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(c.parts))
	for d, u := range c.parts {
		if u.held {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// lost says, once, that parts are missing which the control plane believes to be here.
func (c *cache) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := c.damage
	c.damage = false
	return lost
}

// harm notes that something is missing.
func (c *cache) harm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.damage = true
}

func (c *cache) has(digest string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parts[digest].held
}

// lacks says whether any part that was here is missing.
func (c *cache) lacks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.gone) > 0
}

// part reads a part and compares it with its digest. A part that is damaged is forgotten, so that it is sent again.
func (c *cache) part(digest string) ([]byte, error) {
	if c.dir == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		data, ok := c.memory[digest]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return data, nil
	}
	data, err := c.read(filepath.Join("parts", digest))
	if err == nil {
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:16]) != digest {
			err = errors.New("content does not match its digest")
		}
	}
	if err != nil {
		c.mu.Lock()
		u := c.parts[digest]
		u.held, c.damage, c.gone[digest] = false, true, true
		c.note(digest, u)
		c.mu.Unlock()
		return nil, fmt.Errorf("read part %s: %w", digest, err)
	}
	return data, nil
}

func (c *cache) putPart(digest string, data []byte) error {
	if c.dir != "" {
		if !plainName(digest) {
			return fmt.Errorf("%q is no digest", digest)
		}
		if err := c.write(filepath.Join("parts", digest), data); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.parts[digest]
	u.held = true
	c.note(digest, u)
	delete(c.gone, digest)
	if c.dir == "" {
		c.memory[digest] = data
	}
	return nil
}

// plainName keeps what came over a wire from naming other files.
func plainName(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && s != ""
}

// retain says that a service uses parts.
func (c *cache) retain(digests []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range digests {
		u := c.parts[d]
		u.services++
		c.note(d, u)
	}
}

// note is called with mu held.
func (c *cache) note(digest string, u use) {
	if u == (use{}) {
		delete(c.parts, digest)
	} else {
		c.parts[digest] = u
	}
}

// release takes a retain back, and removes the parts that nobody uses any more.
func (c *cache) release(digests []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, d := range digests {
		u := c.parts[d]
		if u.services = max(u.services-1, 0); u.services == 0 {
			errs = append(errs, c.remove(d))
		} else {
			c.parts[d] = u
		}
	}
	return errors.Join(errs...)
}

// sweep removes all parts that nobody uses.
func (c *cache) sweep() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for d, u := range c.parts {
		if u.services == 0 {
			errs = append(errs, c.remove(d))
		}
	}
	return errors.Join(errs...)
}

// remove is called with mu held.
func (c *cache) remove(digest string) error {
	held := c.parts[digest].held
	delete(c.parts, digest)
	delete(c.gone, digest)
	if !held {
		return nil
	}
	delete(c.memory, digest)
	if c.dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(c.dir, "parts", digest)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

const tempPrefix = ".new-"

// write seals data into a file. The name is authenticated with it, so that files cannot be swapped.
func (c *cache) write(name string, data []byte) error {
	if err := failpoint.Full(); err != nil {
		return err
	}
	sealed := c.sealed(name, data)
	f, err := os.CreateTemp(filepath.Join(c.dir, filepath.Dir(name)), tempPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Close()) // not synced: what a power failure damages counts as absent
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (c *cache) sealed(name string, data []byte) []byte {
	return c.seal.Seal([]byte{format}, nil, data, []byte(name))
}

func (c *cache) read(name string) ([]byte, error) {
	sealed, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		return nil, err
	}
	return c.unseal(name, sealed)
}

func (c *cache) unseal(name string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != format {
		return nil, errors.New("unknown format")
	}
	return c.seal.Open(nil, nil, sealed[1:], []byte(name))
}
