package platform

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
