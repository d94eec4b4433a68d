package statement_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/backend"
	"github.com/portico-dev/portico/internal/gateway/cache"
	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/gateway/statement"
	"github.com/portico-dev/portico/internal/snapshot"
)

// numbered answers each request that its cache does not answer with another number.
func numbered(t *testing.T, lookup string) *service.Service {
	t.Helper()
	snap := gatewaytest.Shop("http://127.0.0.1:1")
	snap.Service.Policy.XML = `<policies><inbound>` + lookup + `</inbound><backend /><outbound>
<set-body>@{ return context.RequestId.ToString(); }</set-body><cache-store duration="60" /></outbound></policies>`
	group := func(name string) snapshot.Group {
		return snapshot.Group{ID: gatewaytest.ServiceID + "/groups/" + name, Name: name}
	}
	for _, u := range []struct{ name, groups string }{{"ada", "readers"}, {"bob", "readers"}, {"eve", "readers writers"}} {
		user := snapshot.User{ID: gatewaytest.ServiceID + "/users/" + u.name, Name: u.name, State: "active"}
		for g := range strings.FieldsSeq(u.groups) {
			user.Groups = append(user.Groups, group(g))
		}
		snap.Users = append(snap.Users, user)
	}
	for _, s := range []struct{ name, owner string }{{"ada1", "ada"}, {"ada2", "ada"}, {"bob1", "bob"}, {"eve1", "eve"}, {"none1", ""}, {"none2", ""}} {
		sub := snapshot.Subscription{ID: gatewaytest.ServiceID + "/subscriptions/" + s.name, Name: s.name, Scope: gatewaytest.ServiceID + "/apis", State: "active", PrimaryKey: s.name}
		if s.owner != "" {
			sub.OwnerID = gatewaytest.ServiceID + "/users/" + s.owner
		}
		snap.Subscriptions = append(snap.Subscriptions, sub)
	}
	c := &service.Compiler{Builders: statement.All(statement.Env{})}
	svc, refused, err := c.Compile(nil, snap.Bundle(t))
	if err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	return svc
}

// ask sends a request with a key and reads the answer to its end, as an engine does.
func ask(t *testing.T, svc *service.Service, key string) (body, cacheControl, expires string) {
	t.Helper()
	h := pipeline.Header{}
	if key != "" {
		h.Add("Ocp-Apim-Subscription-Key", key)
	}
	x := &pipeline.Exchange{
		Context: t.Context(), Started: time.Now(), OriginalMethod: "GET", MaxBuffer: 1 << 20, OriginalURL: pipeline.URL{Path: "/shop/x"},
		Request: &pipeline.Message{Method: "GET", URL: pipeline.URL{Path: "/shop/x"}, Header: h},
	}
	svc.Handle(x)
	data, err := x.Response.Body.Buffer(1 << 20)
	if err != nil || x.LastError != nil {
		t.Fatal(err, x.LastError)
	}
	x.Release()
	return string(data), x.Response.Header.Get("Cache-Control"), x.Response.Header.Get("Expires")
}

func TestCacheLookup_Expires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := numbered(t, `<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" downstream-caching-type="public" />`)
		type answer struct {
			Hit              bool
			Control, Expires string
		}
		var got []answer
		last := ""
		for _, pause := range []time.Duration{0, 0, 59500 * time.Millisecond, 500 * time.Millisecond} {
			time.Sleep(pause)
			body, control, expires := ask(t, svc, "")
			got = append(got, answer{body == last, control, expires})
			last = body
		}
		want := []answer{
			{false, "public, max-age=60, must-revalidate", "Sat, 01 Jan 2000 00:01:00 GMT"},
			{true, "public, max-age=60, must-revalidate", "Sat, 01 Jan 2000 00:01:00 GMT"},
			{true, "public, max-age=1, must-revalidate", "Sat, 01 Jan 2000 00:01:00 GMT"},
			{false, "public, max-age=60, must-revalidate", "Sat, 01 Jan 2000 00:02:00 GMT"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestCacheLookup_VariesByCaller: who shares a response with whom.
func TestCacheLookup_VariesByCaller(t *testing.T) {
	t.Parallel()
	keys := []string{"ada1", "ada2", "bob1", "eve1", "none1", "none2", ""}
	for attrs, want := range map[string]string{
		`vary-by-developer="false" vary-by-developer-groups="false"`: "AAAAAAA",
		`vary-by-developer="true" vary-by-developer-groups="false"`:  "AABCDEF",
		`vary-by-developer="false" vary-by-developer-groups="true"`:  "AAABCCC",
		`vary-by-developer="true" vary-by-developer-groups="true"`:   "AABCDEF",
	} {
		svc := numbered(t, "<cache-lookup "+attrs+" />")
		var got strings.Builder
		letters := map[string]byte{}
		for _, key := range keys {
			body, _, _ := ask(t, svc, key)
			if letters[body] == 0 {
				letters[body] = byte('A' + len(letters))
			}
			got.WriteByte(letters[body])
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", attrs, got.String(), want)
		}
	}
}

// TestCacheStore_KeepsWholeResponsesOnly: content that was cut or is too long is not kept, and gives its memory back.
func TestCacheStore_KeepsWholeResponsesOnly(t *testing.T) {
	t.Parallel()
	kept := cache.New(16 << 10)
	rec := gatewaytest.Record(t)
	var requests atomic.Int64
	rec.Answer = func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		size := 0
		if _, err := fmt.Sscan(r.URL.Query().Get("size"), &size); err != nil {
			t.Error(err)
		}
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		content := strings.Repeat("x", size)
		if r.URL.Query().Has("cut") {
			_, _ = io.WriteString(w, content[:size/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, content[:size/2])
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, content[size/2:])
	}
	snap := gatewaytest.Shop(rec.URL)
	snap.APIs[0].Policy = &snapshot.Policy{ID: "/p", XML: `<policies><inbound><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" /></inbound><outbound><cache-store duration="60" /></outbound></policies>`}
	pool := backend.NewPool(backend.PoolOptions{})
	t.Cleanup(pool.Close)
	compiler := &service.Compiler{Builders: statement.All(statement.Env{Pool: pool, Cache: kept})}
	_, addr := gatewaytest.Start(t, engine.Options{Compiler: compiler}, snap)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // which would try again what was cut
	for query, want := range map[string]int64{
		"size=1000&length": 1, "size=1000": 1,
		"size=3000&length": 2, "size=3000": 2,
		"size=1000&length&cut": 2, "size=1000&cut": 2,
	} {
		before := requests.Load()
		for range 2 {
			res, err := client.Get("http://" + addr + "/shop/x?" + query)
			if err != nil {
				continue // cut
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if got := requests.Load() - before; got != want {
			t.Errorf("%s: the backend saw %d requests, want %d", query, got, want)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); !kept.Reserve("other", 16<<10); { // the end of what was cut is seen here first
		if time.Now().After(deadline) {
			t.Fatal("memory that was reserved was not given back")
		}
		runtime.Gosched()
	}
}
