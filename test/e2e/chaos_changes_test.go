package e2e

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is what a thumbprint is
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
)

// deletedOf is the ID of the record of a soft-deleted service.
func (c *chaos) deletedOf(s *chaosSubject) string {
	return c.client.Subscription() + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/" + s.name
}

// look reads what is there of a service.
func (c *chaos) look(s *chaosSubject) chaosFacts {
	c.t.Helper()
	f := chaosFacts{Deleted: c.exists(c.deletedOf(s)), Closed: c.networks && c.isClosed(s)}
	s.kept = time.Time{}
	var v struct {
		view
		SKU struct {
			Name     string `json:"name"`
			Capacity int    `json:"capacity"`
		} `json:"sku"`
		Tags map[string]string `json:"tags"`
	}
	var more struct {
		Properties struct {
			Mode    string `json:"virtualNetworkType"`
			NAT     string `json:"natGatewayState"`
			Network struct {
				Subnet string `json:"subnetResourceId"`
			} `json:"virtualNetworkConfiguration"`
			Out  bool `json:"disableGateway"`
			Away []struct {
				Location string `json:"location"`
			} `json:"additionalLocations"`
			Names []struct {
				HostName    string `json:"hostName"`
				Certificate struct {
					Thumbprint string `json:"thumbprint"`
				} `json:"certificate"`
			} `json:"hostnameConfigurations"`
		} `json:"properties"`
	}
	err := c.get(c.service(s.name), &v)
	if armclient.Status(err) == http.StatusNotFound {
		return f
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.get(c.service(s.name), &more); err != nil {
		c.t.Fatal(err)
	}
	f.There, f.Tier, f.Units, f.Platform = true, v.SKU.Name, v.SKU.Capacity, v.Properties.PlatformVersion
	f.Zones, f.Tag, f.Out = strings.Join(v.Zones, " "), v.Tags["round"], more.Properties.Out
	for _, l := range more.Properties.Away {
		f.Away += l.Location
	}
	for _, n := range more.Properties.Names {
		if n.HostName == s.domain() {
			f.Domain = n.Certificate.Thumbprint
		}
	}
	if c.networks {
		c.lookAtNetworks(s, &f, more.Properties.Network.Subnet)
		if f.NAT = more.Properties.NAT == "Enabled"; f.Network != "" {
			f.Mode = more.Properties.Mode
		}
	}
	if f.Platform != "mtv1" {
		for _, l := range c.units(s.name).Locations {
			for _, set := range l.Sets {
				if set.Active {
					f.Gateway = set.Machines[0].Gateway
				} else {
					s.movedFrom = set.Platform
				}
			}
			if l.Coexistence != nil {
				s.kept = l.Coexistence.Until
			}
		}
	}
	_, err = c.client.Do(c.t.Context(), http.MethodGet, c.lock(s), lockVersion, nil)
	if f.Locked = err == nil; err != nil && armclient.Status(err) != http.StatusNotFound {
		c.t.Fatal(err)
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

// possible lists what the service can have now.
func (c *chaos) possible(s *chaosSubject, during chaosTrouble) (all []chaosChange) {
	f := s.want
	switch {
	case f.Deleted:
		all = append(all, c.restoring(s), c.restoring(s), c.purging(s))
	case !f.There:
		all = append(all, c.creating(s, "Developer", 1, old, "stv1"), c.creating(s, "Developer", 1, recent, "stv2"), c.creating(s, "Basic", 1, old, "stv1"),
			c.creating(s, "Premium", 1, recent, "stv2"), c.creating(s, "Premium", 2, recent, "stv2"), c.creating(s, "Consumption", 0, recent, "mtv1"),
			c.creating(s, "BasicV2", 1, latest, "undetermined"))
	default:
		all = append(all, c.editing(s), c.tagging(s), c.naming(s), c.locking(s), c.locking(s))
		if !f.Endpoint {
			all = append(all, c.deleting(s))
		}
		all = append(all, c.connecting(s)...)
		if f.Platform != "mtv1" {
			all = append(all, c.upgrading(s))
		}
		if f.Tier != "Consumption" && f.Platform != "undetermined" {
			all = append(all, c.backingUp(s))
		}
		if s.backup != "" {
			all = append(all, c.puttingBack(s))
		}
		if f.Tier == "Premium" {
			all = append(all, c.widening(s)...)
		}
		if to := c.otherTier(f); to != "" {
			all = append(all, c.retiering(s, to))
		}
		if f.Platform == "stv1" {
			all = append(all, c.migrating(s, "PreserveIp"), c.migrating(s, "NewIP"))
		}
		if f.Platform == "stv2" && !f.Endpoint && !during.clock && s.movedFrom == "stv1" && s.kept.After(time.Now().Add(c.offset+10*time.Minute)) {
			all = append(all, c.goingBack(s), c.goingBack(s))
		}
	}
	return all
}

// beside lists what the service can have while it is upgraded.
func (c *chaos) beside(s *chaosSubject) (all []chaosChange) {
	if s.want.There {
		all = append(all, c.editing(s), c.locking(s))
	}
	if c.networks {
		all = append(all, c.ruling(s))
	}
	return all
}

// widening is what only Premium services can have.
func (c *chaos) widening(s *chaosSubject) []chaosChange {
	f := s.want
	var all []chaosChange
	if f.Zones == "" && (f.Network == "" || !f.Closed || f.Units == 2) { // to grow in a closed subnet is refused
		all = append(all, c.scaling(s, 3-f.Units))
	}
	if f.Network != "" {
		return all
	}
	if f.Units == 2 {
		all = append(all, c.zoning(s))
	}
	switch {
	case f.Endpoint:
	case f.Away == "":
		all = append(all, c.placing(s, "North Europe", false))
	case f.Out:
		all = append(all, c.placing(s, f.Away, false))
	default:
		all = append(all, c.placing(s, f.Away, true), c.placing(s, "", false))
	}
	return all
}

// otherTier is one that the service can change to without losing anything; empty when there is none.
func (c *chaos) otherTier(f chaosFacts) string {
	next := map[string]string{"Basic": "Standard", "Standard": "Premium", "Premium": "Basic", "BasicV2": "StandardV2", "StandardV2": "BasicV2"}
	if f.Zones != "" || f.Away != "" || f.Network != "" {
		return ""
	}
	return next[f.Tier]
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
			*f = chaosFacts{There: true, Tier: tier, Units: units, Platform: platform, Gateway: c.gateway(platform), Closed: f.Closed}
		},
	}
}

// gateway is the version of the gateway that a new service of a platform gets, as far as the facts tell.
func (c *chaos) gateway(platform string) string {
	if platform == "mtv1" {
		return ""
	}
	return c.fleet
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

// patching changes a service, at an api-version that leaves it on its platform.
func (c *chaos) patching(s *chaosSubject, body object) func(context.Context) (*armclient.Response, error) {
	version := latest
	if s.want.Platform == "stv1" {
		version = old
	}
	return c.sending(http.MethodPatch, c.service(s.name), version, body)
}

func (c *chaos) tagging(s *chaosSubject) chaosChange {
	value := fmt.Sprint("round ", c.rounds)
	return chaosChange{
		name: "tag", serves: true, send: c.patching(s, object{"tags": object{"round": value}}),
		then: func(f *chaosFacts) { f.Tag = value },
	}
}

// domain is the custom name of a service.
func (s *chaosSubject) domain() string { return s.name + ".contoso.example" }

// naming gives a service its custom name with a new certificate.
func (c *chaos) naming(s *chaosSubject) chaosChange {
	p := c.ca.Issue(c.t, s.domain())
	return chaosChange{
		name: "name", serves: true,
		send: c.patching(s, object{"properties": object{"hostnameConfigurations": []object{custom(c.t, s.domain(), p)}}}),
		then: func(f *chaosFacts) { f.Domain = fmt.Sprintf("%X", sha1.Sum(p.Certificate.Raw)) }, //nolint:gosec // it is what a thumbprint is
	}
}

const lockVersion = "2020-05-01"

func (c *chaos) lock(s *chaosSubject) string {
	return c.service(s.name) + "/providers/Microsoft.Authorization/locks/keep"
}

// locking makes that a service cannot be deleted, or that it can be again.
func (c *chaos) locking(s *chaosSubject) chaosChange {
	method, body := http.MethodPut, any(object{"properties": object{"level": "CanNotDelete"}})
	if s.want.Locked {
		method, body = http.MethodDelete, nil
	}
	return chaosChange{
		name: method + " lock", serves: true, send: c.sending(method, c.lock(s), lockVersion, body),
		then: func(f *chaosFacts) { f.Locked = !f.Locked },
	}
}

func (c *chaos) backingUp(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "back up", serves: true, send: c.sending(http.MethodPost, c.service(s.name)+"/backup", latest, backupBody(s)),
		then: func(*chaosFacts) {}, done: func() { s.backup = "ledger: " + s.want.Ledger }, lost: func() { s.backup = "" },
	}
}

// puttingBack restores what was backed up.
func (c *chaos) puttingBack(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "put back", serves: true, send: c.sending(http.MethodPost, c.service(s.name)+"/restore", latest, backupBody(s)),
		then: func(f *chaosFacts) { f.Ledger = strings.TrimPrefix(s.backup, "ledger: ") },
	}
}

func backupBody(s *chaosSubject) object {
	return object{"storageAccount": "disk", "containerName": "backups", "backupName": s.name}
}

// zoning lists two zones, or none again. The address is another one then.
func (c *chaos) zoning(s *chaosSubject) chaosChange {
	zones := []string{"1", "3"}
	if s.want.Zones != "" {
		zones = []string{}
	}
	return chaosChange{
		name: fmt.Sprint("zones ", zones), moves: true, send: c.patching(s, object{"zones": zones}),
		then: func(f *chaosFacts) { f.Zones, f.Platform = strings.Join(zones, " "), "stv2" },
	}
}

// placing sets what other location there is, and whether the primary one is out of rotation.
func (c *chaos) placing(s *chaosSubject, away string, out bool) chaosChange {
	others := []object{}
	if away != "" {
		others = append(others, elsewhere(away, 1))
	}
	return chaosChange{
		name: fmt.Sprintf("location %q, primary out: %v", away, out), serves: !out && !s.want.Out,
		send: c.patching(s, object{"properties": object{"disableGateway": out, "additionalLocations": others}}),
		then: func(f *chaosFacts) { f.Away, f.Out = away, out },
	}
}

func (c *chaos) retiering(s *chaosSubject, tier string) chaosChange {
	return chaosChange{
		name: "change the tier to " + tier, serves: true, send: c.patching(s, object{"sku": object{"name": tier, "capacity": s.want.Units}}),
		then: func(f *chaosFacts) { f.Tier = tier }, done: func() { s.backup = "" }, lost: func() { s.backup = "" },
	}
}

func (c *chaos) goingBack(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "go back", serves: true, send: c.sending(http.MethodPost, c.service(s.name)+"/providers/Portico.Hosting/rollback", latest, nil),
		then: func(f *chaosFacts) { f.Platform, f.Zones = "stv1", "" },
	}
}

func (c *chaos) scaling(s *chaosSubject, units int) chaosChange {
	return chaosChange{
		name: fmt.Sprint("scale to ", units), serves: true,
		send: c.patching(s, object{"sku": object{"name": "Premium", "capacity": units}}),
		then: func(f *chaosFacts) { f.Units = units },
	}
}

func (c *chaos) migrating(s *chaosSubject, mode string) chaosChange {
	return chaosChange{
		name: "migrate " + mode, serves: mode == "PreserveIp", moves: true,
		send: c.sending(http.MethodPost, c.service(s.name)+"/migrateToStv2", latest, object{"mode": mode}),
		then: func(f *chaosFacts) { f.Platform = "stv2" },
	}
}

func (c *chaos) deleting(s *chaosSubject) chaosChange {
	ch := chaosChange{
		name: "delete", send: c.sending(http.MethodDelete, c.service(s.name), recent, nil),
		then: func(f *chaosFacts) { *f = chaosFacts{Deleted: true, Closed: f.Closed} }, done: func() { s.backup = "" }, lost: func() { s.backup = "" },
	}
	if s.want.Locked {
		ch.name, ch.refuse, ch.serves = "delete what is locked", "ScopeLocked", true
	}
	return ch
}

func (c *chaos) purging(s *chaosSubject) chaosChange {
	return chaosChange{
		name: "purge", send: c.sending(http.MethodDelete, c.deletedOf(s), recent, nil),
		then: func(f *chaosFacts) { *f = chaosFacts{Closed: f.Closed} },
	}
}

func (c *chaos) restoring(s *chaosSubject) chaosChange {
	body := serviceBody(s.was.Tier, s.was.Units)
	body["properties"].(object)["restore"] = true
	ch := chaosChange{
		name: "restore", send: c.sending(http.MethodPut, c.service(s.name), latest, body),
		then: func(f *chaosFacts) {
			closed := f.Closed // the group is there without the service
			*f = s.was
			f.Gateway, f.Closed = c.gateway(f.Platform), closed
		},
	}
	if s.was.Mode == "External" && s.want.Closed {
		ch.name, ch.refuse = "restore into a closed subnet", "InvalidParameters"
	}
	return ch
}

// load asks every service that answers all through the round.
func (c *chaos) load(changes map[*chaosSubject]chaosChange, during chaosTrouble, roll *chaosRollout) map[string]*poller {
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
		if (changed || roll != nil) && s.want.Tier == "Developer" && s.want.Platform == "stv1" && strings.Contains(during.name, "host and edge killed") {
			continue // between its old machine and the new one, only these two hold its sockets
		}
		if f := s.want; f.There && !f.Out && f.Platform != "mtv1" && (f.Mode != "External" || !f.Closed) && (!changed || ch.serves || ch.moves && !during.clock) {
			pollers[s.name] = c.pollWhereItIs(s)
		}
	}
	return pollers
}
