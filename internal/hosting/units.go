package hosting

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Units is where a service runs, location by location.
type Units struct {
	ProvisioningState string         `json:"provisioningState"`
	Operation         string         `json:"operation,omitempty"`
	Locations         []UnitLocation `json:"locations"`
	DownZones         []string       `json:"downZones,omitempty"` // switched off by an operator
}

// UnitLocation is one location of a service.
type UnitLocation struct {
	Location        string                `json:"location"`
	PlatformVersion platform.Version      `json:"platformVersion"`
	Tier            platform.Tier         `json:"tier"`
	Units           int                   `json:"units"`
	Zones           []string              `json:"zones,omitempty"`
	Disabled        bool                  `json:"disabled,omitempty"` // out of rotation
	Leaving         bool                  `json:"leaving,omitempty"`  // about to go
	Sets            []UnitSet             `json:"sets"`
	VIPs            []UnitVIP             `json:"vips"`
	Coexistence     *platform.Coexistence `json:"coexistence,omitempty"`
}

// UnitSet is a set with what its machines are doing.
type UnitSet struct {
	ID       string           `json:"id"`
	Platform platform.Version `json:"platform"`
	Active   bool             `json:"active"`           // names lead to it
	Shared   bool             `json:"shared,omitempty"` // the mtv1 pool of the location
	Machines []UnitMachine    `json:"machines"`
}

// UnitMachine is a machine as listed and as observed.
type UnitMachine struct {
	platform.Machine
	Phase    platform.Phase `json:"phase,omitempty"` // empty when the fabric does not know the machine
	PID      int            `json:"pid,omitempty"`
	Seq      int64          `json:"seq"`
	Digest   string         `json:"digest,omitempty"` // of the configuration that it serves
	Restarts int            `json:"restarts"`
	// CrashLoop says that the machine fails again and again; NextStart is when the next try begins.
	CrashLoop bool      `json:"crashLoop,omitempty"`
	NextStart time.Time `json:"nextStart,omitzero"`
	Active    int       `json:"active"` // requests in flight
	Conns     int       `json:"conns"`
	// Load is what the machine says of its load; absent where it does not say. Capacity is that in one number.
	Load     *platform.Load `json:"load,omitempty"`
	Capacity int            `json:"capacity"`
	// Answers is what callers were answered since the machine runs its version; absent where it does not count.
	Answers platform.Answers `json:"answers,omitzero"`
	Since   time.Time        `json:"since,omitzero"`
	Error   string           `json:"error,omitempty"`   // why it last ended or could not start
	Refused string           `json:"refused,omitempty"` // what of its configuration it cannot serve
	Runs    string           `json:"runs,omitempty"`    // version of the gateway, as it says
}

// UnitVIP is an address with the sets that should accept on it and those that do.
type UnitVIP struct {
	platform.VIP
	Accepting []string `json:"accepting"`
}

// Units describes the compute of a service as of now. It returns store.ErrNotFound for a service that does not exist.
func (c *Controller) Units(ctx context.Context, serviceID string) (Units, error) {
	rec, err := c.load(ctx, store.Key(serviceID))
	if err != nil {
		return Units{}, err
	}
	if rec == nil || rec.isPool {
		return Units{}, fmt.Errorf("units of %s: %w", serviceID, store.ErrNotFound)
	}
	obs, err := c.observe(ctx, rec)
	if err != nil {
		return Units{}, err
	}
	u := Units{ProvisioningState: rec.status.ProvisioningState, Operation: rec.status.Operation, DownZones: obs.Down}
	for _, p := range rec.places() {
		u.Locations = append(u.Locations, p.units(obs))
	}
	return u, nil
}

// units describes what there is at one place.
func (p *place) units(obs platform.Observation) UnitLocation {
	l := UnitLocation{
		Location: p.Name, PlatformVersion: p.Platform(), Tier: p.Wish.Tier, Units: p.Wish.Units, Zones: p.Wish.Zones, Disabled: p.Wish.Disabled, Leaving: p.Wish.Gone,
		Sets: []UnitSet{}, VIPs: []UnitVIP{}, Coexistence: p.Hosting.Coexistence,
	}
	for _, s := range p.Hosting.Sets {
		l.Sets = append(l.Sets, unitSet(s, p.Hosting.Active, obs))
	}
	if p.pool != nil {
		for _, s := range p.pool.Hosting.Sets {
			set := unitSet(s, p.Hosting.Active, obs)
			set.Shared = true
			l.Sets = append(l.Sets, set)
		}
	}
	for _, v := range p.Hosting.VIPs {
		l.VIPs = append(l.VIPs, UnitVIP{VIP: v, Accepting: slices.Concat([]string{}, obs.VIPs[v.ID])})
	}
	return l
}

func unitSet(s platform.Set, active string, obs platform.Observation) UnitSet {
	out := UnitSet{ID: s.ID, Platform: s.Version(), Active: s.ID == active, Machines: []UnitMachine{}}
	for _, m := range s.Machines {
		o := obs.Machines[m.ID]
		var load *platform.Load
		if o.Load != (platform.Load{}) {
			load = &o.Load
		}
		out.Machines = append(out.Machines, UnitMachine{
			Machine: m, Load: load, Capacity: o.Load.Capacity(), Phase: o.Phase, PID: o.PID, Seq: o.Seq, Restarts: o.Restarts, Answers: o.Answers, Active: o.Active, Conns: o.Conns,
			Digest: o.Digest, Since: o.Since, Error: o.Error, CrashLoop: o.CrashLoop(), NextStart: o.NextStart,
			Refused: o.Refused, Runs: o.Gateway,
		})
	}
	return out
}
