// Package activity keeps the activity log: what was done to resources, by whom, when, and how it ended. It is a folder of
// files that are only ever appended to; when they hold more than they may, the oldest goes. What an event looks like to
// clients is for package management.
//
// An event may be written twice, by who cannot know whether it was written before a crash. Both have the same ID, and
// Find shows one of them.
package activity

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An Event is one entry.
type Event struct {
	ID          string    `json:"id"` // a GUID
	Time        time.Time `json:"time"`
	Correlation string    `json:"correlation,omitempty"` // of all events of one request
	Operation   string    `json:"operation,omitempty"`   // name of the long-running operation, if any
	Caller      string    `json:"caller,omitempty"`
	Resource    string    `json:"resource"`
	Type        string    `json:"type"`             // of the resource
	Action      string    `json:"action"`           // Microsoft.ApiManagement/service/write
	Title       string    `json:"title,omitempty"`  // of the action, for people
	Status      string    `json:"status"`           // Started, Accepted, Succeeded, Failed
	Code        int       `json:"code,omitempty"`   // HTTP status
	Method      string    `json:"method,omitempty"` // HTTP method
	Address     string    `json:"address,omitempty"`
	ErrorCode   string    `json:"errorCode,omitempty"`
	Message     string    `json:"message,omitempty"`
}

// Options of a Log.
type Options struct {
	// Bytes bounds the files together; 0 means 32 MiB.
	Bytes int64
}

// files is how many files there are when the log is full.
const files = 8

// A Log is safe for concurrent use.
type Log struct {
	dir  string
	each int64 // bytes of a file

	mu   sync.Mutex // guards below, and writing
	last int        // number of the newest file
	out  *os.File
	size int64
}

// Open opens the log in a folder, which is made when it is not there.
func Open(dir string, opt Options) (*Log, error) {
	if opt.Bytes == 0 {
		opt.Bytes = 32 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open activity log: %w", err)
	}
	l := &Log{dir: dir, each: max(1, opt.Bytes/files)}
	numbers, err := l.numbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		l.last = numbers[len(numbers)-1]
	}
	return l, l.open()
}

// Close closes the newest file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Close()
}

const suffix = ".jsonl"

func (l *Log) file(n int) string { return filepath.Join(l.dir, fmt.Sprintf("%08d%s", n, suffix)) }

// numbers lists the files, oldest first.
func (l *Log) numbers() ([]int, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list activity log: %w", err)
	}
	var all []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), suffix)); err == nil && strings.HasSuffix(e.Name(), suffix) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// open opens the newest file for appending. A line that a crash cut off is ended, so that it spoils none after it.
func (l *Log) open() error {
	f, err := os.OpenFile(l.file(l.last), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open activity log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		end := make([]byte, 1)
		if _, err = f.ReadAt(end, info.Size()-1); err == nil && end[0] != '\n' {
			_, err = f.WriteString("\n")
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open activity log: %w", err), f.Close())
	}
	l.out, l.size = f, info.Size()
	return nil
}

// Append writes an event. What is written outlives this process; it is not forced to the disk.
func (l *Log) Append(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) >= l.each {
		if err := l.turn(); err != nil {
			return err
		}
	}
	n, err := l.out.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("write activity log: %w", err)
	}
	return nil
}

// turn begins a new file and removes those that are too many; mu is held.
func (l *Log) turn() error {
	old := l.out
	l.last++
	if err := l.open(); err != nil {
		l.last--
		return err
	}
	numbers, err := l.numbers()
	for len(numbers) > files && err == nil {
		err = os.Remove(l.file(numbers[0]))
		numbers = numbers[1:]
	}
	return errors.Join(err, old.Close())
}

// Find lists the events that match, newest first.
func (l *Log) Find(match func(Event) bool) ([]Event, error) {
	numbers, err := l.numbers()
	if err != nil {
		return nil, err
	}
	var found []Event
	seen := map[string]bool{}
	for _, n := range numbers {
		err := l.read(n, func(e Event) {
			if match(e) && !seen[e.ID] {
				seen[e.ID] = true
				found = append(found, e)
			}
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have gone meanwhile
			return nil, err
		}
	}
	slices.Reverse(found)
	slices.SortStableFunc(found, func(a, b Event) int { return b.Time.Compare(a.Time) })
	return found, nil
}

func (l *Log) read(n int, each func(Event)) error {
	f, err := os.Open(l.file(n))
	if err != nil {
		return fmt.Errorf("read activity log: %w", err)
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil //nolint:nilerr // the end, or a line that is being written
		}
		var e Event
		if json.Unmarshal(bytes.TrimSpace(line), &e) == nil && e.ID != "" {
			each(e)
		}
	}
}
