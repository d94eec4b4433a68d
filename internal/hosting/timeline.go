package hosting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// typeTimeline is the type of the document with a service's timeline. It is below the service and goes with it.
const (
	typeTimeline  = "portico/timelines"
	timelineBelow = "/providers/Portico.Hosting/timeline"
)

// timelineSteps is how many entries of a service are kept.
const timelineSteps = 200

// A Timeline is what the platform did with a service, oldest first.
type Timeline struct {
	Value []TimelineStep `json:"value"`
}

// A TimelineStep is one step of the platform, of its own accord or for an operation.
type TimelineStep struct {
	Time      time.Time `json:"time"` // platform time
	Location  string    `json:"location,omitempty"`
	Step      string    `json:"step"`
	Operation string    `json:"operation,omitempty"` // name of the operation that the step is for
	Kind      string    `json:"kind,omitempty"`      // of that operation
}

// moves is the platform version that serves at the place after its step, if that is another one than before.
func (p *place) moves() platform.Version {
	was, is := p.Platform(), platform.Location{Hosting: p.next.State}.Platform()
	if was == is || was == platform.Undetermined || is == platform.Undetermined {
		return ""
	}
	return is
}

// enter adds to the timeline of a service, in the transaction of what it tells of.
func (c *Controller) enter(tx store.Tx, rec *record, steps ...TimelineStep) error {
	if rec.isPool {
		return nil
	}
	for i := range steps {
		if rec.op != nil {
			steps[i].Operation, steps[i].Kind = rec.op.Name, rec.op.Kind
		}
	}
	return Tell(tx, rec.doc.ID, c.opt.Clock.Now(), steps...)
}

// Tell adds to the timeline of a service, in the transaction of what it tells of.
func Tell(tx store.Tx, service string, now time.Time, steps ...TimelineStep) error {
	if len(steps) == 0 {
		return nil
	}
	id := service + timelineBelow
	t, err := timelineAt(tx, id)
	if err != nil {
		return err
	}
	for _, s := range steps {
		s.Time = now
		t.Value = append(t.Value, s)
	}
	t.Value = t.Value[max(0, len(t.Value)-timelineSteps):]
	status, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode timeline: %w", err)
	}
	_, err = tx.Put(store.Document{ID: id, Type: typeTimeline, Status: status})
	return err
}

func timelineAt(r store.Reader, id string) (Timeline, error) {
	t := Timeline{Value: []TimelineStep{}}
	d, err := r.Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(d.Status, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read timeline %s: %w", id, err)
	}
	return t, nil
}

// Timeline is what the platform did with a service; nothing for one that does not exist.
func (c *Controller) Timeline(ctx context.Context, serviceID string) (t Timeline, err error) {
	err = c.st.View(ctx, func(r store.Reader) error {
		t, err = timelineAt(r, serviceID+timelineBelow)
		return err
	})
	return t, err
}
