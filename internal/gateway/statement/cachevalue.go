package statement

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// valueKey is the key of a value: shared by all policies of a service.
func valueKey(x *pipeline.Exchange, key pipeline.Value) (string, error) {
	text, ok, err := key.String(x)
	if err == nil && !ok {
		err = errors.New("the key of a cached value is null")
	}
	return "value\x00" + x.Service.ID + "\x00" + text, err
}

// cacheLookupValue builds <cache-lookup-value>: a kept value, or the default, goes into a variable. Without either the
// variable stays as it is.
func (e Env) cacheLookupValue(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	var errs [4]error
	key, err := b.Required(s, "key")
	errs[0] = err
	variable, err := b.Fixed(s, "variable-name", "")
	if errs[1] = err; err == nil && variable == "" {
		errs[1] = b.Errorf(s, "The required attribute 'variable-name' is missing.")
	}
	absent, err := b.Attr(s, "default-value", "")
	errs[2], errs[3] = err, cachingType(b, s)
	hasDefault := s.Has("default-value")
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		k, err := valueKey(x, key)
		if err != nil {
			return pipeline.Next, err
		}
		v, ok, err := findValue(e.Cache, k)
		if err == nil && !ok && hasDefault {
			v, err = absent.Any(x)
		}
		if err == nil && (ok || hasDefault) {
			x.Variables.Set(variable, v)
		}
		return pipeline.Next, err
	}, errors.Join(errs[:]...)
}

// findValue gives a copy of a kept value: what this request does to it is no other's business.
func findValue(c *cache.Cache, key string) (csharp.Value, bool, error) {
	found, _, ok := c.Get(key)
	if !ok {
		return csharp.Value{}, false, nil
	}
	v, _, err := lib.Keep(found.(csharp.Value), math.MaxInt64)
	return v, true, err
}

// cacheStoreValue builds <cache-store-value>. Null is nothing to keep.
func (e Env) cacheStoreValue(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	var errs [4]error
	key, err := b.Required(s, "key")
	errs[0] = err
	value, err := b.Required(s, "value")
	errs[1] = err
	duration, err := b.Required(s, "duration")
	errs[2], errs[3] = err, cachingType(b, s)
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		k, err := valueKey(x, key)
		if err != nil {
			return pipeline.Next, err
		}
		v, err := value.Any(x)
		if err != nil {
			return pipeline.Next, err
		}
		keep, err := keepFor(x, duration)
		if err != nil {
			return pipeline.Next, err
		}
		copied, size, err := lib.Keep(v, e.Cache.Largest())
		switch {
		case errors.Is(err, lib.ErrTooLarge), v.IsNull():
			e.Cache.Remove(k) // what was there is not the value any more
			return pipeline.Next, nil
		case err != nil:
			return pipeline.Next, fmt.Errorf("keep a value in the cache: %w", err)
		}
		e.Cache.Put(x.Service.ID, k, copied, size, keep)
		return pipeline.Next, nil
	}, errors.Join(errs[:]...)
}

// cacheRemoveValue builds <cache-remove-value>.
func (e Env) cacheRemoveValue(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	key, err := b.Required(s, "key")
	return func(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		k, err := valueKey(x, key)
		if err == nil {
			e.Cache.Remove(k)
		}
		return pipeline.Next, err
	}, errors.Join(err, cachingType(b, s))
}
