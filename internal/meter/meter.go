// Package meter counts the calls of Consumption services by month. Each worker counts in a file of its own, which it
// writes while it serves and reads when it starts again; what a service was called in all is the sum of the files. What
// a worker that is killed has counted in its last second is lost.
package meter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Meter is the counts of one worker.
type Meter struct {
	path string
	now  func() time.Time

	mu     sync.Mutex // guards below
	counts counts
	fresh  bool // something was counted since the last write

	month       string // that is counted in
	from, until time.Time
}

// counts are calls by month (UTC, "2026-11") and by resource ID in lower case.
type counts map[string]map[string]int64

// ending is that of the files of meters.
const ending = ".json"

// Open opens the meter of a worker in a folder, which is made when it is not there.
func Open(dir, worker string) (*Meter, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open meter: %w", err)
	}
	m := &Meter{path: filepath.Join(dir, filepath.Base(worker)+ending), now: time.Now}
	var err error
	if m.counts, err = read(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open meter: %w", err)
	}
	if m.counts == nil {
		m.counts = counts{}
	}
	return m, nil
}

// Count counts a call of a service, given by its resource ID in lower case.
func (m *Meter) Count(service string) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !now.Before(m.until) || now.Before(m.from) {
		m.turn(now.UTC())
	}
	if m.counts[m.month] == nil {
		m.counts[m.month] = map[string]int64{}
	}
	m.counts[m.month][service]++
	m.fresh = true
}

// turn notes which month it is. m.mu is held.
func (m *Meter) turn(now time.Time) {
	m.from = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	m.month, m.until = now.Format("2006-01"), m.from.AddDate(0, 1, 0)
}

// Run writes what was counted every second until ctx ends, and then once more.
func (m *Meter) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m.Keep()
		}
		if err := m.Keep(); err != nil {
			return err
		}
	}
}

// Keep writes what was counted since the last time.
func (m *Meter) Keep() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.fresh {
		return nil
	}
	data, err := json.Marshal(m.counts)
	if err != nil {
		return fmt.Errorf("keep meter: %w", err)
	}
	if err := replace(m.path, data); err != nil {
		return fmt.Errorf("keep meter: %w", err)
	}
	m.fresh = false
	return nil
}

// replace writes a file whole or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func read(path string) (counts, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c counts
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// A Month is how often a service was called in a month.
type Month struct {
	Month string `json:"month"` // UTC: 2026-11
	Calls int64  `json:"calls"`
}

// Months sums up what all workers of a folder have counted for a service, the newest month first.
func Months(dir, service string) ([]Month, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil {
		return nil, fmt.Errorf("read meters: %w", err)
	}
	sum := map[string]int64{}
	for _, f := range files {
		c, err := read(f)
		if err != nil {
			return nil, fmt.Errorf("read meters: %w", err)
		}
		for month, calls := range c {
			if n := calls[strings.ToLower(service)]; n > 0 {
				sum[month] += n
			}
		}
	}
	out := []Month{}
	for month, n := range sum {
		out = append(out, Month{month, n})
	}
	slices.SortFunc(out, func(a, b Month) int { return cmp.Compare(b.Month, a.Month) })
	return out, nil
}
