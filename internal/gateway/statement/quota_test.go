package statement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/gateway/statement"
	"github.com/portico-dev/portico/internal/snapshot"
)

// counted is a service whose one product has a policy, made now, with two subscriptions of which one began 3 hours ago.
func counted(t *testing.T, policyXML string) *service.Service {
	t.Helper()
	snap := gatewaytest.Shop("http://127.0.0.1:1")
	snap.Service.Policy.XML = `<policies><inbound><return-response /></inbound></policies>`
	product := gatewaytest.ServiceID + "/products/gold"
	snap.Products = []snapshot.Product{{
		ID: product, Name: "gold", Published: true, SubscriptionRequired: true, APIs: []string{snap.APIs[0].ID},
		Policy: &snapshot.Policy{ID: product + "/policies/policy", XML: policyXML},
	}}
	began := time.Now().Add(-3 * time.Hour)
	snap.Subscriptions = []snapshot.Subscription{
		{ID: "/s/new", Name: "new", Scope: product, State: "active", PrimaryKey: "new", Created: time.Now()},
		{ID: "/s/old", Name: "old", Scope: product, State: "active", PrimaryKey: "old", Created: time.Now(), Starts: &began},
	}
	c := &service.Compiler{Builders: statement.All(statement.Env{})}
	svc, refused, err := c.Compile(nil, snap.Bundle(t))
	if err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	return svc
}

// call is a request with the content sizes that its client saw.
func call(t *testing.T, svc *service.Service, key string, received, sent int64) *pipeline.Message {
	t.Helper()
	m := &pipeline.Message{Method: "GET", URL: pipeline.URL{Path: "/shop/x"}, Header: pipeline.NewHeader(pipeline.Field{Name: "Ocp-Apim-Subscription-Key", Value: key})}
	x := &pipeline.Exchange{Context: t.Context(), Started: time.Now(), OriginalMethod: "GET", Request: m}
	svc.Handle(x)
	x.Received, x.Sent = received, sent
	x.Release()
	return x.Response
}

// outcome is what a caller reads: the message of a refusal with its Retry-After.
func outcome(m *pipeline.Message) string {
	body, _ := m.Body.Held()
	if retry := m.Header.Get("Retry-After"); retry != "" {
		return string(body) + " " + retry
	}
	return string(body)
}

func TestQuota(t *testing.T) {
	t.Parallel()
	const week = `<policies><inbound><quota calls="1" renewal-period="604800" /><base /></inbound></policies>`
	refused := func(text string) string { return `{ "statusCode": 403, "message": "` + text + `" }` }
	synctest.Test(t, func(t *testing.T) {
		svc := counted(t, week)
		var got []string
		for _, pause := range []time.Duration{0, 10 * time.Hour, 4*24*time.Hour + time.Second, 48*time.Hour + 5*time.Minute, 9 * time.Hour, 3*time.Hour + 54*time.Minute + 59*time.Second} {
			time.Sleep(pause)
			for _, key := range []string{"new", "old"} {
				got = append(got, key+": "+outcome(call(t, svc, key, 0, 0)))
			}
		}
		want := []string{
			"new: ", "old: ",
			"new: " + refused("Out of call volume quota. Quota will be replenished in 6.14:00:00.") + " 568800",
			"old: " + refused("Out of call volume quota. Quota will be replenished in 6.11:00:00.") + " 558000",
			"new: " + refused("Out of call volume quota. Quota will be replenished in 2.13:59:59.") + " 223199",
			"old: " + refused("Out of call volume quota. Quota will be replenished in 2.10:59:59.") + " 212399",
			"new: " + refused("Out of call volume quota. Quota will be replenished in 13:54:59.") + " 50099",
			"old: " + refused("Out of call volume quota. Quota will be replenished in 10:54:59.") + " 39299",
			"new: " + refused("Out of call volume quota. Quota will be replenished in 04:54:59.") + " 17699",
			"old: " + refused("Out of call volume quota. Quota will be replenished in 01:54:59.") + " 6899",
			"new: " + refused("Out of call volume quota. Quota will be replenished in 01:00:00.") + " 3600",
			"old: ",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestQuota_Bandwidth: both messages cost, with their heads; who is above the quota when a call begins is refused.
func TestQuota_Bandwidth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := counted(t, `<policies><inbound><quota bandwidth="2" renewal-period="60" /><base /></inbound></policies>`)
		const heads = len("GET /shop/x HTTP/1.1\r\nOcp-Apim-Subscription-Key: new\r\n\r\n") + len("HTTP/1.1 200 OK\r\n\r\n") - len("/shop")
		var got []string
		for _, c := range []struct{ received, sent int64 }{{1000, 0}, {0, 1047 - int64(2*heads)}, {0, 1 << 40}, {0, 0}} {
			got = append(got, outcome(call(t, svc, "new", c.received, c.sent)))
		}
		got = append(got, outcome(call(t, svc, "old", 0, 0)))
		time.Sleep(time.Minute)
		got = append(got, outcome(call(t, svc, "new", 0, 0)))
		want := []string{
			"", "", // 2,047 bytes
			"", // 1 TB
			`{ "statusCode": 403, "message": "Out of bandwidth quota. Quota will be replenished in 00:01:00." } 60`,
			"", "",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestQuota_RefusedCountsNowhere: a call that a quota refuses is not counted anywhere, in its own parts neither.
func TestQuota_RefusedCountsNowhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := counted(t, `<policies><inbound><quota calls="3" renewal-period="3600"><api id="shop" calls="2" renewal-period="60" /></quota><base /></inbound></policies>`)
		var got []int
		for range 4 {
			got = append(got, call(t, svc, "new", 0, 0).Status)
		}
		time.Sleep(time.Minute)
		for range 2 {
			got = append(got, call(t, svc, "new", 0, 0).Status)
		}
		if diff := cmp.Diff([]int{200, 200, 403, 403, 200, 403}, got); diff != "" {
			t.Error(diff)
		}
	})
}
