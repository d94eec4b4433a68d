package platform

import (
	"fmt"
	"slices"

	"github.com/portico-dev/portico/internal/arm"
)

// An Elsewhere is what a create or an update asks for at an additional location.
type Elsewhere struct {
	Location string // normalised
	Old      *Wish  // nil, or Gone: the location is added
	Tier     Tier
	Units    int
	Zones    []string
	Zoneless bool // the location has no availability zones
	Disabled bool // disableGateway
	Network  NetworkRequest
	NAT      string // address of the platform's NAT gateway; empty for none
}

// DecideElsewhere turns what a request asks for at additional locations into their wishes, or says everything that is
// wrong with it. The request is the one for the primary location, whose wish is decided already.
func DecideElsewhere(r Request, primary Wish, others []Elsewhere) ([]LocationWish, *arm.Error) {
	var f findings
	if len(others) > 0 && !r.Tier.Facts().Regions {
		f.add(CodeInvalidParameters, "additionalLocations", "The tier '%s' does not support 'additionalLocations'. Tiers that do: %s.", r.Tier, tierNames(func(f Facts) bool { return f.Regions }))
		return nil, f.err()
	}
	var wishes []LocationWish
	for i, o := range others {
		at := r.at(o, primary)
		for _, found := range checkElsewhere(r, at) {
			found.Target = fmt.Sprintf("additionalLocations[%d].%s", i, found.Target)
			f = append(f, found)
		}
		w := at.wish()
		if at.Old == nil && primary.Platform == STv2 {
			w.Platform = STv2 // a service that is on stv2 does not grow on stv1
			w = w.On(r.Newest)
		}
		wishes = append(wishes, LocationWish{Location: o.Location, Wish: w})
	}
	if len(f) > 0 {
		return nil, f.err()
	}
	return wishes, nil
}

// at is the request as one additional location sees it.
func (r Request) at(o Elsewhere, primary Wish) Request {
	r.Old, r.Tier, r.Units, r.Zones, r.Zoneless, r.Disabled = o.Old, o.Tier, o.Units, o.Zones, o.Zoneless, o.Disabled
	r.Network, r.NAT, r.Gateway = o.Network, o.NAT, primary.Gateway
	if r.Old != nil && r.Old.Gone {
		r.Old = nil
	}
	return r
}

func checkElsewhere(primary, at Request) (f findings) {
	if at.Tier != primary.Tier {
		f.add(CodeInvalidParameters, "sku.name", "The value '%s' of 'sku.name' is not valid: every location of a service has the tier of the service, which is '%s'.", at.Tier, primary.Tier)
		return f
	}
	return slices.Concat(checkUnits(at), checkZones(at), checkNetwork(at), checkNAT(at))
}
