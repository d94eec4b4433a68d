package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A conn is one SQLite connection with its prepared statements. It is used by one goroutine at a time.
//
// Statements run without the caller's context: an interrupted one may roll back the whole transaction, which other
// callers share. Whoever has a context asks it between statements.
type conn struct {
	sql   *sql.Conn
	stmts map[string]*sql.Stmt // by text; the texts are few and fixed
}

// role says what a connection is for.
type role string

// The pragmas of each role. Page caches are small: the operating system caches the file too.
const (
	writing role = `PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;
		PRAGMA cache_size=-1024; PRAGMA journal_size_limit=8388608`
	reading role = `PRAGMA busy_timeout=5000; PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-512`
)

func openConn(ctx context.Context, db *sql.DB, r role) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(ctx, string(r)); err != nil {
		_ = c.Close() // the first error is the one to tell
		return nil, err
	}
	return &conn{sql: c, stmts: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) stmt(text string) (*sql.Stmt, error) {
	if st := c.stmts[text]; st != nil {
		return st, nil
	}
	st, err := c.sql.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	c.stmts[text] = st
	return st, nil
}

func (c *conn) exec(text string, args ...any) error {
	st, err := c.stmt(text) //nolint:sqlclosecheck // kept for the next time; closed with the connection
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background(), args...)
	return err
}

// row reads the one row of a query into dest, or returns sql.ErrNoRows.
func (c *conn) row(text string, args []any, dest ...any) error {
	st, err := c.stmt(text) //nolint:sqlclosecheck // kept for the next time; closed with the connection
	if err != nil {
		return err
	}
	return st.QueryRowContext(context.Background(), args...).Scan(dest...)
}

// each calls f for every row of a query until f returns false or an error.
func (c *conn) each(text string, args []any, f func(scan func(...any) error) (bool, error)) (err error) {
	st, err := c.stmt(text) //nolint:sqlclosecheck // kept for the next time; closed with the connection
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if more, err := f(rows.Scan); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// log reads the newest Seq and the floor: the newest Seq of which a deletion was forgotten.
func (c *conn) log() (seq, floor int64, err error) {
	if err := c.row("SELECT seq, floor FROM log", nil, &seq, &floor); err != nil {
		return 0, 0, fmt.Errorf("read newest seq: %w", err)
	}
	return seq, floor, nil
}

func (c *conn) close() error {
	errs := make([]error, 0, len(c.stmts)+1)
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.sql.Close())...)
}
