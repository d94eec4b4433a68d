// Package sqlite keeps a store in one SQLite file. It needs no C compiler and no server.
//
// One connection writes, a few others read. Updates queue for a single writer goroutine, which gives the waiting ones
// their turn one after another inside one SQLite transaction, each in a savepoint of its own, commits once (one fsync
// for all of them) and then answers. See writer.go for the turn, tx.go for what a write does, feed.go for the change
// log.
//
// The journal is a write-ahead log with synchronous=FULL: what Update acknowledged survives a crash of the process
// and of the machine. When the disk is full or fails, the Updates of that commit fail and change nothing; later ones
// succeed as soon as there is space again.
//
// One process at a time owns a file. Another one that writes to it does no harm, but Wait does not notice its
// commits.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/portico-dev/portico/internal/store"
)

// Options bound a store. The zero value is good.
type Options struct {
	Readers    int // connections that read; 0: 4
	Queue      int // Updates that may wait, more block until there is room; 0: 1024
	Batch      int // Updates that share one commit at most; 0: 128
	Tombstones int // deletions that the change log remembers; 0: 10,000
}

func (o Options) withDefaults() Options {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	set(&o.Readers, 4)
	set(&o.Queue, 1024)
	set(&o.Batch, 128)
	set(&o.Tombstones, 10_000)
	return o
}

// A Store is a store.Store in a file.
type Store struct {
	opt     Options
	db      *sql.DB
	writer  *conn         // used by the writer goroutine alone; nil when it must be opened again
	unswept int           // deletions since the last prune; used by the writer goroutine alone
	queue   chan *update  // Updates that wait for their turn
	readers chan *conn    // idle reading connections; nil ones are not open yet
	closing chan struct{} // closed by the first Close
	written chan struct{} // closed when the writer goroutine has ended
	feed    feed

	closeOnce sync.Once
	closeErr  error
}

var _ store.Store = (*Store)(nil)

// Open opens the store at path and makes it when there is none. The file is readable by its owner alone. A file of a
// newer format is refused.
func Open(ctx context.Context, path string, opt Options) (*Store, error) {
	s, err := open(ctx, path, opt.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	go s.write()
	return s, nil
}

// Check says whether this program can open the store at path, which another one may have open. One that does not exist
// can be made.
func Check(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store %s: %w", path, err)
		}
	}()
	db, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := openConn(ctx, db, reading)
	if err != nil {
		return err
	}
	_, err = c.checkFormat()
	return errors.Join(err, c.close())
}

func open(ctx context.Context, path string, opt Options) (_ *Store, err error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opt:     opt,
		db:      db,
		unswept: opt.Tombstones, // the bound may be lower than last time: prune with the first deletion
		queue:   make(chan *update, opt.Queue),
		readers: make(chan *conn, opt.Readers),
		closing: make(chan struct{}),
		written: make(chan struct{}),
	}
	for range opt.Readers {
		s.readers <- nil
	}
	defer func() {
		if err != nil {
			_ = db.Close() // the first error is the one to tell
		}
	}()
	if s.writer, err = openConn(ctx, db, writing); err != nil {
		return nil, err
	}
	if err := s.writer.prepareSchema(); err != nil {
		_ = s.writer.close()
		return nil, err
	}
	seq, _, err := s.writer.log()
	if err != nil {
		_ = s.writer.close()
		return nil, err
	}
	s.feed.init(seq)
	return s, nil
}

// openFile makes the file with its final mode (SQLite gives its companions the same) and a handle to it.
func openFile(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath())
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(-1) // connections are kept here, with their statements; a closed one is really closed
	return db, nil
}

// View runs f on one consistent state. Waiting for a connection ends with ctx; so do reads inside f.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	return s.view(ctx, func(r *reader) error { return f(r) })
}

func (s *Store) view(ctx context.Context, f func(*reader) error) (err error) {
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	healthy := false
	defer func() {
		if c.exec("ROLLBACK") != nil || !healthy {
			_ = c.close() // whatever is wrong with it, the next View gets a new one
			c = nil
		}
		s.readers <- c
	}()
	if err := c.exec("BEGIN"); err != nil {
		return fmt.Errorf("view: %w", err)
	}
	seq, floor, err := c.log() // the first read pins the state
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	healthy = true
	r := &reader{ctx: ctx, c: c, seq: seq, floor: floor}
	defer r.end()
	return f(r)
}

// acquire takes a reading connection and opens it if need be.
func (s *Store) acquire(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-s.closing:
		return nil, store.ErrClosed
	default:
	}
	select {
	case c := <-s.readers:
		if c != nil {
			return c, nil
		}
		c, err := openConn(ctx, s.db, reading)
		if err != nil {
			s.readers <- nil
			return nil, fmt.Errorf("view: %w", err)
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.closing:
		return nil, store.ErrClosed
	}
}

// Close lets the transactions that run finish, refuses those that wait, and closes the file. It waits for Views, so
// it must not be called inside one.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.written
		var errs []error
		for range s.opt.Readers {
			if c := <-s.readers; c != nil {
				errs = append(errs, c.close())
			}
		}
		if s.writer != nil {
			errs = append(errs, s.writer.close())
		}
		s.closeErr = errors.Join(append(errs, s.db.Close())...)
	})
	return s.closeErr
}
