package platform_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/platform"
)

// An event is something that may happen to a service at any time.
type event string

const (
	wishes   event = "wish"    // another wish, which never fails
	operates event = "operate" // another wish, as an operation that may fail and then goes back
	scales   event = "scale"   // an operation for other units
	upgrades event = "upgrade" // an operation for another version of the gateway
	replaces event = "replace" // another version of what a wish without one means, which never fails
	cancels  event = "cancel"  // the operation is given up by its client
	turns    event = "turn"    // an operation that goes back to where the service was moved from
	darkens  event = "darken"  // zones lose their power, others get it back
)

var events = []event{wishes, wishes, operates, scales, upgrades, replaces, cancels, turns, darkens, darkens}

// Ways in which machines fail that an operation brings, as a new version of the gateway may, or a host.
const (
	crashes = "crashes"
	hangs   = "hangs"
	refuses = "refuses"
	lies    = "lies"
)

// A curse is what befalls one of so many of the machines that an operation brings.
type curse struct {
	how  string // empty: nothing
	odds int
}

// fall lets a machine that is new have its share.
func (c curse) fall(s *sim, m *simMachine) {
	if c.how != "" && s.deadline > 0 && s.rnd.IntN(c.odds) == 0 {
		m.curse, m.dead = c.how, c.how == crashes
	}
}

// show lets a machine that has just become ready say what others may see.
func (m *simMachine) show() {
	switch m.curse {
	case refuses:
		m.refused = "/apis/a: too new"
	case lies:
		m.runs = "0"
	}
}

// begin starts an operation of five minutes at most.
func (s *sim) begin(t *rapid.T, w platform.Wish) {
	s.curse = curse{rapid.SampledFrom([]string{"", "", crashes, hangs, refuses, lies}).Draw(t, "curse"), rapid.IntRange(1, 4).Draw(t, "odds")}
	s.trusted, s.began = map[string]bool{}, s.now
	s.unmoved.active, s.unmoved.mayReaddress = s.state.Active, s.mayReaddress
	if set := s.state.Set(s.state.Active); set != nil && !s.wish.Gone && s.wish.Form(*set) && w.Form(*set) && s.wanted(s.wish) == s.wanted(w) {
		for _, m := range set.Machines {
			s.trusted[m.ID] = m.Mode == platform.Serving
		}
	}
	s.try(w)
}

// conclude ends an operation that is reached, has failed, or takes too long.
func (s *sim) conclude(d platform.Decision) error {
	const longest = 5 * time.Minute
	switch {
	case s.deadline == 0:
		if d.Failed != nil {
			return fmt.Errorf("a wish failed that is no operation: %+v", d.Failed)
		}
	case d.Failed != nil:
		s.story = append(s.story, d.Failed.Message)
		err := s.blames(*d.Failed)
		s.cancel()
		return err
	case d.Reached && d.Step == "":
		s.end()
	case s.now.Sub(s.began) > longest:
		s.cancel()
	}
	return nil
}

// blames says whether a failure came too soon, or names a machine that the operation must not fail for.
func (s *sim) blames(f platform.Failure) error {
	late := f.Code == platform.CodeNotReady || f.Code == platform.CodeNotServing
	if late && s.now.Sub(s.began) < s.deadline {
		return fmt.Errorf("%s after %v", f.Code, s.now.Sub(s.began))
	}
	words := strings.Fields(f.Message)
	m := s.machines[words[1]]
	switch {
	case f.Code == platform.CodeNotServing:
		return nil
	case words[0] != "Machine" || m == nil && f.Code != platform.CodeNotReady:
		return fmt.Errorf("%q is no machine's fault", f.Message)
	case s.trusted[words[1]]:
		return fmt.Errorf("%q: it served before", f.Message)
	case m != nil && (m.spec.Mode == platform.Draining || m.spec.Gateway != s.version(s.wish) || m.spec.Hardware != s.wish.Hardware):
		return fmt.Errorf("%q: it is %s and of version %s", f.Message, m.spec.Mode, m.spec.Gateway)
	}
	return nil
}

// cancel gives an operation up. An address that has not moved stays.
func (s *sim) cancel() {
	if s.deadline == 0 {
		return
	}
	s.story = append(s.story, "give up")
	s.giveUp()
	if s.state.Active == s.unmoved.active {
		s.mayReaddress = s.unmoved.mayReaddress
	}
	s.heal()
}

// end ends an operation well.
func (s *sim) end() {
	s.previous, s.deadline = nil, 0
	s.heal()
}

// heal lets machines work that only failed because of an operation and that nobody replaces.
func (s *sim) heal() {
	for _, m := range s.machines {
		if m.curse != "" {
			m.curse, m.refused, m.runs, m.dead = "", "", "", false
		}
	}
}

// power cuts the power of zones, and turns that of all others on: their machines begin anew.
func (s *sim) power(down []string) {
	for _, m := range s.machines {
		was, is := s.dark(m), slices.Contains(down, m.spec.Zone)
		switch {
		case is && !was:
			m.phase, m.since, m.hangs = platform.Exited, s.now, 0
			s.crashes++
		case was && !is:
			m.phase, m.since = platform.Starting, s.now
		}
	}
	s.down = down
	s.story = append(s.story, fmt.Sprintf("zones down: %v", down))
}

// dark says whether a machine has no power.
func (s *sim) dark(m *simMachine) bool { return slices.Contains(s.down, m.spec.Zone) }

// meets lets something happen. What has no meaning now, such as to cancel without an operation, is nothing.
func (s *sim) meets(t *rapid.T, draw func(*rapid.T) platform.Wish, number int) {
	version := strconv.Itoa(number + 2)
	switch rapid.SampledFrom(events).Draw(t, "event") {
	case wishes:
		s.end()
		s.want(draw(t))
	case operates:
		s.begin(t, draw(t))
	case scales:
		if !s.wish.Gone {
			s.begin(t, scaled(s.wish, rapid.IntRange(1, 6).Draw(t, "units")))
		}
	case upgrades:
		if w := s.wish; !w.Gone {
			w.Gateway = version
			w = w.On(drawHardware(t))
			s.begin(t, w)
		}
	case replaces:
		s.end()
		s.upgrade(version)
	case cancels:
		s.cancel()
	case turns:
		if w, err := s.wayBack(); err == nil && !s.wish.Gone {
			s.begin(t, w)
		}
	case darkens:
		s.power(rapid.SampledFrom([][]string{{"1"}, {"2"}, {"1", "3"}, {"1", "2", "3"}, nil}).Draw(t, "down"))
	}
}

// scaled is a wish with other units, as many as its tier and its zones allow.
func scaled(w platform.Wish, units int) platform.Wish {
	w.Units = min(units, max(1, w.Tier.Facts().MaxUnits))
	if w.Platform == platform.MTv1 {
		w.Units = units
	}
	if n := len(w.Zones); n > 0 {
		w.Units = (w.Units + n - 1) / n * n
	}
	return w
}
