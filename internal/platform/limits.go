package platform

import (
	"slices"
	"strings"
)

// An Era names a set of published limits on what a service may hold.
type Era string

// The eras: limits as they were published until March 2026, and those of the update that followed. Unlimited has none.
const (
	Unlimited Era = "none"
	Era2024   Era = "2024"
	Era2026   Era = "2026"
)

// Eras lists the eras for messages and completion.
func Eras() []Era { return []Era{Era2024, Era2026, Unlimited} }

// A limit bounds the number of entities of a type, by tier in the order of limitTiers; 0 is no limit.
type limit struct {
	path  string // of the resource type
	tiers [9]int
}

// limitTiers is the order of the columns: that of Tiers.
var limitTiers = []Tier{Consumption, Developer, Basic, Standard, Premium, Isolated, BasicV2, StandardV2, PremiumV2}

// limits2024 are those of "API Management limits" as of March 2024. PremiumV2 did not exist; Isolated is as Premium.
var limits2024 = []limit{
	//                               Cons  Dev Bas Std Pre Iso BasV2  StdV2 PreV2
	{"service/apis", [9]int{50, 0, 0, 0, 0, 0, 150, 500, 0}},
	{"service/apis/operations", [9]int{1000, 0, 0, 0, 0, 0, 3000, 10000, 0}},
	{"service/subscriptions", [9]int{500, 0, 0, 0, 0, 0, 500, 2000, 0}},
	{"service/certificates", [9]int{50, 0, 0, 0, 0, 0, 100, 100, 0}},
	{"service/products", [9]int{0, 0, 0, 0, 0, 0, 50, 200, 0}},
	{"service/users", [9]int{0, 0, 0, 0, 0, 0, 300, 2000, 0}},
	{"service/groups", [9]int{0, 0, 0, 0, 0, 0, 20, 100, 0}},
	{"service/policyFragments", [9]int{0, 0, 0, 0, 0, 0, 50, 50, 0}},
	{"service/namedValues", [9]int{0, 0, 0, 0, 0, 0, 100, 100, 0}},
	{"service/backends", [9]int{0, 0, 0, 0, 0, 0, 100, 100, 0}},
	{"service/loggers", [9]int{0, 0, 0, 0, 0, 0, 100, 100, 0}},
	{"service/tags", [9]int{0, 0, 0, 0, 0, 0, 100, 100, 0}},
	{"service/apiVersionSets", [9]int{0, 0, 0, 0, 0, 0, 100, 100, 0}},
}

// limits2026 are those of the update of 2026. It says nothing of APIs and certificates of Consumption, which keep the
// limits that they had, nor of what it does not list.
var limits2026 = []limit{
	//                               Cons   Dev    Bas    Std    Pre    Iso    BasV2  StdV2  PreV2
	{"service/apis", [9]int{50}},
	{"service/apis/operations", [9]int{3000, 3000, 10000, 50000, 75000, 75000, 10000, 50000, 75000}},
	{"service/tags", [9]int{1500, 1500, 1500, 2500, 15000, 15000, 1500, 2500, 15000}},
	{"service/namedValues", [9]int{5000, 5000, 5000, 10000, 18000, 18000, 5000, 10000, 18000}},
	{"service/loggers", [9]int{100, 100, 100, 200, 400, 400, 100, 200, 400}},
	{"service/products", [9]int{100, 100, 200, 500, 2000, 2000, 200, 500, 2000}},
	{"service/subscriptions", [9]int{500, 10000, 15000, 25000, 75000, 75000, 15000, 25000, 75000}},
	{"service/users", [9]int{0, 20000, 20000, 50000, 75000, 75000, 20000, 50000, 75000}},
	{"service/certificates", [9]int{50}},
}

// LimitedTypes are the resource types that have a limit in any era, in the order of the tables.
func LimitedTypes() []string {
	var paths []string
	for _, l := range slices.Concat(limits2024, limits2026) {
		if !slices.Contains(paths, l.path) {
			paths = append(paths, l.path)
		}
	}
	return paths
}

// Limit is how many entities of a type a service of a tier may have; 0 is no limit.
func (e Era) Limit(t Tier, path string) int {
	table := map[Era][]limit{Era2024: limits2024, Era2026: limits2026}[e]
	for _, l := range table {
		if !strings.EqualFold(l.path, path) {
			continue
		}
		for i, tier := range limitTiers {
			if strings.EqualFold(string(tier), string(t)) {
				return l.tiers[i]
			}
		}
	}
	return 0
}

// Grandfathered is what a service may hold because it held more than the limits of an era when they came to it. It holds
// for the tier that it had then.
type Grandfathered struct {
	Era  Era            `json:"era"`
	Tier Tier           `json:"tier"`
	Most map[string]int `json:"most"` // by resource type
}

// Grandfather says what a service of a tier may hold of what it holds too much of when the limits of 2026 come: 110 % of
// it, in the classic tiers. It is nil where that is nothing.
func (e Era) Grandfather(t Tier, held map[string]int) *Grandfathered {
	if e != Era2026 || !slices.Contains([]Tier{Developer, Basic, Standard, Premium, Isolated}, t) {
		return nil
	}
	g := &Grandfathered{Era: e, Tier: t, Most: map[string]int{}}
	for path, n := range held {
		if most := e.Limit(t, path); most > 0 && n > most {
			g.Most[path] = (n*11 + 9) / 10 // rounded up
		}
	}
	if len(g.Most) == 0 {
		return nil
	}
	return g
}

// LimitFor is Limit for a service that may be grandfathered.
func (e Era) LimitFor(t Tier, path string, g *Grandfathered) int {
	most := e.Limit(t, path)
	if g != nil && g.Era == e && g.Tier == t && most > 0 {
		most = max(most, g.Most[path])
	}
	return most
}

// Services is how many services of a tier an Azure subscription may have; 0 is no limit.
func (e Era) Services(t Tier) int {
	if t == Consumption && e.has() {
		return 20
	}
	return 0
}

// ServiceTags is how many tags a service may have; 0 leaves it to what ARM allows.
func (e Era) ServiceTags() int {
	if e.has() {
		return 15
	}
	return 0
}

// Policy bounds a policy document, in bytes; 0 leaves it to what the policy engine takes.
func (e Era) Policy(t Tier) int {
	switch {
	case !e.has():
		return 0
	case t == Consumption:
		return 16 << 10
	}
	return 256 << 10
}

// Fragment bounds a policy fragment, in bytes; 0 leaves it to what the policy engine takes.
func (e Era) Fragment() int {
	if e.has() {
		return 32 << 10
	}
	return 0
}

func (e Era) has() bool { return e == Era2024 || e == Era2026 }
