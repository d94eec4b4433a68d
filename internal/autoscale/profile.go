package autoscale

import "time"

// Profile is the profile that holds at a time: a fixed date comes first, then what recurs, then the one that is left;
// nil for none.
func (s Setting) Profile(now time.Time) *Profile {
	var recurring, rest *Profile
	var latest time.Time
	for i := range s.Profiles {
		p := &s.Profiles[i]
		switch {
		case p.FixedDate != nil:
			if !now.Before(p.FixedDate.Start) && now.Before(p.FixedDate.End) {
				return p
			}
		case p.Recurrence != nil:
			if begun := p.Recurrence.last(now); begun.After(latest) {
				recurring, latest = p, begun
			}
		case rest == nil:
			rest = p
		}
	}
	if recurring != nil {
		return recurring
	}
	return rest
}

// last is when the recurrence last began, at or before a time.
func (r *Recurrence) last(now time.Time) (latest time.Time) {
	local := now.In(r.Zone)
	const week = 7
	for back := 0; back <= week; back++ {
		for _, day := range r.Days {
			at := time.Date(local.Year(), local.Month(), local.Day()-back, 0, 0, 0, 0, r.Zone)
			if at.Weekday() != day {
				continue
			}
			for _, h := range r.Hours {
				for _, m := range r.Minutes {
					t := time.Date(at.Year(), at.Month(), at.Day(), h, m, 0, 0, r.Zone)
					if !t.After(now) && t.After(latest) {
						latest = t
					}
				}
			}
		}
		if !latest.IsZero() {
			return latest
		}
	}
	return latest
}
