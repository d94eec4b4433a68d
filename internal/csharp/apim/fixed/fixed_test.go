package fixed

import (
	"context"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
)

const sample = `{
	"requestId": "12345678-9abc-def0-0102-030405060708", "elapsed": "1.5s",
	"variables": {"s": "x", "i": 7, "l": 5000000000, "d": 1.5, "b": true, "o": {"k": [1, 2]}, "n": null},
	"request": {"method": "POST", "url": "https://h.example:444/a/b?q=1&q=2", "ipAddress": "203.0.113.7",
		"headers": {"X-A": "one", "X-B": ["1", "2"]}, "body": "{\"v\":3}", "matchedParameters": {"id": "9"}},
	"response": {"statusCode": 404, "body": "gone"},
	"api": {"id": "orders", "name": "Orders", "path": "shop", "serviceUrl": "http://b.example/v1", "revision": "2"},
	"operation": {"id": "get", "method": "GET", "urlTemplate": "/a/{id}"},
	"product": {"id": "gold", "groups": ["vip"], "subscriptionLimit": 3},
	"subscription": {"id": "s1", "key": "k", "endDate": "2030-01-02T00:00:00Z"},
	"user": {"id": "u1", "email": "u@example.com", "groups": ["devs"]},
	"deployment": {"region": "West Europe", "serviceName": "shop"},
	"lastError": {"source": "rate-limit", "reason": "RateLimitExceeded"}
}`

func TestNew_ShowsWhatTheJSONSays(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`context.RequestId.ToString()`:                                                                     "12345678-9abc-def0-0102-030405060708",
		`context.Elapsed.TotalSeconds`:                                                                     "1.5",
		`context.Variables["s"] is string`:                                                                 "True",
		`context.Variables["i"] is int`:                                                                    "True",
		`context.Variables["l"] is long`:                                                                   "True",
		`context.Variables["d"] is double`:                                                                 "True",
		`context.Variables["b"] is bool`:                                                                   "True",
		`(int)((JObject)context.Variables["o"])["k"][1]`:                                                   "2",
		`context.Variables.ContainsKey("n") && context.Variables["n"] == null`:                             "True",
		`context.Request.Method + context.Request.Url.Port + context.Request.Url.Path`:                     "POST444/a/b",
		`context.Request.Url.Query.GetValueOrDefault("q", "")`:                                             "1,2",
		`context.Request.Headers.GetValueOrDefault("x-b", "")`:                                             "1,2",
		`(int)context.Request.Body.As<JObject>()["v"]`:                                                     "3",
		`context.Request.MatchedParameters["id"]`:                                                          "9",
		`context.Response.StatusCode + context.Response.StatusReason + context.Response.Body.As<string>()`: "404Not Foundgone",
		`context.Api.Name + context.Api.ServiceUrl.Host + context.Api.Revision`:                            "Ordersb.example2",
		`context.Operation.UrlTemplate`:                                                                    "/a/{id}",
		`context.Product.Id + context.Product.SubscriptionLimit`:                                           "gold3",
		`context.Subscription.Id + context.Subscription.Key`:                                               "s1k",
		`context.User.Email + context.User.Groups.First().Name`:                                            "u@example.comdevs",
		`context.Deployment.Region`:                                                                        "West Europe",
		`context.LastError.Reason`:                                                                         "RateLimitExceeded",
	} {
		if got := evaluate(t, source); got != want {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
}

func evaluate(t *testing.T, source string) string {
	t.Helper()
	spec, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	host, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, errs := csharp.Compile(source, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
	if errs != nil {
		t.Fatalf("%s: %v", source, errs)
	}
	f := csharp.NewFrame(context.Background(), host)
	defer f.Release()
	v, err := p.Run(f)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	text, err := f.Text(p, v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse_Refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"requests": {}}`:                      `unknown field "requests"`,
		`{"request": {"headers": {"A": 1}}}`:    "a header is a text or a list of texts",
		`{} {}`:                                 "there is more after its end",
		`{"timestamp": "yesterday"}`:            "cannot parse",
		`{"requestId": "x"}`:                    "requestId",
		`{"elapsed": "x"}`:                      "elapsed",
		`{"request": {"url": "::"}}`:            "request.url",
		`{"api": {"serviceUrl": "http://a b"}}`: "api.serviceUrl",
		`{"request": {"originalUrl": "::"}}`:    "request.originalUrl",
		`{"request": {"certificate": "x"}}`:     "request.certificate: no PEM of a CERTIFICATE",
		`{"request": {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}}`: "request.certificate: x509",
		`{"deployment": {"certificates": ["-----BEGIN LETTER-----\nAAAA\n-----END LETTER-----\n"]}}`:     "deployment.certificates[0]: PEM of a LETTER, want CERTIFICATE or PRIVATE KEY",
		`{"product": {"apis": [{}, {"serviceUrl": "http://a b"}]}}`:                                      "product.apis[1].serviceUrl",
		`{"variables": {"n": 1e999}}`: "variables.n",
	} {
		spec, err := Parse([]byte(text))
		if err == nil {
			_, err = New(spec)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzNew(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if spec, err := Parse(data); err == nil {
			_, _ = New(spec)
		}
	})
}
