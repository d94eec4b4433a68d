package platform

import (
	"strconv"
	"time"
)

// A ForecastStep is one step of a forecast, with what holds once it is taken.
type ForecastStep struct {
	Step     string    `json:"step"`
	Platform Version   `json:"platform"`       // that serves after the step
	Machines int       `json:"machines"`       // listed and not draining
	Serving  int       `json:"serving"`        // of those, how many serve
	VIPs     int       `json:"vips"`           // addresses held
	At       time.Time `json:"at,omitzero"`    // set for what waits for a time: the end of a coexistence
	Reached  bool      `json:"reached"`        // the wish holds from here on
	Sets     []string  `json:"sets,omitempty"` // platforms of the sets that exist
}

// forecastSteps bounds a forecast; the longest walk, 62 machines on stv1, takes about thirty steps.
const forecastSteps = 1000

// Forecast says which steps lead from where a service is to its wish, if nothing fails: the planner run without hands,
// on a fabric where everything works at once.
func Forecast(in Input) []ForecastStep {
	made := 0
	in.NewID = func() string { made++; return "forecast-" + strconv.Itoa(made) }
	in.Observation, in.Deadline = Observation{}, 0
	if in.Clock.IsZero() {
		in.Clock = in.Now
	}
	in.State = in.State.Clone()
	var steps []ForecastStep
	var at time.Time
	for len(steps) < forecastSteps {
		in.imagine()
		d := Next(in)
		switch {
		case d.Step != "":
			in.State = d.State
			steps = append(steps, in.step(d.Step, at))
			at = time.Time{}
			if in.imagine(); len(steps) > 0 {
				steps[len(steps)-1].Reached = newPlan(in).reached
			}
		case d.Due.After(in.Clock):
			in.Clock, at = d.Due, d.Due
		default:
			return steps
		}
	}
	return steps
}

// imagine fills the observation as if the fabric had done everything that the record lists.
func (in *Input) imagine() {
	in.Observation = Observation{Machines: map[string]MachineStatus{}, VIPs: map[string][]string{}}
	seq := in.Seq
	for i := range in.State.VIPs {
		v := &in.State.VIPs[i]
		if v.Address == "" {
			v.Address = "to be reserved"
		}
		seq = max(seq, v.Since)
		in.Observation.VIPs[v.ID] = v.Sets
	}
	for _, s := range in.State.Sets {
		for _, m := range s.Machines {
			if m.Mode != Draining {
				in.Observation.Machines[m.ID] = MachineStatus{ID: m.ID, Phase: Ready, Mode: m.Mode, Seq: max(seq, s.Required)}
			}
		}
	}
}

// step describes the record after a step.
func (in *Input) step(name string, at time.Time) ForecastStep {
	f := ForecastStep{Step: name, Platform: Undetermined, VIPs: len(in.State.VIPs), At: at}
	if s := in.State.Set(in.State.Active); s != nil {
		f.Platform = s.Platform
	}
	for _, s := range in.State.Sets {
		f.Sets = append(f.Sets, string(s.Platform))
		for _, m := range s.Machines {
			if m.Mode != Draining {
				f.Machines++
			}
			if m.Mode == Serving {
				f.Serving++
			}
		}
	}
	return f
}
