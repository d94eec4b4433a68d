package management

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/failpoint"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// Kinds of long-running operations about the network of a service.
const (
	CheckConnectivity = "network.check"
	ApplyNetwork      = "network.apply"
)

// A Dependency is something that the gateways of a location need, and whether they have it.
type Dependency struct {
	Name     string
	Type     string
	Optional bool
	Trouble  string // empty: all is well
	Since    time.Time
}

// A serviceFact answers a GET below a service with something that is no resource.
type serviceFact struct {
	from arm.Version
	show func(q *request, t store.Reader, p *place) (any, error)
}

var serviceFacts = map[string]serviceFact{
	"service/networkstatus":                        {"2017-03-01", allNetworkStatus},
	"service/locations/networkstatus":              {"2017-03-01", oneNetworkStatus},
	"service/outboundnetworkdependenciesendpoints": {"2021-04-01-preview", noOutboundDependencies},
	"service/privatelinkresources":                 {"2021-04-01-preview", privateLinkResources},
}

// serviceFact answers such a path; ok is false when it is none.
func (q *request) serviceFact() (rep *reply, err *arm.Error, ok bool) {
	types := strings.ToLower(q.id.TypePath())
	fact, ok := serviceFacts[types]
	one := types == "service/privatelinkresources" && !q.id.IsCollection()
	if !ok || !strings.EqualFold(q.id.Provider, resource.APIM) || q.version.Before(fact.from) || !q.id.IsCollection() && !one {
		return nil, nil, false
	}
	if q.r.Method != http.MethodGet {
		return nil, q.noSuchMethod(), true
	}
	asked := q.id
	q.row, _ = q.engine.Row(resource.APIM + "/service")
	q.id.Types, q.id.Names = q.id.Types[:1], q.id.Names[:1]
	q.canonicalTypes()
	if err := q.checkVersion(); err != nil {
		return nil, err, true
	}
	rep = &reply{status: http.StatusOK}
	err = q.view(func(t store.Reader) error {
		p, err := q.existingFor(t)
		if err != nil {
			return err
		}
		q.id = asked
		rep.body, err = fact.show(q, t, p)
		return err
	})
	return rep, err, true
}

// existingFor locates a service that must exist, to read of it.
func (q *request) existingFor(t store.Reader) (*place, error) {
	p, err := q.locate(t)
	if err != nil {
		return nil, err
	}
	if err := q.readable(p); err != nil {
		return nil, err
	}
	if p.doc == nil {
		return nil, q.notFound(q.row, p.id)
	}
	return p, nil
}

func allNetworkStatus(q *request, t store.Reader, p *place) (any, error) {
	st := serviceStatus(p.doc)
	out := []any{}
	for _, l := range st.Locations() {
		if l.Wish.Gone {
			continue
		}
		status, err := q.networkStatus(t, p, l)
		if err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"location": q.display(l.Name), "networkStatus": status})
	}
	return out, nil
}

func oneNetworkStatus(q *request, t store.Reader, p *place) (any, error) {
	name := q.id.Names[1]
	st := serviceStatus(p.doc)
	for _, l := range st.Locations() {
		if l.Name == resource.NormalLocation(name) && !l.Wish.Gone {
			return q.networkStatus(t, p, l)
		}
	}
	return nil, problem(http.StatusNotFound, "ResourceNotFound", "The service '%s' is not at the location '%s'.", lastSegment(p.doc.ID), name)
}

func (q *request) display(location string) string {
	if l, ok := q.env.Location(location); ok {
		return l.Display
	}
	return location
}

// networkStatus says whether the gateways of a location have what they need: here that is nothing but the configuration
// that they are told, and a way out of their network where they are in one.
func (q *request) networkStatus(t store.Reader, p *place, l *platform.Location) (any, error) {
	servers := []any{}
	if in := l.Wish.Injection; in != nil {
		subnet, err := network.Subnet(t, in.Subnet)
		if err != nil {
			return nil, err
		}
		if subnet != nil {
			for _, s := range subnet.DNS {
				servers = append(servers, s)
			}
		}
	}
	list := []any{}
	now := failpoint.Now()
	for _, d := range q.opt.Dependencies(q.r.Context(), p.doc.ID, l.Name) {
		state := "success"
		if d.Trouble != "" {
			state = "failure"
		}
		list = append(list, map[string]any{
			"name": d.Name, "status": state, "error": d.Trouble, "lastUpdated": resource.Timestamp(now), "lastStatusChange": resource.Timestamp(d.Since),
			"resourceType": d.Type, "isOptional": d.Optional,
		})
	}
	return map[string]any{"dnsServers": servers, "connectivityStatus": list}, nil
}

// noOutboundDependencies: gateways here need nothing outside their host.
func noOutboundDependencies(*request, store.Reader, *place) (any, error) {
	return map[string]any{"value": []any{}}, nil
}

func privateLinkResources(q *request, _ store.Reader, p *place) (any, error) {
	one := map[string]any{
		"id": p.doc.ID + "/privateLinkResources/Gateway", "name": "Gateway", "type": resource.APIM + "/service/privateLinkResources",
		"properties": map[string]any{"groupId": "Gateway", "requiredMembers": []any{"Gateway"}, "requiredZoneNames": []any{"privateLink.azure-api.net"}},
	}
	switch {
	case q.id.IsCollection():
		return map[string]any{"value": []any{one}}, nil
	case !strings.EqualFold(q.id.Name(), "Gateway"):
		return nil, problem(http.StatusNotFound, "ResourceNotFound", "PrivateLinkResource not found.")
	}
	return one, nil
}

// A connectivityRequest is the body of connectivityCheck.
type connectivityRequest struct {
	Source struct {
		Region   string `json:"region"`
		Instance *int   `json:"instance"`
	} `json:"source"`
	Destination struct {
		Address string `json:"address"`
		Port    int    `json:"port"`
	} `json:"destination"`
	Protocol  string `json:"protocol"`
	IPVersion string `json:"preferredIPVersion"`
	Config    struct {
		HTTP struct {
			Method  string `json:"method"`
			Valid   []int  `json:"validStatusCodes"`
			Headers []struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			} `json:"headers"`
		} `json:"HTTPConfiguration"`
	} `json:"protocolConfiguration"`
}

// probe is what the request asks for, or what is wrong with it.
func (r connectivityRequest) probe(st platform.ServiceStatus) (platform.Probe, *arm.Error) {
	p := platform.Probe{Address: r.Destination.Address, Port: r.Destination.Port, Protocol: strings.ToUpper(r.Protocol), Method: r.Config.HTTP.Method, Valid: r.Config.HTTP.Valid, Headers: map[string]string{}}
	for _, h := range r.Config.HTTP.Headers {
		p.Headers[h.Name] = h.Value
	}
	if p.Protocol == "" {
		p.Protocol = "TCP"
	}
	found := r.wrong(p)
	if !servesAt(st, r.Source.Region) {
		found = append(found, resource.Finding("source.region", "The service is not at the location '%s'.", r.Source.Region))
	}
	if len(found) > 0 {
		return p, arm.Invalid(found...)
	}
	return p, nil
}

// wrong is what is wrong with the request wherever the service is.
func (r connectivityRequest) wrong(p platform.Probe) (found []arm.ErrorDetail) {
	if p.Address == "" {
		found = append(found, resource.Finding("destination.address", "'address' must not be empty."))
	}
	if p.Port < 1 || p.Port > 65535 {
		found = append(found, resource.Finding("destination.port", "'port' must be between 1 and 65535."))
	}
	if p.Protocol != "TCP" && p.Protocol != "HTTP" && p.Protocol != "HTTPS" {
		found = append(found, resource.Finding("protocol", "'%s' is not a valid value of 'protocol'. Possible values: TCP, HTTP, HTTPS.", r.Protocol))
	}
	if r.Source.Instance != nil {
		found = append(found, resource.Finding("source.instance", "Checks from a machine of choice: not built in this version of Portico."))
	}
	if r.IPVersion != "" && !strings.EqualFold(r.IPVersion, "IPv4") {
		found = append(found, resource.Finding("preferredIPVersion", "'%s' is not a valid value of 'preferredIPVersion'. Possible values: IPv4.", r.IPVersion))
	}
	if p.Method != "" && !strings.EqualFold(p.Method, http.MethodGet) && !strings.EqualFold(p.Method, http.MethodPost) {
		found = append(found, resource.Finding("protocolConfiguration.HTTPConfiguration.method", "'%s' is not a valid value of 'method'. Possible values: GET, POST.", p.Method))
	}
	return found
}

// A check is the state of an operation of CheckConnectivity: what it asks, then what it found.
type check struct {
	Location string          `json:"location"`
	Probe    platform.Probe  `json:"probe"`
	Found    json.RawMessage `json:"found,omitempty"`
}

// connectivityCheck starts a check.
func (q *request) connectivityCheck() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in connectivityRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	return q.startFor(CheckConnectivity, func(st platform.ServiceStatus) (json.RawMessage, error) {
		p, err := in.probe(st)
		if err != nil {
			return nil, err
		}
		return json.Marshal(check{Location: resource.NormalLocation(in.Source.Region), Probe: p})
	})
}

// applyNetwork reads the settings of the network of a service again. They are followed as they change, so there is
// nothing left to do.
func (q *request) applyNetwork() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in struct {
		Location string `json:"location"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, badBody(err)
		}
	}
	return q.startFor(ApplyNetwork, func(st platform.ServiceStatus) (json.RawMessage, error) {
		if in.Location != "" && !servesAt(st, in.Location) {
			return nil, arm.Invalid(resource.Finding("location", "The service is not at the location '%s'.", in.Location))
		}
		return nil, nil
	})
}

// servesAt says whether a service is at a location.
func servesAt(st platform.ServiceStatus, location string) bool {
	return slices.ContainsFunc(st.Locations(), func(l *platform.Location) bool {
		return l.Name == resource.NormalLocation(location) && !l.Wish.Gone
	})
}

// startFor starts an operation on a service that does not change it.
func (q *request) startFor(kind string, state func(platform.ServiceStatus) (json.RawMessage, error)) (*reply, *arm.Error) {
	err := q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		raw, err := state(serviceStatus(p.doc))
		if err != nil {
			return err
		}
		op, err := lro.Start(tx, lro.Operation{Kind: kind, Target: p.doc.ID, APIVersion: string(q.version), State: raw, Started: failpoint.Now().UTC()})
		if err != nil {
			return err
		}
		q.monitors(p.doc.ID, op.Name).SetHeaders(q.header)
		return nil
	})
	return &reply{status: http.StatusAccepted}, err
}

// checks carries out operations of CheckConnectivity.
type checks struct{ *Handler }

// Step implements lro.Handler.
func (h checks) Step(ctx context.Context, op lro.Operation) (lro.Outcome, error) {
	var c check
	if err := json.Unmarshal(op.State, &c); err != nil {
		return lro.Outcome{}, err
	}
	reach, err := h.opt.Probe(ctx, op.Target, c.Location, c.Probe)
	if err != nil {
		return lro.Outcome{}, problem(http.StatusInternalServerError, "ConnectivityCheckFailed", "The gateways at '%s' cannot be asked.", c.Location)
	}
	if c.Found, err = json.Marshal(shownReach(op.Target, reach)); err != nil {
		return lro.Outcome{}, err
	}
	state, err := json.Marshal(c)
	return lro.Outcome{State: state, Steps: []string{"connection checked"}, Status: lro.Succeeded}, err
}

// shownReach is the answer of a check.
func shownReach(service string, r platform.Reach) map[string]any {
	status := "Connected"
	switch {
	case r.Failed == r.Sent:
		status = "Disconnected"
	case r.Failed > 0:
		status = "Degraded"
	}
	issues := []any{}
	if r.Trouble != "" {
		issues = append(issues, map[string]any{"origin": "Outbound", "severity": "Error", "type": r.Trouble, "context": []any{}})
	}
	from, to := uuid.NewString(), uuid.NewString()
	return map[string]any{
		"hops": []any{
			map[string]any{"type": "Source", "id": from, "address": r.From, "resourceId": service, "nextHopIds": []any{to}, "issues": issues},
			map[string]any{"type": "Internet", "id": to, "address": r.To, "nextHopIds": []any{}, "issues": []any{}},
		},
		"connectionStatus": status, "avgLatencyInMs": r.Avg, "minLatencyInMs": r.Min, "maxLatencyInMs": r.Max, "probesSent": r.Sent, "probesFailed": r.Failed,
	}
}

// settled ends operations that have nothing to do.
type settled struct{}

// Step implements lro.Handler.
func (settled) Step(context.Context, lro.Operation) (lro.Outcome, error) {
	return lro.Outcome{Status: lro.Succeeded}, nil
}
