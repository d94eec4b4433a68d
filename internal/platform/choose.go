package platform

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
)

// STv2From is the api-version from which creating or updating a service puts it on stv2.
const STv2From arm.Version = "2021-01-01-preview"

// Codes of the errors that Decide returns.
const (
	CodeInvalidParameters = "InvalidParameters" // a value does not fit the others
	CodeValueNotSupported = "ValueNotSupported" // a value is not one of those that exist
	// CodeSKUNeedsVersion is the code of a tier that the api-version is too old for.
	CodeSKUNeedsVersion = "OperationSupportedInSkuForApiVersions"
)

// A Request is what a create, an update or a migration asks of hosting, with defaults already filled in.
type Request struct {
	APIVersion string
	// Versions are the api-versions of services, for a message.
	Versions []arm.Version
	Old      *Wish    // nil, or Gone: the service is created
	Tier     Tier     // sku.name
	Units    int      // sku.capacity
	Zones    []string // zones
	Zoneless bool     // the location has no availability zones
	Network  NetworkRequest
	// NAT is the address of the platform's NAT gateway that natGatewayState asks for; empty for none.
	NAT string
	// Retired says that stv1 is not offered any more.
	Retired bool
	// Migrate marks a migrateToStv2 call: everything else stays as Old has it.
	Migrate  bool
	Disabled bool        // disableGateway
	Gateway  string      // version of the gateway program that a new service gets
	Newest   Hardware    // of the host: what is made anew on stv2 gets it
	Address  AddressMode // mode of a migration, in any case; empty for the default
	// Downtime is migrateWithDowntime, by which some virtual networks are migrated. Here it changes nothing but that the
	// address has to stay.
	Downtime bool
}

// Decide turns a request into the wish that hosting works on, or says everything that is wrong with it. The first
// finding gives the error its code and message.
func Decide(r Request) (Wish, *arm.Error) {
	if r.Old != nil && r.Old.Gone {
		r.Old = nil
	}
	if r.Migrate {
		return migrate(r)
	}
	f := checkTier(r)
	if len(f) == 0 { // the rest says nothing about a tier that cannot be
		f = slices.Concat(checkUnits(r), checkZones(r), checkNetwork(r), checkNAT(r), checkRotation(r))
	}
	if len(f) > 0 {
		return Wish{}, f.err()
	}
	return r.wish(), nil
}

// wish is the outcome of an acceptable create or update.
func (r Request) wish() Wish {
	w := Wish{Platform: r.platform(), Tier: r.Tier, Units: r.Units, Zones: slices.Sorted(slices.Values(r.Zones)), Disabled: r.Disabled, Gateway: r.Gateway, Injection: r.injection(), NAT: r.NAT}.On(r.Newest)
	if r.Old == nil {
		return w
	}
	w.Gateway, w.Renewal = r.Old.Gateway, r.Old.Renewal
	switch {
	case !sameZones(w.Zones, r.Old.Zones), !SameInjection(w.Injection, r.Old.Injection):
		w.Address = NewIP // a change of zones or of the network changes the address
	case w.Platform != r.Old.Platform:
		w.Address = PreserveIP
	default:
		w.Hardware = r.Old.Hardware // its set stays, on what it is on
	}
	return w
}

// platform picks the platform version. A service never goes back from stv2 to stv1.
func (r Request) platform() Version {
	v, _ := arm.ParseVersion(r.APIVersion)
	switch {
	case len(r.Tier.Facts().Platforms) == 1:
		return r.Tier.Facts().Platforms[0]
	case r.Migrate, len(r.Zones) > 0, !v.Before(STv2From), r.Retired:
		return STv2
	case r.Old != nil && r.Old.Platform == STv2:
		return STv2
	}
	return STv1
}

func migrate(r Request) (Wish, *arm.Error) {
	mode, ok := ParseAddressMode(string(r.Address))
	var f findings
	switch {
	case !ok:
		f.add(CodeValueNotSupported, "mode", "The value '%s' of 'mode' is not supported. Allowed values: %s, %s.", r.Address, PreserveIP, NewIP)
	case r.Downtime && mode != PreserveIP:
		f.add(CodeInvalidParameters, "mode", "A migration with 'migrateWithDowntime' keeps the address: the value of 'mode' must be %s.", PreserveIP)
	case r.Old == nil:
		f.add(CodeInvalidParameters, "platformVersion", "The service has no compute that could be migrated to platform version stv2.")
	case !slices.Contains(r.Old.Tier.Facts().Platforms, STv2):
		can := tierNames(func(f Facts) bool { return slices.Contains(f.Platforms, STv2) })
		f.add(CodeInvalidParameters, "sku.name", "A service of tier %s runs on platform version %s and cannot be migrated to stv2. Tiers that can: %s.", r.Old.Tier, r.Old.Platform, can)
	case r.Old.Platform != STv1:
		f.add(CodeInvalidParameters, "platformVersion", "The service is already on platform version %s. Only a service on stv1 can be migrated to stv2.", r.Old.Platform)
	case r.Old.Injection != nil: // its new machines come beside the old ones, and meet the rules for stv2 there
		f = r.checkSubnet()
	}
	if len(f) > 0 {
		return Wish{}, f.err()
	}
	w := *r.Old
	w.Platform, w.Address = STv2, mode
	return w.On(r.Newest), nil
}

// Expelled is the wish of a service that the platform takes to stv2 without the virtual network that it is in.
func (w Wish) Expelled() Wish {
	w.Platform, w.Address, w.Injection, w.NAT, w.Prepared = STv2, NewIP, nil, "", ""
	return w
}

// ParseAddressMode reads the mode of a migration in any case; empty means PreserveIP.
func ParseAddressMode(s string) (AddressMode, bool) {
	switch {
	case s == "", strings.EqualFold(s, string(PreserveIP)):
		return PreserveIP, true
	case strings.EqualFold(s, string(NewIP)):
		return NewIP, true
	}
	return "", false
}

func checkTier(r Request) (f findings) {
	facts := r.Tier.Facts()
	v, _ := arm.ParseVersion(r.APIVersion)
	switch {
	case facts.Tier == "":
		f.add(CodeValueNotSupported, "sku.name", "The value '%s' of 'sku.name' is not supported. Allowed values: %s.", r.Tier, tierNames(func(Facts) bool { return true }))
	case v.Before(facts.From):
		newer := slices.DeleteFunc(slices.Clone(r.Versions), func(v arm.Version) bool { return v.Before(facts.From) })
		slices.Reverse(newer)
		f.add(CodeSKUNeedsVersion, "sku.name", "Operation on %s SKU is only supported in the api-versions %s", r.Tier, arm.JoinVersions(newer, ","))
	case r.Old != nil && r.Old.Tier != r.Tier && !slices.Contains(r.Old.Tier.Facts().ChangesTo, r.Tier):
		f.add(CodeInvalidParameters, "sku.name", "The tier cannot be changed from '%s' to '%s': %s Create a new service instead.", r.Old.Tier, r.Tier, r.Old.Tier.changes())
	}
	return f
}

// changes says which tiers a service of a tier may change to.
func (t Tier) changes() string {
	if to := t.Facts().ChangesTo; len(to) > 0 {
		return fmt.Sprintf("a service of tier %s can change to %s only.", t, joined(to))
	}
	return fmt.Sprintf("a service of tier %s keeps it.", t)
}

func checkUnits(r Request) (f findings) {
	facts := r.Tier.Facts()
	if r.Units >= facts.MinUnits && r.Units <= facts.MaxUnits {
		return nil
	}
	allowed := fmt.Sprintf("%d to %d", facts.MinUnits, facts.MaxUnits)
	if facts.MinUnits == facts.MaxUnits {
		allowed = fmt.Sprint(facts.MinUnits)
	}
	f.add(CodeInvalidParameters, "sku.capacity", "The value %d of 'sku.capacity' is not valid for tier '%s'. Allowed values: %s.", r.Units, r.Tier, allowed)
	return f
}

func checkZones(r Request) (f findings) {
	if len(r.Zones) == 0 {
		return nil
	}
	if !r.Tier.Facts().Zones {
		f.add(CodeInvalidParameters, "zones", "The tier '%s' does not support 'zones'. Tiers that do: %s.", r.Tier, tierNames(func(f Facts) bool { return f.Zones }))
		return f
	}
	if r.Zoneless && (r.Old == nil || !sameZones(r.Zones, r.Old.Zones)) { // what a service has already is not checked again
		f.add(CodeInvalidParameters, "zones", "The location '%s' has no availability zones.", r.Network.Location)
		return f
	}
	seen := map[string]bool{}
	for _, z := range r.Zones {
		if !slices.Contains(allZones, z) {
			f.add(CodeValueNotSupported, "zones", "The value '%s' of 'zones' is not supported. Allowed values: %s.", z, strings.Join(allZones, ", "))
		} else if seen[z] {
			f.add(CodeInvalidParameters, "zones", "The value '%s' of 'zones' is listed more than once.", z)
		}
		seen[z] = true
	}
	if len(f) == 0 && r.Units%len(r.Zones) != 0 {
		f.add(CodeInvalidParameters, "sku.capacity", "The value %d of 'sku.capacity' must be a multiple of the number of 'zones', which is %d.", r.Units, len(r.Zones))
	}
	return f
}

// checkRotation says whether the primary location may be out of rotation: others have to be in it.
func checkRotation(r Request) (f findings) {
	if r.Disabled && !r.Network.SeveralRegions {
		f.add(CodeInvalidParameters, "disableGateway", "'disableGateway' is for services at several locations: this one would have no gateway left.")
	}
	return f
}

// sameZones compares lists of zones, which have no order.
func sameZones(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// allZones are the zones that a client may list.
var allZones = []string{"1", "2", "3"}

// findings are what is wrong with a request.
type findings []arm.ErrorDetail

func (f *findings) add(code, target, format string, args ...any) {
	*f = append(*f, arm.ErrorDetail{Code: code, Target: target, Message: fmt.Sprintf(format, args...)})
}

// err puts the findings into one answer.
func (f findings) err() *arm.Error {
	return &arm.Error{Status: http.StatusBadRequest, Code: f[0].Code, Message: f[0].Message, Target: f[0].Target, Details: f}
}
