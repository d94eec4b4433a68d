package publish

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/snapshot"
)

// A Report is what a machine last said of itself.
type Report struct {
	Machine  string
	Service  string            // resource ID; empty for an mtv1 worker
	Location string            // of an mtv1 worker
	Seq      int64             // up to which it has everything
	Have     map[string]string // digests of manifests by resource ID of the service
	Refused  []snapshot.Refusal
	At       time.Time // of its last poll
}

// Machines lists the newest report of every machine, ordered by machine. Machines that have not polled for ten poll
// timeouts are forgotten.
func (p *Publisher) Machines() []Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(time.Now())
	return slices.SortedFunc(maps.Values(p.reports), func(a, b Report) int { return strings.Compare(a.Machine, b.Machine) })
}

func (p *Publisher) record(req snapshot.PollRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if _, known := p.reports[req.Machine]; !known && len(p.reports) >= p.opt.MaxReports {
		p.forget(now)
		if len(p.reports) >= p.opt.MaxReports {
			return // it gets its configuration all the same
		}
	}
	p.reports[req.Machine] = Report{
		Machine: req.Machine, Service: req.Service, Location: req.Location,
		Seq: req.Seq, Have: req.Have, Refused: req.Refused, At: now,
	}
}

func (p *Publisher) forget(now time.Time) {
	maps.DeleteFunc(p.reports, func(_ string, r Report) bool { return now.Sub(r.At) > 10*p.opt.PollTimeout })
}
