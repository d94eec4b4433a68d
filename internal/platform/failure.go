package platform

import (
	"fmt"
	"slices"
	"time"
)

// A Failure is why a wish cannot be reached. The code is one of those below, the message is for the client.
type Failure struct {
	Code    string
	Message string
}

// Codes of failures, one for each cause.
const (
	CodeCrashed      = "GatewayCrashed"           // a new machine ends again and again
	CodeWrongVersion = "GatewayVersionMismatch"   // a new machine runs another version than the one it is listed with
	CodeRefused      = "GatewayRefusedSnapshot"   // a new machine cannot serve the configuration of the service
	CodeNotReady     = "GatewayNotReady"          // a new machine is not ready within the deadline
	CodeNoAddress    = "AddressNotAvailable"      // no address could be opened within the deadline
	CodeNotServing   = "GatewayDidNotTakeTraffic" // all machines are ready and the route does not lead to them in time
)

// failed says that new machines show that the wish will not be reached: no waiting would help.
func (p *plan) failed() *Failure {
	if p.Deadline == 0 || p.target == nil || p.reached {
		return nil
	}
	for _, m := range p.target.Machines {
		if !p.fresh(m) {
			continue
		}
		o := p.Observation.Machines[m.ID]
		switch {
		case o.Gateway != "" && m.Gateway != "" && o.Gateway != m.Gateway:
			return &Failure{CodeWrongVersion, fmt.Sprintf("Machine %s runs gateway %s instead of %s.", m.ID, o.Gateway, m.Gateway)}
		case o.Refused != "" && (o.Phase != Ready || p.servedBefore(o.Seq)):
			return &Failure{CodeRefused, fmt.Sprintf("%s cannot serve the configuration of the service: %s.", describe(m), o.Refused)}
		case o.CrashLoop():
			if o.Error == "" { // it runs at this moment
				return &Failure{CodeCrashed, describe(m) + " ends again and again."}
			}
			return &Failure{CodeCrashed, fmt.Sprintf("%s ends again and again: %s.", describe(m), o.Error)}
		}
	}
	return nil
}

// overdue says that the deadline of the newest machines is over and that something of the way to the wish waits for
// them, or for their addresses.
func (p *plan) overdue() *Failure {
	if p.Deadline == 0 || p.target == nil || p.reached {
		return nil
	}
	within, ready := p.Deadline.String(), p.complete(p.target)
	for _, m := range p.target.Machines {
		if !p.fresh(m) || p.fit(p.target, m) {
			continue
		}
		if ready = false; p.late(p.Observation.Machines[m.ID].Since) {
			return &Failure{CodeNotReady, fmt.Sprintf("%s was not ready within %s: %s.", describe(m), within, p.unfit(m))}
		}
	}
	if p.target == p.active || !ready || !p.late(time.Time{}) {
		return nil
	}
	if slices.ContainsFunc(p.state.VIPs, func(v VIP) bool { return v.Address == "" }) {
		return &Failure{CodeNoAddress, fmt.Sprintf("No address could be opened within %s: %s.", within, p.Trouble)}
	}
	return &Failure{CodeNotServing, fmt.Sprintf("The new machines did not take over within %s: %s.", within, p.wait)}
}

// fresh says whether a machine of the target is one that the wish brought, other than one that the service had before or
// that an earlier wish has left.
func (p *plan) fresh(m Machine) bool {
	switch {
	case m.Mode == Draining, !p.current(m):
		return false
	case m.Mode == Parked, p.Previous == nil, !p.Previous.Form(*p.target):
		return true
	}
	return p.version(*p.Previous) != p.gateway || p.Previous.Hardware != p.Wish.Hardware
}

// late says whether the deadline is over for what began to be waited for at a time, but not before the newest machines
// were listed, nor before somebody looked.
func (p *plan) late(since time.Time) bool {
	for _, t := range []time.Time{p.target.Since, p.Since} {
		if t.After(since) {
			since = t
		}
	}
	until := since.Add(p.Deadline)
	p.askAgain(until)
	return !p.Now.Before(until)
}

// servedBefore says whether a machine that the service had before serves all of a configuration as new as seq.
func (p *plan) servedBefore(seq int64) bool {
	if p.active == nil {
		return false
	}
	return slices.ContainsFunc(p.active.Machines, func(m Machine) bool {
		o := p.Observation.Machines[m.ID]
		had := p.active != p.target || !p.fresh(m)
		return had && p.live(m) && (o.Phase == Asleep || o.Seq >= seq) && o.Refused == ""
	})
}

// unfit says what is known of a machine that does not get ready.
func (p *plan) unfit(m Machine) string {
	o, ok := p.Observation.Machines[m.ID]
	switch {
	case !ok:
		return "it was not started"
	case o.Error != "":
		return o.Error
	case o.Phase == Ready:
		return fmt.Sprintf("it serves the configuration as of %d, which is older than %d", o.Seq, p.required(p.target))
	}
	return "it is " + string(o.Phase)
}

func describe(m Machine) string {
	if m.Gateway == "" {
		return "Machine " + m.ID
	}
	return "Machine " + m.ID + " of gateway " + m.Gateway
}
