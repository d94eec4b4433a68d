package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSocketPath is the longest path used for a unix socket: the kernels take 103 bytes (darwin) and 107 (Linux).
const maxSocketPath = 100

// Layout says where everything of one data folder lives. The folder and all folders below it belong to one user and
// are open to nobody else (0700).
type Layout struct {
	Dir string // absolute
}

// OpenLayout makes the data folder dir, with what every process expects below it, and returns its layout.
func OpenLayout(dir string) (Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, fmt.Errorf("data folder %s: %w", dir, err)
	}
	l := Layout{Dir: abs}
	if err := l.mayTake(); err != nil {
		return Layout{}, err
	}
	return l, l.Make()
}

// mayTake refuses a folder that others can read and that holds other things: closing it would lock somebody out of
// their own.
func (l Layout) mayTake() error {
	info, err := os.Stat(l.Dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() == 0o700 {
		return nil //nolint:nilerr // Make says what is wrong
	}
	if _, err := os.Stat(l.Run()); err == nil {
		return nil // was taken before
	}
	there, err := os.ReadDir(l.Dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("%s holds other things and is open to others (mode %04o): choose a new or an empty folder", l.Dir, info.Mode().Perm())
	}
	return nil
}

// Make creates the folders that are missing and closes them to others.
func (l Layout) Make() error {
	for _, d := range []string{l.Dir, l.CA(), l.Run(), l.Logs(), l.Caches(), l.Gateways(), l.Counters()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("make data folder: %w", err)
		}
		if err := ownPrivate(d, os.Stat); err != nil {
			return err
		}
	}
	return nil
}

// DB is the embedded store.
func (l Layout) DB() string { return filepath.Join(l.Dir, "portico.db") }

// Credentials holds the administrator's credential (0600).
func (l Layout) Credentials() string { return filepath.Join(l.Dir, "credentials.json") }

// Endpoints lists the URLs that this folder's processes serve.
func (l Layout) Endpoints() string { return filepath.Join(l.Dir, "endpoints.json") }

// Keys holds the keys that seal secrets (0600).
func (l Layout) Keys() string { return filepath.Join(l.Dir, "keys.json") }

// Ports records the ports that were picked when 0 was asked for, so that the folder keeps them.
func (l Layout) Ports() string { return filepath.Join(l.Dir, "ports.json") }

// CA is the folder of the local certificate authority and what it issued.
func (l Layout) CA() string { return filepath.Join(l.Dir, "ca") }

// Run is the folder of what only means something while processes run: sockets, locks, process lists.
func (l Layout) Run() string { return filepath.Join(l.Dir, "run") }

// AgentLock is held by the one agent of the folder.
func (l Layout) AgentLock() string { return filepath.Join(l.Run(), "agent.lock") }

// AgentState lists the processes that the agent runs.
func (l Layout) AgentState() string { return filepath.Join(l.Run(), "agent.json") }

// AgentTold holds what the agent was asked for.
func (l Layout) AgentTold() string { return filepath.Join(l.Run(), "told.json") }

// Logs is the folder of what processes print.
func (l Layout) Logs() string { return filepath.Join(l.Dir, "logs") }

// Log is the file that the named process prints to. Any name is fine.
func (l Layout) Log(name string) string { return filepath.Join(l.Logs(), fileName(name)+".log") }

// Caches is the folder of all machines' caches.
func (l Layout) Caches() string { return filepath.Join(l.Dir, "machines") }

// Gateways is the folder of the versions of the gateway program.
func (l Layout) Gateways() string { return filepath.Join(l.Dir, "gateways") }

// MachineCache is the folder in which one machine keeps its last good snapshots.
func (l Layout) MachineCache(machine string) string {
	return filepath.Join(l.Caches(), fileName(machine))
}

// Activity is the folder of the activity log.
func (l Layout) Activity() string { return filepath.Join(l.Dir, "activity") }

// Counters is the folder of what services count: rate limits and quotas.
func (l Layout) Counters() string { return filepath.Join(l.Dir, "counters") }

// Metering is the folder of how often Consumption services are called.
func (l Layout) Metering() string { return filepath.Join(l.Dir, "metering") }

// Socket is the path of the named unix socket. It lies in the run folder, or, where that would be too long for the
// kernel, in a short private folder of the same user under os.TempDir that is found by the data folder's path.
func (l Layout) Socket(name string) (string, error) {
	dir, err := l.SocketDir()
	if err != nil {
		return "", err
	}
	p := filepath.Join(dir, name)
	if len(p) > maxSocketPath {
		return "", fmt.Errorf("socket path %s: longer than %d bytes", p, maxSocketPath)
	}
	return p, nil
}

// SocketDir is the folder that sockets are in; it exists and is private when SocketDir returns.
func (l Layout) SocketDir() (string, error) {
	dir := l.Run()
	// Room for a name of 24 bytes, so that all sockets of a folder are in the same place.
	if len(dir)+1+24 > maxSocketPath {
		sum := sha256.Sum256([]byte(l.Dir))
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("portico-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6])))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make socket folder: %w", err)
	}
	return dir, ownPrivate(dir, os.Lstat)
}

// ownPrivate makes sure that dir is a folder of this user, closed to everybody else. A folder under the shared
// temporary folder could have been put there by somebody else, which is why the owner is checked and not assumed, and
// why its stat is os.Lstat: a symbolic link is not a folder there.
func ownPrivate(dir string, stat func(string) (fs.FileInfo, error)) error {
	info, err := stat(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return fmt.Errorf("folder %s belongs to user %d, not to %d", dir, st.Uid, os.Getuid())
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs its x bit
			return fmt.Errorf("close folder: %w", err)
		}
	}
	return nil
}

// fileName turns an ID into a file name: safe IDs stay as they are, others keep what is readable of them and get a
// hash that tells them apart.
func fileName(id string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, id)
	if clean == id && id != "" && len(id) <= 100 && !strings.HasPrefix(id, ".") {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return strings.TrimLeft(clean[:min(len(clean), 60)], ".") + "-" + hex.EncodeToString(sum[:6])
}
