package arm_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
)

func TestVersion_Order(t *testing.T) {
	t.Parallel()
	want := []arm.Version{"2018-01-01", "2019-12-01-preview", "2019-12-01", "2020-06-01-preview", "2021-01-01-preview", "2024-05-01"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, arm.Version.Compare)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for s, ok := range map[string]bool{"2024-05-01": true, "2024-05-01-Preview": true, "": false, "2024-5-1": false, "2024-05-01-beta": false, "20240501": false, "2024-05-01x": false, "abcd-ef-gh": false} {
		if _, got := arm.ParseVersion(s); got != ok {
			t.Errorf("ParseVersion(%q) = %v", s, got)
		}
	}
}

func TestVersion_In(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v, from, until arm.Version
		want           bool
	}{
		{"2020-01-01", "", "", true},
		{"2020-01-01", "2020-01-01", "", true},
		{"2020-01-01", "", "2020-01-01", false},
		{"2020-01-01-preview", "2020-01-01", "", false},
		{"2019-01-01", "2018-01-01", "2020-01-01", true},
	} {
		if got := c.v.In(c.from, c.until); got != c.want {
			t.Errorf("%s in [%s, %s) = %v", c.v, c.from, c.until, got)
		}
	}
}

func TestPrecondition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ifMatch, ifNoneMatch, etag string
		refused                    bool
	}{
		{"", "", "A=", false},
		{"*", "", "A=", false},
		{"*", "", "", false}, // creates
		{`"A="`, "", "A=", false},
		{`W/"A="`, "", "A=", false},
		{"A=", "", "A=", false},
		{`"B=", "A="`, "", "A=", false},
		{`"B="`, "", "A=", true},
		{`"B="`, "", "", true},
		{"", "*", "A=", true},
		{"", "*", "", false},
		{"", `"A="`, "A=", true},
		{"", `"B="`, "A=", false},
	} {
		h := http.Header{}
		h.Set("If-Match", c.ifMatch)
		h.Set("If-None-Match", c.ifNoneMatch)
		if err := arm.Preconditions(h).Check(c.etag); (err != nil) != c.refused {
			t.Errorf("If-Match %q, If-None-Match %q of %q: %v", c.ifMatch, c.ifNoneMatch, c.etag, err)
		}
	}
}

func TestNextLink(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("/a/b%20c?api-version=1&%24top=2&$SKIP=4&x=y")
	if err != nil {
		t.Fatal(err)
	}
	p, perr := arm.ParsePage(u.Query())
	if perr != nil {
		t.Fatal(perr)
	}
	if d := cmp.Diff(arm.Page{Top: 2, Skip: 4}, p); d != "" {
		t.Error(d)
	}
	if got, want := arm.NextLink("https://h", u, p, false), "https://h/a/b%20c?%24skip=6&%24top=2&api-version=1&x=y"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	token, err := url.Parse(arm.NextLink("https://h", u, p, true))
	if err != nil {
		t.Fatal(err)
	}
	if p, perr = arm.ParsePage(token.Query()); perr != nil || p.Skip != 6 {
		t.Errorf("$skiptoken leads to %+v, %v", p, perr)
	}
}

func TestPage_Slice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    arm.Page
		n    int
		want [2]int
		more bool
	}{
		{arm.Page{Top: 2}, 5, [2]int{0, 2}, true},
		{arm.Page{Top: 2, Skip: 3}, 5, [2]int{3, 5}, false},
		{arm.Page{Top: 2, Skip: 9}, 5, [2]int{5, 5}, false},
		{arm.Page{Top: 1 << 62, Skip: 1}, 5, [2]int{1, 5}, false},
	} {
		from, to, more := c.p.Slice(c.n)
		if got := [2]int{from, to}; got != c.want || more != c.more {
			t.Errorf("%+v of %d: %v %v", c.p, c.n, got, more)
		}
	}
}

func TestMonitors(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	arm.Monitors{Base: "https://h", Resource: "/s/x y", Name: "op", Version: "2024-05-01", RetryAfter: 1500 * time.Millisecond}.SetHeaders(h)
	want := http.Header{
		"Azure-Asyncoperation": {"https://h/s/x%20y/operationresults/op?api-version=2024-05-01&asyncResponse"},
		"Location":             {"https://h/s/x%20y/operationresults/op?api-version=2024-05-01"},
		"Retry-After":          {"2"},
	}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
	m := arm.Monitors{Base: "https://h", Subscription: "s", Provider: "A.B", Location: "westeurope", Name: "op", Version: "2024-05-01"}
	if got, want := m.StatusURL(), "https://h/subscriptions/s/providers/A.B/locations/westeurope/operationStatuses/op?api-version=2024-05-01"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	m.Provider = ""
	if got, want := m.ResultURL(), "https://h/subscriptions/s/operationresults/op?api-version=2024-05-01"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err         *arm.Error
		body, cause string
	}{
		{arm.NotFound("API"), `{"error":{"code":"ResourceNotFound","message":"API not found.","details":null}}`, ""},
		{arm.Invalid(arm.ErrorDetail{Code: "ValidationError", Target: "x", Message: "<y>"}), `{"error":{"code":"ValidationError","message":"One or more fields contain incorrect values:","details":[{"code":"ValidationError","target":"x","message":"<y>"}]}}`, ""},
		{&arm.Error{Status: 404, Code: "SubscriptionNotFound", Message: "m"}, `{"error":{"code":"SubscriptionNotFound","message":"m"}}`, "gateway"},
	} {
		w := httptest.NewRecorder()
		arm.WriteError(w, c.err)
		if w.Code != c.err.Status || w.Body.String() != c.body || w.Header().Get("x-ms-failure-cause") != c.cause || w.Header().Get("x-ms-error-code") != c.err.Code {
			t.Errorf("%s: %d %s %v", c.err.Code, w.Code, w.Body, w.Header())
		}
		if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("Content-Type %q", got)
		}
	}
}

func TestCommonHeaders(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("x-ms-correlation-request-id", "11111111-2222-3333-4444-555555555555")
	r.Header.Set("x-ms-client-request-id", "mine")
	r.Header.Set("x-ms-return-client-request-id", "true")
	h := http.Header{}
	_, correlation := arm.SetCommonHeaders(h, r, "westeurope", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC))
	for name, want := range map[string]string{
		"x-ms-correlation-request-id": "11111111-2222-3333-4444-555555555555", "x-ms-client-request-id": "mine", "Cache-Control": "no-cache",
		"x-ms-routing-request-id": "WESTEUROPE:20240102T030405Z:11111111-2222-3333-4444-555555555555", "Expires": "-1", "X-Content-Type-Options": "nosniff",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if correlation != h.Get("x-ms-correlation-request-id") {
		t.Errorf("correlation %q", correlation)
	}
}
