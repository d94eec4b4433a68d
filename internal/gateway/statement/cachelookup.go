package statement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// lookup is the compiled <cache-lookup>.
type lookup struct {
	cache                  *cache.Cache
	policy                 string
	developer, groups      pipeline.Value
	downstream, revalidate pipeline.Value
	private                pipeline.Value
	headers, query         []pipeline.Value // names; several may stand in one, with semicolons
}

// cacheLookup builds <cache-lookup>: a response that cache-store has kept for a request like this one is the answer, and
// neither the rest of inbound nor the backend is troubled.
func (e Env) cacheLookup(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	l := &lookup{cache: e.Cache, policy: b.ID}
	var errs [8]error
	l.developer, errs[0] = b.Required(s, "vary-by-developer")
	l.groups, errs[1] = b.Required(s, "vary-by-developer-groups")
	l.downstream, errs[2] = b.Attr(s, "downstream-caching-type", "none")
	l.revalidate, errs[3] = b.Attr(s, "must-revalidate", "true")
	l.private, errs[4] = b.Attr(s, "allow-private-response-caching", "false")
	l.headers, errs[5] = b.Texts(s, "vary-by-header")
	l.query, errs[6] = b.Texts(s, "vary-by-query-parameter")
	errs[7] = cachingType(b, s)
	return l.run, errors.Join(errs[:]...)
}

// cachingType refuses a cache that there is none of.
func cachingType(b *pipeline.Build, s *policy.Statement) error {
	kind, err := b.Fixed(s, "caching-type", "prefer-external")
	if err == nil && kind != "prefer-external" && kind != "internal" {
		err = b.Errorf(s, "The 'caching-type' attribute is invalid - The value '%s' is not built in this version of Portico.", kind)
	}
	return err
}

func (l *lookup) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	if wanted, err := l.concerns(x); err != nil || !wanted {
		return pipeline.Next, err
	}
	key, err := l.key(x)
	if err != nil {
		return pipeline.Next, err
	}
	tell, err := l.tell(x)
	if err != nil {
		return pipeline.Next, err
	}
	if !asks(x, "no-cache") {
		if found, until, ok := l.cache.Get(key); ok && found.(*kept).suits(x) {
			m := found.(*kept).answer(x)
			tell(m, time.Until(until))
			x.KeptBy = l.policy
			return pipeline.Kept, x.SetResponse(m)
		}
	}
	// The backend should send everything, so that it can be kept.
	for _, name := range []string{
		"Cache-Control", "Pragma", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range",
	} {
		x.Request.Header.Del(name)
	}
	x.Lookups = append(x.Lookups, pipeline.Lookup{Policy: l.policy, Key: key, Tell: tell})
	return pipeline.Next, nil
}

// concerns reports whether the response of a request may be kept at all.
func (l *lookup) concerns(x *pipeline.Exchange) (bool, error) {
	if x.Request.Method != http.MethodGet || asks(x, "no-store") {
		return false, nil
	}
	if x.Request.Header.Has("Authorization") {
		return l.private.Bool(x)
	}
	return true, nil
}

// asks reports a directive in the request's Cache-Control.
func asks(x *pipeline.Exchange, directive string) bool {
	for _, v := range x.Request.Header.Values("Cache-Control") {
		for d := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(d), directive) {
				return true
			}
		}
	}
	return false
}

// key stands for everything that requests with the same response have in common. Requests of several keys of a
// subscription do, so the key is left out.
func (l *lookup) key(x *pipeline.Exchange) (string, error) {
	k := keyHash{}
	k.add("response", x.Service.ID, x.API.ID, x.Operation.Name, pipeline.WithoutDots(x.OriginalURL.Path))
	names, err := list(x, l.headers)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		k.add(strings.ToLower(name))
		k.add(x.Request.Header.Values(name)...)
	}
	if names, err = list(x, l.query); err != nil {
		return "", err
	}
	k.add("")
	k.query(x, names)
	err = l.caller(x, &k)
	return k.sum(), err
}

// caller adds who asks. Without an owner that is the subscription itself: what is one developer's never gets to another.
func (l *lookup) caller(x *pipeline.Exchange, k *keyHash) error {
	developer, err := l.developer.Bool(x)
	if err != nil {
		return err
	}
	groups, err := l.groups.Bool(x)
	if err != nil {
		return err
	}
	switch {
	case developer && x.User != nil:
		k.add("user", x.User.ID)
	case developer && x.Subscription != nil:
		k.add("subscription", x.Subscription.ID)
	}
	if groups && x.User != nil {
		var ids []string
		for _, g := range x.User.Groups {
			ids = append(ids, g.ID)
		}
		slices.Sort(ids)
		k.add(append(ids, "groups")...)
	}
	return nil
}

// list evaluates names of which several may stand in one text.
func list(x *pipeline.Exchange, values []pipeline.Value) (names []string, err error) {
	for _, v := range values {
		text, _, err := v.String(x)
		if err != nil {
			return nil, err
		}
		for name := range strings.SplitSeq(text, ";") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// keyHash builds a key of texts.
type keyHash struct{ b []byte }

func (k *keyHash) add(texts ...string) {
	k.b = binary.AppendUvarint(k.b, uint64(len(texts)))
	for _, t := range texts {
		k.b = append(binary.AppendUvarint(k.b, uint64(len(t))), t...)
	}
}

// query adds the query parameters of these names, or all, whatever their order.
func (k *keyHash) query(x *pipeline.Exchange, names []string) {
	var pairs []string
	for pair := range strings.SplitSeq(x.OriginalURL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		same := func(other string) bool { return strings.EqualFold(name, other) }
		switch {
		case pair == "" || same(x.API.KeyQuery):
		case len(names) == 0:
			pairs = append(pairs, pair)
		case slices.ContainsFunc(names, same):
			pairs = append(pairs, strings.ToLower(name)+"="+value)
		}
	}
	slices.Sort(pairs)
	k.add(pairs...)
}

func (k *keyHash) sum() string {
	sum := sha256.Sum256(k.b)
	return string(sum[:])
}

// tell decides what clients are told about keeping the response themselves.
func (l *lookup) tell(x *pipeline.Exchange) (func(*pipeline.Message, time.Duration), error) {
	kind, _, err := l.downstream.String(x)
	if err != nil {
		return nil, err
	}
	revalidate, err := l.revalidate.Bool(x)
	if err != nil {
		return nil, err
	}
	kind = strings.TrimSpace(kind)
	switch kind {
	case "none":
		return func(m *pipeline.Message, _ time.Duration) {
			m.Header.Set("Cache-Control", "no-cache, no-store")
			m.Header.Del("Expires")
		}, nil
	case "private", "public":
	default:
		return nil, fmt.Errorf("'downstream-caching-type' is %q, none of none, private, public", kind)
	}
	return func(m *pipeline.Message, left time.Duration) {
		text := fmt.Sprintf("%s, max-age=%d", kind, (left+time.Second-1)/time.Second)
		if revalidate {
			text += ", must-revalidate"
		}
		m.Header.Set("Cache-Control", text)
		m.Header.Set("Expires", time.Now().Add(left).UTC().Format(http.TimeFormat))
	}, nil
}

// kept is a response in the cache. Nothing of it ever changes.
type kept struct {
	status int
	reason string
	header []pipeline.Field
	body   []byte
}

func (k *kept) get(name string) string {
	h := pipeline.NewHeader(k.header...)
	return h.Get(name)
}

// suits reports whether a client understands the coding that the content was kept in.
func (k *kept) suits(x *pipeline.Exchange) bool {
	coding := k.get("Content-Encoding")
	if coding == "" || strings.EqualFold(coding, "identity") {
		return true
	}
	for _, v := range x.Request.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(v, ",") {
			name, weight, _ := strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(name), coding) && !strings.HasSuffix(strings.TrimRight(weight, "0."), "=") {
				return true
			}
		}
	}
	return false
}

// answer makes the response for a request: the whole, or 304 when the client has it already.
func (k *kept) answer(x *pipeline.Exchange) *pipeline.Message {
	if k.status == http.StatusOK && k.known(x) {
		m := pipeline.NewResponse(http.StatusNotModified)
		for _, f := range k.header {
			switch strings.ToLower(f.Name) {
			case "content-location", "date", "etag", "last-modified", "vary":
				m.Header.Add(f.Name, f.Value)
			}
		}
		return m
	}
	m := pipeline.NewResponse(k.status)
	m.Reason, m.Header = k.reason, pipeline.NewHeader(slices.Clone(k.header)...)
	if len(k.body) > 0 { // as a stream: an expression may change bytes that it reads
		m.Body = pipeline.Stream(io.NopCloser(bytes.NewReader(k.body)), int64(len(k.body)))
	}
	return m
}

// known reports that the client has asked for the response only if it is another one than it has.
func (k *kept) known(x *pipeline.Exchange) bool {
	if tags := x.Request.Header.Values("If-None-Match"); len(tags) > 0 {
		tag := strings.TrimPrefix(k.get("ETag"), "W/")
		for _, v := range tags {
			for one := range strings.SplitSeq(v, ",") {
				one = strings.TrimSpace(one)
				if one == "*" || tag != "" && strings.TrimPrefix(one, "W/") == tag {
					return true
				}
			}
		}
		return false
	}
	since, err := http.ParseTime(x.Request.Header.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	changed, err := http.ParseTime(k.get("Last-Modified"))
	return err == nil && !changed.After(since)
}
