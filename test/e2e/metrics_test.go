package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestMetrics_CountRequests: what a gateway answers is counted, whatever it says; its own status page is not.
func TestMetrics_CountRequests(t *testing.T) {
	t.Parallel()
	h := start(t)
	at := h.create("counted", "Developer", 1, recent).Properties.GatewayURL
	total := func(name string) (n float64, any bool) {
		var v struct {
			Value []struct {
				Timeseries []struct{ Data []struct{ Total *float64 } }
			}
		}
		res := h.do(http.MethodGet, h.service("counted")+"/providers/Microsoft.Insights/metrics?aggregation=Total&metricnames="+name, "2018-01-01", nil)
		if err := res.Decode(&v); err != nil {
			t.Fatal(err)
		}
		for _, s := range v.Value[0].Timeseries {
			for _, d := range s.Data {
				if d.Total != nil {
					n, any = n+*d.Total, true
				}
			}
		}
		return n, any
	}
	eventually(t, patience, "somebody looks", func() bool { _, any := total("Capacity"); return any })
	const n = 25
	for range n {
		for path, want := range map[string]int{"/nothing/here": http.StatusNotFound, "/status-0123456789abcdef": http.StatusOK} {
			res, err := http.Get(at + path)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Fatalf("%s: %s, want %d", path, res.Status, want)
			}
		}
	}
	eventually(t, time.Minute, "all requests are counted", func() bool { got, _ := total("Requests"); return got >= n })
	if got, _ := total("Requests"); got != n {
		t.Errorf("%v requests are counted, want %d", got, n)
	}
}
