// Package management answers the Azure Resource Manager API over HTTP. What types there are and what their bodies hold
// is in package resource; this package routes, authenticates, opens transactions, applies preconditions, and starts
// long-running operations. Everything a request changes is one transaction; a refused request changes nothing.
//
// Start reading at Handler.ServeHTTP (serve.go), then route.go, entity.go and service.go.
package management

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/activity"
	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/control/fetch"
	"github.com/portico-dev/portico/internal/control/webhook"
	"github.com/portico-dev/portico/internal/metric"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// A Principal is who makes a request.
type Principal struct {
	ObjectID string
	AppID    string
	Kind     string // "app" or "user"
}

// Options are what the management API needs from the rest of the program. Store, Sealer, TenantID, Subscription and
// Authenticate must be set.
type Options struct {
	Store  store.Store
	Log    *slog.Logger
	Sealer resource.Sealer

	// TenantID and Subscription are the one tenant and the one Azure subscription that exist.
	TenantID     string
	Subscription Subscription
	// Locations are where resources may be; nil means DefaultLocations. The first is the one that answers.
	Locations []resource.Location

	// Authenticate says who makes a request. An error is answered with the header that Challenge returns.
	Authenticate func(*http.Request) (Principal, *arm.Error)
	// Challenge is the value of WWW-Authenticate for a 401.
	Challenge func(*http.Request, *arm.Error) string

	// Decide and ParseTier are platform's when nil.
	Decide    func(platform.Request) (platform.Wish, *arm.Error)
	ParseTier func(string) (platform.Tier, bool)
	// CheckPolicy reads a policy document in a format, gives it in raw form, and says what is wrong with it; nil means
	// the function CheckPolicy.
	CheckPolicy func(resource.PolicyInput) (raw string, details []arm.ErrorDetail)
	// PolicyXML turns a raw policy document into one whose expressions are escaped; nil means PolicyXML.
	PolicyXML func(raw string) string
	// URLs are the addresses in a service's body; nil shows none.
	URLs func(resource.ServiceFacts) resource.URLs
	// AllocateIP gives a public IP address resource its address; nil refuses such resources.
	AllocateIP func(id string) (string, error)
	// PrepareIP gives a service outside virtual networks an address for its migration; nil for none.
	PrepareIP func(id string) (string, error)
	// AddressDomain is the suffix of the DNS names of public IP addresses; empty means "cloudapp.localhost".
	AddressDomain string
	// Networks says why this host makes no virtual networks, and how it would; empty when it does. nil means that they
	// are not built.
	Networks func() string
	// Dependencies are what the gateways of a service at a location need; nil shows none.
	Dependencies func(ctx context.Context, service, location string) []Dependency
	// Probe asks whether the gateways of a service at a location reach something; nil: nobody can be asked.
	Probe func(ctx context.Context, service, location string, p platform.Probe) (platform.Reach, error)
	// Gateway is the version of the gateway program that new services get.
	Gateway string
	// Newest is the newest hardware of the host: what is made anew on stv2 gets it.
	Newest platform.Hardware
	// GatewayOf is the version that new services of a release channel get; empty, or nil, for that of Gateway.
	GatewayOf func(store.Reader, platform.Channel) (string, error)
	// Upcoming is what the platform is about to do with a service, to be sent as JSON; nil for nothing.
	Upcoming func(ctx context.Context, service string) any
	// HasGateway says whether a version of the gateway program is installed; nil means that none is.
	HasGateway func(version string) bool
	// Host answers what concerns the host, by method and path: "GET gateways" is GET /portico/gateways. What it returns
	// is sent as JSON; a body of the request is given to it as it came.
	Host map[string]func(ctx context.Context, body []byte) (any, *arm.Error)
	// Extensions answer GET …/service/{name}/providers/Portico.Hosting/{key} with raw JSON: "units", "metering".
	Extensions map[string]func(ctx context.Context, service string) (json.RawMessage, *arm.Error)

	// Metrics is what was measured of services; nil: nothing.
	Metrics *metric.History

	// Forecast says what it means for a service that its status becomes another one; nil has no forecast.
	Forecast func(service string, next platform.ServiceStatus) []platform.Outlook
	// GapTime is how long connections wait while no machine of a service takes any, by the time of day; forecasts say so.
	GapTime time.Duration
	// Timeline is one more of Extensions: "timeline".
	Timeline func(ctx context.Context, service string) (json.RawMessage, *arm.Error)
	// Activity is the activity log; nil keeps none.
	Activity *activity.Log
	// Backups are the storage accounts that services are backed up to; the zero value means those of the cloud.
	Backups backup.Accounts

	// Limits are those on what services may hold; empty means none.
	Limits platform.Era

	// Webhooks tells webhooks of autoscale settings what these do, while Run does; nil means those of package webhook.
	Webhooks *webhook.Sender
	// Fetch reads a document that a client names by a link, of at most limit bytes; nil means that of package fetch.
	Fetch func(ctx context.Context, link string, limit int64) ([]byte, error)

	// MaxBody bounds a request body after decompression, in bytes; 0 means 16 MiB.
	MaxBody int64
	// RetryAfter is what pollers of long-running operations are told, rounded up to whole seconds; 0 means one second.
	// Some clients take a Retry-After of 0 for none and wait half a minute.
	RetryAfter time.Duration
	// Clock tells platform time; nil means the time of day.
	Clock *pace.Clock
	// RetireSTv1 is when stv1 is retired: no service is put on it from then on, and what is left on it is migrated. Zero
	// for never.
	RetireSTv1 time.Time
	// SoftDelete is how long a deleted service can be restored; 0 means 48 hours.
	SoftDelete time.Duration
	// BaseURL is the scheme and host for absolute URLs; nil takes them from the request.
	BaseURL func(*http.Request) string
}

// A Subscription is an Azure subscription.
type Subscription struct {
	ID          string
	DisplayName string
}

// DefaultLocations are the locations that exist when none are configured.
func DefaultLocations() []resource.Location {
	var all []resource.Location
	for _, name := range zoned {
		all = append(all, resource.Location{Name: resource.NormalLocation(name), Display: name, Zones: []string{"1", "2", "3"}})
	}
	for _, name := range unzoned {
		all = append(all, resource.Location{Name: resource.NormalLocation(name), Display: name})
	}
	return all
}

// Zoneless says whether a location, normalised, is one of those without availability zones.
func Zoneless(location string) bool {
	return slices.ContainsFunc(unzoned, func(name string) bool { return resource.NormalLocation(name) == location })
}

// The regions of the public cloud, with and without availability zones. The first is the one that messages name.
var (
	zoned = []string{
		"West Europe", "North Europe", "East US", "East US 2", "Central US", "South Central US", "West US 2",
		"West US 3", "Canada Central", "Brazil South", "UK South", "France Central", "Germany West Central",
		"Switzerland North", "Sweden Central", "Norway East", "Poland Central", "Italy North", "South Africa North",
		"UAE North", "Qatar Central", "Israel Central", "Central India", "Japan East", "Korea Central", "East Asia",
		"Southeast Asia", "Australia East",
	}
	unzoned = []string{
		"West US", "North Central US", "West Central US", "Canada East", "UK West", "Germany North", "France South",
		"Switzerland West", "Norway West", "Brazil Southeast", "South Africa West", "UAE Central", "South India",
		"West India", "Japan West", "Korea South", "Australia Southeast", "Australia Central",
	}
)

// A Handler serves the management API.
type Handler struct {
	opt    Options
	log    *slog.Logger
	engine *resource.Engine
	env    *resource.Env

	allowances allowances
}

// New returns the management API.
func New(opt Options) *Handler {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Locations == nil {
		opt.Locations = DefaultLocations()
	}
	if opt.MaxBody == 0 {
		opt.MaxBody = 16 << 20
	}
	if opt.Clock == nil {
		opt.Clock = pace.New(pace.Instant())
	}
	if opt.SoftDelete == 0 {
		opt.SoftDelete = 48 * time.Hour
	}
	if opt.RetryAfter == 0 {
		opt.RetryAfter = time.Second
	}
	if opt.AddressDomain == "" {
		opt.AddressDomain = "cloudapp.localhost"
	}
	if opt.PolicyXML == nil {
		opt.PolicyXML = PolicyXML
	}
	if opt.CheckPolicy == nil {
		opt.CheckPolicy = CheckPolicy
	}
	if opt.Decide == nil {
		opt.Decide = platform.Decide
	}
	if opt.ParseTier == nil {
		opt.ParseTier = platform.ParseTier
	}
	if opt.HasGateway == nil {
		opt.HasGateway = func(string) bool { return false }
	}
	if opt.URLs == nil {
		opt.URLs = func(resource.ServiceFacts) resource.URLs { return resource.URLs{} }
	}
	if opt.Networks == nil {
		opt.Networks = func() string { return "virtual networks are not built." }
	}
	if opt.Dependencies == nil {
		opt.Dependencies = func(context.Context, string, string) []Dependency { return nil }
	}
	if opt.Probe == nil {
		opt.Probe = func(context.Context, string, string, platform.Probe) (platform.Reach, error) {
			return platform.Reach{}, store.ErrNotFound
		}
	}
	if opt.Timeline != nil {
		opt.Extensions = maps.Clone(opt.Extensions)
		opt.Extensions["timeline"] = opt.Timeline
	}
	if opt.Fetch == nil {
		opt.Fetch = fetch.New(fetch.Options{}).Get
	}
	if opt.Webhooks == nil {
		opt.Webhooks = webhook.New(webhook.Options{Log: opt.Log})
	}
	if opt.Metrics == nil {
		opt.Metrics = metric.NewHistory()
	}
	if opt.BaseURL == nil {
		opt.BaseURL = baseURL
	}
	h := &Handler{opt: opt, log: opt.Log, engine: resource.NewEngine(opt.Sealer)}
	h.opt.Extensions = maps.Clone(opt.Extensions)
	if h.opt.Extensions == nil {
		h.opt.Extensions = map[string]func(context.Context, string) (json.RawMessage, *arm.Error){}
	}
	h.opt.Extensions["autoscale"] = h.showAutoscale
	h.env = &resource.Env{
		CheckPolicy: opt.CheckPolicy, PolicyXML: opt.PolicyXML, Import: importAPI, Fetch: h.fetchLink, OpenPFX: OpenPFX, OpenServer: OpenServer, OpenAuthority: OpenAuthority, URLs: opt.URLs,
		AllocateIP: opt.AllocateIP, Networks: opt.Networks, AddressDomain: opt.AddressDomain, TenantID: opt.TenantID, Locations: opt.Locations,
		Limits: opt.Limits,
	}
	return h
}

func baseURL(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
