package resource

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// additionalLocations are the fields of one further location of a service.
func additionalLocations(onOff, platforms []Value) []Field {
	return below("properties.additionalLocations[]",
		Field{Path: "location", Kind: String, Flags: Required},
		Field{Path: "sku.name", Kind: String, Flags: Required},
		Field{Path: "sku.capacity", Kind: Int, Until: v2019dec, Min: new(int64(0)), Max: new(int64(1 << 20))},
		Field{Path: "sku.capacity", Kind: Int, From: v2019dec, Flags: Required, Min: new(int64(0)), Max: new(int64(1 << 20))},
		Field{Path: "zones", Kind: Array, From: v2020pre, MaxItems: 16},
		Field{Path: "virtualNetworkConfiguration.subnetResourceId", Kind: String, Pattern: subnetID},
		Field{Path: "publicIpAddressId", Kind: String, From: v2021jan},
		Field{Path: "natGatewayState", Kind: String, From: v2022apr, Enum: onOff},
		Field{Path: "disableGateway", Kind: Bool, From: v2019dec},
		Field{Path: "publicIPAddresses", Kind: Array, Flags: ReadOnly},
		Field{Path: "privateIPAddresses", Kind: Array, Flags: ReadOnly},
		Field{Path: "outboundPublicIPAddresses", Kind: Array, Flags: ReadOnly, From: v2022apr},
		Field{Path: "gatewayRegionalUrl", Kind: String, Flags: ReadOnly},
		Field{Path: "platformVersion", Kind: String, Flags: ReadOnly, From: v2021apr, Enum: platforms},
	)
}

// AdditionalLocations are the further locations of a service, as its client asked for them.
func AdditionalLocations(service Object) []Object {
	var out []Object
	for _, v := range service.List("properties.additionalLocations") {
		if m, ok := v.(map[string]any); ok {
			out = append(out, Object(m))
		}
	}
	return out
}

// completeLocations gives locations their display names and what the client left out its default.
func completeLocations(c *Change) {
	if l, ok := c.New.Get("properties.additionalLocations").([]any); ok && len(l) == 0 {
		c.New.Remove("properties.additionalLocations") // none is none
	}
	for _, o := range AdditionalLocations(c.New) {
		if loc, ok := c.Env.Location(o.Text("location")); ok {
			o.Set("location", loc.Display)
		}
		o.SetDefault("sku.capacity", int64(1))
		o.SetDefault("disableGateway", false)
		o.SetDefault("natGatewayState", "Disabled")
	}
}

// serviceLocations says what is wrong with the list of locations; what is asked for at each is platform's to judge.
func serviceLocations(c *Change) (found []arm.ErrorDetail) {
	seen := map[string]bool{}
	home := NormalLocation(c.New.Text("location"))
	for i, o := range AdditionalLocations(c.New) {
		at := fmt.Sprintf("additionalLocations[%d]", i)
		where := o.Text("location")
		name := NormalLocation(where)
		_, known := c.Env.Location(where)
		switch {
		case !known:
			found = append(found, Finding(at+".location", "The location '%s' is not available. Available locations: %s.", where, c.Env.locationNames()))
		case name == home:
			found = append(found, Finding(at+".location", "'%s' is the location of the service itself; 'additionalLocations' lists others.", where))
		case seen[name]:
			found = append(found, Finding(at+".location", "The location '%s' is listed more than once.", where))
		}
		seen[name] = true
		if o.Text("sku.name") == "" {
			found = append(found, Finding(at+".sku.name", "'name' must not be empty."))
		}
	}
	return found
}

func (env *Env) locationNames() string {
	names := make([]string, len(env.Locations))
	for i, l := range env.Locations {
		names[i] = l.Name
	}
	return strings.Join(names, ", ")
}

// showLocations adds what the platform knows of the further locations.
func showLocations(s *Shown, st platform.ServiceStatus, name string) {
	for _, o := range AdditionalLocations(s.Object) {
		at := NormalLocation(o.Text("location"))
		l := platform.Location{Name: at}
		for _, other := range st.Others {
			if other.Name == at {
				l = other
			}
		}
		o.Set("outboundPublicIPAddresses", outboundOf(s.Tree, l))
		o.Set("platformVersion", string(shownPlatform(l, st.ProvisioningState)))
		public, private := addressesOf(l)
		if len(public) > 0 {
			o.Set("publicIPAddresses", public)
		}
		if len(private) > 0 {
			o.Set("privateIPAddresses", private)
		}
		if u := s.Env.URLs(ServiceFacts{ID: s.Doc.ID, Name: name, Location: at, Status: st}).GatewayRegional; u != "" {
			o.Set("gatewayRegionalUrl", u)
		}
	}
}

// shownPlatform is where a service runs at a location now: the platform of the first routed set, undetermined while it
// has none.
func shownPlatform(l platform.Location, provisioning string) platform.Version {
	for _, vip := range l.Hosting.VIPs {
		for _, id := range vip.Sets {
			if set := l.Hosting.Set(id); set != nil && set.Platform != platform.V2 {
				return set.Version()
			}
		}
	}
	if l.Wish.Platform == platform.MTv1 && provisioning != "Created" && provisioning != "Activating" {
		return platform.MTv1 // has neither sets nor addresses of its own
	}
	return platform.Undetermined
}
