package statement

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// store is the compiled <cache-store>.
type store struct {
	cache      *cache.Cache
	policy     string
	duration   pipeline.Value
	response   pipeline.Value
	ifResponse bool // response decides; otherwise 200 is kept
}

// cacheStore builds <cache-store>: the response as it is here is kept for requests like the one that cache-lookup did not
// find one for. That happens when all of it has come.
func (e Env) cacheStore(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	c := &store{cache: e.Cache, policy: b.ID, ifResponse: s.Has("cache-response")}
	var errs [2]error
	c.duration, errs[0] = b.Required(s, "duration")
	c.response, errs[1] = b.Attr(s, "cache-response", "true")
	b.Keeps()
	return c.run, errors.Join(errs[:]...)
}

func (c *store) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	l := c.lookup(x)
	if l == nil {
		return pipeline.Next, nil
	}
	m := x.Message()
	wanted := m.Status == http.StatusOK
	if c.ifResponse {
		var err error
		if wanted, err = c.response.Bool(x); err != nil {
			return pipeline.Next, err
		}
	}
	keep, err := keepFor(x, c.duration)
	if err != nil || !wanted || keep <= 0 || len(m.TrailerNames) > 0 {
		return pipeline.Next, err
	}
	c.keep(x.Service.ID, l.Key, m, keep)
	l.Tell(m, keep)
	return pipeline.Next, nil
}

// lookup is what the cache-lookup of the same policy left, or else the last one.
func (c *store) lookup(x *pipeline.Exchange) *pipeline.Lookup {
	for i := range x.Lookups {
		if x.Lookups[i].Policy == c.policy {
			return &x.Lookups[i]
		}
	}
	if n := len(x.Lookups); n > 0 {
		return &x.Lookups[n-1]
	}
	return nil
}

// keepFor evaluates a duration, which may be any whole number.
func keepFor(x *pipeline.Exchange, v pipeline.Value) (time.Duration, error) {
	n, err := v.Int(x)
	return time.Duration(min(n, math.MaxInt32)) * time.Second, err
}

// keep puts a response into the cache, now or when its content has come.
func (c *store) keep(owner, key string, m *pipeline.Message, keep time.Duration) {
	k := &kept{status: m.Status, reason: m.Reason}
	for _, f := range m.Header.Fields() {
		// A cookie is one client's. What belongs to a connection is left out when it is sent, but no reason to keep it.
		if !backend.HopByHop(f.Name) && !strings.EqualFold(f.Name, "Set-Cookie") && !strings.EqualFold(f.Name, "Content-Length") {
			k.header = append(k.header, f)
		}
	}
	size := m.Body.Size()
	put := func(body []byte) {
		k.body = body
		c.cache.Put(owner, key, k, k.size(), keep)
	}
	if data, held := m.Body.Held(); held || size == 0 {
		put(bytes.Clone(data))
		return
	}
	if size > c.cache.Largest() {
		return
	}
	m.Body = pipeline.Stream(&recorder{ReadCloser: m.Body.Reader(), cache: c.cache, owner: owner, size: size, put: put}, size)
}

// size is about the memory that a response takes.
func (k *kept) size() int64 {
	n := 128 + len(k.body) + len(k.reason)
	for _, f := range k.header {
		n += 32 + len(f.Name) + len(f.Value)
	}
	return int64(n)
}

// recorder notes the content that is read through it and hands it on when it has come to its end. Content that is too
// long, or that there is no memory for at the moment, is let through and not noted.
type recorder struct {
	io.ReadCloser
	cache    *cache.Cache
	owner    string
	size     int64 // -1: unknown
	put      func([]byte)
	buf      []byte
	reserved int64
	over     bool // nothing is noted any more
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.over {
		return n, err
	}
	if !r.note(p[:n]) {
		r.stop()
		return n, err
	}
	if errors.Is(err, io.EOF) {
		if r.size < 0 || int64(len(r.buf)) == r.size {
			r.put(bytes.Clone(r.buf))
		}
		r.stop()
	}
	return n, err
}

func (r *recorder) note(p []byte) bool {
	if int64(len(r.buf)+len(p)) > r.cache.Largest() {
		return false
	}
	r.buf = append(r.buf, p...)
	if more := int64(cap(r.buf)) - r.reserved; more > 0 {
		if !r.cache.Reserve(r.owner, more) {
			return false
		}
		r.reserved += more
	}
	return true
}

func (r *recorder) stop() {
	r.cache.Release(r.owner, r.reserved)
	r.buf, r.reserved, r.over = nil, 0, true
}

// Close ends the content before its end, or after.
func (r *recorder) Close() error {
	if !r.over {
		r.stop()
	}
	return r.ReadCloser.Close()
}
