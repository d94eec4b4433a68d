// Package store keeps the documents of the control and hosting planes: what clients asked for, what the
// platform made of it, and the records of long-running operations. It offers transactions and an ordered
// change log, and is the only thing that the two planes share.
//
// A document is found by its ID, compared without case. A transaction that changes anything takes the next
// Seq; the change log lists documents by the Seq that last touched them. Readers are level-based: a change
// says "look again", never what happened.
//
// Implementations live below this folder and pass storetest. Start reading at Store.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// ErrNotFound is what Get returns for a document that does not exist.
var ErrNotFound = errors.New("document not found")

// ErrClosed is what the methods of a closed Store return.
var ErrClosed = errors.New("store is closed")

// A Document is one stored thing.
type Document struct {
	// ID is a resource ID ("/subscriptions/…") or, for the platform's own records, "/portico/…". It is
	// compared without case and kept in the spelling of the write that created it.
	ID string
	// Type is the lower-case type, "microsoft.apimanagement/service/apis" or "portico/operations".
	Type string
	// ETag is opaque and unquoted, changes with Desired and with nothing else. The store sets it.
	ETag string
	// Desired is what the client asked for, as canonical JSON with its secrets sealed.
	Desired json.RawMessage
	// Status is what the platform knows: never covered by the ETag.
	Status json.RawMessage
	// Lookup is a word by which documents of the type are found besides their ID; several may have the same. Empty for
	// none.
	Lookup string
	// Seq is the transaction that last changed anything of it. The store sets it.
	Seq int64
}

// Key is the form of an ID that is compared: lower case, without a trailing slash.
func Key(id string) string { return strings.ToLower(strings.TrimRight(id, "/")) }

// A Query selects documents. The zero value selects everything. Results are ordered by Key.
type Query struct {
	Type   string // lower-case type; empty for any
	Lookup string // documents with this word, of the given Type; empty for any
	Prefix string // IDs below this one ("/a/b" selects "/a/b/…", never "/a/b" or "/a/bc"); empty for any
	After  string // only IDs whose Key sorts after this one's
	Since  int64  // only documents that a later transaction than this one touched; 0 for all
	Skip   int    // leaves out so many of the first
	Limit  int    // at most so many; 0 for all
}

// A Reader reads one consistent state.
type Reader interface {
	// Get returns ErrNotFound when there is no such document.
	Get(id string) (Document, error)
	List(q Query) ([]Document, error)
	Count(q Query) (int, error)
	// Seq is the newest transaction that the Reader sees.
	Seq() int64
}

// A Tx reads and writes. What it wrote it sees itself.
type Tx interface {
	Reader
	// Put creates or replaces a document. Writing exactly what is there changes nothing and takes no Seq.
	// The returned document carries the ETag that it will have once committed.
	Put(d Document) (Document, error)
	// Delete removes a document; one that does not exist is not an error.
	Delete(id string) error
}

// A Change says that a document was written or deleted by transaction Seq.
type Change struct {
	Seq     int64
	ID      string
	Type    string
	Deleted bool
}

// A Store is safe for concurrent use.
type Store interface {
	// View runs f on one consistent state.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f in a transaction and returns once it is durable, with the Seq it took (or the newest one
	// when f changed nothing). When f returns an error nothing is changed and Update returns that error.
	// Transactions run one after another; those that wait share one fsync. f must not call the Store.
	Update(ctx context.Context, f func(Tx) error) (int64, error)
	// Changes lists changes after a Seq, oldest first, one per document (its newest). It stops after the transaction
	// that reaches limit (0: none) and never splits one, so that going on after the last Seq misses nothing. When the
	// log does not reach to after, reset is true, there are no changes, and the caller must read everything again.
	Changes(ctx context.Context, after int64, limit int) (changes []Change, reset bool, err error)
	// Wait returns when the newest Seq is greater than after, or with ctx's error.
	Wait(ctx context.Context, after int64) (int64, error)
	Close() error
}
