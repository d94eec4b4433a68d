package management

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// inTier refuses a type that services of the tier do not have.
func (q *request) inTier(tier platform.Tier) error {
	if q.row == nil || !slices.Contains(tier.Facts().Lacks, q.row.Path) {
		return nil
	}
	return problem(http.StatusBadRequest, "MethodNotAllowedInPricingTier", "Method not allowed in %s pricing tier", tier)
}

// withinLimits refuses what was written when the service now holds more of it than its tier may. It is asked within the
// transaction, and counts only what has a limit, up to the limit.
func (q *request) withinLimits(tx store.Tx, c *resource.Change, created bool) error {
	paths := []string{}
	if created {
		paths = append(paths, c.Row.Path)
	}
	if c.Row.Path == "service/apis" && (created || c.Imported != nil) { // which may bring API operations
		paths = append(paths, "service/apis/operations")
	}
	for _, path := range paths {
		most := q.opt.Limits.Limit(platform.Tier(c.Tier()), path)
		if most == 0 {
			continue
		}
		n, err := tx.Count(store.Query{Type: strings.ToLower(resource.APIM + "/" + path), Prefix: c.Service(), Limit: most + 1})
		if err != nil {
			return err
		}
		if n > most {
			return arm.Invalid(resource.Finding(path[strings.LastIndexByte(path, '/')+1:],
				"The limit is reached: a service of tier %s may have at most %d %s.", c.Tier(), most, strings.TrimPrefix(path, "service/")))
		}
	}
	return nil
}

// limitService refuses more tags than a service may have, and more services than an Azure subscription may.
func (w *serviceWrite) limitService() error {
	tags, _ := w.change.New["tags"].(map[string]any)
	if most := w.opt.Limits.ServiceTags(); most > 0 && len(tags) > most {
		return problem(http.StatusBadRequest, "InvalidParameters", "Invalid parameter: Tags count out of bound. Maximum count value is %d.", most)
	}
	most := w.opt.Limits.Services(w.wish.Tier)
	if !w.creating || most == 0 {
		return nil
	}
	services, err := w.tx.List(store.Query{Type: strings.ToLower(w.row.Type())})
	if err != nil {
		return err
	}
	n := 0
	for _, d := range services {
		if serviceStatus(&d).Wish.Tier == w.wish.Tier {
			n++
		}
	}
	if n >= most {
		return problem(http.StatusBadRequest, "InvalidParameters", "The limit is reached: an Azure subscription may have at most %d services of tier %s.", most, w.wish.Tier)
	}
	return nil
}
