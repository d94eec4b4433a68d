package hosting

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/portico-dev/portico/internal/immutable"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Holdings know which public addresses are somebody's: those of all VIPs, of NAT gateways, those that are prepared for
// migrations, and those that public IP address resources hold. Who picks an address picks none of these.
//
// They remember what documents held when they were read last and read those that have changed since: a look costs what
// has changed, not what there is. The zero value has read nothing yet.
type Holdings struct {
	last atomic.Pointer[holdings]
}

// Addresses lists the addresses that are somebody's, but for that of one VIP.
func (h *Holdings) Addresses(r store.Reader, exceptVIP string) ([]string, error) {
	known := h.last.Load()
	if known == nil {
		known = &holdings{}
	}
	now, err := known.at(r)
	if err != nil {
		return nil, err
	}
	if _, writes := r.(store.Tx); !writes { // what a transaction sees may never come to be
		h.last.Store(now)
	}
	return now.but(exceptVIP), nil
}

// holdings are what documents hold at one Seq.
type holdings struct {
	seq int64
	of  immutable.Map[holder, []holding]
}

// A holder is the key of a service or of a public IP address.
type holder string

// Hash implements immutable.Key.
func (h holder) Hash() uint64 { return immutable.Hash(string(h)) }

type holding struct {
	address string
	vip     string // empty: none has the address yet
}

// holders are the types of documents that hold addresses, with what reads one.
var holders = []struct {
	kind string
	read func(store.Document) ([]holding, error)
}{{typeService, serviceHolds}, {typePublicIP, resourceHolds}}

// at is what is held in the state of a reader.
func (h *holdings) at(r store.Reader) (*holdings, error) {
	now := &holdings{seq: r.Seq(), of: h.of}
	there := 0
	for _, k := range holders {
		changed, err := r.List(store.Query{Type: k.kind, Since: h.seq})
		if err != nil {
			return nil, err
		}
		for _, d := range changed {
			held, err := k.read(d)
			if err != nil {
				return nil, err
			}
			now.of = now.of.Set(holder(store.Key(d.ID)), held)
		}
		n, err := r.Count(store.Query{Type: k.kind})
		if err != nil {
			return nil, err
		}
		there += n
	}
	if now.of.Len() != there && h.seq > 0 { // something was deleted, which no document tells
		return (&holdings{}).at(r)
	}
	return now, nil
}

func (h *holdings) but(vip string) []string {
	out := make([]string, 0, h.of.Len())
	for _, held := range h.of.All() {
		for _, one := range held {
			if vip == "" || one.vip != vip {
				out = append(out, one.address)
			}
		}
	}
	return out
}

func serviceHolds(d store.Document) (out []holding, err error) {
	st, err := statusOf(d)
	if err != nil {
		return nil, err
	}
	for _, l := range st.Locations() {
		for _, w := range []*platform.Wish{&l.Wish, l.Previous} {
			if w != nil && !w.Gone {
				for _, a := range w.Holds() {
					out = append(out, holding{address: a})
				}
			}
		}
		for _, v := range l.Hosting.VIPs {
			if v.Address != "" && !v.Inside {
				out = append(out, holding{v.Address, v.ID})
			}
		}
	}
	return slices.Clip(out), nil
}

func resourceHolds(d store.Document) ([]holding, error) {
	var st struct {
		IPAddress string `json:"ipAddress"`
	}
	if err := json.Unmarshal(d.Status, &st); err != nil {
		return nil, fmt.Errorf("decode status of %s: %w", d.ID, err)
	}
	if st.IPAddress == "" {
		return nil, nil
	}
	return []holding{{address: st.IPAddress}}, nil
}
