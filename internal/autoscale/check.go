package autoscale

import (
	"fmt"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// Check says what a setting asks for that a service of a tier, with so many zones, cannot do.
func (s Setting) Check(tier platform.Tier, zones int) []arm.ErrorDetail {
	f := tier.Facts()
	r := reader{}
	if f.Scale == platform.ScaleNone {
		r.wrong("targetResourceUri", "A service of tier %s has a fixed number of units and cannot be scaled by rules.", tier)
		return r.found
	}
	for i, p := range s.Profiles {
		r.at = fmt.Sprintf("profiles[%d]", i)
		if p.Minimum < f.MinUnits {
			r.wrong("capacity.minimum", "A service of tier %s has %d units at least.", tier, f.MinUnits)
		}
		if p.Maximum > f.MaxUnits {
			r.wrong("capacity.maximum", "A service of tier %s has %d units at most.", tier, f.MaxUnits)
		}
		for _, x := range []struct {
			path  string
			units int
		}{{"capacity.minimum", p.Minimum}, {"capacity.maximum", p.Maximum}, {"capacity.default", p.Default}} {
			r.multiple(x.path, x.units, zones)
		}
		for j, rule := range p.Rules {
			r.at = fmt.Sprintf("profiles[%d].rules[%d]", i, j)
			if !rule.Metric.Of(tier) {
				r.wrong("metricTrigger.metricName", "Services of tier %s have no metric '%s'.", tier, rule.Metric)
			}
			if rule.Action.Kind == ChangeCount || rule.Action.Kind == ExactCount {
				r.multiple("scaleAction.value", rule.Action.Value, zones)
			}
		}
	}
	return r.found
}

func (r *reader) multiple(path string, units, zones int) {
	if zones > 1 && units%zones != 0 {
		r.wrong(path, "%d is not a multiple of the number of zones of the service, which is %d.", units, zones)
	}
}
