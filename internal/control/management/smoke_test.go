package management_test

import "testing"

func TestSmoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	for _, c := range [][3]string{
		{"GET", servicePath, ""},
		{"GET", servicePath + "/apis/echo", ""},
		{"PUT", servicePath + "/policies/policy", `{"properties":{"format":"rawxml","value":"<policies><inbound/><backend><forward-request/></backend><outbound/></policies>"}}`},
		{"GET", servicePath + "/policies/policy", ""},
		{"PUT", servicePath + "/subscriptions/s1", `{"properties":{"displayName":"S","scope":"/apis/echo","state":"active"}}`},
		{"GET", servicePath + "/subscriptions", ""},
		{"POST", servicePath + "/subscriptions/s1/listSecrets", ""},
		{"GET", servicePath + "/apis", ""},
		{"GET", servicePath + "/products", ""},
	} {
		a := w.do(c[0], c[1], c[2])
		t.Log(c[0], c[1], a.Status, a.Raw)
	}
}
