package main

import (
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/portico-dev/portico/internal/store"
)

// handler shares the ARM port between ARM, the identity endpoints, and what operators look at.
func (c *controlPlane) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "portico_control_request_duration_seconds", Help: "Time to answer a management request.",
		Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30},
	}, []string{"method", "code"})
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "portico_control_requests_total", Help: "Management requests answered.",
	}, []string{"code"})
	registry.MustRegister(requests, total)
	for code := range 6 {
		total.WithLabelValues(strconv.Itoa(code) + "xx")
	}

	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	login := c.authority.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			fmt.Fprintln(w, "ok")
		case "/readyz":
			c.readyz(w, r)
		case "/metrics":
			metrics.ServeHTTP(w, r)
		case "/":
			c.front(w, r)
		default:
			if c.authority.Owns(r) {
				login.ServeHTTP(w, r)
				return
			}
			begin, counted := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
			c.management.ServeHTTP(counted, r)
			requests.WithLabelValues(known(r.Method), strconv.Itoa(counted.status)).Observe(time.Since(begin).Seconds())
			total.WithLabelValues(strconv.Itoa(counted.status/100) + "xx").Inc()
		}
	})
}

// known bounds the label: clients can send any method.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete:
		return method
	}
	return "other"
}

// A statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// readyz is ok when the store answers.
func (c *controlPlane) readyz(w http.ResponseWriter, r *http.Request) {
	if err := c.store.View(r.Context(), func(store.Reader) error { return nil }); err != nil {
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

var frontPage = template.Must(template.New("front").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Portico</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}code{font-size:.9em}</style>
<h1>Portico</h1>
<p>Version {{.Version}}. This address speaks Azure Resource Manager; a portal is not built yet.</p>
<p>Try in a terminal:</p>
<pre><code>portico service list
portico service create shop
portico --help</code></pre>
<p><a href="/healthz">health</a> · <a href="/readyz">readiness</a> · <a href="/metrics">metrics</a></p>
</html>
`))

// front tells a person with a browser where they are.
func (c *controlPlane) front(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = frontPage.Execute(w, struct{ Version string }{buildVersion()})
}
