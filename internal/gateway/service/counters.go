package service

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-dev/portico/internal/counters"
)

// shared is the counters of a service. They are opened when a statement first asks for them: most services count
// nothing. All compilations of a service hold the same.
type shared struct {
	open  func() (*counters.Table, error)
	table atomic.Pointer[counters.Table]

	mu     sync.Mutex // guards below
	err    error
	failed time.Time
}

// openAgain is how long a failure to open counters stands.
const openAgain = time.Second

func (s *shared) get() (*counters.Table, error) {
	if t := s.table.Load(); t != nil {
		return t, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.table.Load(); t != nil {
		return t, nil
	}
	if s.err != nil && time.Since(s.failed) < openAgain {
		return nil, s.err
	}
	var t *counters.Table
	if t, s.err = s.open(); s.err != nil {
		s.failed = time.Now()
		return nil, s.err
	}
	s.table.Store(t)
	return t, nil
}

// Counters implements pipeline.Services.
func (s *Service) Counters() (*counters.Table, error) { return s.counters.get() }

// counters are those of a service that was not compiled before.
func (c *Compiler) counters(id string) *shared {
	if c.Counters == nil {
		return &shared{open: func() (*counters.Table, error) { return counters.New(counters.Options{Keys: 1 << 10}), nil }}
	}
	return &shared{open: func() (*counters.Table, error) { return c.Counters(id) }}
}
