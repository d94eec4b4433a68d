package rollout

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// A View is a rollout as it is shown.
type View struct {
	Number    int       `json:"number"`
	Version   string    `json:"version"`
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Service   string    `json:"service,omitempty"` // that halted it
	Started   time.Time `json:"started"`           // platform time, as all times here
	Ended     time.Time `json:"ended,omitzero"`
	BakeUntil time.Time `json:"bakeUntil,omitzero"`
	// Percent is how many of the services run the version.
	Percent int `json:"percent"`
	// Gateways are the versions that new services of each channel get.
	Gateways map[platform.Channel]string `json:"gateways"`
	Stages   []Stage                     `json:"stages"`
	Services []Seat                      `json:"services,omitempty"`
}

// A Stage is a group of a channel.
type Stage struct {
	Channel  platform.Channel `json:"channel"`
	Group    int              `json:"group"` // from 1
	Share    int              `json:"share"`
	Bake     string           `json:"bake"` // ISO 8601
	State    string           `json:"state"`
	Services int              `json:"services"`
	Upgraded int              `json:"upgraded"`
	// Begins and Ends are the earliest times that windows and baking allow; absent for what is over.
	Begins time.Time `json:"begins,omitzero"`
	Ends   time.Time `json:"ends,omitzero"`
}

// States of a stage.
const (
	stageWaits     = "Waiting"
	stageUpgrades  = "Upgrading"
	stageBakes     = "Baking"
	stageDone      = "Done"
	stageUndone    = "RolledBack"
	stageGoingBack = "RollingBack"
)

// A Seat is a service in a rollout.
type Seat struct {
	Service   string           `json:"service"`
	Channel   platform.Channel `json:"channel"`
	Group     int              `json:"group"` // from 1
	Gateway   string           `json:"gateway"`
	Place     Place            `json:"place,omitempty"`
	At        time.Time        `json:"at,omitzero"`       // when it came there
	Earliest  time.Time        `json:"earliest,omitzero"` // when its upgrade can begin, for one whose turn has not come
	Operation string           `json:"operation,omitempty"`
	// Before is what callers were answered before the upgrade, for some minutes or longer; Now since then. Services that
	// share their machines have both together.
	Before *platform.Answers `json:"before,omitempty"`
	Now    *platform.Answers `json:"now,omitempty"`
}

// List shows all rollouts that are kept, newest first; the newest one with its services.
func (x *Runner) List(ctx context.Context) ([]View, error) {
	out := []View{}
	err := x.st.View(ctx, func(r store.Reader) error {
		docs, err := r.List(store.Query{Type: typeRollout})
		if err != nil {
			return err
		}
		for i, d := range slices.Backward(docs) {
			rec, err := decode(d)
			if err != nil {
				return err
			}
			v := rec.view()
			if i == len(docs)-1 {
				touched, err := members(r, rec.Number)
				if err != nil {
					return err
				}
				all, err := services(r, x.opt.Gateway, touched)
				if err != nil {
					return err
				}
				v.fill(rec.Rollout, all, x.opt.Clock.Now(), x.opt.Clock.Timed())
				v.tell(all, x.tallies())
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// Forecast is what a rollout would be that began now.
func (x *Runner) Forecast(ctx context.Context, a Ask) (View, error) {
	if err := a.check(); err != nil {
		return View{}, err
	}
	r := Rollout{Version: a.Version, State: Running, Groups: a.Groups, Parallel: a.Parallel, AnyTime: a.AnyTime, Keep: a.Keep, Started: x.opt.Clock.Now()}
	var all []service
	err := x.st.View(ctx, func(from store.Reader) (err error) {
		if last, err := newest(from); err != nil || last != nil {
			if last != nil {
				r.Before = last.gateways()
			}
			if err != nil {
				return err
			}
		} else if r.Before, err = x.before(from, r.Version); err != nil {
			return err
		}
		all, err = services(from, x.opt.Gateway, nil)
		return err
	})
	if err != nil {
		return View{}, err
	}
	v := r.view()
	v.fill(r, all, x.opt.Clock.Now(), x.opt.Clock.Timed())
	return v, nil
}

// view is what the record alone tells.
func (r Rollout) view() View {
	v := View{
		Number: r.Number, Version: r.Version, State: r.State, Reason: r.Reason, Service: r.Service,
		Started: r.Started, Ended: r.Ended, BakeUntil: r.BakeUntil, Gateways: r.gateways(), Stages: []Stage{},
	}
	for i := range r.stages() {
		c, g := r.channel(i)
		v.Stages = append(v.Stages, Stage{Channel: c, Group: g + 1, Share: r.Groups[g].Share, Bake: pace.FormatDuration(r.Groups[g].Bake), State: r.stageState(i)})
	}
	if r.State == Succeeded {
		v.Percent = 100
	}
	return v
}

func (r Rollout) stageState(i int) string {
	switch {
	case i > r.Stage:
		return stageWaits
	case r.State == RolledBack:
		return stageUndone
	case r.State == RollingBack:
		return stageGoingBack
	case i < r.Stage:
		return stageDone
	case r.State != Running:
		return string(r.State)
	case !r.BakeUntil.IsZero():
		return stageBakes
	}
	return stageUpgrades
}

// fill adds the services, and when the turn of each comes at the earliest: the same windows and the same bake times that
// decide goes by.
func (v *View) fill(r Rollout, all []service, now time.Time, timed bool) {
	all = r.arrange(all)
	done, count := 0, 0
	goesOn := r.State == Running
	begins := now
	for i := range v.Stages {
		stage := &v.Stages[i]
		ends, waits := begins, false
		for _, s := range all {
			if s.gone || s.at != i {
				continue
			}
			seat := s.seat(r)
			stage.Services++
			count++
			d := decision{next: r}
			switch wants := d.wants(s); {
			case s.gateway == r.Version && s.place() != Upgrading:
				stage.Upgraded++
				done++
			case wants && goesOn:
				waits = true
				seat.Earliest = earliest(r, s, begins)
				if end := seat.Earliest.Add(takes(s, r, timed)); end.After(ends) {
					ends = end
				}
			}
			v.Services = append(v.Services, seat)
		}
		if !goesOn || i < r.Stage {
			continue
		}
		_, g := r.channel(i)
		switch {
		case i == r.Stage && !r.BakeUntil.IsZero():
			ends = r.BakeUntil
		case waits || i == r.Stage && stage.Upgraded > 0:
			ends = ends.Add(r.Groups[g].Bake)
		}
		if stage.Services > 0 {
			stage.Begins, stage.Ends = begins, ends
		}
		begins = ends
	}
	if count > 0 {
		v.Percent = 100 * done / count
	}
}

// tell adds what callers see.
func (v *View) tell(all []service, counted map[crew]tally) {
	by := make(map[string]service, len(all))
	for _, s := range all {
		by[s.id] = s
	}
	for i := range v.Services {
		seat := &v.Services[i]
		s := by[seat.Service]
		if s.member == nil || s.member.Before == (platform.Answers{}) {
			continue
		}
		if now, ok := counted[crew{s.division(), s.member.To}]; ok { // not any more, when it has gone back
			seat.Before, seat.Now = &s.member.Before, &now.ever
		}
	}
}

func (s service) seat(r Rollout) Seat {
	_, g := r.channel(s.at)
	out := Seat{Service: s.id, Channel: s.channel, Group: g + 1, Gateway: s.gateway, Place: s.place()}
	if s.member != nil {
		out.At, out.Operation = s.member.At, s.member.Operation
	}
	return out
}

// earliest is when the upgrade of a service can begin that may begin from a time on.
func earliest(r Rollout, s service, from time.Time) time.Time {
	if r.AnyTime || s.place() == Upgrading {
		return from
	}
	open, _ := s.window.Window(platform.Zone(s.location), from)
	if open.After(from) {
		return open
	}
	return from
}

// takes is how long the upgrade of a service takes at its pace.
func takes(s service, r Rollout, timed bool) time.Duration {
	if !timed || s.operation != "" {
		return 0
	}
	was := platform.Wish{Tier: s.tier, Gateway: s.gateway}
	next := was
	next.Gateway = r.Version
	return platform.Takes(&was, next)
}

// Upcoming is what the newest rollout will do with a service; ok is false when that is nothing.
func (x *Runner) Upcoming(ctx context.Context, service string) (seat Seat, version string, ok bool, err error) {
	all, err := x.List(ctx)
	if err != nil || len(all) == 0 {
		return Seat{}, "", false, err
	}
	i := slices.IndexFunc(all[0].Services, func(s Seat) bool { return strings.EqualFold(s.Service, service) && !s.Earliest.IsZero() })
	if i < 0 {
		return Seat{}, "", false, nil
	}
	return all[0].Services[i], all[0].Version, true, nil
}
