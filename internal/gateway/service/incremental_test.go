package service_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// A wish is the content of a service.
type wish struct {
	service  snapshot.Service
	products []snapshot.Product
	keys     []snapshot.Subscription
	apis     map[string]snapshot.API   // by name
	bad      map[snapshot.PartKey]bool // what does not compile
}

// answering is a policy that answers with a text, or one that does not compile.
func answering(t *rapid.T, text string) (p *snapshot.Policy, bad bool) {
	statement := `<return-response><set-body>` + text + `</set-body></return-response>`
	if bad = rapid.IntRange(0, 3).Draw(t, "bad") == 0; bad {
		statement = "<no-such />"
	}
	return &snapshot.Policy{ID: "/p", XML: "<policies><inbound>" + statement + "</inbound></policies>"}, bad
}

// edit changes the wish somewhere; n makes it a new content.
func (w *wish) edit(t *rapid.T, n int) {
	name := rapid.SampledFrom([]string{"a", "b", "b;rev=2", "c", "d"}).Draw(t, "api")
	key, bad := snapshot.PartKey{Kind: snapshot.KindAPI, ID: id + "/apis/" + name}, false
	switch rapid.IntRange(0, 9).Draw(t, "edit") {
	case 0:
		key = snapshot.PartKey{Kind: snapshot.KindService, ID: id}
		w.service.Name = fmt.Sprint("name ", n)
		if w.service.Policy, bad = answering(t, ""); !bad {
			w.service.Policy = nil
		}
	case 1:
		key = snapshot.PartKey{Kind: snapshot.KindProducts, ID: id}
		p := snapshot.Product{ID: id + "/products/p", Name: fmt.Sprint(n), APIs: []string{id + "/apis/" + name}}
		p.Published, p.SubscriptionRequired = rapid.Bool().Draw(t, "published"), rapid.Bool().Draw(t, "closed")
		if p.Policy, bad = answering(t, ""); !bad {
			p.Policy = nil
		}
		w.products = []snapshot.Product{p}
	case 2:
		key = snapshot.PartKey{Kind: snapshot.KindSubscriptions, ID: id}
		w.keys = []snapshot.Subscription{{ID: id + "/subscriptions/s", Name: fmt.Sprint(n), Scope: id + "/apis/" + name, State: "active", PrimaryKey: "k"}}
	case 3, 4:
		delete(w.apis, name)
	default:
		a := snapshot.API{
			ID: id + "/apis/" + name, Name: name, Current: name != "b;rev=2", VersionName: "v",
			Path:                 rapid.SampledFrom([]string{"", "x", "x/y", "z", "Z"}).Draw(t, "path"),
			Revision:             rapid.SampledFrom([]string{"1", "2"}).Draw(t, "revision"),
			SubscriptionRequired: rapid.Bool().Draw(t, "required"),
			Version:              rapid.SampledFrom([]string{"", "v1"}).Draw(t, "version"),
			VersionScheme:        rapid.SampledFrom([]string{"", "", snapshot.VersionSegment, snapshot.VersionQuery}).Draw(t, "scheme"),
			Operations:           []snapshot.Operation{{Name: "o", Method: "GET", URLTemplate: rapid.SampledFrom([]string{"/*", "/y"}).Draw(t, "template")}},
		}
		a.Policy, bad = answering(t, fmt.Sprint(name, " ", n))
		w.apis[name] = a
	}
	if delete(w.bad, key); bad {
		w.bad[key] = true
	}
}

// settle is the last good form of everything, after it was another one.
func (w *wish) settle(before wish) wish {
	good := *w
	if w.bad[snapshot.PartKey{Kind: snapshot.KindService, ID: id}] {
		good.service = before.service
	}
	if w.bad[snapshot.PartKey{Kind: snapshot.KindProducts, ID: id}] {
		good.products = before.products
	}
	good.apis = map[string]snapshot.API{}
	for name, a := range w.apis {
		if w.bad[snapshot.PartKey{Kind: snapshot.KindAPI, ID: a.ID}] {
			a = before.apis[name]
		}
		if a.ID != "" {
			good.apis[name] = a
		}
	}
	return good
}

func (w wish) bundle(t testing.TB) service.Bundle {
	s := gatewaytest.Snapshot{Service: w.service, Products: w.products, Subscriptions: w.keys}
	for _, name := range slices.Sorted(maps.Keys(w.apis)) {
		s.APIs = append(s.APIs, w.apis[name])
	}
	return s.Bundle(t)
}

// answers are what a service says to many requests.
func answers(t testing.TB, s *service.Service) (out []string) {
	for _, path := range []string{"/", "/y", "/x", "/x/y", "/x/y/y", "/x;rev=2/y", "/x;rev=1", "/z/y", "/z/v1/y", "/x/v1", "/x/y;rev=2/v1"} {
		for _, query := range []string{"", "v=v1"} {
			for _, header := range [][]pipeline.Field{nil, {{Name: "Ocp-Apim-Subscription-Key", Value: "k"}}} {
				x := request(t.Context(), path, query, header...)
				s.Handle(x)
				body, _ := x.Response.Body.Held()
				api := ""
				if x.API != nil {
					api = x.API.ID
				}
				out = append(out, fmt.Sprint(path, query, len(header), ": ", x.Service.Name, api, x.Response.Status, string(body)))
			}
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		a, ok := s.API(id + "/apis/" + name)
		out = append(out, fmt.Sprint(name, ok, a))
	}
	return out
}

// TestCompile_ChangesLeadToTheSameAsAFreshStart: whatever came, went or did not compile on the way, a service answers as
// one does that was made at once from the last good form of everything.
func TestCompile_ChangesLeadToTheSameAsAFreshStart(t *testing.T) {
	t.Parallel()
	c := gatewaytest.Compiler(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := wish{service: gatewaytest.Shop("").Service, apis: map[string]snapshot.API{}, bad: map[snapshot.PartKey]bool{}}
		w.service.Policy = nil
		good := w
		var prev *service.Service
		var before []string
		for i := range rapid.IntRange(1, 8).Draw(rt, "manifests") {
			for j := range rapid.IntRange(0, 4).Draw(rt, "edits") {
				if i > 0 {
					w.edit(rt, 10*i+j)
				}
			}
			good = w.settle(good)
			next, refused, err := c.Compile(prev, w.bundle(t))
			if err != nil {
				rt.Fatal(err)
			}
			got := map[snapshot.PartKey]bool{}
			for _, r := range refused {
				got[snapshot.PartKey{Kind: r.Kind, ID: r.ID}] = true
			}
			if diff := cmp.Diff(w.bad, got); diff != "" {
				rt.Fatalf("refused (-want +got):\n%s", diff)
			}
			fresh, refused, err := c.Compile(nil, good.bundle(t))
			if err != nil || len(refused) > 0 {
				rt.Fatal(refused, err)
			}
			after := answers(t, next)
			if diff := cmp.Diff(answers(t, fresh), after); diff != "" {
				rt.Fatalf("answers (-fresh +changed):\n%s", diff)
			}
			if prev != nil {
				if diff := cmp.Diff(before, answers(t, prev)); diff != "" {
					rt.Fatalf("the service before has changed:\n%s", diff)
				}
			}
			prev, before = next, after
		}
	})
}
