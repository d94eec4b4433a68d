package management_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A PUT that changes nothing takes no Seq and keeps the ETag, secrets or not.
func TestPut_UnchangedTakesNoSeq(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	bodies := [][2]string{
		{groupPath + "?api-version=2021-04-01", `{"location":"westeurope"}`},
		{groupPath + "/providers/Microsoft.Network/publicIPAddresses/ip?api-version=2024-03-01", `{"location":"westeurope","sku":{"name":"Standard"}}`},
		{servicePath, developerBody},
		{servicePath + "/apis/echo", `{"properties":{"displayName":"Echo","path":"echo"}}`},
		{servicePath + "/apis/doc", `{"properties":{"path":"doc","format":"openapi","value":"openapi: 3.0.0\ninfo: {title: D, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: ok}}}}}"}}`},
		{servicePath + "/apis/echo/operations/o", `{"properties":{"displayName":"O","method":"GET","urlTemplate":"/o"}}`},
		{servicePath + "/apis/echo/policies/policy", `{"properties":{"value":"<policies><inbound><base /></inbound></policies>"}}`},
		{servicePath + "/products/p", `{"properties":{"displayName":"P"}}`},
		{servicePath + "/products/p/apis/echo", ``},
		{servicePath + "/users/u", `{"properties":{"email":"u@b.c","firstName":"U","lastName":"V"}}`},
		{servicePath + "/groups/g", `{"properties":{"displayName":"G"}}`},
		{servicePath + "/groups/g/users/u", ``},
		{servicePath + "/products/p/groups/g", ``},
		{servicePath + "/subscriptions/s", `{"properties":{"displayName":"S","scope":"/products/p"}}`},
		{servicePath + "/apiVersionSets/vs", `{"properties":{"displayName":"VS","versioningScheme":"Segment"}}`},
		{servicePath + "/apis/versioned", `{"properties":{"displayName":"V","path":"v","apiVersion":"1","apiVersionSetId":"/apiVersionSets/vs"}}`},
		{servicePath + "/apis/inline", `{"properties":{"displayName":"I","path":"i","apiVersion":"1","apiVersionSet":{"versioningScheme":"Header","versionHeaderName":"X-Version"}}}`},
		{servicePath + "/apis/echo;rev=2", `{"properties":{"displayName":"Echo","path":"echo","sourceApiId":"/apis/echo"}}`},
		{servicePath + "/apis/echo/releases/r", `{"properties":{"apiId":"/apis/echo;rev=2","notes":"n"}}`},
		{servicePath + "/loggers/l", `{"properties":{"loggerType":"azureEventHub","credentials":{"name":"n","connectionString":"c"}}}`},
		{servicePath + "/diagnostics/d", `{"properties":{"loggerId":"/loggers/l","sampling":{"percentage":1.5}}}`},
		{servicePath + "/tags/t", `{"properties":{"displayName":"T"}}`},
		{servicePath + "/apis/echo/tags/t", ``},
		{servicePath + "/apis/echo/operations/o/tags/t", `{}`},
		{servicePath + "/products/p/tags/t", ``},
		{servicePath + "/products/p/apiLinks/l", `{"properties":{"apiId":"/apis/doc"}}`},
		{servicePath + "/tags/t/productLinks/l", `{"properties":{"productId":"/products/starter"}}`},
		{servicePath + "/certificates/c", seedBody("certificates")},
		{servicePath + "/policyFragments/f", `{"properties":{"value":"<fragment><set-status code=\"200\" /></fragment>"}}`},
		{servicePath + "/namedValues/n", `{"properties":{"displayName":"n","value":"v","secret":true}}`},
		{servicePath + "/backends/b", `{"properties":{"url":"http://h","protocol":"http","credentials":{"header":{"x":["y"]}}}}`},
	}
	for _, b := range bodies {
		first := w.do("PUT", b[0], b[1])
		if first.Status > 201 {
			t.Fatalf("%s: %d %s", b[0], first.Status, first.Raw)
		}
		before := w.seq()
		again := w.want(200, "PUT", b[0], b[1])
		if after := w.seq(); after != before {
			t.Errorf("%s: the store went from %d to %d", b[0], before, after)
		}
		if x, y := first.Header.Get("ETag"), again.Header.Get("ETag"); x != y {
			t.Errorf("%s: ETag %s became %s", b[0], x, y)
		}
		if first.Raw != again.Raw {
			t.Errorf("%s: answers differ:\n%s\n%s", b[0], first.Raw, again.Raw)
		}
	}
}

// Nothing that a client sends as a secret is stored in the clear.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	const secret = "do-not-store-me"
	for path, body := range map[string]string{
		"/subscriptions/s": `{"properties":{"displayName":"S","scope":"/apis","primaryKey":"` + secret + `"}}`,
		"/namedValues/n":   `{"properties":{"displayName":"n","value":"` + secret + `","secret":true}}`,
		"/backends/b":      `{"properties":{"url":"http://h","protocol":"http","credentials":{"header":{"x":["` + secret + `"]},"query":{"q":["` + secret + `"]},"authorization":{"scheme":"s","parameter":"` + secret + `"}},"proxy":{"url":"http://h","password":"` + secret + `"}}}`,
		"/users/u":         `{"properties":{"email":"u@b.c","firstName":"U","lastName":"V","password":"` + secret + `"}}`,
		"/loggers/l":       `{"properties":{"loggerType":"applicationInsights","credentials":{"instrumentationKey":"` + secret + `"}}}`,
		"/certificates/c":  seedBody("certificates"),
	} {
		w.want(201, "PUT", servicePath+path, body)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		docs, err := r.List(store.Query{})
		for _, d := range docs {
			for _, text := range []string{secret, "PRIVATE KEY", `"password":"`} {
				if strings.Contains(string(d.Desired), text) || strings.Contains(string(d.Status), text) {
					t.Errorf("%s holds a secret: %s", d.ID, d.Desired)
				}
			}
			if o, err := resource.ReadObject(d.Desired); err == nil && strings.HasSuffix(d.Type, "service/users") {
				if keys, _ := json.Marshal(o["tokenKeys"]); strings.Count(string(keys), "$sealed") != 2 {
					t.Errorf("the keys of %s are not sealed: %s", d.ID, keys)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of many clients that write one entity with the ETag they read, exactly one wins.
func TestPut_OneOfManyWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	etag := w.want(201, "PUT", servicePath+"/products/p", `{"properties":{"displayName":"P"}}`).Header.Get("ETag")
	var wg sync.WaitGroup
	statuses := make([]int, 12)
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = w.do("PUT", servicePath+"/products/p", fmt.Sprintf(`{"properties":{"displayName":"P%d"}}`, i), "If-Match", etag).Status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[200] != 1 || count[412] != len(statuses)-1 {
		t.Errorf("statuses: %v", count)
	}
}

// A policy that was checked before its transaction is checked again when what it looked up has gone meanwhile.
func TestPolicy_RecheckedInTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	policy := `{"properties":{"value":"<policies><inbound><set-header name=\"x\"><value>{{n}}</value></set-header></inbound></policies>"}}`
	for range 20 {
		w.do("PUT", servicePath+"/namedValues/n", `{"properties":{"displayName":"n","value":"v"}}`)
		var wg sync.WaitGroup
		wg.Go(func() { w.do("DELETE", servicePath+"/namedValues/n", "", "If-Match", "*") })
		wg.Go(func() { w.do("PUT", servicePath+"/policies/policy", policy) })
		wg.Wait()
		value := w.do("GET", servicePath+"/namedValues/n", "").Status
		uses := strings.Contains(w.want(200, "GET", servicePath+"/policies/policy", "").Raw, "{{n}}")
		if uses && value != 200 {
			t.Fatal("the policy refers to a named value that was deleted")
		}
		w.want(200, "PUT", servicePath+"/policies/policy", `{"properties":{"value":"<policies><inbound /></policies>"}}`)
	}
}

// What a GET answers can be sent back as it is, and changes nothing.
func TestPut_OfWhatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	w.want(201, "PUT", servicePath+"/backends/b", `{"properties":{"url":"http://h","protocol":"http","tls":{}}}`)
	w.want(201, "PUT", servicePath+"/products/p", `{"properties":{"displayName":"P"}}`)
	w.want(201, "PUT", servicePath+"/subscriptions/s", `{"properties":{"displayName":"S","scope":"/products/p","ownerId":"/users/1"}}`)
	w.want(201, "PUT", servicePath+"/apis/echo/operations/o", `{"properties":{"displayName":"O","method":"GET","urlTemplate":"/o"}}`)
	for _, path := range []string{
		"", "/apis/echo", "/apis/echo/operations/o", "/policies/policy", "/products/starter", "/products/p", "/subscriptions/s", "/subscriptions/master", "/backends/b",
	} {
		for _, v := range []string{"2018-01-01", "2019-12-01", "2021-08-01", "2022-08-01", newest} {
			if v == "2018-01-01" && path == "/subscriptions/master" {
				continue // has no owner, which that version requires
			}
			at := servicePath + path + "?api-version=" + v
			read := w.want(200, "GET", at, "")
			before := w.seq()
			again := w.want(200, "PUT", at, read.Raw)
			if read.Raw != again.Raw && path != "" {
				t.Errorf("%s %s: read\n%s\nwritten\n%s", v, path, read.Raw, again.Raw)
			}
			if after := w.seq(); after != before {
				t.Errorf("%s %s: the store went from %d to %d\n%s\n%s", v, path, before, after, read.Raw, again.Raw)
			}
		}
	}
}

// A service whose creation failed is created by the next PUT.
func TestPut_AfterFailedCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	w.want(201, "PUT", servicePath, developerBody)
	_, err := w.store.Update(t.Context(), func(tx store.Tx) error {
		running, err := lro.Running(tx)
		if err != nil {
			return err
		}
		d, err := tx.Get(servicePath)
		if err != nil {
			return err
		}
		d.Status = []byte(`{"provisioningState":"Failed","wish":{"platform":"stv2","tier":"Developer","units":1,"gone":true}}`)
		if _, err := tx.Put(d); err != nil {
			return err
		}
		return lro.Finish(tx, running[0], lro.Failed, &arm.Error{Code: "X", Message: "x"}, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	a := w.want(200, "PUT", servicePath, developerBody)
	if got := a.text("properties.provisioningState"); got != "Created" || a.Header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("provisioningState %q, headers %v", got, a.Header)
	}
	w.settle()
	w.want(200, "GET", servicePath+"/products/starter", "")
}

// A token is who, until when, and a signature: of the same user with the same key it is the same, with the other key
// it is another.
func TestUserToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	w.want(201, "PUT", servicePath+"/users/ada", `{"properties":{"email":"ada@b.c","firstName":"A","lastName":"L"}}`)
	token := func(user, key, version string) string {
		body := `{"properties":{"keyType":"` + key + `","expiry":"2024-02-03T04:05:06Z"}}`
		if version == "2018-01-01" {
			body = `{"keyType":"` + key + `","expiry":"2024-02-03T04:05:06Z"}`
		}
		return w.want(200, "POST", servicePath+"/users/"+user+"/token?api-version="+version, body).text("value")
	}
	first := token("ADA", "primary", newest)
	if !regexp.MustCompile(`^ada&202402030405&[A-Za-z0-9+/]{86}==$`).MatchString(first) {
		t.Errorf("token %s", first)
	}
	if again := token("ada", "Primary", "2018-01-01"); again != first {
		t.Errorf("the token was %s and is %s", first, again)
	}
	for _, other := range []string{token("ada", "secondary", newest), token("1", "primary", newest)} {
		if other[strings.LastIndexByte(other, '&'):] == first[strings.LastIndexByte(first, '&'):] {
			t.Errorf("two keys sign alike: %s and %s", first, other)
		}
	}
}

// A fragment knows the policies that include it, and stays as long as there are some.
func TestPolicyFragment_References(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	w.want(201, "PUT", servicePath+"/policyFragments/stamp", `{"properties":{"value":"<fragment />"}}`)
	w.want(201, "PUT", servicePath+"/policyFragments/other", `{"properties":{"value":"<fragment />"}}`)
	put := func(path, xml string) {
		t.Helper()
		if _, err := w.store.Update(t.Context(), func(tx store.Tx) error {
			desired, err := json.Marshal(map[string]any{"properties": map[string]any{"format": "rawxml", "value": xml}})
			if err != nil {
				return err
			}
			id, _ := arm.ParseID(servicePath + path)
			_, err = tx.Put(store.Document{ID: servicePath + path, Type: strings.ToLower(id.Type()), Desired: desired})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("/apis/echo/policies/policy", `<policies><inbound><choose><when condition="@(true)"><include-fragment fragment-id='STAMP' /></when></choose></inbound></policies>`)
	put("/products/starter/policies/policy", `<policies><inbound><!-- include-fragment fragment-id="stamp" --></inbound></policies>`)
	put("/policies/policy", `<policies><inbound><include-fragment fragment-id="stamp" /></inbound></policies>`)
	a := w.want(200, "POST", servicePath+"/policyFragments/stamp/listReferences?$top=1", "")
	want := []any{map[string]any{"id": servicePath + "/policies/policy", "name": "policy", "type": "Microsoft.ApiManagement/service/policies"}}
	if d := cmp.Diff(want, a.Body.List("value")); d != "" {
		t.Error(d)
	}
	if n, _ := a.Body.Number("count"); n != 2 || a.text("nextLink") == "" {
		t.Errorf("%s", a.Raw)
	}
	if a := w.want(200, "POST", servicePath+"/policyFragments/other/listReferences", ""); len(a.Body.List("value")) != 0 {
		t.Errorf("%s", a.Raw)
	}
	w.want(404, "POST", servicePath+"/policyFragments/none/listReferences", "")
	w.want(400, "DELETE", servicePath+"/policyFragments/stamp", "", "If-Match", "*")
	w.want(200, "DELETE", servicePath+"/policyFragments/other", "", "If-Match", "*")
}
