package management

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// typeWindow is the type of the document with the maintenance window of a service; hosting reads it.
const typeWindow = "portico/maintenancewindows"

// A windowView is the window of a service as it is answered. The cloud service shows it in its portal alone.
type windowView struct {
	platform.Maintenance
	Hours    int    `json:"hours"`
	TimeZone string `json:"timeZone"` // of the location
	Channel  string `json:"releaseChannel"`
	Next     span   `json:"next"` // the window that is open, or the next one
	// Upcoming is what a rollout will do with the service.
	Upcoming any `json:"upcoming,omitempty"`
}

type span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// maintenanceWindow shows, sets, or takes back when the platform may work on a service of its own accord.
func (q *request) maintenanceWindow() (*reply, *arm.Error) {
	switch q.r.Method {
	case http.MethodGet:
		return q.showMaintenance()
	case http.MethodPut:
		return q.putMaintenance()
	case http.MethodDelete:
		err := q.update(func(tx store.Tx) error {
			p, err := q.existing(tx)
			if err != nil {
				return err
			}
			return tx.Delete(p.doc.ID + platform.MaintenanceBelow)
		})
		return &reply{status: http.StatusNoContent}, err
	}
	return nil, q.noSuchMethod()
}

func (q *request) putMaintenance() (*reply, *arm.Error) {
	body, err := q.readBody()
	if err != nil {
		return nil, err
	}
	var in platform.Maintenance
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, badBody(err)
	}
	m, perr := in.Normal()
	if perr != nil {
		return nil, problem(http.StatusBadRequest, platform.CodeInvalidParameters, "The maintenance window is not understood: %s.", perr)
	}
	err = q.update(func(tx store.Tx) error {
		p, err := q.existing(tx)
		if err != nil {
			return err
		}
		if serviceStatus(p.doc).Wish.Tier == platform.Consumption {
			return problem(http.StatusBadRequest, platform.CodeInvalidParameters, "A service of tier %s shares its machines with others: its window is that of its location.", platform.Consumption)
		}
		desired, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = tx.Put(store.Document{ID: p.doc.ID + platform.MaintenanceBelow, Type: typeWindow, Desired: desired})
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.showMaintenance()
}

func (q *request) showMaintenance() (*reply, *arm.Error) {
	var m windowView
	id := ""
	err := q.view(func(t store.Reader) error {
		p, err := q.locate(t)
		if err != nil {
			return err
		}
		if p.doc == nil {
			return q.notFound(q.row, p.id)
		}
		id = p.doc.ID
		o, err := q.engine.Open(*p.doc)
		if err != nil {
			return err
		}
		st := serviceStatus(p.doc)
		m.Channel = string(platform.ChannelOf(st.Wish.Tier, o.Text("properties.releaseChannel")))
		zone := platform.Zone(st.Name)
		m.Hours, m.TimeZone = int(platform.WindowTakes.Hours()), zone.String()
		d, err := get(t, id+platform.MaintenanceBelow)
		if err != nil {
			return err
		}
		if d != nil && st.Wish.Tier != platform.Consumption {
			if err := json.Unmarshal(d.Desired, &m.Maintenance); err != nil {
				return err
			}
		}
		m.Next.From, m.Next.To = m.Window(zone, q.opt.Clock.Now())
		m.Start = m.Begins()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if q.opt.Upcoming != nil {
		m.Upcoming = q.opt.Upcoming(q.r.Context(), id)
	}
	return &reply{status: http.StatusOK, body: m}, nil
}
