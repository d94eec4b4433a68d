// Package gateways keeps the versions of the gateway program of a data folder, side by side:
//
//	DIR/gateways/VERSION/portico
//
// A program is put there whole or not at all, and what machines run is never changed where it lies: a machine that is
// started again is the one that it was. Which version runs where is the planner's business.
package gateways

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	program = "portico"
	mark    = "kept"  // beside a program that Keep put there
	fresh   = ".new-" // prefix of a program that is being copied
	perm    = 0o700
)

// Bounds of what a program may say when it is asked for its version.
const (
	maxVersion = 100 // characters
	askTime    = 20 * time.Second
)

// ErrNotInstalled is wrapped by the error of Program.
var ErrNotInstalled = errors.New("is not installed")

// Gateways is the folder of the versions.
type Gateways struct{ dir string }

// Open returns the folder dir, which exists.
func Open(dir string) Gateways { return Gateways{dir} }

// A Version is an installed version.
type Version struct {
	Name string
	Size int64 // of the program, in bytes
	kept bool
}

// Program is the path of the program of a version.
func (g Gateways) Program(version string) (string, error) {
	if err := check(version); err != nil {
		return "", err
	}
	path := g.path(version)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("gateway %s %w", version, ErrNotInstalled)
	}
	return path, nil
}

// Has says whether a version is installed.
func (g Gateways) Has(version string) bool {
	_, err := g.Program(version)
	return err == nil
}

func (g Gateways) path(version string) string {
	return filepath.Join(g.dir, url.PathEscape(version), program)
}

// check refuses what cannot be the name of a version.
func check(version string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if version == "" || len(version) > maxVersion || strings.HasPrefix(version, ".") || strings.ContainsFunc(version, odd) {
		return fmt.Errorf("%.*q cannot be a version of the gateway", maxVersion, version)
	}
	return nil
}

// List lists what is installed, by name.
func (g Gateways) List() ([]Version, error) {
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	var all []Version
	for _, e := range entries {
		name, err := url.PathUnescape(e.Name())
		if err != nil || !e.IsDir() || check(name) != nil {
			continue
		}
		info, err := os.Stat(g.path(name))
		if err != nil {
			continue // being installed, or what is left of that
		}
		_, err = os.Stat(filepath.Join(g.dir, e.Name(), mark))
		all = append(all, Version{Name: name, Size: info.Size(), kept: err == nil})
	}
	slices.SortFunc(all, func(a, b Version) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Install copies a program under the version that it says it is. One that is there already stays; another program of
// the same version is refused, and so is one that another user could have put there.
func (g Gateways) Install(ctx context.Context, file string) (Version, error) {
	made, err := g.copy(file, trusted)
	if err != nil {
		return Version{}, fmt.Errorf("install gateway: %w", err)
	}
	defer os.Remove(made) //nolint:errcheck // gone where it was put in place
	name, err := ask(ctx, made)
	if err != nil {
		return Version{}, fmt.Errorf("install gateway: %s: %w", file, err)
	}
	path := g.path(name)
	same, err := equal(made, path)
	switch {
	case err == nil && !same:
		return Version{}, fmt.Errorf("install gateway: another program is installed as version %s: give this one a version of its own", name)
	case errors.Is(err, fs.ErrNotExist):
		err = g.put(made, name)
	}
	if err == nil {
		err = os.Remove(filepath.Join(filepath.Dir(path), mark))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Version{}, fmt.Errorf("install gateway: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Version{}, fmt.Errorf("install gateway: %w", err)
	}
	return Version{Name: name, Size: info.Size()}, nil
}

// Keep makes sure that a program, which is the running one, is there under a version, for as long as something uses
// it: Prune removes it after that. What is there under the same version is replaced when it is another program.
func (g Gateways) Keep(version, file string) error {
	if err := check(version); err != nil {
		return err
	}
	path := g.path(version)
	if unchanged(file, path) {
		return nil
	}
	made, err := g.copy(file, func(fs.FileInfo) error { return nil }) // it runs already
	if err != nil {
		return fmt.Errorf("keep gateway %s: %w", version, err)
	}
	defer os.Remove(made) //nolint:errcheck // gone where it was put in place
	_, err = os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := g.put(made, version); err != nil {
		return fmt.Errorf("keep gateway %s: %w", version, err)
	}
	if !isNew {
		return nil
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), mark), nil, 0o600); err != nil {
		return fmt.Errorf("keep gateway %s: %w", version, err)
	}
	return nil
}

// Prune removes the versions that Keep put there and that are not in use, and what is left of copies that were cut off.
// Nothing may be installed meanwhile.
func (g Gateways) Prune(inUse func(version string) bool) error {
	all, err := g.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range all {
		if v.kept && !inUse(v.Name) {
			errs = append(errs, os.RemoveAll(filepath.Dir(g.path(v.Name))))
		}
	}
	cut, err := filepath.Glob(filepath.Join(g.dir, fresh+"*"))
	errs = append(errs, err)
	for _, path := range cut {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// trusted refuses a file that other users than this one and the host's administrator can change.
func trusted(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && st.Uid != 0 && int(st.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to user %d", info.Name(), st.Uid)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%s can be changed by everybody (mode %04o)", info.Name(), info.Mode().Perm())
	}
	return nil
}

// copy makes a copy of a program that can be run, beside the versions, if it is acceptable. It keeps the time of the last
// change.
func (g Gateways) copy(file string, accept func(fs.FileInfo) error) (path string, err error) {
	from, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer from.Close() //nolint:errcheck // only read
	info, err := from.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", file)
	}
	if err := accept(info); err != nil {
		return "", err
	}
	to, err := os.CreateTemp(g.dir, fresh+"*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, from)
	err = errors.Join(err, to.Chmod(perm), to.Sync(), to.Close())
	if err == nil {
		err = os.Chtimes(to.Name(), info.ModTime(), info.ModTime())
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(to.Name()))
	}
	return to.Name(), nil
}

// put moves a copy to its place.
func (g Gateways) put(made, version string) error {
	path := g.path(version)
	if err := os.MkdirAll(filepath.Dir(path), perm); err != nil {
		return err
	}
	return os.Rename(made, path)
}

// ask asks a program for its version, which shows that it can be run here.
func ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for {
		cmd := exec.CommandContext(ctx, path, "version") //nolint:gosec // what installing a program means
		cmd.WaitDelay = time.Second
		out := &bounded{left: 2 * maxVersion}
		cmd.Stdout = out
		err := cmd.Run()
		switch {
		case errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil:
			// A process that was started while the copy was written has it open for a moment.
			time.Sleep(time.Millisecond)
			continue
		case err != nil:
			return "", fmt.Errorf("asked for its version: %w", err)
		}
		version := strings.TrimSpace(out.String())
		return version, check(version)
	}
}

// bounded keeps the beginning of what is written.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}

// unchanged says that a copy is as its original was left: of its size and time.
func unchanged(file, made string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(made)
	return err == nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// equal compares two files by their content.
func equal(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	return err == nil && bytes.Equal(x, y), err
}
