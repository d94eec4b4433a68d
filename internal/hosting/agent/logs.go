package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	trimEvery = 5 * time.Second
	oldLogs   = 50 // logs kept of processes that are gone
)

// openLog opens the log of a process for appending.
func (a *agent) openLog(name string) (*os.File, error) {
	path := a.opt.Layout.Log(name)
	if err := trim(path, a.opt.LogSize); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// trimLogs bounds the logs of running processes and their number until ctx ends.
func (a *agent) trimLogs(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		logs, err := filepath.Glob(filepath.Join(a.opt.Layout.Logs(), "*.log"))
		if err != nil {
			continue
		}
		for _, path := range logs {
			if err := trim(path, a.opt.LogSize); err != nil {
				a.log.WarnContext(ctx, "log not trimmed", slog.Any("error", err))
			}
		}
		a.dropOldLogs(logs)
	}
}

// trim moves the content of a log that is too large aside. The process goes on appending to the same file, as it
// would not notice another; a few of its lines can be lost between copy and cut.
func trim(path string, size int64) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() <= size {
		return nil //nolint:nilerr // no log, nothing to trim
	}
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("trim log: %w", err)
	}
	defer from.Close() //nolint:errcheck // only read
	if _, err := from.Seek(-size, io.SeekEnd); err != nil {
		return fmt.Errorf("trim log: %w", err)
	}
	to, err := os.OpenFile(path+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("trim log: %w", err)
	}
	_, err = io.CopyN(to, from, size)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("trim log: %w", err)
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("trim log: %w", err)
	}
	return nil
}

// dropOldLogs removes the oldest logs of machines that are not listed any more.
func (a *agent) dropOldLogs(logs []string) {
	listed := map[string]bool{a.opt.Layout.Log(KindEdge): true, a.opt.Layout.Log(hostLog): true}
	a.mu.Lock()
	for _, s := range a.sets {
		for id := range s.machines {
			listed[a.opt.Layout.Log(id)] = true
		}
	}
	a.mu.Unlock()
	old := slices.DeleteFunc(logs, func(p string) bool { return listed[p] || !strings.HasSuffix(p, ".log") })
	if len(old) <= oldLogs {
		return
	}
	slices.SortFunc(old, func(p, q string) int { return modified(p).Compare(modified(q)) })
	for _, p := range old[:len(old)-oldLogs] {
		_ = os.Remove(p)
		_ = os.Remove(p + ".1")
	}
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
