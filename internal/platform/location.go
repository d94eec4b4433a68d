package platform

import (
	"slices"
	"strings"
)

// A Location is one location of a service: what it should become, and what there is.
type Location struct {
	Name string `json:"location"` // normalised: westeurope
	// Wish is the aim; Previous is what it replaced, restored when the operation gives up: nil when the location had
	// nothing before.
	Wish     Wish  `json:"wish"`
	Previous *Wish `json:"previous,omitempty"`
	Hosting  State `json:"hosting"`
}

// A LocationWish is what a client asks for at one location.
type LocationWish struct {
	Location string // normalised
	Wish     Wish
}

// Platform is the version that serves at the location right now, as the wire spells it; Undetermined while nothing does.
func (l Location) Platform() Version {
	if l.Hosting.Active == "" {
		return Undetermined
	}
	if set := l.Hosting.Set(l.Hosting.Active); set != nil {
		return set.Version()
	}
	return MTv1 // the pool's set is in the pool's record
}

// RegionalHost is the host name that leads to one location of a service alone.
func RegionalHost(service, location, domain string) string {
	return strings.ToLower(service + "-" + location + "-01.regional." + domain)
}

// Locations lists the locations, the primary one first. The pointers lead into s.
func (s *ServiceStatus) Locations() []*Location {
	all := []*Location{&s.Location}
	for i := range s.Others {
		all = append(all, &s.Others[i])
	}
	return all
}

// Leaves says whether a location is an additional one that is to go. The pointer is one of Locations.
func (s *ServiceStatus) Leaves(l *Location) bool { return l.Wish.Gone && l != &s.Location }

// NextAll decides at every location, in the order of Locations, what to do next; next asks about the i-th. Where an
// operation takes a location away, the location stays until all others are there: should one of them fail, everything is
// as it was.
func (s *ServiceStatus) NextAll(operation bool, next func(i int) Decision) []Decision {
	locations := s.Locations()
	all, there := make([]Decision, len(locations)), true
	for i, l := range locations {
		if !s.Leaves(l) {
			all[i] = next(i)
			there = there && all[i].Reached
		}
	}
	for i, l := range locations {
		switch {
		case !s.Leaves(l):
		case there || !operation:
			all[i] = next(i)
		default:
			all[i] = Decision{State: l.Hosting, Wait: "the other locations are not there yet"}
		}
	}
	return all
}

// Change gives every location that has something another wish, made from the one it has.
func (s *ServiceStatus) Change(to func(Wish) Wish) {
	for _, l := range s.Locations() {
		if !l.Wish.Gone {
			l.want(to(l.Wish))
		}
	}
}

// Want gives the locations their wishes, the primary one first. One that is listed no longer is to go, and stays on
// record until it has.
func (s *ServiceStatus) Want(primary Wish, others []LocationWish) {
	s.Location.want(primary)
	var next []Location
	for _, w := range others {
		l := Location{Name: w.Location, Wish: Wish{Gone: true}}
		if i := slices.IndexFunc(s.Others, func(o Location) bool { return o.Name == w.Location }); i >= 0 {
			l = s.Others[i]
			s.Others = slices.Delete(slices.Clone(s.Others), i, i+1)
		}
		l.want(w.Wish)
		next = append(next, l)
	}
	for _, l := range s.Others {
		gone := l.Wish
		gone.Gone = true
		l.want(gone)
		next = append(next, l)
	}
	s.Others = next
}

// want replaces the wish of a location.
func (l *Location) want(w Wish) {
	was := l.Wish
	l.Wish, l.Previous = w, &was
	if was.Gone || was.Tier == "" {
		l.Previous = nil
	}
}

// Same says whether two wishes make the same of compute. How an address is treated matters only when something moves.
func (w Wish) Same(o Wish) bool {
	return w.Platform == o.Platform && w.Tier == o.Tier && w.Units == o.Units && w.Gateway == o.Gateway && w.Hardware == o.Hardware && w.Renewal == o.Renewal && w.Disabled == o.Disabled && w.Gone == o.Gone && w.NAT == o.NAT &&
		SameInjection(w.Injection, o.Injection) && sameZones(w.Zones, o.Zones)
}

// Wants says whether the locations have these wishes already.
func (s *ServiceStatus) Wants(primary Wish, others []LocationWish) bool {
	var have []LocationWish
	for _, l := range s.Others {
		if !l.Wish.Gone {
			have = append(have, LocationWish{Location: l.Name, Wish: l.Wish})
		}
	}
	return s.Wish.Same(primary) && slices.EqualFunc(have, others, func(a, b LocationWish) bool {
		return a.Location == b.Location && a.Wish.Same(b.Wish)
	})
}

// GoBack restores the wishes that an operation has replaced. A location that had nothing before goes.
func (s *ServiceStatus) GoBack() {
	for _, l := range s.Locations() {
		if l.Previous != nil {
			l.Wish, l.Previous = *l.Previous, nil
		} else {
			l.Wish.Gone = true
		}
	}
}

// Settle makes the wishes those that a later operation goes back to.
func (s *ServiceStatus) Settle() {
	for _, l := range s.Locations() {
		l.Previous = nil
	}
}

// Forget takes the additional locations off the record that are gone, and nothing is left of.
func (s *ServiceStatus) Forget() {
	s.Others = slices.DeleteFunc(slices.Clone(s.Others), func(l Location) bool { return l.Wish.Gone && l.Hosting.Empty() })
	if len(s.Others) == 0 {
		s.Others = nil
	}
}

// Clone returns a copy that shares no state of a location with s.
func (s *ServiceStatus) Clone() ServiceStatus {
	c := *s
	c.Others = slices.Clone(s.Others)
	for _, l := range c.Locations() {
		l.Hosting = l.Hosting.Clone()
	}
	return c
}
