package management

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

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

// allowances say how many entities services may get before they are counted again: counting tens of thousands for each
// new one would take longer than writing it. An allowance is half of what is left, so that entities which are made
// without asking are noticed in time, and nearer to the limit every one is counted.
type allowances struct {
	mu   sync.Mutex
	left map[string]int // by service, type and limit
}

// maxAllowances bounds what is remembered; losing it costs no more than counting.
const maxAllowances = 10_000

// take uses one of an allowance, if there is one.
func (a *allowances) take(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left[key] == 0 {
		return false
	}
	a.left[key]--
	return true
}

// give sets an allowance after so many were counted.
func (a *allowances) give(key string, most, counted int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == nil || len(a.left) >= maxAllowances {
		a.left = map[string]int{}
	}
	a.left[key] = max(0, most-counted) / 2
}

// withinLimits refuses what was written when the service now holds more of it than its tier may. It is asked within the
// transaction, about what has a limit.
func (q *request) withinLimits(tx store.Tx, c *resource.Change, created bool) error {
	if created {
		if err := q.withinLimit(tx, c, c.Row.Path, true); err != nil {
			return err
		}
	}
	if c.Row.Path == "service/apis" && (created || c.Imported != nil) { // which may bring any number of API operations
		return q.withinLimit(tx, c, "service/apis/operations", false)
	}
	return nil
}

// withinLimit is about one type, of which one entity has come or any number.
func (q *request) withinLimit(tx store.Tx, c *resource.Change, path string, one bool) error {
	tier := platform.Tier(c.Tier())
	most := q.opt.Limits.Limit(tier, path)
	if most > 0 {
		service, err := tx.Get(c.Service())
		if err != nil {
			return err
		}
		most = q.opt.Limits.LimitFor(tier, path, serviceStatus(&service).Grandfathered)
	}
	key := fmt.Sprint(store.Key(c.Service()), " ", path, " ", most)
	if most == 0 || one && q.allowances.take(key) {
		return nil
	}
	n, err := tx.Count(store.Query{Type: strings.ToLower(resource.APIM + "/" + path), Prefix: c.Service(), Limit: most + 1})
	if err != nil {
		return err
	}
	q.allowances.give(key, most, n)
	if n <= most {
		return nil
	}
	kind := strings.TrimPrefix(path, "service/")
	return arm.Invalid(resource.Finding(kind[strings.LastIndexByte(kind, '/')+1:], "The limit is reached: a service of tier %s may have at most %d %s.", tier, most, kind))
}

// limitService refuses more tags than a service may have, and more services than an Azure subscription may.
func (w *serviceWrite) limitService() error {
	if err := w.limitTags(w.change.New); err != nil {
		return err
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

// limitTags refuses more tags than a service may have.
func (q *request) limitTags(service resource.Object) *arm.Error {
	tags, _ := service["tags"].(map[string]any)
	if most := q.opt.Limits.ServiceTags(); most > 0 && len(tags) > most {
		return problem(http.StatusBadRequest, "InvalidParameters", "Invalid parameter: Tags count out of bound. Maximum count value is %d.", most)
	}
	return nil
}
