package publish

import "container/list"

// A cache keeps the bytes of parts by digest, the most recently used ones up to a bound.
type cache struct {
	bound, size int
	order       *list.List // of entry, most recently used first
	byDigest    map[string]*list.Element
}

type entry struct {
	digest string
	data   []byte
}

func newCache(bound int) *cache {
	return &cache{bound: bound, order: list.New(), byDigest: map[string]*list.Element{}}
}

func (c *cache) get(digest string) ([]byte, bool) {
	e, ok := c.byDigest[digest]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(entry).data, true
}

// put adds a part. One that is larger than the whole cache is not kept.
func (c *cache) put(digest string, data []byte) {
	if _, ok := c.get(digest); ok || len(data) > c.bound {
		return
	}
	c.byDigest[digest] = c.order.PushFront(entry{digest, data})
	c.size += len(data)
	for c.size > c.bound {
		c.drop(c.order.Back().Value.(entry).digest)
	}
}

func (c *cache) drop(digest string) {
	e, ok := c.byDigest[digest]
	if !ok {
		return
	}
	c.size -= len(e.Value.(entry).data)
	c.order.Remove(e)
	delete(c.byDigest, digest)
}
