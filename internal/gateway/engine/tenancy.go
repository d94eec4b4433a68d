package engine

import (
	"errors"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
)

// TenantLimits bound what one service takes of an mtv1 worker, whatever the others do. Zero values mean the defaults.
type TenantLimits struct {
	Requests int           // in flight at once; default 256, further ones get 429
	Duration time.Duration // of one request; default 30 s, then 504
	URL      int           // bytes of a path with its query; default 16 KiB, more is 414
	Payload  int64         // bytes of a request's content; default 1 GiB, more is 413
	Buffer   int64         // longest body that a policy may hold in memory; default 2 MiB
	Steps    int64         // of one evaluation of an expression; default 1,000,000
	Memory   int64         // bytes that one evaluation may allocate in all; default 16 MiB
	Burst    time.Duration // that evaluations may run ahead of half a processor; default 1 s
}

func (l TenantLimits) withDefaults() TenantLimits {
	number := func(n *int64, v int64) {
		if *n == 0 {
			*n = v
		}
	}
	if l.Requests == 0 {
		l.Requests = 256
	}
	if l.Duration == 0 {
		l.Duration = 30 * time.Second
	}
	if l.URL == 0 {
		l.URL = 16 << 10
	}
	if l.Burst == 0 {
		l.Burst = time.Second
	}
	number(&l.Payload, 1<<30)
	number(&l.Buffer, 2<<20)
	number(&l.Steps, 1_000_000)
	number(&l.Memory, 16<<20)
	return l
}

var errTooLong = errors.New("the request took longer than it may")

// admit counts a request of a service of the pool. done takes it back; it is nil for a request that is refused, which
// has been answered.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, t *tenant, conn *wire) (done func()) {
	limits := s.tenants.limits
	switch {
	case t.running.Add(1) > int64(limits.Requests):
		t.running.Add(-1)
		w.Header().Set("Retry-After", "1")
		s.refuse(w, nil, http.StatusTooManyRequests, "The service has as many requests in progress as it may have.")
		return nil
	case len(r.RequestURI) > limits.URL:
		t.running.Add(-1)
		s.refuse(w, ended(r, conn), http.StatusRequestURITooLong, "The URL of the request is too long.")
		return nil
	case r.ContentLength > limits.Payload:
		t.running.Add(-1)
		s.refuse(w, ended(r, conn), http.StatusRequestEntityTooLarge, "The request content is too large.")
		return nil
	case r.ContentLength < 0:
		r.Body = http.MaxBytesReader(w, r.Body, limits.Payload)
	}
	if s.opt.Meter != nil {
		s.opt.Meter(t.id)
	}
	return func() { t.running.Add(-1) }
}

// bound gives an exchange the limits of a service of the pool. cancel ends its time.
func (s *Server) bound(x *pipeline.Exchange, t *tenant) (cancel func()) {
	limits := s.tenants.limits
	x.Context, cancel = withDeadline(x.Context, time.Now().Add(limits.Duration), errTooLong)
	x.MaxBuffer = min(x.MaxBuffer, limits.Buffer)
	x.Budget = csharp.Budget{Steps: limits.Steps, Memory: limits.Memory}
	x.Share = t.share
	return cancel
}
