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

// known is what the publisher keeps of a machine.
type known struct {
	report  Report // without Have, which the session has
	session *session
}

// Machines lists the newest report of every machine, ordered by machine. Machines that have not polled for ten poll
// timeouts are forgotten.
func (p *Publisher) Machines() []Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(time.Now())
	out := make([]Report, 0, len(p.machines))
	for _, k := range p.machines {
		k.report.Have = k.session.digests()
		out = append(out, k.report)
	}
	slices.SortFunc(out, func(a, b Report) int { return strings.Compare(a.Machine, b.Machine) })
	return out
}

// record notes what a machine reports and gives its session; nil when it names one that is not known. A machine more
// than may be kept has a session for this poll alone.
func (p *Publisher) record(req snapshot.PollRequest) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	k, found := p.machines[req.Machine]
	switch {
	case req.Session == "":
		k.session = begin(req)
	case !found || !k.session.resume(req.Session):
		return nil
	}
	if !found && len(p.machines) >= p.opt.MaxReports {
		p.forget(now)
		if len(p.machines) >= p.opt.MaxReports {
			return k.session // it gets its configuration all the same
		}
	}
	k.report = Report{Machine: req.Machine, Service: req.Service, Location: req.Location, Seq: req.Seq, Refused: req.Refused, At: now}
	p.machines[req.Machine] = k
	return k.session
}

func (p *Publisher) forget(now time.Time) {
	maps.DeleteFunc(p.machines, func(_ string, k known) bool { return now.Sub(k.report.At) > 10*p.opt.PollTimeout })
}
