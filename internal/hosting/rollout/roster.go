package rollout

import (
	"errors"
	"strings"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// A roster keeps in memory what decisions are made from, so that a turn reads only what has changed since the one before:
// with thousands of services, reading all of them is nearly all of its work. It holds what the change log says up to seq;
// documents may be newer than that, and are read again then.
type roster struct {
	seq      int64
	number   int // of the rollout; 0: nothing is kept
	services map[string]service
	windows  map[string]platform.Maintenance
	members  map[string]*Member
}

// update brings the roster up to date for a rollout.
func (o *roster) update(r store.Reader, number int, gateway string, changes []store.Change, reset bool) error {
	if reset || o.number != number {
		return o.load(r, number, gateway)
	}
	for _, c := range changes {
		if err := o.read(r, gateway, c); err != nil {
			o.number = 0 // half of it is done
			return err
		}
	}
	if n := len(changes); n > 0 {
		o.seq = changes[n-1].Seq
	}
	return nil
}

// load reads everything.
func (o *roster) load(r store.Reader, number int, gateway string) error {
	*o = roster{}
	docs, err := r.List(store.Query{Type: typeService})
	if err != nil {
		return err
	}
	all := make(map[string]service, len(docs))
	for _, d := range docs {
		if all[store.Key(d.ID)], err = serviceOf(d, gateway); err != nil {
			return err
		}
	}
	windows, err := windows(r)
	if err != nil {
		return err
	}
	touched, err := members(r, number)
	if err != nil {
		return err
	}
	*o = roster{r.Seq(), number, all, windows, touched}
	return nil
}

// read takes in one change.
func (o *roster) read(r store.Reader, gateway string, c store.Change) error {
	switch c.Type {
	case typeService, typeWindow, typeMember:
	default:
		return nil
	}
	d, err := r.Get(c.ID)
	gone := errors.Is(err, store.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	switch key := store.Key(c.ID); c.Type {
	case typeService:
		if delete(o.services, key); !gone {
			o.services[key], err = serviceOf(d, gateway)
			return err
		}
	case typeWindow:
		of, _, _ := strings.Cut(key, platform.MaintenanceBelow)
		if delete(o.windows, of); !gone {
			o.windows[of], err = windowOf(d)
			return err
		}
	case typeMember:
		of, ours := strings.CutPrefix(key, store.Key(rolloutID(o.number)))
		if !ours {
			return nil
		}
		if delete(o.members, of); !gone {
			o.members[of], err = memberOf(d)
			return err
		}
	}
	return nil
}

// all are the services, each with its window and how far it is.
func (o *roster) all() []service {
	out := make([]service, 0, len(o.services))
	for key, s := range o.services {
		out = append(out, s.with(o.windows[key], o.members[key]))
	}
	return out
}
