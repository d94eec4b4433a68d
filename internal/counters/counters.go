// Package counters counts the calls of a service for all machines that it has at a location: in one file that they map
// into their memory.
//
// Nothing in it is ever locked. Every fact is one word of 64 bits, a time and a count, and changes by
// compare-and-swap, so a machine that is killed at any moment leaves either the old word or the new one. Words stand in
// lines, lines in buckets; a line belongs to a key for as long as its lease says and may then be taken for another
// (region.go). Rate limits use a line as a set of places that calls occupy for a while (rate.go); quotas, as one count
// for each of the things they limit (quota.go). The file is made once, with everything it will ever hold, and neither
// grows nor shrinks (file.go).
//
// The package knows no gateway and no policy: gateways count, the agent keeps the folder of the files in order.
package counters

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
)

// ErrFull is returned for a key that is not counted yet when there is no room for one more.
var ErrFull = errors.New("no room for another counter")

// DefaultKeys is how many lines a table has for rate limits, and as many for quotas, when Options say nothing.
const DefaultKeys = 1 << 16

// Options of a table. The zero value is useful.
type Options struct {
	// Keys bounds the lines for rate limits, and those for quotas; DefaultKeys by default, of 90 bytes together. A rate
	// limit needs one line for every eight calls that it allows, but no more than eight; a quota one for its calls and
	// one for its bytes. A file that exists keeps what it was made with.
	Keys int
}

// A Table holds the counters of one service at one location. It is used by many goroutines, and its file by many
// processes, at the same time.
type Table struct {
	rates, quotas region
	seed          [16]byte
	clock         clock
	complained    atomic.Int64 // second of the last Complain
}

// New makes a table in memory, for one process.
func New(opt Options) *Table {
	s := sizeFor(opt)
	t := newTable(make([]atomic.Uint64, s.words()), s)
	_, _ = rand.Read(t.seed[:]) // never fails
	return t
}

// newTable lays a table over words, without the seed.
func newTable(words []atomic.Uint64, s size) *Table {
	rest := words[headWords:]
	n := s.rates * rateShape.stride()
	return &Table{
		rates:  region{words: rest[:n], shape: rateShape, buckets: s.rates},
		quotas: region{words: rest[n:], shape: quotaShape, buckets: s.quotas},
		clock:  newClock(),
	}
}

// Name names a limit: the statement that sets it, and which of its parts.
type Name [16]byte

// NameOf makes a name out of any text.
func NameOf(text string) Name {
	sum := sha256.Sum256([]byte(text))
	return Name(sum[:16])
}

// key is a name together with whose calls are counted, mixed so that nobody can choose where it falls.
type key struct{ a, b uint64 }

func (t *Table) key(n Name, of string) key {
	var buf [128]byte
	text := append(buf[:0], t.seed[:]...)
	text = append(append(text, n[:]...), of...)
	sum := sha256.Sum256(text)
	return key{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// Complain reports whether it is time to log again that the table is full: once a minute.
func (t *Table) Complain() bool {
	now, last := t.clock.now().wall, t.complained.Load()
	return now-last >= 60 && t.complained.CompareAndSwap(last, now)
}

// alive keeps what the table is mapped from until a method has ended.
func (t *Table) alive() { runtime.KeepAlive(t) }
