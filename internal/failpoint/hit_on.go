//go:build failpoint

package failpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Enabled says whether this build obeys failpoints.
const Enabled = true

// Hit marks a point: it logs the name and kills the process when the environment says so.
func Hit(name string) { process().hit(name) }

// process is the one set of points of this process. It is a package variable because what it counts is per process
// by nature, and because a point must not need anything passed in.
var process = sync.OnceValue(func() *points {
	p, err := parse(os.Getenv("PORTICO_FAILPOINT"), os.Getenv("PORTICO_FAILPOINT_LOG"))
	if err != nil {
		panic(err) // a crash test that is set up wrongly must not pass
	}
	return p
})

// points is what the environment asked for.
type points struct {
	log  string // path; empty: none
	file string // path of where to die; empty: name and left are for good
	kill func() // does not return

	mu    sync.Mutex // guards below and the order of log lines
	armed string     // what file said when it was last read
	name  string     // where to die; empty: nowhere
	left  int        // hits of name until death
}

func parse(spec, log string) (*points, error) {
	p := &points{log: log, kill: killSelf}
	if file, ok := strings.CutPrefix(spec, "@"); ok {
		p.file = file
		return p, nil
	}
	return p, p.aim(spec)
}

// aim sets where to die.
func (p *points) aim(spec string) error {
	p.name, p.left = "", 0
	if spec == "" {
		return nil
	}
	i := strings.LastIndexByte(spec, ':')
	if i < 1 {
		return fmt.Errorf("PORTICO_FAILPOINT=%q is not NAME:N", spec)
	}
	n, err := strconv.Atoi(spec[i+1:])
	if err != nil || n < 1 {
		return fmt.Errorf("PORTICO_FAILPOINT=%q: %q is not a count from 1", spec, spec[i+1:])
	}
	p.name, p.left = spec[:i], n
	return nil
}

// look reads the file again.
func (p *points) look() error {
	data, err := os.ReadFile(p.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("failpoint file: %w", err)
	}
	if string(data) == p.armed {
		return nil
	}
	p.armed = string(data)
	spec, _, _ := strings.Cut(p.armed, "\n")
	return p.aim(spec)
}

func (p *points) hit(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != "" {
		if err := p.look(); err != nil {
			panic(err)
		}
	}
	if p.log != "" {
		if err := appendLine(p.log, name); err != nil {
			panic(err)
		}
	}
	p.count(name)
}

// count dies when the time has come.
func (p *points) count(name string) {
	if name != p.name {
		return
	}
	if p.left--; p.left == 0 && p.claim() {
		p.kill()
	}
}

// claim says whether this process is the one that dies. Of several that obey one file, it is the one that takes the file
// away: to a name that ends in ".hit".
func (p *points) claim() bool {
	return p.file == "" || os.Rename(p.file, p.file+".hit") == nil
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("failpoint log: %w", err)
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close() // the write error is the one to tell
		return fmt.Errorf("failpoint log: %w", err)
	}
	return f.Close()
}

// killSelf ends the process as a crash would: no deferred call, no flush.
func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Errorf("failpoint: kill myself: %w", err))
	}
	select {} // the signal may arrive a moment later; nothing more may happen
}
