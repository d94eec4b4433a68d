package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/armclient"
)

// deletedOf is the ID of the record of a soft-deleted service.
func (c *chaos) deletedOf(s *chaosSubject) string {
	return c.client.Subscription() + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/" + s.name
}

// look reads what is there of a service.
func (c *chaos) look(s *chaosSubject) chaosFacts {
	c.t.Helper()
	f := chaosFacts{Deleted: c.exists(c.deletedOf(s))}
	var v struct {
		view
		SKU struct {
			Name     string `json:"name"`
			Capacity int    `json:"capacity"`
		} `json:"sku"`
	}
	err := c.get(c.service(s.name), &v)
	if armclient.Status(err) == http.StatusNotFound {
		return f
	}
	if err != nil {
		c.t.Fatal(err)
	}
	f.There, f.Tier, f.Units, f.Platform = true, v.SKU.Name, v.SKU.Capacity, v.Properties.PlatformVersion
	if f.Platform != "mtv1" {
		for _, m := range c.machines(s.name) {
			f.Gateway = m.Gateway
		}
	}
	var ledger struct {
		Properties struct {
			Value string `json:"value"`
		} `json:"properties"`
	}
	switch err := c.get(c.service(s.name)+"/namedValues/ledger", &ledger); {
	case err == nil:
		f.Ledger = ledger.Properties.Value
	case armclient.Status(err) != http.StatusNotFound:
		c.t.Fatal(err)
	}
	return f
}

// change picks one that the service can have now.
func (c *chaos) change(s *chaosSubject) chaosChange {
	f := s.want
	var all []chaosChange
	switch {
	case f.Deleted:
		all = append(all, c.restoring(s), c.purging(s))
	case !f.There:
		all = append(all, c.creating(s, "Developer", 1, old, "stv1"), c.creating(s, "Developer", 1, recent, "stv2"),
			c.creating(s, "Premium", 1, recent, "stv2"), c.creating(s, "Consumption", 0, recent, "mtv1"))
	default:
		all = append(all, c.editing(s), c.editing(s), c.deleting(s))
		if f.Tier == "Premium" {
			all = append(all, c.scaling(s, 3-f.Units), c.scaling(s, 3-f.Units))
		}
		if f.Platform != "mtv1" {
			all = append(all, c.upgrading(s))
		}
		if f.Platform == "stv1" {
			all = append(all, c.migrating(s, "PreserveIp"), c.migrating(s, "NewIP"))
		}
	}
	return all[c.rnd.IntN(len(all))]
}

// sending makes the one request of a change.
func (c *chaos) sending(method, id, apiVersion string, body any) func(context.Context) (*armclient.Response, error) {
	return func(ctx context.Context) (*armclient.Response, error) {
		return c.client.Do(ctx, method, id, apiVersion, body)
	}
}

func (c *chaos) creating(s *chaosSubject, tier string, units int, apiVersion, platform string) chaosChange {
	return chaosChange{
		name: "create " + tier + " (" + platform + ")", send: c.sending(http.MethodPut, c.service(s.name), apiVersion, serviceBody(tier, units)),
		then: func(f *chaosFacts) {
			*f = chaosFacts{There: true, Tier: tier, Units: units, Platform: platform, Gateway: c.newest(platform)}
		},
	}
}

// newest is the version of the gateway that a new service of a platform gets, as far as the facts tell.
func (c *chaos) newest(platform string) string {
	if platform == "mtv1" {
		return ""
	}
	return "e2e" // that of the control plane
}

func (c *chaos) upgrading(s *chaosSubject) chaosChange {
	to := nextVersion
	if s.want.Gateway == nextVersion {
		to = "e2e"
	}
	return chaosChange{
		name: "upgrade to " + to, serves: true,
		send: c.sending(http.MethodPost, c.service(s.name)+"/providers/Portico.Hosting/upgrade", latest, object{"gateway": to}),
		then: func(f *chaosFacts) { f.Gateway = to },
	}
}

func (c *chaos) editing(s *chaosSubject) chaosChange {
	value := fmt.Sprint("round ", c.rounds)
	return chaosChange{
		name: "edit", serves: true,
		send: c.sending(http.MethodPut, c.service(s.name)+"/namedValues/ledger", recent, object{"properties": object{"displayName": "ledger", "value": value}}),
		then: func(f *chaosFacts) { f.Ledger = value },
	}
}

func (c *chaos) scaling(s *chaosSubject, units int) chaosChange {
	return chaosChange{
		name: fmt.Sprint("scale to ", units), serves: true,
		send: c.sending(http.MethodPatch, c.service(s.name), recent, object{"sku": object{"name": "Premium", "capacity": units}}),
		then: func(f *chaosFacts) { f.Units = units },
	}
}

func (c *chaos) migrating(s *chaosSubject, mode string) chaosChange {
	return chaosChange{
		name: "migrate " + mode, serves: mode == "PreserveIp",
		send: c.sending(http.MethodPost, c.service(s.name)+"/migrateToStv2", latest, object{"mode": mode}),
		then: func(f *chaosFacts) { f.Platform = "stv2" },
	}
}

func (c *chaos) deleting(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "delete", send: c.sending(http.MethodDelete, c.service(s.name), recent, nil),
		then: func(f *chaosFacts) { *f = chaosFacts{Deleted: true} },
	}
}

func (c *chaos) purging(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "purge", send: c.sending(http.MethodDelete, c.deletedOf(s), recent, nil),
		then: func(f *chaosFacts) { *f = chaosFacts{} },
	}
}

func (c *chaos) restoring(s *chaosSubject) chaosChange {
	body := serviceBody(s.was.Tier, s.was.Units)
	body["properties"].(object)["restore"] = true
	return chaosChange{
		name: "restore", send: c.sending(http.MethodPut, c.service(s.name), recent, body),
		then: func(f *chaosFacts) {
			if *f = s.was; f.Platform == "stv1" {
				f.Platform = "stv2" // as the api-version of the request has it
			}
			f.Gateway = c.newest(f.Platform)
		},
	}
}

// load asks every service that answers all through the round.
func (c *chaos) load(changes map[*chaosSubject]chaosChange) map[string]*poller {
	c.t.Helper()
	edge := strings.TrimPrefix(c.client.Endpoints.Edge, "http://")
	var calm view
	if err := c.get(c.calm(), &calm); err != nil {
		c.t.Fatal(err)
	}
	pollers := map[string]*poller{
		bystander: poll(calm.addr(), statusPath), "edge": pollHost(edge, bystander+".apim.localhost", statusPath),
	}
	for _, s := range c.subjects {
		ch, changed := changes[s]
		if s.want.There && s.want.Platform != "mtv1" && (!changed || ch.serves) {
			pollers[s.name] = poll(c.show(s.name).addr(), statusPath)
		}
	}
	return pollers
}
