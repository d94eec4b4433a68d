package management_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/platform"
)

// tierWorld is a world with limits and a service of a tier.
func tierWorld(t *testing.T, era platform.Era, sku string) *world {
	t.Helper()
	st := newMemory()
	opt := options(st)
	opt.Limits = era
	w := &world{t: t, store: st, handler: management.New(opt)}
	w.want(201, "PUT", groupPath+"?api-version=2021-04-01", `{"location":"westeurope"}`)
	w.want(201, "PUT", servicePath, tierBody(sku))
	w.settle()
	return w
}

func tierBody(sku string) string {
	return strings.Replace(developerBody, `{"name":"Developer","capacity":1}`, sku, 1)
}

const (
	consumption = `{"name":"Consumption","capacity":0}`
	basicV2     = `{"name":"BasicV2","capacity":1}`
	developer   = `{"name":"Developer","capacity":1}`
)

// refused checks the status, the code and the text of an answer: its own, or that of its first detail.
func refused(t *testing.T, a answer, code, text string) {
	t.Helper()
	got := a.text("error.message")
	if l := a.Body.List("error.details"); len(l) > 0 {
		got = fmt.Sprint(l[0].(map[string]any)["message"])
	}
	if a.Status != 400 || a.code() != code || got != text {
		t.Errorf("got %d %s %q, want 400 %s %q", a.Status, a.code(), got, code, text)
	}
}

// openAPI describes n API operations.
func openAPI(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,\"/p%d\":{\"get\":{}}`, i)
	}
	return `{"properties":{"path":"many","format":"openapi+json","value":"{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Many\",\"version\":\"1\"},\"paths\":{` + strings.TrimPrefix(b.String(), ",") + `}}"}}`
}

// A limit is reached by one more than it allows, whatever way that comes; what is there can be changed.
func TestLimits_CountWhatAServiceHolds(t *testing.T) {
	t.Parallel()
	w := tierWorld(t, platform.Era2024, consumption)
	api := func(i int) string { return fmt.Sprintf(`{"properties":{"displayName":"A%d","path":"a%d"}}`, i, i) }
	for i := range 50 {
		w.want(201, "PUT", fmt.Sprintf("%s/apis/a%d", servicePath, i), api(i))
	}
	refused(t, w.do("PUT", servicePath+"/apis/a50", api(50)), "ValidationError", "The limit is reached: a service of tier Consumption may have at most 50 apis.")
	refused(t, w.do("PUT", servicePath+"/apis/a7;rev=2", `{"properties":{"path":"a7","sourceApiId":"`+servicePath+`/apis/a7"}}`),
		"ValidationError", "The limit is reached: a service of tier Consumption may have at most 50 apis.")
	w.want(200, "PUT", servicePath+"/apis/a7", api(7))
	w.want(404, "GET", servicePath+"/apis/a50", "")
	w.want(200, "DELETE", servicePath+"/apis/a8?api-version=2021-08-01", "", "If-Match", "*")

	refused(t, w.do("PUT", servicePath+"/apis/many", openAPI(1001)), "ValidationError", "The limit is reached: a service of tier Consumption may have at most 1000 apis/operations.")
	w.want(404, "GET", servicePath+"/apis/many", "")
	w.want(201, "PUT", servicePath+"/apis/many", openAPI(999))
	operation := func(i int) string {
		return fmt.Sprintf(`{"properties":{"displayName":"O%d","method":"GET","urlTemplate":"/o%d"}}`, i, i)
	}
	w.want(201, "PUT", servicePath+"/apis/a0/operations/o0", operation(0))
	refused(t, w.do("PUT", servicePath+"/apis/a0/operations/o1", operation(1)), "ValidationError", "The limit is reached: a service of tier Consumption may have at most 1000 apis/operations.")
	refused(t, w.do("PUT", servicePath+"/apis/many", openAPI(1000)), "ValidationError", "The limit is reached: a service of tier Consumption may have at most 1000 apis/operations.")
	w.want(200, "PUT", servicePath+"/apis/many", openAPI(998))
	w.want(201, "PUT", servicePath+"/apis/a0/operations/o1", operation(1))
}

func TestLimits_OfEras(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		era   platform.Era
		sku   string
		kind  string
		body  string
		first int // how many of them there are at first
		most  int // 0: no limit
	}{
		{platform.Era2024, basicV2, "products", `{"properties":{"displayName":"N%d"}}`, 2, 50},
		{platform.Era2024, developer, "products", `{"properties":{"displayName":"N%d"}}`, 2, 0},
		{platform.Era2026, developer, "products", `{"properties":{"displayName":"N%d"}}`, 2, 100},
		{platform.Era2026, basicV2, "loggers", `{"properties":{"loggerType":"azureMonitor","description":"N%d"}}`, 0, 100},
		{platform.Era2024, basicV2, "groups", `{"properties":{"displayName":"N%d"}}`, 3, 20},
		{platform.Unlimited, basicV2, "groups", `{"properties":{"displayName":"N%d"}}`, 3, 0},
	} {
		w := tierWorld(t, c.era, c.sku)
		last := c.most
		if last == 0 {
			last = 105
		}
		for i := c.first; i < last; i++ {
			w.want(201, "PUT", fmt.Sprintf("%s/%s/n%d", servicePath, c.kind, i), fmt.Sprintf(c.body, i))
		}
		a := w.do("PUT", servicePath+"/"+c.kind+"/more", fmt.Sprintf(c.body, last))
		if c.most == 0 {
			if a.Status != 201 {
				t.Errorf("%s %s: %d %s", c.era, c.kind, a.Status, a.Raw)
			}
			continue
		}
		tier := "BasicV2"
		if c.sku == developer {
			tier = "Developer"
		}
		refused(t, a, "ValidationError", fmt.Sprintf("The limit is reached: a service of tier %s may have at most %d %s.", tier, c.most, c.kind))
	}
}

func TestLimits_OfServices(t *testing.T) {
	t.Parallel()
	w := tierWorld(t, platform.Era2026, consumption)
	other := func(i int) string {
		return fmt.Sprintf("%s/providers/Microsoft.ApiManagement/service/c%d", groupPath, i)
	}
	for i := range 19 {
		w.want(201, "PUT", other(i), tierBody(consumption))
	}
	refused(t, w.do("PUT", other(19), tierBody(consumption)), "InvalidParameters", "The limit is reached: an Azure subscription may have at most 20 services of tier Consumption.")
	w.want(201, "PUT", other(19), developerBody)

	tags := make([]string, 16)
	for i := range tags {
		tags[i] = fmt.Sprintf(`"t%d":"v"`, i)
	}
	refused(t, w.do("PATCH", servicePath, `{"tags":{`+strings.Join(tags, ",")+`}}`), "InvalidParameters", "Invalid parameter: Tags count out of bound. Maximum count value is 15.")
	w.want(200, "PATCH", servicePath, `{"tags":{`+strings.Join(tags[:15], ",")+`}}`)
}

func TestLimits_OfPolicies(t *testing.T) {
	t.Parallel()
	document := func(size int) string {
		text := "<policies><inbound><!--" + strings.Repeat("x", size-47) + "--></inbound></policies>"
		return `{"properties":{"format":"rawxml","value":"` + text + `"}}`
	}
	for _, c := range []struct {
		era  platform.Era
		sku  string
		most int
		text string
	}{
		{platform.Era2024, consumption, 16 << 10, "Policy size exceeds allowed limit of 16 KB"},
		{platform.Era2024, developer, 256 << 10, "Policy size exceeds allowed limit of 256 KB"},
		{platform.Era2026, developer, 256 << 10, "Policy size exceeds allowed limit of 256 KB"},
	} {
		w := tierWorld(t, c.era, c.sku)
		if a := w.do("PUT", servicePath+"/policies/policy", document(c.most)); a.Status > 201 {
			t.Errorf("%s %s: %d %.200s", c.era, c.sku, a.Status, a.Raw)
		}
		refused(t, w.do("PUT", servicePath+"/policies/policy", document(c.most+1)), "ValidationError", c.text)
	}
	w := tierWorld(t, platform.Unlimited, consumption)
	w.want(200, "PUT", servicePath+"/policies/policy", document(16<<10+1))
}

// What services of a tier do not have is refused whatever is asked of it.
func TestTiers_LackTypes(t *testing.T) {
	t.Parallel()
	w := tierWorld(t, "", consumption)
	for _, r := range [][3]string{
		{"GET", "/groups"},
		{"GET", "/groups/developers"},
		{"GET", "/users"},
		{"GET", "/users/1"},
		{"DELETE", "/users/1"},
		{"PUT", "/groups/g", `{"properties":{"displayName":"G"}}`},
		{"GET", "/groups/developers/users"},
	} {
		refused(t, w.do(r[0], servicePath+r[1], r[2], "If-Match", "*"), "MethodNotAllowedInPricingTier", "Method not allowed in Consumption pricing tier")
	}
	w = tierWorld(t, "", developer)
	w.want(200, "GET", servicePath+"/groups", "")
}

// What a classic service holds beyond the limits of 2026 when they come may grow to 110 % of it, while it keeps its tier.
func TestLimits_Grandfathered(t *testing.T) {
	t.Parallel()
	w := tierWorld(t, platform.Era2024, developer)
	logger := func(i int) answer {
		return w.do("PUT", fmt.Sprintf("%s/loggers/l%d", servicePath, i), `{"properties":{"loggerType":"azureMonitor"}}`)
	}
	for i := range 105 {
		if a := logger(i); a.Status != 201 {
			t.Fatalf("logger %d: %s", i, a.Raw)
		}
	}
	opt := options(w.store)
	opt.Limits = platform.Era2026
	for range 2 { // the second start finds it noted
		w.handler = management.New(opt)
		if err := w.handler.ObserveLimits(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := 105; i < 116; i++ {
		if a := logger(i); a.Status != 201 {
			t.Fatalf("logger %d: %s", i, a.Raw)
		}
	}
	refused(t, logger(116), "ValidationError", "The limit is reached: a service of tier Developer may have at most 116 loggers.")
	// Another tier has the limits as they are.
	w.want(202, "PATCH", servicePath, `{"sku":{"name":"Basic","capacity":1}}`)
	w.settle()
	refused(t, logger(116), "ValidationError", "The limit is reached: a service of tier Basic may have at most 100 loggers.")
}
