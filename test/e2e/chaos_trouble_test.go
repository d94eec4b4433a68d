package e2e

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A chaosTrouble is something that goes wrong during a round.
type chaosTrouble struct {
	name string
	make func(c *chaos)
	// clock says that windows may end.
	clock bool
	// after is done when the changes are answered; nil for nothing.
	after func(c *chaos)
	// cuts is how many requests of a poller may fail: it has one connection at a time, which a killed process can have.
	cuts func(poller string) int
}

func cutsNone(string) int { return 0 }

func cutsOne(string) int { return 1 }

func cutsEdge(poller string) int {
	if poller == "edge" {
		return 1
	}
	return 0
}

// trouble picks one. Of a dozen, four are deaths at a point, three are kills, two are zones that go down, one is a full
// disk and two are set clocks.
func (c *chaos) trouble() chaosTrouble {
	if len(c.deck) == 0 {
		c.deck = c.rnd.Perm(12)
	}
	pick := c.deck[0]
	c.deck = c.deck[1:]
	wait := time.Duration(c.rnd.IntN(150)) * time.Millisecond
	switch {
	case pick < 4:
		return c.aiming()
	case pick < 7:
		victims := [][]string{{"up"}, {"host"}, {"edge"}, {"machine"}, {"host", "edge"}, {"up", "host"}, {"host", "machine"}, {"up", "host", "edge"}}
		if c.rnd.IntN(len(victims)+1) == 0 {
			return chaosTrouble{name: "the agent is replaced", cuts: cutsNone, make: func(c *chaos) {
				if out, err := exec.Command(program, "restart", "--agent", "--data", c.dir).CombinedOutput(); err != nil {
					c.t.Errorf("portico restart --agent: %v\n%s", err, out)
				}
			}}
		}
		return c.killing(victims[c.rnd.IntN(len(victims))], c.rnd.IntN(1<<16), wait)
	case pick < 8:
		return chaosTrouble{name: "the disk is full", cuts: cutsNone, make: func(c *chaos) {
			c.disk.fill(c.t)
			time.Sleep(200 * time.Millisecond) // for so long
			c.disk.free(c.t)
		}}
	case pick < 10:
		zone := []string{"1", "2", "3"}[c.rnd.IntN(3)]
		return chaosTrouble{
			name: "zone " + zone + " is down", cuts: cutsOne, after: func(c *chaos) { c.switchZone(zone, "up") },
			make: func(c *chaos) {
				time.Sleep(wait)
				c.switchZone(zone, "down")
			},
		}
	}
	minutes := []time.Duration{10 * time.Minute, -10 * time.Minute, 45 * time.Minute, -45 * time.Minute}
	by := minutes[c.rnd.IntN(len(minutes))]
	// It is set on in the end: a window that was to last until a time of day would otherwise last until that comes.
	return chaosTrouble{
		name: "the clock is set to " + by.String(), cuts: cutsNone, clock: true, after: func(c *chaos) { c.setClock(chaosWindow) },
		make: func(c *chaos) {
			time.Sleep(wait)
			c.setClock(by)
		},
	}
}

func (c *chaos) switchZone(zone, state string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := c.client.Do(ctx, http.MethodPost, "/portico/zones", "", object{"zone": zone, "state": state}); err != nil {
		c.t.Errorf("zone %s %s: %v", zone, state, err)
	}
}

// points are where processes are made to die: wherever they have been on this host.
func (c *chaos) points() []string {
	points := slices.Sorted(maps.Keys(c.hits(0)))
	return slices.DeleteFunc(points, func(p string) bool { return strings.HasPrefix(p, "store.schema.") })
}

func (c *chaos) aiming() chaosTrouble {
	points := c.points()
	p := point{points[c.rnd.IntN(len(points))], 1 + c.rnd.IntN(3)}
	cuts := cutsNone
	switch who, _, _ := strings.Cut(p.name, "."); who {
	case "edge":
		cuts = cutsEdge
	case "machine":
		cuts = cutsOne
	}
	return chaosTrouble{name: "something dies at " + p.String(), cuts: cuts, make: func(c *chaos) { c.aim(p) }}
}

// killing ends one process of each kind, all at the same moment.
func (c *chaos) killing(kinds []string, which int, wait time.Duration) chaosTrouble {
	cuts := cutsNone
	for _, k := range kinds {
		switch k {
		case "machine":
			cuts = cutsOne
		case "edge":
			cuts = cutsEdge
		}
	}
	return chaosTrouble{name: strings.Join(kinds, " and ") + " killed", cuts: cuts, make: func(c *chaos) {
		time.Sleep(wait)
		for _, k := range kinds {
			if k == "up" {
				_ = c.cmd.Process.Signal(syscall.SIGKILL)
				continue
			}
			if pids := c.pidsOf(k); len(pids) > 0 {
				_ = syscall.Kill(pids[which%len(pids)], syscall.SIGKILL)
			}
		}
	}}
}

// pidsOf lists the processes of a kind.
func (h *host) pidsOf(kind string) (pids []int) {
	h.t.Helper()
	for _, line := range processes(h.t, h.dir) {
		f := strings.Fields(line)
		if pid, err := strconv.Atoi(f[0]); err == nil && f[2] == kind {
			pids = append(pids, pid)
		}
	}
	return pids
}

// setClock sets the clock of all processes, so far away from the real one.
func (c *chaos) setClock(by time.Duration) {
	c.offset = by
	if err := errors.Join(os.WriteFile(c.clock+".new", []byte(by.String()), 0o600), os.Rename(c.clock+".new", c.clock)); err != nil {
		c.t.Error(err)
	}
}

// A disk holds a data folder and can be full: a small one of its own, or, where none can be mounted, the program is told
// that it is full.
type disk struct {
	dir     string
	file    string // tells the program
	mounted bool
}

// ballast is the file that fills a mounted disk.
const ballast = "ballast"

func (d *disk) fill(t testing.TB) {
	if !d.mounted {
		if err := os.WriteFile(d.file, nil, 0o600); err != nil {
			t.Error(err)
		}
		return
	}
	f, err := os.Create(filepath.Join(d.dir, ballast))
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2] // until not even a byte fits
		}
	}
}

func (d *disk) free(t testing.TB) {
	for _, path := range []string{d.file, filepath.Join(d.dir, ballast)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}
