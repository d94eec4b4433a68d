package platform

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
)

// A Tier is a SKU name, spelt as the wire spells it.
type Tier string

// The tiers.
const (
	Consumption Tier = "Consumption"
	Developer   Tier = "Developer"
	Basic       Tier = "Basic"
	Standard    Tier = "Standard"
	Premium     Tier = "Premium"
	Isolated    Tier = "Isolated"
	BasicV2     Tier = "BasicV2"
	StandardV2  Tier = "StandardV2"
	PremiumV2   Tier = "PremiumV2"
)

// How units are added: by nobody, by hand, or by rules too. The spelling is that of SKU lists.
const (
	ScaleNone      = "None"
	ScaleManual    = "Manual"
	ScaleAutomatic = "Automatic"
)

// Facts are what a tier allows.
type Facts struct {
	Tier Tier
	// From is the first api-version that has the tier.
	From arm.Version
	// MinUnits and MaxUnits bound sku.capacity at one location, both included.
	MinUnits, MaxUnits int
	// Machines is the number of machines of one unit; 0 where services share the pool.
	Machines int
	Scale    string
	// Platforms are those that the tier can be on.
	Platforms []Version
	Zones     bool // may list availability zones
	VNet      bool // may be injected into a virtual network
	Regions   bool // may have additional locations
	Endpoints bool // may have private endpoints, on a platform after stv1
	// ChangesTo lists the tiers that a service of the tier may change to.
	ChangesTo []Tier
	// Lacks lists resource types that services of the tier do not have.
	Lacks []string
}

// classic are the tiers between which a service may change in any direction.
var classic = []Tier{Developer, Basic, Standard, Premium}

// v2From is the first api-version with the v2 tiers.
const v2From arm.Version = "2023-03-01-preview"

// Tiers lists every tier in the order in which clients show them.
//
// Premium's 31 units per location is the newer of two published figures (10 until 2021). What a unit of a v2 tier is made
// of is not published; two machines are what their service level asks for. Isolated is by request and almost
// undocumented: here it is as Premium, without what only Premium is said to have, and no tier changes to or from it.
func Tiers() []Facts {
	single := []Version{STv1, STv2}
	return []Facts{
		{
			Tier: Consumption, From: "2019-01-01", Scale: ScaleNone, Platforms: []Version{MTv1},
			Lacks: []string{"service/users", "service/groups", "service/groups/users", "service/products/groups", "service/products/groupLinks"},
		},
		{Tier: Developer, MinUnits: 1, MaxUnits: 1, Machines: 1, Scale: ScaleNone, Platforms: single, VNet: true, Endpoints: true, ChangesTo: others(classic, Developer)},
		{Tier: Basic, MinUnits: 1, MaxUnits: 2, Machines: 2, Scale: ScaleManual, Platforms: single, Endpoints: true, ChangesTo: others(classic, Basic)},
		{Tier: Standard, MinUnits: 1, MaxUnits: 4, Machines: 2, Scale: ScaleAutomatic, Platforms: single, Endpoints: true, ChangesTo: others(classic, Standard)},
		{Tier: Premium, MinUnits: 1, MaxUnits: 31, Machines: 2, Scale: ScaleAutomatic, Platforms: single, Zones: true, VNet: true, Regions: true, Endpoints: true, ChangesTo: others(classic, Premium)},
		{Tier: Isolated, From: "2020-06-01-preview", MinUnits: 1, MaxUnits: 31, Machines: 2, Scale: ScaleAutomatic, Platforms: single, VNet: true, Endpoints: true},
		{Tier: BasicV2, From: v2From, MinUnits: 1, MaxUnits: 10, Machines: 2, Scale: ScaleAutomatic, Platforms: []Version{V2}, ChangesTo: []Tier{StandardV2}},
		{Tier: StandardV2, From: v2From, MinUnits: 1, MaxUnits: 10, Machines: 2, Scale: ScaleAutomatic, Platforms: []Version{V2}, Endpoints: true, ChangesTo: []Tier{BasicV2}},
		{Tier: PremiumV2, From: v2From, MinUnits: 1, MaxUnits: 30, Machines: 2, Scale: ScaleAutomatic, Platforms: []Version{V2}, Zones: true, VNet: true, Endpoints: true},
	}
}

func others(tiers []Tier, but Tier) []Tier {
	return slices.DeleteFunc(slices.Clone(tiers), func(t Tier) bool { return t == but })
}

// tiers is the table, made once: the planner asks it many times a turn.
var tiers = Tiers()

// Facts returns what the tier allows; the zero value for an unknown tier. Its lists are shared.
func (t Tier) Facts() Facts {
	for _, f := range tiers {
		if f.Tier == t {
			return f
		}
	}
	return Facts{}
}

// ParseTier finds a tier by its name in any case.
func ParseTier(s string) (Tier, bool) {
	for _, f := range Tiers() {
		if strings.EqualFold(string(f.Tier), s) {
			return f.Tier, true
		}
	}
	return "", false
}

// EndpointTiers lists the tiers with private endpoints, as messages do.
func EndpointTiers() string { return tierNames(func(f Facts) bool { return f.Endpoints }) }

// tierNames lists the tiers that a condition holds for, as messages do.
func tierNames(holds func(Facts) bool) string {
	var names []string
	for _, f := range Tiers() {
		if holds(f) {
			names = append(names, string(f.Tier))
		}
	}
	return strings.Join(names, ", ")
}

// joined lists tiers as messages do.
func joined(tiers []Tier) string {
	names := make([]string, len(tiers))
	for i, t := range tiers {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}
