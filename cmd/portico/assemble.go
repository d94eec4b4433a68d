package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/control/publish"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
	"github.com/portico-dev/portico/internal/hosting/rollout"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/meter"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/secret"
	"github.com/portico-dev/portico/internal/store"
)

// builtInDomain is the domain whose names resolve to this host everywhere; with it a service is reached by its VIP.
const builtInDomain = "apim.localhost"

// assemble ties the planes together: they meet in the store, and here.
func (c *controlPlane) assemble(ctx context.Context, sealer *secret.Sealer, fabric *local.Fabric) error {
	info, err := fabric.Ping(ctx)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	c.endpoints = armclient.Endpoints{
		ARM: "http://" + c.listeners.arm.Addr().String(), ARMTLS: "https://" + c.listeners.armTLS.Addr().String(),
		Portal: "http://" + c.listeners.arm.Addr().String() + "/", Edge: "http://" + info.Edge.HTTP, EdgeTLS: "https://" + info.Edge.HTTPS,
		TenantID: c.authority.TenantID(), SubscriptionID: c.authority.SubscriptionID(), CAFile: c.ca.File(),
	}
	c.metrics = metric.NewHistory()
	c.publisher = publish.New(c.store, func(d store.Document) (map[string]any, error) { return resource.Open(d, sealer) }, c.log.With(slog.String("part", "publish")),
		publish.Options{Domain: c.cfg.Domain, Certificate: c.hosts.Certificate})
	c.controller = hosting.New(c.store, fabric, c.log.With(slog.String("part", "hosting")),
		hosting.Options{Clock: c.clock, Coexistence: c.cfg.Coexistence, HealthDeadline: c.cfg.HealthDeadline, Sleep: c.cfg.Sleep, Grace: c.cfg.Grace, Pause: c.cfg.Pause, Domain: c.cfg.Domain, Gateway: buildVersion(), Metrics: c.metrics, Zoneless: management.Zoneless})
	c.rollouts = rollout.New(c.store, c.controller, c.log.With(slog.String("part", "rollout")),
		rollout.Options{Clock: c.clock, Gateway: buildVersion(), NotReady: c.cfg.HealthDeadline, Has: c.gateways.Has})
	addresses, err := newAddressBook(info.Pool, c.store)
	if err != nil {
		return err
	}
	canDo := networks(fabric)
	addresses.networks = canDo
	urls := serviceURLs{domain: c.cfg.Domain, vipPort: info.VIPs.HTTP, edgeAddr: info.Edge.HTTP}
	c.management = management.New(management.Options{
		Activity: c.activity, Timeline: c.timeline, Backups: backup.Accounts{Endpoint: c.cfg.BlobEndpoint, Folders: c.cfg.BackupFolders, Keys: c.cfg.BackupKeys},
		Store: c.store, Log: c.log.With(slog.String("part", "management")), Sealer: sealer,
		TenantID: c.authority.TenantID(), Subscription: management.Subscription{ID: c.authority.SubscriptionID(), DisplayName: "Portico"},
		Authenticate: c.authenticate, Challenge: c.authority.Challenge,
		Decide: platform.Decide, ParseTier: platform.ParseTier,
		CheckPolicy: management.CheckPolicy, PolicyXML: management.PolicyXML,
		Gateway: buildVersion(), Newest: c.cfg.Newest(), GatewayOf: rollout.GatewayOf, Upcoming: c.gatewayUpcoming, HasGateway: c.gateways.Has, Host: c.hostEndpoints(),
		Networks: func() string { return canDo().Trouble }, Dependencies: c.dependencies, Probe: c.controller.Probe,
		URLs: urls.of, AllocateIP: addresses.allocate, PrepareIP: addresses.prepare, Clock: c.clock, RetireSTv1: c.cfg.RetireSTv1, SoftDelete: c.cfg.SoftDelete, Limits: c.cfg.Limits,
		Metrics:    c.metrics,
		Forecast:   c.controller.Forecast,
		GapTime:    c.cfg.GapTime,
		Extensions: map[string]func(context.Context, string) (json.RawMessage, *arm.Error){"units": c.units, "metering": c.metering},
	})
	c.engine = lro.NewEngine(c.store, c.log.With(slog.String("part", "operations")), c.management.Handlers(), c.clock)
	if err := errors.Join(c.pruneGateways(ctx), c.management.ObserveLimits(ctx)); err != nil {
		return err
	}
	return c.writeEndpoints()
}

func (c *controlPlane) authenticate(r *http.Request) (management.Principal, *arm.Error) {
	p, err := c.authority.Authenticate(r)
	return management.Principal{ObjectID: p.ObjectID, AppID: p.AppID, Kind: p.Kind}, err
}

// units answers the extension …/Portico.Hosting/units.
func (c *controlPlane) units(ctx context.Context, service string) (json.RawMessage, *arm.Error) {
	view, err := c.controller.Units(ctx, service)
	if errors.Is(err, store.ErrNotFound) {
		return nil, arm.NotFound("Service")
	}
	data, encodeErr := json.Marshal(view)
	if err = errors.Join(err, encodeErr); err != nil {
		c.log.ErrorContext(ctx, "units cannot be shown", slog.String("service", service), slog.Any("error", err))
		return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The units cannot be shown."}
	}
	return data, nil
}

// metering answers the extension …/Portico.Hosting/metering: how often a Consumption service was called, by month.
func (c *controlPlane) metering(ctx context.Context, service string) (json.RawMessage, *arm.Error) {
	months, err := meter.Months(c.layout.Metering(), service)
	data, encodeErr := json.Marshal(map[string]any{"value": months})
	if err = errors.Join(err, encodeErr); err != nil {
		c.log.ErrorContext(ctx, "calls cannot be shown", slog.String("service", service), slog.Any("error", err))
		return nil, &arm.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The calls cannot be shown."}
	}
	return data, nil
}

// serviceURLs says where a service is reached.
type serviceURLs struct {
	domain   string
	vipPort  string // of every VIP; empty where a VIP is an address with a port
	edgeAddr string // host:port
}

func (u serviceURLs) of(f resource.ServiceFacts) resource.URLs {
	host := strings.ToLower(f.Name) + "." + u.domain
	urls := resource.URLs{GatewayHost: host, GatewayRegional: u.onEdge(platform.RegionalHost(f.Name, f.Location, u.domain))}
	vips := f.Status.Hosting.VIPs
	switch {
	case f.Status.Wish.Platform == platform.MTv1:
		urls.Gateway, urls.GatewayRegional = u.onEdge(host), ""
	case u.domain != builtInDomain:
		urls.Gateway = u.onEdge(host)
	case len(vips) > 0 && vips[0].Address != "" && (u.vipPort == "" || vips[0].Injection != ""): // with its port, or the usual one
		urls.Gateway = "http://" + vips[0].Address
	case len(vips) > 0 && vips[0].Address != "":
		urls.Gateway = "http://" + net.JoinHostPort(vips[0].Address, u.vipPort)
	}
	return urls
}

// onEdge is where a host name leads: with the built-in domain to the edge of this host.
func (u serviceURLs) onEdge(host string) string {
	if u.domain != builtInDomain {
		return "https://" + host
	}
	_, port, _ := net.SplitHostPort(u.edgeAddr)
	return "http://" + net.JoinHostPort(host, port)
}
