package hosting

import (
	"encoding/json"
	"fmt"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Addresses lists the public addresses that are somebody's: those of all VIPs but one, of NAT gateways, those that
// are prepared for migrations, and those that public IP address resources hold. Who picks an address picks none of these.
func Addresses(r store.Reader, exceptVIP string) ([]string, error) {
	services, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range services {
		st, err := statusOf(d)
		if err != nil {
			return nil, err
		}
		for _, l := range st.Locations() {
			for _, w := range []*platform.Wish{&l.Wish, l.Previous} {
				if w != nil && !w.Gone {
					out = append(out, w.Holds()...)
				}
			}
			for _, v := range l.Hosting.VIPs {
				if v.ID != exceptVIP && v.Address != "" && !v.Inside {
					out = append(out, v.Address)
				}
			}
		}
	}
	held, err := r.List(store.Query{Type: typePublicIP})
	if err != nil {
		return nil, err
	}
	for _, d := range held {
		var st struct {
			IPAddress string `json:"ipAddress"`
		}
		if err := json.Unmarshal(d.Status, &st); err != nil {
			return nil, fmt.Errorf("decode status of %s: %w", d.ID, err)
		}
		if st.IPAddress != "" {
			out = append(out, st.IPAddress)
		}
	}
	return out, nil
}
