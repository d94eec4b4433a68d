package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// LoadOrCreateKey reads the sealing key in the file path, or makes one. The file is refused unless it is a regular
// one of KeySize bytes that only its owner can use: a key that others may have read does not protect anything. A new
// key is durable before it is returned, and of several processes that make one at once all get the same.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make key file %s: %w", path, err)
	}
	return loadKey(path)
}

func loadKey(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("load key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load key file %s: it is not a regular file (%s)", path, info.Mode())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("load key file %s: mode %#o lets others use it; make it 0600 if nobody has read it", path, mode)
	}
	if info.Size() != KeySize {
		return nil, fmt.Errorf("load key file %s: it has %d bytes, want %d", path, info.Size(), KeySize)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load key file: %w", err)
	}
	if len(key) != KeySize {
		return nil, fmt.Errorf("load key file %s: it has %d bytes, want %d", path, len(key), KeySize)
	}
	return key, nil
}

// createKey writes a new key beside path and links it there, which fails if there is one by now.
func createKey(path string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err := fill(f); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// fill writes a random key to f, makes it durable and closes f.
func fill(f *os.File) error {
	key := make([]byte, KeySize)
	rand.Read(key) //nolint:errcheck // never fails, says its documentation
	_, err := f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the entry of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
