package webhook_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/webhook"
)

// A sink answers what it gets with one status after another, and keeps count.
type sink struct {
	*httptest.Server
	mu   sync.Mutex // guards below
	got  []string
	plan []int         // 0: never
	news chan struct{} // after each
}

func newSink(t *testing.T, plan ...int) *sink {
	t.Helper()
	s := &sink{plan: plan, news: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		s.mu.Lock()
		n := len(s.got)
		s.got = append(s.got, strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), user, password, string(body)}, " "))
		s.mu.Unlock()
		s.news <- struct{}{}
		switch status := s.plan[min(n, len(s.plan)-1)]; status {
		case 0:
			<-r.Context().Done()
		case http.StatusFound:
			http.Redirect(w, r, "/elsewhere", status)
		default:
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// A record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.news <- struct{}{} }()
	return r.text.Write(p)
}

func start(t *testing.T, opt webhook.Options) (*webhook.Sender, *record) {
	t.Helper()
	log := &record{news: make(chan struct{}, 100)}
	opt.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	s := webhook.New(opt)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return s, log
}

var soon = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}

func TestSend_IsTriedAgain(t *testing.T) {
	t.Parallel()
	to := newSink(t, 503, 429, 0, 204)
	s, _ := start(t, webhook.Options{Pauses: soon, Timeout: 100 * time.Millisecond})
	s.Send(webhook.Message{About: "/a", To: strings.Replace(to.URL, "://", "://user:word@", 1) + "/hook?token=1", Body: []byte(`{"a":1}`)})
	for range 4 {
		<-to.news
	}
	const one = `POST /hook?token=1 application/json; charset=utf-8 user word {"a":1}`
	to.mu.Lock()
	defer to.mu.Unlock()
	if d := cmp.Diff([]string{one, one, one, one}, to.got); d != "" {
		t.Error(d)
	}
}

// What nobody will take is given up, which is logged without the address.
func TestSend_GivesUp(t *testing.T) {
	t.Parallel()
	down, gone, away := newSink(t, 500), newSink(t, 404), newSink(t, 302)
	for _, c := range []struct{ to, tries, why string }{
		{down.URL + "/?token=1", "4", `"the answer has status 500"`},
		{gone.URL + "/?token=1", "1", `"the answer has status 404"`},
		{away.URL + "/?token=1", "1", `"the answer has status 302"`},
		{"http://127.0.0.1:1/?token=1", "4", `"it cannot be reached"`},
		{"http://169.254.169.254/?token=1", "1", `"its address is link-local, of a metadata service, or otherwise not allowed"`},
		{"file:///etc/passwd?token=1", "1", `"only absolute http and https links are followed"`},
	} {
		s, log := start(t, webhook.Options{Pauses: soon})
		s.Send(webhook.Message{About: "/a", To: c.to, Body: []byte(`{}`)})
		<-log.news
		log.mu.Lock()
		if d := cmp.Diff(`level=WARN msg="notification not delivered" about=/a tries=`+c.tries+` error=`+c.why+"\n", log.text.String()); d != "" {
			t.Errorf("%s:\n%s", c.to, d)
		}
		log.mu.Unlock()
	}
	if len(gone.got) != 1 || len(away.got) != 1 || len(down.got) != 4 {
		t.Errorf("%d, %d and %d requests, want 1, 1 and 4", len(gone.got), len(away.got), len(down.got))
	}
}

// Nobody waits for a webhook that does not answer, and what waits for it is bounded.
func TestSend_WaitsForNothing(t *testing.T) {
	t.Parallel()
	to := newSink(t, 0)
	s, log := start(t, webhook.Options{Waiting: 2})
	m := webhook.Message{About: "/a", To: to.URL}
	for range 8 {
		s.Send(m)
		<-to.news // all places are taken
	}
	for range 3 {
		s.Send(m)
	}
	<-log.news
	log.mu.Lock()
	defer log.mu.Unlock()
	if d := cmp.Diff("level=WARN msg=\"notification not sent: too many wait\" about=/a\n", log.text.String()); d != "" {
		t.Error(d)
	}
}
