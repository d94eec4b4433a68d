package hosting

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// hosts are the host names of a service with the sets that they lead to: the default name to all locations that serve
// and are in rotation, in the order of the client, the primary one first; the regional name of each location to it
// alone. A name leads past a place where the fabric was not told what holds; sure says that there is none.
func (c *Controller) hosts(rec *record, places []*place) (hosts map[string][]string, sure bool) {
	var in, all []string
	hosts, sure = map[string][]string{}, true
	for _, p := range places {
		active := p.Hosting.Active
		switch {
		case p.err != nil:
			sure = false
		case active != "" && !inside(&p.Hosting, active): // what is reached from inside a network alone has no name out here
			if all = append(all, active); !p.wish().Disabled {
				in = append(in, active)
			}
			if !rec.inPool {
				hosts[c.regional(rec.doc.ID, p.Name)] = []string{active}
			}
		}
	}
	if len(in) == 0 {
		in = all // all say themselves that they are out of rotation
	}
	if len(in) > 0 {
		for _, host := range c.general(rec.doc) {
			hosts[host] = in
		}
	}
	return hosts, sure
}

// names points the host names of a service at the sets that serve it, and takes back those that lead nowhere.
func (c *Controller) names(ctx context.Context, w *worker, rec *record, places []*place) error {
	if rec.isPool {
		return nil
	}
	want, sure := c.hosts(rec, places)
	for _, host := range slices.Sorted(maps.Keys(want)) {
		if err := c.point(ctx, w, rec.lease(c.epoch), host, want[host]); err != nil {
			return err
		}
	}
	if !sure {
		return nil
	}
	for _, host := range c.mayHave(w, rec) {
		if want[host] == nil {
			if err := c.point(ctx, w, rec.lease(c.epoch), host, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// A pointing is which sets some host names were last pointed at. Services have one or a few.
type pointing []pointed

type pointed struct {
	host string
	sets []string
}

func (p pointing) sets(host string) (sets []string, ok bool) {
	for _, one := range p {
		if one.host == host {
			return one.sets, true
		}
	}
	return nil, false
}

func (p *pointing) point(host string, sets []string) {
	for i := range *p {
		if (*p)[i].host == host {
			(*p)[i].sets = sets
			return
		}
	}
	*p = append(*p, pointed{host, sets})
}

// hosts are sorted.
func (p pointing) hosts() (all []string) {
	for _, one := range p {
		all = append(all, one.host)
	}
	slices.Sort(all)
	return all
}

// mayHave lists the names that the fabric may know of a service. A service that never had one has no name to take back.
func (c *Controller) mayHave(w *worker, rec *record) []string {
	known := w.named.hosts()
	for _, l := range rec.status.Locations() {
		if l.Wish.Gone {
			known = append(known, c.regional(rec.doc.ID, l.Name))
		}
	}
	if rec.status.Wish.Gone {
		known = append(known, c.general(rec.doc)...)
	}
	return known
}

// point points a host name at sets, unless the fabric is known to have it there.
func (c *Controller) point(ctx context.Context, w *worker, l fabric.Lease, host string, sets []string) error {
	if told, ok := w.named.sets(host); ok && slices.Equal(told, sets) {
		return nil
	}
	n := fabric.Names{Hosts: []string{host}, Sets: sets}
	if err := call("name", host, func() error { return c.f.Name(ctx, l, n) }); err != nil {
		return err
	}
	w.named.point(host, sets)
	return nil
}

// unname takes all names of a service back.
func (c *Controller) unname(ctx context.Context, w *worker, l fabric.Lease) error {
	for _, host := range w.named.hosts() {
		if err := c.point(ctx, w, l, host, nil); err != nil {
			return err
		}
	}
	return nil
}

// general are the host names of a service that are no location's own: the default one and those that its owner brings.
func (c *Controller) general(service store.Document) []string {
	return append([]string{c.host(service.ID)}, customHosts(service)...)
}

// knows says whether the machines of a service serve what its operation changes of what they answer to. One that is not
// ready takes its configuration before it serves.
func (r *record) knows(obs platform.Observation) bool {
	if !r.status.Renames {
		return true
	}
	var states []*platform.State
	for _, l := range r.status.Locations() {
		states = append(states, &l.Hosting)
	}
	if r.pool != nil {
		states = append(states, &r.pool.Hosting)
	}
	for _, st := range states {
		for _, set := range st.Sets {
			for _, m := range set.Machines {
				if o := obs.Machines[m.ID]; m.Mode != platform.Draining && o.Phase == platform.Ready && o.Seq < r.doc.Seq {
					return false
				}
			}
		}
	}
	return true
}

// customHosts are the host names of the gateway that the owner of a service brings.
func customHosts(d store.Document) (names []string) {
	var doc struct {
		Properties struct {
			HostnameConfigurations []struct {
				Type     string `json:"type"`
				HostName string `json:"hostName"`
			} `json:"hostnameConfigurations"`
		} `json:"properties"`
	}
	if json.Unmarshal(d.Desired, &doc) != nil {
		return nil // control has written it; a pool has none
	}
	for _, h := range doc.Properties.HostnameConfigurations {
		if h.Type == "Proxy" {
			names = append(names, strings.ToLower(h.HostName))
		}
	}
	return names
}

// host is the default host name of a service.
func (c *Controller) host(service string) string {
	return strings.ToLower(lastSegment(service) + "." + c.opt.Domain)
}

// regional is the host name of one location of a service.
func (c *Controller) regional(service, location string) string {
	return platform.RegionalHost(lastSegment(service), location, c.opt.Domain)
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
