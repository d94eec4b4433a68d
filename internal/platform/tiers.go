package platform

import "strings"

// A Tier is a SKU name, spelt as the wire spells it.
type Tier string

// The tiers that this version hosts.
const (
	Consumption Tier = "Consumption"
	Developer   Tier = "Developer"
	Basic       Tier = "Basic"
	Standard    Tier = "Standard"
	Premium     Tier = "Premium"
)

// Tiers that are known and refused.
const (
	Isolated   Tier = "Isolated"
	BasicV2    Tier = "BasicV2"
	StandardV2 Tier = "StandardV2"
	PremiumV2  Tier = "PremiumV2"
)

// Facts are what a tier allows.
type Facts struct {
	Tier Tier
	// MinUnits and MaxUnits bound sku.capacity at one location, both included.
	MinUnits, MaxUnits int
	// Machines is the number of machines of one unit; 0 where services share the pool.
	Machines int
	Zones    bool // may list availability zones
	VNet     bool // may be injected into a virtual network
	Regions  bool // may have additional locations
	Hosted   bool // this version hosts the tier
}

// Tiers lists every known tier in the order in which clients show them.
//
// Premium's 31 units per location is the newer of two published figures (10 until 2021).
func Tiers() []Facts {
	return []Facts{
		{Tier: Consumption, Hosted: true},
		{Tier: Developer, MinUnits: 1, MaxUnits: 1, Machines: 1, VNet: true, Hosted: true},
		{Tier: Basic, MinUnits: 1, MaxUnits: 2, Machines: 2, Hosted: true},
		{Tier: Standard, MinUnits: 1, MaxUnits: 4, Machines: 2, Hosted: true},
		{Tier: Premium, MinUnits: 1, MaxUnits: 31, Machines: 2, Zones: true, VNet: true, Regions: true, Hosted: true},
		{Tier: Isolated, MinUnits: 1, MaxUnits: 31, Machines: 2, VNet: true},
		{Tier: BasicV2, MinUnits: 1, MaxUnits: 10},
		{Tier: StandardV2, MinUnits: 1, MaxUnits: 10},
		{Tier: PremiumV2, MinUnits: 1, MaxUnits: 30},
	}
}

// Facts returns what the tier allows; the zero value for an unknown tier.
func (t Tier) Facts() Facts {
	for _, f := range Tiers() {
		if f.Tier == t {
			return f
		}
	}
	return Facts{}
}

// ParseTier finds a tier, hosted or not, by its name in any case.
func ParseTier(s string) (Tier, bool) {
	for _, f := range Tiers() {
		if strings.EqualFold(string(f.Tier), s) {
			return f.Tier, true
		}
	}
	return "", false
}

// hostedNames lists the hosted tiers as messages do.
func hostedNames() string {
	var names []string
	for _, f := range Tiers() {
		if f.Hosted {
			names = append(names, string(f.Tier))
		}
	}
	return strings.Join(names, ", ")
}
