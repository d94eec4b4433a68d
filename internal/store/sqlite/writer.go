package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/store"
)

// An update is one Update that waits for its turn. Its function runs in the goroutine of its caller, so that a panic
// or runtime.Goexit goes where it belongs: the writer hands over the transaction (turn), the caller gives it back
// with what came of it (ran), and is answered (done) when the batch is durable.
type update struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call of Update
	taken atomic.Bool     // by the writer, or by a caller that gave up
	turn  chan *tx
	ran   chan error
	done  chan answer // buffered: a caller that panicked does not listen
}

type answer struct {
	seq int64
	err error
}

// errUnwound is what an update ran to when its function panicked.
var errUnwound = errors.New("the function did not return")

// Update runs f in a transaction. While it waits for its turn it ends with ctx; once f has begun it waits for the
// outcome, so that the answer is never unknown. f runs in the caller's goroutine: a panic rolls back and goes on.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) (int64, error) {
	u := &update{ctx: ctx, turn: make(chan *tx), ran: make(chan error), done: make(chan answer, 1)}
	t, err := s.enqueue(u)
	if err != nil {
		return 0, err
	}
	if t.err != nil { // the transaction could not begin
		return 0, t.err
	}
	u.run(t, f)
	a := <-u.done
	return a.seq, a.err
}

// enqueue waits for the turn.
func (s *Store) enqueue(u *update) (*tx, error) {
	if err := u.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.queue <- u:
	case <-u.ctx.Done():
		return nil, u.ctx.Err()
	case <-s.closing:
		return nil, store.ErrClosed
	}
	select {
	case t := <-u.turn:
		return t, nil
	case <-s.written:
		return nil, store.ErrClosed
	case <-u.ctx.Done():
		if u.taken.CompareAndSwap(false, true) {
			return nil, u.ctx.Err()
		}
		return <-u.turn, nil
	}
}

// run is the caller's turn.
func (u *update) run(t *tx, f func(store.Tx) error) {
	err := errUnwound
	defer func() {
		if err == nil {
			err = t.err // a failed write that f chose to ignore
		}
		t.end()
		u.ran <- err
	}()
	err = f(t)
}

// write is the writer goroutine: it takes what waits, a batch at a time, until Close.
func (s *Store) write() {
	defer close(s.written)
	for {
		select {
		case <-s.closing:
			return
		default:
		}
		select {
		case u := <-s.queue:
			s.batch(u)
		case <-s.closing:
			return
		}
	}
}

// batch runs first and whatever else waits in one SQLite transaction and answers all of them.
func (s *Store) batch(first *update) {
	b, err := s.begin()
	if err != nil {
		first.refuse(fmt.Errorf("begin transaction: %w", err))
		return
	}
	for u := first; u != nil; u = s.next(len(b.ran)) {
		if b.run(u); b.err != nil {
			break
		}
	}
	s.commit(b)
	for _, r := range b.ran {
		r.u.done <- r.answer
	}
}

// next is the next update that waits already; nil when there is none or the batch is full.
func (s *Store) next(have int) *update {
	if have >= s.opt.Batch {
		return nil
	}
	select {
	case u := <-s.queue:
		return u
	default:
		return nil
	}
}

// A batch is one SQLite transaction.
type batch struct {
	c       *conn
	start   int64 // newest Seq before the batch
	seq     int64 // newest Seq so far
	deleted int
	ran     []ran
	err     error // the transaction is lost, and all its updates with it
}

type ran struct {
	u *update
	answer
}

func (s *Store) begin() (*batch, error) {
	if s.writer == nil {
		c, err := openConn(context.Background(), s.db, writing)
		if err != nil {
			return nil, err
		}
		s.writer = c
	}
	if err := s.writer.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	seq, _, err := s.writer.log()
	if err != nil {
		s.dropWriter()
		return nil, err
	}
	return &batch{c: s.writer, start: seq, seq: seq}, nil
}

// dropWriter closes the connection, which ends its transaction whatever state a failed disk left it in.
func (s *Store) dropWriter() {
	_ = s.writer.close() // it failed before; that error was told
	s.writer = nil
}

// run gives u its turn in a savepoint.
func (b *batch) run(u *update) {
	if !u.taken.CompareAndSwap(false, true) {
		return
	}
	t := &tx{reader: reader{ctx: u.ctx, c: b.c, seq: b.seq}, base: b.seq}
	if err := b.c.exec("SAVEPOINT turn"); err != nil {
		b.err = fmt.Errorf("begin savepoint: %w", err)
		t.err = b.err
		u.turn <- t
		return
	}
	u.turn <- t
	err := <-u.ran
	if err != nil {
		t.seq, t.deleted = t.base, 0
		// A failed write may have ended the whole transaction; then there is no savepoint to return to.
		if e := b.c.exec("ROLLBACK TO turn"); e != nil {
			b.err = fmt.Errorf("roll back: %w", errors.Join(err, e))
		}
	}
	if b.err == nil {
		if e := b.c.exec("RELEASE turn"); e != nil {
			b.err = fmt.Errorf("release savepoint: %w", e)
		}
	}
	b.seq = t.seq
	b.deleted += t.deleted
	b.ran = append(b.ran, ran{u, answer{t.seq, err}})
}

// refuse answers an update whose transaction could not begin.
func (u *update) refuse(err error) {
	if u.taken.CompareAndSwap(false, true) {
		u.turn <- &tx{reader: reader{err: err}}
	}
}

// commit makes the batch durable. When that fails all its updates fail: those that changed nothing, too, may have
// seen what the others did.
func (s *Store) commit(b *batch) {
	if b.err == nil {
		b.err = s.seal(b)
	}
	if b.err == nil {
		s.feed.advance(b.seq)
		return
	}
	s.dropWriter()
	for i := range b.ran {
		b.ran[i].answer = answer{err: b.err}
	}
}

func (s *Store) seal(b *batch) error {
	if b.seq == b.start {
		return b.c.exec("ROLLBACK") // nothing was changed
	}
	if err := b.c.exec("UPDATE log SET seq = ?", b.seq); err != nil {
		return fmt.Errorf("take seq: %w", err)
	}
	if b.deleted > 0 && s.unswept+b.deleted > s.opt.Tombstones/8 {
		if err := b.c.sweep(s.opt.Tombstones); err != nil {
			return err
		}
		s.unswept, b.deleted = 0, 0
	}
	failpoint.Hit("store.commit.before")
	err := failpoint.Full()
	if err == nil {
		err = b.c.exec("COMMIT")
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	failpoint.Hit("store.commit.after")
	s.unswept += b.deleted
	return nil
}
