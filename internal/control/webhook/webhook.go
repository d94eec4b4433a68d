// Package webhook posts notifications to addresses that clients name. Whoever has something to tell goes on at once; a
// notification is tried a few times, for about a minute, and is given up then, with the control plane too: it tells of
// what can be read elsewhere. Addresses are those that links may lead to, which package fetch knows.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/portico-dev/portico/internal/control/fetch"
)

// Options of a Sender. The zero value is good.
type Options struct {
	// Timeout bounds one try; 0 means 10 seconds.
	Timeout time.Duration
	// Pauses lie between the tries; nil means 1, 5 and 25 seconds.
	Pauses []time.Duration
	// Waiting is how many notifications may wait; further ones are given up at once. 0 means 1000.
	Waiting int
	Log     *slog.Logger
}

// parallel is how many notifications are on their way at once.
const parallel = 8

// A Message is a notification.
type Message struct {
	About string // a resource ID, for the log: addresses may hold tokens
	To    string // absolute http or https
	Body  []byte // JSON
}

// A Sender is safe for concurrent use.
type Sender struct {
	opt   Options
	fetch *fetch.Fetcher
	queue chan Message
}

// New returns a Sender, which sends while Run does.
func New(opt Options) *Sender {
	if opt.Timeout == 0 {
		opt.Timeout = 10 * time.Second
	}
	if opt.Pauses == nil {
		opt.Pauses = []time.Duration{time.Second, 5 * time.Second, 25 * time.Second}
	}
	if opt.Waiting == 0 {
		opt.Waiting = 1000
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{opt: opt, fetch: fetch.New(fetch.Options{Timeout: opt.Timeout}), queue: make(chan Message, opt.Waiting)}
}

// Send takes a notification over. It waits for nothing.
func (s *Sender) Send(m Message) {
	select {
	case s.queue <- m:
	default:
		s.opt.Log.Warn("notification not sent: too many wait", slog.String("about", m.About))
	}
}

// Run sends what comes until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for range parallel {
		all.Go(func() {
			for {
				select {
				case m := <-s.queue:
					s.deliver(ctx, m)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// deliver tries a notification until somebody takes it, or nobody ever will.
func (s *Sender) deliver(ctx context.Context, m Message) {
	for try := 0; ; try++ {
		err := s.fetch.Post(ctx, m.To, m.Body)
		if err == nil || ctx.Err() != nil {
			return
		}
		why := "unknown"
		e, ok := errors.AsType[*fetch.Error](err)
		if ok {
			why = e.Reason // its cause may hold the address
		}
		if !ok || !e.Temporary || try == len(s.opt.Pauses) {
			s.opt.Log.WarnContext(ctx, "notification not delivered", slog.String("about", m.About), slog.Int("tries", try+1), slog.String("error", why))
			return
		}
		pause := time.NewTimer(s.opt.Pauses[try])
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}
