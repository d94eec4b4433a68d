package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
)

func TestWorse_HasGuards(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failed, of, failedBefore, ofBefore int64
		want                               bool
	}{
		{9, 9, 0, 1000, false},  // too few
		{10, 10, 0, 20, true},   // a version that fails always is found with ten requests
		{10, 10, 0, 19, false},  // nothing to compare with
		{10, 10, 20, 20, false}, // it failed before
		{60, 100, 40, 100, false},
		{900, 1000, 400, 1000, true},
		{790, 1000, 400, 1000, false},         // not twice as often
		{90, 10_000, 0, 10_000, false},        // not a hundredth
		{110, 10_000, 0, 10_000, true},        // a little more
		{10, 500, 0, 500, false},              // may be chance
		{30, 1500, 0, 1500, true},             // hardly
		{1_000, 10_000, 10, 1_000_000, true},  // much before says as much as it should
		{15, 1_000, 5_000, 1_000_000, false},  // three times as often, of so few
		{10, 0, 0, 20, true},                  // a request that fails is counted before it is answered
		{10, 10, 30, 20, false},               // before as well
		{1_000_000, 2_000_000, 0, 200, true},  // a million now, and few before
		{30_000, 1_000_000, 10, 1_000, false}, // before too few to be that sure
	} {
		if got := worse(tt.failed, tt.of, tt.failedBefore, tt.ofBefore); got != tt.want {
			t.Errorf("%d of %d, before %d of %d: %v, want %v", tt.failed, tt.of, tt.failedBefore, tt.ofBefore, got, tt.want)
		}
	}
}

var (
	good     = platform.Answers{All: 1000}
	failing  = platform.Answers{All: 1000, Failed: 300}
	broken   = platform.Answers{All: 1000, Failed: 300, Own: 300}
	anything = sight{service: "/s/x", from: "1.0", recent: good, ever: good, before: good}
)

// seen is an upgraded service with what its callers see now.
func seen(n int, now platform.Answers, change func(*sight)) sight {
	s := anything
	s.service, s.to, s.recent, s.ever, s.same = fmt.Sprint("/s/", n), "2.0", now, now, true
	if change != nil {
		change(&s)
	}
	return s
}

func TestJudge_HaltsOnlyWhereTheVersionIsToBlame(t *testing.T) {
	t.Parallel()
	fresh := func(s *sight) { s.fresh = true }
	changed := func(s *sight) { s.same = false }
	others := func(now platform.Answers, n int) (all []sight) {
		for range n {
			s := anything
			s.recent, s.ever = now, now
			all = append(all, s)
		}
		return all
	}
	upgraded := func(now platform.Answers, n int) (all []sight) {
		for i := range n {
			all = append(all, seen(i+10, now, changed))
		}
		return all
	}
	own := "Gateway 2.0 failed 30.00 % (300 of 1000) of requests by itself; 1.0 0.00 % (0 of 1000)."
	all5xx := "Gateway 2.0 answered 30.00 % (300 of 1000) of requests with 5xx; 1.0 0.00 % (0 of 1000)."
	for name, tt := range map[string]struct {
		all  []sight
		want *Illness
	}{
		"all is well":                                       {[]sight{seen(1, good, fresh), anything}, nil},
		"the gateway fails, any time":                       {[]sight{seen(1, broken, nil), anything}, &Illness{"/s/1", own, true}},
		"it did before":                                     {[]sight{seen(1, broken, func(s *sight) { s.before = broken })}, nil},
		"its owner has changed something, later":            {[]sight{seen(1, broken, changed)}, nil},
		"its owner has changed something, with the upgrade": {[]sight{seen(1, broken, func(s *sight) { s.fresh, s.same = true, false })}, &Illness{"/s/1", own, true}},
		"errors of a backend, with the upgrade":             {[]sight{seen(1, failing, fresh)}, &Illness{"/s/1", all5xx, true}},
		"errors of a backend, later":                        {[]sight{seen(1, failing, nil), seen(2, failing, nil)}, nil},
		"errors of many backends, later":                    {append(upgraded(good, 26), seen(1, failing, nil), seen(2, failing, nil), seen(3, failing, nil)), &Illness{"/s/1", all5xx, true}},
		"errors of a few backends of many, later":           {append(upgraded(good, 27), seen(1, failing, nil), seen(2, failing, nil), seen(3, failing, nil)), nil},
		"a backend is down for all":                         {append(others(failing, 2), seen(1, failing, fresh)), nil},
		"half of the others fail":                           {append(append(others(broken, 1), others(good, 1)...), seen(1, broken, nil)), nil},
		"a third of the others fails":                       {append(append(others(broken, 1), others(good, 2)...), seen(1, broken, nil)), &Illness{"/s/1", own, true}},
		"others fail otherwise":                             {append(others(failing, 2), seen(1, broken, nil)), &Illness{"/s/1", own, true}},
		"others without callers say nothing":                {append(others(platform.Answers{}, 2), seen(1, broken, nil)), &Illness{"/s/1", own, true}},
		"lately": {[]sight{seen(1, good, func(s *sight) { s.recent = platform.Answers{All: 20, Failed: 20, Own: 20} })}, &Illness{
			"/s/1", "Gateway 2.0 failed 100.00 % (20 of 20) of requests by itself; 1.0 0.00 % (0 of 1000).", true,
		}},
	} {
		if d := cmp.Diff(tt.want, judge(tt.all)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestCallers_CountWhatIsRecent(t *testing.T) {
	t.Parallel()
	at := func(shop, pool, fresh int64) []hosting.Answered {
		all := []hosting.Answered{
			{Machine: "g1", Service: "/s/shop", Gateway: "1.0", Digest: "d", Answers: platform.Answers{All: shop}},
			{Machine: "w1", Location: "westeurope", Gateway: "1.0", Answers: platform.Answers{All: pool}},
		}
		if fresh > 0 {
			all = append(all, hosting.Answered{Machine: "g2", Service: "/s/shop", Gateway: "2.0", Digest: "d", Answers: platform.Answers{All: fresh, Own: 1}})
		}
		return all
	}
	var c callers
	shop, pool, next := crew{"/s/shop", "1.0"}, crew{"pool of westeurope", "1.0"}, crew{"/s/shop", "2.0"}
	check := func(want map[crew]tally) {
		t.Helper()
		if d := cmp.Diff(want, c.tallies(), cmp.AllowUnexported(crew{}, tally{})); d != "" {
			t.Errorf("counted (-want +got):\n%s", d)
		}
	}
	n := func(all int64) platform.Answers { return platform.Answers{All: all} }
	c.note(noon, at(100, 10, 0))
	check(map[crew]tally{shop: {n(100), n(100), "d"}, pool: {n(10), n(10), ""}})
	c.note(noon.Add(time.Minute), at(110, 10, 0))
	check(map[crew]tally{shop: {n(110), n(110), "d"}, pool: {n(10), n(10), ""}})
	c.note(noon.Add(5*time.Minute), at(150, 10, 0))
	c.note(noon.Add(6*time.Minute), at(160, 3, 7)) // the worker began anew
	check(map[crew]tally{shop: {n(160), n(60), "d"}, pool: {n(3), n(3), ""}, next: {platform.Answers{All: 7, Own: 1}, platform.Answers{All: 7, Own: 1}, "d"}})
	c.note(noon.Add(10*time.Minute), at(200, 5, 7))
	c.note(noon.Add(15*time.Minute), at(250, 6, 8)) // noon is not recent any more
	check(map[crew]tally{shop: {n(250), n(100), "d"}, pool: {n(6), n(6), ""}, next: {platform.Answers{All: 8, Own: 1}, platform.Answers{All: 8, Own: 1}, "d"}})
}
