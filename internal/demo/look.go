package demo

import (
	"context"
	"net/http"
)

// units is what the extension Portico.Hosting/units says of a service.
type units struct {
	Locations []struct {
		PlatformVersion string `json:"platformVersion"`
		Sets            []struct {
			ID       string `json:"id"`
			Active   bool   `json:"active"` // names and the newest address lead to it
			Machines []struct {
				ID    string `json:"id"`
				Zone  string `json:"zone"`
				Mode  string `json:"mode"`
				Phase string `json:"phase"`
				PID   int    `json:"pid"`
			} `json:"machines"`
		} `json:"sets"`
		VIPs []struct {
			Address string `json:"address"`
		} `json:"vips"`
		Coexistence *struct{} `json:"coexistence"`
	} `json:"locations"`
}

func (d *demo) units(ctx context.Context, name string) (units, error) {
	res, err := d.client.Do(ctx, http.MethodGet, d.service(name)+"/providers/Portico.Hosting/units", latest, nil)
	if err != nil {
		return units{}, err
	}
	var u units
	return u, res.Decode(&u)
}

// settled says that nothing is kept from before a migration.
func (u units) settled() bool {
	for _, l := range u.Locations {
		if l.Coexistence != nil || len(l.Sets) != 1 || len(l.VIPs) != 1 {
			return false
		}
	}
	return true
}

// machines lists the machines that answer at the newest address.
func (u units) machines() []string {
	var ids []string
	for _, l := range u.Locations {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if s.Active && m.Mode == "serving" {
					ids = append(ids, m.ID)
				}
			}
		}
	}
	return ids
}

// serving is the process of a machine that serves; 0 when there is none.
func (u units) serving() int {
	for _, l := range u.Locations {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.Mode == "serving" && m.Phase == "ready" {
					return m.PID
				}
			}
		}
	}
	return 0
}

// healthy says that every machine that is listed is ready.
func (u units) healthy() bool {
	for _, l := range u.Locations {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.Phase != "ready" {
					return false
				}
			}
		}
	}
	return true
}

func (u units) has(pid int) bool {
	for _, l := range u.Locations {
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.PID == pid {
					return true
				}
			}
		}
	}
	return false
}

// look is what the table shows of a service.
func (d *demo) look(ctx context.Context, name string) (look, error) {
	u, err := d.units(ctx, name)
	if err != nil {
		return look{}, err
	}
	seen := look{Machines: map[string]int{}}
	for _, l := range u.Locations {
		seen.Platform = l.PlatformVersion
		for _, v := range l.VIPs {
			seen.VIPs = append(seen.VIPs, v.Address)
		}
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				seen.Machines[m.Zone]++
			}
		}
	}
	return seen, nil
}
