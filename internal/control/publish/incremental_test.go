package publish

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/snapshot"
)

// edits are documents below a service that come, change and go: by ID, with the bodies that they may have.
var edits = map[string][]string{
	"/policies/policy":                     {policyJSON("<policies>{{one}}</policies>"), policyJSON("<policies><inbound><mock-response /></inbound></policies>")},
	"/apis/a":                              {`{"properties":{"path":"a"}}`, `{"properties":{"path":"b","apiVersionSetId":"SERVICE/apiVersionSets/v"}}`},
	"/apis/A;rev=2":                        {`{"properties":{"path":"a"}}`},
	"/apis/B":                              {`{"properties":{"path":"b"}}`},
	"/apis/b":                              {`{"properties":{"path":"b"}}`},
	"/apis/a/policies/policy":              {policyJSON("<policies>{{two}}</policies>"), policyJSON(`<policies><inbound><include-fragment fragment-id="f" /></inbound></policies>`)},
	"/apis/a/operations/o":                 {`{"properties":{"method":"GET","urlTemplate":"/o","responses":[{"statusCode":200}]}}`, `{"properties":{"method":"PUT","urlTemplate":"/o"}}`},
	"/apis/b/operations/o/policies/policy": {policyJSON("<policies>{{one}}{{two}}</policies>")},
	"/apis/b/operations/o":                 {`{"properties":{"method":"GET","urlTemplate":"/{{one}}"}}`},
	"/products/p":                          {`{"properties":{"displayName":"P"}}`, `{"properties":{"displayName":"P","state":"published"}}`},
	"/products/p/policies/policy":          {policyJSON("<policies><inbound><mock-response /></inbound></policies>"), policyJSON("<policies />")},
	"/products/p/apis/a":                   {`{}`},
	"/products/p/apis/b":                   {`{}`},
	"/products/p/groups/g":                 {`{}`},
	"/groups/g":                            {`{"properties":{"displayName":"G"}}`, `{"properties":{"displayName":"H"}}`},
	"/groups/g/users/u":                    {`{}`},
	"/users/u":                             {`{"properties":{"email":"u@example.com"}}`},
	"/subscriptions/s":                     {`{"properties":{"scope":"/apis/a","ownerId":"SERVICE/users/u","state":"active"}}`, `{"properties":{"scope":"/apis","state":"active"}}`},
	"/namedValues/n1":                      {`{"properties":{"displayName":"one","value":"1"}}`, `{"properties":{"displayName":"two","value":"2"}}`},
	"/namedValues/n2":                      {`{"properties":{"displayName":"two","value":"3"}}`, `{"properties":{"displayName":"other","value":"4"}}`},
	"/policyFragments/f":                   {policyJSON("<fragment><mock-response /></fragment>"), policyJSON("<fragment>{{one}}</fragment>")},
	"/apiVersionSets/v":                    {`{"properties":{"versioningScheme":"Header","versionHeaderName":"V"}}`, `{"properties":{"versioningScheme":"Segment"}}`},
	"/backends/b":                          {`{"properties":{"url":"http://{{one}}"}}`},
	"/certificates/c":                      {`{"properties":{"thumbprint":"AB"}}`},
}

// TestPoll_ChangesLeadToTheSameAsAFreshStart: whatever came and went, a machine that follows has what a publisher gives
// that has just begun.
func TestPoll_ChangesLeadToTheSameAsAFreshStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	rounds := 0
	ids := slices.Sorted(maps.Keys(edits))
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		svc := fmt.Sprintf("%sround-%d", group, rounds)
		docs := []string{svc, premium}
		for _, id := range ids {
			docs = append(docs, svc+id, strings.ReplaceAll(edits[id][0], "SERVICE", svc))
		}
		w.put(docs...)
		m := w.machine(svc, "")
		m.req.Machine = svc
		for range rapid.IntRange(1, 6).Draw(rt, "polls") {
			for range rapid.IntRange(0, 3).Draw(rt, "edits") {
				id := rapid.SampledFrom(ids).Draw(rt, "id")
				if rapid.Bool().Draw(rt, "remove") {
					w.remove(svc + id)
					continue
				}
				w.put(svc+id, strings.ReplaceAll(rapid.SampledFrom(edits[id]).Draw(rt, "body"), "SERVICE", svc))
			}
			w.put(svc+"/tags/poll", fmt.Sprintf(`{"properties":{"displayName":"%d"}}`, m.req.Seq)) // there is something to answer
			m.poll()
			fresh, err := New(w.st, unseal, slog.New(slog.DiscardHandler), Options{}).Poll(t.Context(), snapshot.PollRequest{Machine: "m", Service: svc})
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(fresh.Manifests[0].Parts.List(), m.last[svc].Parts.List()); diff != "" {
				rt.Fatalf("parts (-fresh +followed):\n%s", diff)
			}
		}
	})
}
