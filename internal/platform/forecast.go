package platform

import (
	"slices"
	"strconv"
	"time"
)

// A ForecastStep is one step of a forecast, with what holds once it is taken.
type ForecastStep struct {
	Step      string    `json:"step"`
	Platform  Version   `json:"platform"`       // that serves after the step
	Machines  int       `json:"machines"`       // listed and not draining
	Serving   int       `json:"serving"`        // of those, how many serve
	Accepting int       `json:"accepting"`      // and of those, how many on the address that names lead to
	VIPs      int       `json:"vips"`           // addresses held
	At        time.Time `json:"at,omitzero"`    // platform time, of what waits for one: the end of a coexistence
	Reached   bool      `json:"reached"`        // the wish holds from here on
	Sets      []string  `json:"sets,omitempty"` // platforms of the sets that exist
}

// Downtime is what callers notice of a change.
type Downtime string

// With None as many machines as before, or as wished for, take connections all the time; with Reduced fewer do for a
// while, with Waits none: connections wait. Ends is for what is deleted.
const (
	None    Downtime = "none"
	Reduced Downtime = "reduced"
	Waits   Downtime = "waits"
	Ends    Downtime = "ends"
)

// An Outlook is what a change means at one location, before it happens.
type Outlook struct {
	Location string  `json:"location"`
	Before   Version `json:"platformBefore"`
	After    Version `json:"platformAfter"`
	// Scenario is the number of the documents for the change, ScenarioName says which it is; empty for a change within
	// the platform, zones and network that are there.
	Scenario     int            `json:"scenario,omitempty"`
	ScenarioName string         `json:"scenarioName,omitempty"`
	Downtime     Downtime       `json:"downtime"`
	Steps        []ForecastStep `json:"steps"`
	// Addresses are those that answer, the one that names lead to first. An empty one is not known before it is there.
	AddressesBefore []string `json:"addressesBefore"`
	AddressesAfter  []string `json:"addressesAfter"`
	// Kept is the old address that goes on answering until the coexistence window ends; empty when there is none.
	Kept string `json:"addressKept,omitempty"`
	// WaitsFor is what is missing in the end, where a zone that the wish lists has no power; empty when it is reached.
	WaitsFor string `json:"waitsFor,omitempty"`
}

// forecastSteps bounds a forecast; the longest walk, 62 machines on stv1, takes about thirty steps.
const forecastSteps = 1000

// Forecast says which steps lead from where a service is to its wish, if nothing fails: the planner run without hands,
// on a fabric where everything works at once that has power. Of what is observed it is told which zones have none: a wish
// that needs one of them is not reached.
func Forecast(in Input) []ForecastStep {
	steps, _, _ := forecast(in)
	return steps
}

// Foresee says what the wish of an input means for a location that had another one, nil for none.
func Foresee(in Input, previous *Wish) Outlook {
	if in.Wish.Platform == MTv1 {
		return foreseeInPool(in)
	}
	was := in.State.Clone()
	steps, end, missing := forecast(in)
	o := Outlook{
		Location: in.Location, Before: was.platform(), After: end.platform(), Downtime: was.downtime(in.Wish, steps), Steps: steps,
		AddressesBefore: was.answering(), AddressesAfter: end.answering(), WaitsFor: missing,
	}
	if previous == nil {
		return o
	}
	if s, ok := ScenarioOf(*previous, in.Wish); ok {
		o.Scenario, o.ScenarioName = s.Number, s.Name
	}
	if !in.Wish.Gone && len(o.AddressesBefore) > 0 && len(o.AddressesAfter) > 0 && o.AddressesBefore[0] != o.AddressesAfter[0] {
		o.Kept = o.AddressesBefore[0]
	}
	return o
}

// foreseeInPool is for a service that lives in a pool: it joins, leaves, or is there.
func foreseeInPool(in Input) Outlook {
	o := Outlook{Location: in.Location, Before: Undetermined, After: MTv1, Downtime: None, Steps: []ForecastStep{}, AddressesBefore: []string{}, AddressesAfter: []string{}}
	if in.State.Active != "" {
		o.Before = MTv1
	}
	if in.Wish.Gone {
		o.After, o.Downtime = Undetermined, Ends
	}
	return o
}

// downtime is what callers notice of steps that begin at a state.
func (s *State) downtime(w Wish, steps []ForecastStep) Downtime {
	if w.Gone {
		return Ends
	}
	floor, worst := min(s.accepting(), w.Machines()), None
	for _, step := range steps {
		switch {
		case step.Accepting >= floor:
		case step.Accepting == 0:
			return Waits
		default:
			worst = Reduced
		}
	}
	return worst
}

// forecast runs the planner, and returns its steps, where they lead, and what is missing there.
func forecast(in Input) ([]ForecastStep, State, string) {
	made := 0
	in.NewID = func() string { made++; return "forecast-" + strconv.Itoa(made) }
	in.Deadline = 0
	if in.Clock.IsZero() {
		in.Clock = in.Now
	}
	in.State = in.State.Clone()
	steps := []ForecastStep{}
	var at time.Time
	for len(steps) < forecastSteps {
		in.imagine()
		d := Next(in)
		switch {
		case d.Step != "":
			in.State = d.State
			steps = append(steps, in.step(d.Step, at))
			at = time.Time{}
			in.imagine()
			steps[len(steps)-1].Reached = newPlan(in).reached
		case d.Due.After(in.Clock):
			in.Clock, at = d.Due, d.Due
		case d.Reached:
			return steps, in.State, ""
		default:
			return steps, in.State, d.Wait
		}
	}
	return steps, in.State, "further steps"
}

// unknownAddress stands for an address that nobody knows yet.
const unknownAddress = "to be reserved"

// imagine fills the observation as if the fabric had done everything that the record lists, where there is power.
func (in *Input) imagine() {
	in.Observation = Observation{Machines: map[string]MachineStatus{}, VIPs: map[string][]string{}, Down: in.Observation.Down}
	seq := in.Seq
	for i := range in.State.VIPs {
		v := &in.State.VIPs[i]
		if v.Address == "" {
			if v.Address = v.Wanted; v.Address == "" {
				v.Address = unknownAddress
			}
		}
		seq = max(seq, v.Since)
		in.Observation.VIPs[v.ID] = v.Sets
	}
	for _, s := range in.State.Sets {
		for _, m := range s.Machines {
			switch {
			case m.Mode == Draining:
			case slices.Contains(in.Observation.Down, m.Zone):
				in.Observation.Machines[m.ID] = MachineStatus{ID: m.ID, Phase: Exited}
			default:
				in.Observation.Machines[m.ID] = MachineStatus{ID: m.ID, Phase: Ready, Mode: m.Mode, Seq: max(seq, s.Required)}
			}
		}
	}
}

// step describes the record after a step.
func (in *Input) step(name string, at time.Time) ForecastStep {
	f := ForecastStep{Step: name, Platform: in.State.platform(), Accepting: in.State.accepting(), VIPs: len(in.State.VIPs), At: at}
	for _, s := range in.State.Sets {
		f.Sets = append(f.Sets, string(s.Version()))
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

// platform is that of the set that serves.
func (s *State) platform() Version {
	if active := s.Set(s.Active); active != nil {
		return active.Version()
	}
	return Undetermined
}

// accepting counts the machines that take connections on the address that names lead to.
func (s *State) accepting() (n int) {
	if len(s.VIPs) == 0 {
		return 0
	}
	for _, id := range s.VIPs[0].Sets {
		if set := s.Set(id); set != nil {
			for _, m := range set.Machines {
				if m.Mode == Serving {
					n++
				}
			}
		}
	}
	return n
}

// answering lists the addresses that lead to machines.
func (s *State) answering() []string {
	out := []string{}
	for _, v := range s.VIPs {
		switch {
		case len(v.Sets) == 0:
		case v.Address == unknownAddress:
			out = append(out, "")
		default:
			out = append(out, v.Address)
		}
	}
	return out
}
