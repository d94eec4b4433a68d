package engine_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
)

func TestForward(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{}, gatewaytest.Shop(rec.URL+"/base"))
	res, err := http.Get("http://" + addr + "/shop/orders/7?x=%201")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("200 ok", res.Status[:3]+" "+string(body)); diff != "" {
		t.Fatal(diff)
	}
	want := []string{"GET /base/orders/7?x=%201\nAccept-Encoding: gzip\nHost: " + rec.Listener.Addr().String() + "\nUser-Agent: Go-http-client/1.1\n"}
	if diff := cmp.Diff(want, rec.Seen()); diff != "" {
		t.Fatal(diff)
	}
}
