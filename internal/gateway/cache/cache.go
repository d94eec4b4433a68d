// Package cache keeps what policies want to find again – responses and values – in the memory of one machine, within a
// bound in bytes. What was not used for longest goes first, of whoever has most: no service of a shared machine pushes out
// what another one keeps, unless that has more.
//
// It is a list and a map under one lock. Libraries for this bound the number of entries, or reach their bound in bytes
// some time later from goroutines of their own; here an entry that does not fit is gone when Put returns, so the bound
// always holds and tests see what happens.
package cache

import (
	"container/list"
	"sync"
	"time"
)

// DefaultSize is the bound of a cache that was made with none, in bytes.
const DefaultSize = 64 << 20

// overhead is about what an entry costs besides its key and value.
const overhead = 256

// A Cache is used by many goroutines. Values are shared by all who get them: nobody may change one.
type Cache struct {
	max int64

	mu       sync.Mutex // guards below
	size     int64      // of all entries
	reserved int64
	reserves map[string]int64 // by owner
	byKey    map[string]*list.Element
	byOwner  map[string]*share
}

// share is what one owner has in a cache.
type share struct {
	size int64
	used *list.List // of *entry, the one used last in front
}

type entry struct {
	owner   string
	key     string
	value   any
	size    int64
	expires time.Time
}

// New makes a cache of at most size bytes; 0 means DefaultSize.
func New(size int64) *Cache {
	if size <= 0 {
		size = DefaultSize
	}
	return &Cache{max: size, byKey: make(map[string]*list.Element), byOwner: make(map[string]*share), reserves: make(map[string]int64)}
}

// Largest is the size of the largest value that is kept, with its key: one must not push out all others.
func (c *Cache) Largest() int64 { return c.max / 8 }

// Get finds a value that has not expired, and until when it will not.
func (c *Cache) Get(key string) (value any, expires time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil, time.Time{}, false
	}
	at := e.Value.(*entry)
	if !time.Now().Before(at.expires) {
		c.drop(e)
		return nil, time.Time{}, false
	}
	c.byOwner[at.owner].used.MoveToFront(e)
	return at.value, at.expires, true
}

// Put keeps a value of about size bytes for a while, in the place of one that has the key already. It is false for a
// value that is too large, or kept for no time; then nothing has the key. What has to go is the owner's who has most.
func (c *Cache) Put(owner, key string, value any, size int64, keep time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		c.drop(e)
	}
	size += int64(len(key))
	if keep <= 0 || size > c.Largest() {
		return false
	}
	e := &entry{owner: owner, key: key, value: value, size: size + overhead, expires: time.Now().Add(keep)}
	s := c.byOwner[owner]
	if s == nil {
		s = &share{used: list.New()}
		c.byOwner[owner] = s
	}
	c.byKey[key] = s.used.PushFront(e)
	s.size += e.size
	c.size += e.size
	for c.size > c.max {
		c.drop(c.largest().used.Back())
	}
	return true
}

// Remove forgets a key.
func (c *Cache) Remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		c.drop(e)
	}
}

// drop removes an entry. c.mu is held.
func (c *Cache) drop(e *list.Element) {
	at := e.Value.(*entry)
	s := c.byOwner[at.owner]
	s.used.Remove(e)
	delete(c.byKey, at.key)
	s.size -= at.size
	c.size -= at.size
	if s.size == 0 {
		delete(c.byOwner, at.owner)
	}
}

// largest is the share of the owner who has most. c.mu is held, and the cache is not empty.
func (c *Cache) largest() (most *share) {
	for _, s := range c.byOwner {
		if most == nil || s.size > most.size {
			most = s
		}
	}
	return most
}

// Reserve asks for memory for what may be kept later, while it is still coming in. All that is reserved together is
// bounded like the cache itself, and no owner gets more than is left for others then: one alone half of it, so that there
// is always some for the next. False means that there is no room. Release gives it back.
func (c *Cache) Reserve(owner string, n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reserves[owner]+n > c.max-c.reserved {
		return false
	}
	c.reserved += n
	c.reserves[owner] += n
	return true
}

// Release gives back what Reserve granted.
func (c *Cache) Release(owner string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reserved -= n
	if c.reserves[owner] -= n; c.reserves[owner] == 0 {
		delete(c.reserves, owner)
	}
}
