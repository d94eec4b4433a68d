package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

const (
	typeEndpoint   = Network + "/privateEndpoints"
	typeConnection = APIM + "/service/privateEndpointConnections"
	// maxConnections is how many private endpoints a service has at most: a machine accepts on 30 addresses, of which a
	// move takes two.
	maxConnections = 28
	// stateOf is the path of the state of a connection.
	stateOf = "properties.privateLinkServiceConnectionState"
)

// An EndpointStatus is the Status of a private endpoint.
type EndpointStatus struct {
	NetworkStatus
	Address    string `json:"address"`
	Connection string `json:"connection"` // resource ID
}

// The two lists of connections of a private endpoint, of which one has one element: one that asks for approval, and one
// of somebody who may approve.
var connectionLists = []string{"properties.privateLinkServiceConnections", "properties.manualPrivateLinkServiceConnections"}

func privateEndpoints() *Row {
	fields := []Field{
		{Path: "properties.subnet.id", Kind: String, Flags: Required},
		{Path: "properties.customNetworkInterfaceName", Kind: String},
		{Path: "properties.ipConfigurations", Kind: Array, Of: Any},
		{Path: "properties.applicationSecurityGroups", Kind: Array, Of: Any},
		{Path: "properties.customDnsConfigs", Kind: Array, Of: Any, Flags: ReadOnly},
		{Path: "properties.networkInterfaces", Kind: Array, Of: Any, Flags: ReadOnly},
	}
	for _, list := range connectionLists {
		fields = append(fields, below(list+"[]",
			Field{Path: "name", Kind: String, MinLen: 1, MaxLen: 80},
			Field{Path: "properties.privateLinkServiceId", Kind: String, Flags: Required},
			Field{Path: "properties.groupIds", Kind: Array},
			Field{Path: "properties.requestMessage", Kind: String, MaxLen: 140},
			Field{Path: "properties.privateLinkServiceConnectionState", Kind: Any, Flags: ReadOnly},
			Field{Path: "properties.provisioningState", Kind: String, Flags: ReadOnly},
		)...)
	}
	return networkRow(&Row{
		Path: "privateEndpoints", Entity: "Private endpoint", Proof: "TestPrivateEndpoint_ApprovedByItsMaker", Versions: since(networkVersions, "2019-04-01"), NameParam: "privateEndpointName",
		Fields:   fields,
		Complete: completeNetwork,
		Rules:    []Rule{endpointNotBuilt, endpointTarget, endpointSubnet},
		Compute:  showEndpoint,
		Stored:   storeConnection,
		OnDelete: func(r *Removal) *arm.Error {
			if d, err := r.Tree.Get(r.ID); err == nil {
				r.Also = append(r.Also, endpointStatus(d).Connection)
			}
			return nil
		},
		Removed: syncAllEndpoints,
	}, newEndpoint)
}

// connection is what a private endpoint asks for; manual says that somebody else has to approve it. It is nil unless
// there is one.
func connection(o Object) (c Object, manual bool) {
	var found []Object
	for i, path := range connectionLists {
		for _, item := range o.List(path) {
			if m, ok := item.(map[string]any); ok {
				found, manual = append(found, m), i == 1
			}
		}
	}
	if len(found) != 1 {
		return nil, false
	}
	return found[0], manual
}

func endpointNotBuilt(c *Change) (found []arm.ErrorDetail) {
	if len(c.New.List("properties.ipConfigurations")) > 0 {
		found = append(found, notBuilt("ipConfigurations", "Private endpoints with chosen addresses"))
	}
	if len(c.New.List("properties.applicationSecurityGroups")) > 0 {
		found = append(found, notBuilt("applicationSecurityGroups", "Application security groups"))
	}
	if c.Old == nil && c.Env.Networks != nil {
		if why := c.Env.Networks(); why != "" {
			found = append(found, networkFinding("PrivateEndpointNotSupported", "subnet", "Private endpoints are not supported on this host: %s", why))
		}
	}
	return found
}

// endpointTarget asks for one connection to the gateway of a service that takes it.
func endpointTarget(c *Change) []arm.ErrorDetail {
	to, _ := connection(c.New)
	if to == nil {
		return []arm.ErrorDetail{networkFinding("InvalidRequestFormat", "privateLinkServiceConnections", "Private endpoint %s must have exactly one connection, in 'privateLinkServiceConnections' or in 'manualPrivateLinkServiceConnections'.", c.ID)}
	}
	id := to.Text("properties.privateLinkServiceId")
	if groups := to.Texts("properties.groupIds"); len(groups) != 1 || !strings.EqualFold(groups[0], "Gateway") {
		return []arm.ErrorDetail{networkFinding("PrivateEndpointInvalidGroupId", "groupIds", "The 'groupIds' of private endpoint %s must be ['Gateway'].", c.ID)}
	}
	if c.Old != nil {
		if was, _ := connection(c.Old); !arm.SameID(was.Text("properties.privateLinkServiceId"), id) {
			return []arm.ErrorDetail{networkFinding("PrivateEndpointCannotBeUpdated", "privateLinkServiceId", "Private endpoint %s cannot be connected to another resource.", c.ID)}
		}
		return nil
	}
	d, err := c.Tree.Get(id)
	parsed, badID := arm.ParseID(id)
	if err != nil || badID != nil || !strings.EqualFold(parsed.Type(), APIM+"/service") {
		return []arm.ErrorDetail{networkFinding("PrivateLinkServiceNotFound", "privateLinkServiceId", "The resource %s that private endpoint %s refers to was not found.", id, c.ID)}
	}
	var st platform.ServiceStatus
	_ = json.Unmarshal(d.Status, &st) // an unreadable status takes none
	connections, _ := c.Siblings(typeConnection, d.ID)
	switch {
	case !st.Wish.Tier.Facts().Endpoints:
		return []arm.ErrorDetail{networkFinding("PrivateEndpointNotSupported", "privateLinkServiceId", "The service %s takes no private endpoints: its tier is %s. Tiers that do: %s.", id, st.Wish.Tier, platform.EndpointTiers())}
	case st.Wish.Gone || st.Wish.Platform == platform.STv1:
		return []arm.ErrorDetail{networkFinding("PrivateEndpointNotSupported", "privateLinkServiceId", "The service %s takes no private endpoints: it must be on platform version stv2.", id)}
	case st.Wish.Injection != nil:
		return []arm.ErrorDetail{networkFinding("PrivateEndpointNotSupported", "privateLinkServiceId", "The service %s takes no private endpoints: it is in a virtual network.", id)}
	case len(connections) >= maxConnections:
		return []arm.ErrorDetail{networkFinding("PrivateEndpointQuotaExceeded", "privateLinkServiceId", "The service %s has %d private endpoint connections, which is the most.", id, maxConnections)}
	}
	return nil
}

func endpointSubnet(c *Change) []arm.ErrorDetail {
	id := c.New.Text("properties.subnet.id")
	if c.Old != nil {
		if !arm.SameID(c.Old.Text("properties.subnet.id"), id) {
			return []arm.ErrorDetail{networkFinding("PrivateEndpointCannotBeUpdated", "subnet", "Private endpoint %s cannot be moved to another subnet.", c.ID)}
		}
		return nil
	}
	s, err := network.Subnet(c.Tree, id)
	if err != nil || s == nil || s.Location != c.New.Text("location") {
		return []arm.ErrorDetail{networkFinding("InvalidResourceReference", "subnet", "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", id, c.ID)}
	}
	if _, ok := freeAddress(c.Tree, s); !ok {
		return []arm.ErrorDetail{networkFinding("SubnetIsFull", "subnet", "Subnet %s with address prefix %s does not have enough capacity for an IP address.", s.ID, s.Prefix)}
	}
	return nil
}

// freeAddress is the first address of a subnet that nobody has, behind those that a network keeps for itself.
func freeAddress(t store.Reader, s *platform.Subnet) (netip.Addr, bool) {
	used, err := network.InsideAddresses(t, s.ID, "")
	if err != nil {
		return netip.Addr{}, false
	}
	addr := s.Prefix.Addr()
	for range 3 {
		addr = addr.Next()
	}
	for addr = addr.Next(); s.Prefix.Contains(addr.Next()); addr = addr.Next() {
		if !slices.Contains(used, addr.String()) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

func newEndpoint(c *Change) (any, error) {
	s, err := network.Subnet(c.Tree, c.New.Text("properties.subnet.id"))
	if err != nil {
		return nil, err
	}
	addr, ok := freeAddress(c.Tree, s)
	if !ok {
		return nil, errors.New("the subnet is full")
	}
	to, _ := connection(c.New)
	guid := uuid.NewString()
	return EndpointStatus{
		NetworkStatus: NetworkStatus{GUID: guid}, Address: addr.String(),
		Connection: strings.TrimSuffix(to.Text("properties.privateLinkServiceId"), "/") + "/privateEndpointConnections/" + c.Name + "." + guid,
	}, nil
}

func endpointStatus(d store.Document) (st EndpointStatus) {
	_ = json.Unmarshal(d.Status, &st) // an unreadable status is an empty one
	return st
}

// storeConnection makes the connection of a new private endpoint: approved where its maker may approve it, as the one
// administrator may, and pending where it was asked for by hand.
func storeConnection(c *Change, tx store.Tx) error {
	if c.Old != nil {
		return nil
	}
	d, err := tx.Get(c.ID)
	if err != nil {
		return err
	}
	to, manual := connection(c.New)
	state := map[string]any{"status": "Approved", "description": "", "actionsRequired": "None"}
	if manual {
		state["status"], state["description"] = "Pending", to.Text("properties.requestMessage")
	}
	row, _ := c.Engine.Row(typeConnection)
	id := endpointStatus(d).Connection
	doc, err := c.Engine.Document(row, id, Object{"properties": map[string]any{
		"privateEndpoint": map[string]any{"id": c.ID}, "groupIds": []any{"Gateway"}, "privateLinkServiceConnectionState": state,
	}}, nil)
	if err != nil {
		return err
	}
	if _, err := tx.Put(doc); err != nil {
		return err
	}
	return syncEndpoints(tx, ServiceID(id))
}

// showEndpoint adds what became of the connection, and by which name and address the service is reached.
func showEndpoint(s *Shown) {
	computeNetwork(s)
	st := endpointStatus(s.Doc)
	s.Object.Set("properties.networkInterfaces", []any{})
	s.Object.Set("properties.customDnsConfigs", []any{})
	to, _ := connection(s.Object)
	if to == nil || s.Tree == nil {
		return
	}
	state := any(map[string]any{"status": "Disconnected", "description": "The connection was removed.", "actionsRequired": "None"})
	if d, err := s.Tree.Get(st.Connection); err == nil {
		if o, err := parseObject(d.Desired); err == nil {
			state = o.Get(stateOf)
		}
	}
	to.Set(stateOf, state)
	to.Set("properties.provisioningState", "Succeeded")
	if d, err := s.Tree.Get(to.Text("properties.privateLinkServiceId")); err == nil && s.Env != nil {
		urls := s.Env.URLs(ServiceFacts{ID: d.ID, Name: lastSegment(d.ID)})
		s.Object.Set("properties.customDnsConfigs", []any{map[string]any{"fqdn": urls.GatewayHost, "ipAddresses": []any{st.Address}}})
	}
}

func endpointConnections() *Row {
	return &Row{
		Namespace: APIM, Path: "service/privateEndpointConnections", Shape: Entity, Entity: "PrivateEndpointConnection", Proof: "TestPrivateEndpoint_ApprovedByHand",
		Versions: since(apimVersions, v2021apr), Verbs: Get | Put | Delete | List, NameParam: "privateEndpointConnectionName", NameMax: 256, NameLike: plainName,
		NoIfMatch: true, Uncounted: true,
		Fields: []Field{
			{Path: "properties.privateEndpoint.id", Kind: String, Flags: ReadOnly},
			{Path: "properties.groupIds", Kind: Array, Flags: ReadOnly},
			{Path: stateOf + ".status", Kind: String, Enum: words("Pending", "Approved", "Rejected")},
			{Path: stateOf + ".description", Kind: String},
			{Path: stateOf + ".actionsRequired", Kind: String},
			{Path: "properties.provisioningState", Kind: String, Flags: ReadOnly},
		},
		Complete: func(c *Change) {
			for _, path := range []string{"properties.privateEndpoint", "properties.groupIds"} {
				if v := c.Old.Get(path); v != nil {
					c.New.Set(path, v)
				}
			}
			c.New.SetDefault(stateOf+".actionsRequired", "None")
		},
		Rules: []Rule{connectionExists},
		Compute: func(s *Shown) {
			state := "Succeeded"
			if s.Object.Text(stateOf+".status") == "Pending" {
				state = "Pending"
			}
			s.Object.Set("properties.provisioningState", state)
		},
		Stored:  func(c *Change, tx store.Tx) error { return syncEndpoints(tx, c.Service()) },
		Removed: func(tx store.Tx, id string) error { return syncEndpoints(tx, ServiceID(id)) },
	}
}

// connectionExists: a connection is made by a private endpoint; its owner can only decide about it.
func connectionExists(c *Change) []arm.ErrorDetail {
	if c.Old == nil {
		return []arm.ErrorDetail{Finding("privateEndpointConnectionName", "There is no private endpoint connection '%s': a private endpoint makes one.", c.Name)}
	}
	if c.New.Text(stateOf+".status") == "" {
		return []arm.ErrorDetail{Finding("privateLinkServiceConnectionState.status", "'status' must not be empty.")}
	}
	return nil
}

// syncAllEndpoints is syncEndpoints for the service of a private endpoint that is gone, whichever that was.
func syncAllEndpoints(tx store.Tx, _ string) error {
	docs, err := tx.List(store.Query{Type: strings.ToLower(APIM + "/service")})
	if err != nil {
		return err
	}
	for _, d := range docs {
		if err := syncEndpoints(tx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// syncEndpoints writes into the status of a service which private endpoints lead to it: those with an approved
// connection.
func syncEndpoints(tx store.Tx, service string) error {
	d, err := tx.Get(service)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var st platform.ServiceStatus
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return fmt.Errorf("decode status of %s: %w", d.ID, err)
	}
	was := st.Endpoints
	if st.Endpoints, err = ApprovedEndpoints(tx, d.ID); err != nil || slices.Equal(was, st.Endpoints) {
		return err
	}
	if d.Status, err = json.Marshal(st); err != nil {
		return fmt.Errorf("encode status of %s: %w", d.ID, err)
	}
	_, err = tx.Put(d)
	return err
}

// ApprovedEndpoints are the private endpoints that lead to a service: those with an approved connection.
func ApprovedEndpoints(t store.Reader, service string) (out []platform.Endpoint, err error) {
	docs, err := t.List(store.Query{Type: strings.ToLower(typeConnection), Prefix: service})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		o, err := parseObject(d.Desired)
		if err != nil {
			return nil, err
		}
		if o.Text(stateOf+".status") != "Approved" {
			continue
		}
		endpoint, err := t.Get(o.Text("properties.privateEndpoint.id"))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		body, err := parseObject(endpoint.Desired)
		if err != nil {
			return nil, err
		}
		out = append(out, platform.Endpoint{ID: endpoint.ID, Subnet: body.Text("properties.subnet.id"), Address: endpointStatus(endpoint).Address})
	}
	return out, nil
}

// shownConnections are the private endpoint connections in the body of a service.
func shownConnections(s *Shown) []any {
	list := []any{}
	if s.Tree == nil || s.Engine == nil {
		return list
	}
	row, _ := s.Engine.Row(typeConnection)
	docs, err := s.Tree.List(store.Query{Type: strings.ToLower(typeConnection), Prefix: s.Doc.ID})
	if err != nil {
		return list
	}
	for _, d := range docs {
		if o, err := s.Engine.Show(row, s.Version, d, s.Around); err == nil {
			list = append(list, map[string]any(o))
		}
	}
	return list
}

// servicePrivate: a service is closed to the public only if a private endpoint leads to it, and never both in a virtual
// network and behind private endpoints.
func servicePrivate(c *Change) (found []arm.ErrorDetail) {
	docs, objects := c.Siblings(typeConnection, c.ID)
	network := c.New.Text("properties.virtualNetworkType")
	if len(docs) > 0 && network != "" && network != "None" {
		found = append(found, Finding("virtualNetworkType", "A service with private endpoint connections cannot be in a virtual network."))
	}
	if tier, ok := platform.ParseTier(c.New.Text("sku.name")); ok && len(docs) > 0 && !tier.Facts().Endpoints {
		found = append(found, Finding("sku.name", "A service with private endpoint connections cannot be of the tier %s.", tier))
	}
	if c.New.Text("properties.publicNetworkAccess") != "Disabled" {
		return found
	}
	approved := slices.ContainsFunc(objects, func(o Object) bool { return o.Text(stateOf+".status") == "Approved" })
	switch {
	case c.Restored: // comes back as it was
	case c.Old == nil:
		found = append(found, Finding("publicNetworkAccess", "'publicNetworkAccess' cannot be Disabled when a service is created."))
	case !approved && c.Old.Text("properties.publicNetworkAccess") != "Disabled":
		found = append(found, Finding("publicNetworkAccess", "'publicNetworkAccess' can be Disabled when the service has an approved private endpoint connection."))
	}
	return found
}
