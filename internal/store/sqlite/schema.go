package sqlite

import (
	"context"
	"fmt"

	"github.com/portico-dev/portico/internal/failpoint"
)

const (
	format        = 2          // of the tables below; stored as user_version
	applicationID = 0x506f7274 // "Port"
)

// schema is the empty store. Keys are compared as bytes (TEXT without a collation), so that a prefix is a range of
// the index. A deleted document leaves a tombstone for the change log; a document that comes back takes it away.
const schema = `
CREATE TABLE log (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	seq   INTEGER NOT NULL, -- newest transaction
	floor INTEGER NOT NULL  -- newest transaction of which a tombstone was pruned
);
INSERT INTO log VALUES (1, 0, 0);
CREATE TABLE documents (
	key     TEXT NOT NULL UNIQUE,
	id      TEXT NOT NULL,
	type    TEXT NOT NULL,
	etag    INTEGER NOT NULL, -- transaction that last changed desired
	seq     INTEGER NOT NULL,
	lookup  TEXT NOT NULL,    -- empty for none
	desired BLOB,
	status  BLOB
);
CREATE INDEX documents_type ON documents (type, key);
CREATE INDEX documents_lookup ON documents (type, lookup, key) WHERE lookup <> '';
CREATE INDEX documents_seq ON documents (seq, key);
CREATE TABLE tombstones (
	key  TEXT PRIMARY KEY,
	id   TEXT NOT NULL,
	type TEXT NOT NULL,
	seq  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tombstones_seq ON tombstones (seq, key);
`

// prepareSchema makes the tables of a new file and refuses a file that this program cannot read.
func (c *conn) prepareSchema() error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	made, err := c.checkFormat()
	if err == nil && made {
		_, err = c.sql.ExecContext(context.Background(),
			fmt.Sprintf("%s PRAGMA user_version=%d; PRAGMA application_id=%d", schema, format, applicationID))
	}
	if err != nil {
		_ = c.exec("ROLLBACK") // the first error is the one to tell
		return err
	}
	failpoint.Hit("store.schema.before")
	if err := c.exec("COMMIT"); err != nil {
		return err
	}
	failpoint.Hit("store.schema.after")
	return nil
}

// checkFormat says whether the file is empty, and returns an error if it is neither empty nor a store of this format.
func (c *conn) checkFormat() (empty bool, err error) {
	var version, app, tables int
	for query, dest := range map[string]*int{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &app,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := c.row(query, nil, dest); err != nil {
			return false, err
		}
	}
	switch {
	case tables == 0 && version == 0:
		return true, nil
	case app != applicationID:
		return false, fmt.Errorf("the file is a database of another program (application id %#x)", app)
	case version > format:
		return false, fmt.Errorf("the file has format %d and this program knows formats up to %d: use the newer program that wrote it", version, format)
	case version != format:
		return false, fmt.Errorf("the file has format %d, which this program no longer reads: begin with an empty folder", version)
	}
	return false, nil
}
