package wire

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Format is that of all messages between an agent and the processes that it runs. An agent does not take back a process
// that speaks another one.
const Format = 1

// A Return is what a process says to an agent that came after the one that started it: who it is, how it is, and what
// it holds, in as many messages as that needs.
type Return struct {
	Format int    `json:"format,omitempty"`
	Kind   string `json:"kind,omitempty"`
	Name   string `json:"name,omitempty"` // ID of a machine
	Secret string `json:"secret,omitempty"`
	// Version is that of an edge's program.
	Version string `json:"version,omitempty"`
	// Machine and Order are a machine's state and the newest order that holds.
	Machine *FromMachine `json:"machine,omitempty"`
	Order   *Order       `json:"order,omitempty"`
	// Hosts point at Set in the table of an edge.
	Set   string   `json:"set,omitempty"`
	Hosts []string `json:"hosts,omitempty"`
	// Held says what the message's descriptors are of, in their order.
	Held []Held `json:"held,omitempty"`
	Last bool   `json:"last,omitempty"`
}

// A Keep is something that is held.
type Keep struct {
	Held
	Files []*Handle
}

// An Offer is everything that a process gives an agent.
type Offer struct {
	Return
	Names map[string][]string // hosts by set, of an edge
	Keeps []Keep
}

// Close gives up what the offer holds.
func (o *Offer) Close() {
	for _, k := range o.Keeps {
		CloseAll(k.Files)
	}
}

const (
	offerTimeout = 5 * time.Second // for an agent that does not read
	rejoinMin    = 5 * time.Millisecond
	rejoinMax    = 200 * time.Millisecond
)

// Rejoin offers what this process holds to whatever agent comes, until one takes it or ctx ends. Each attempt makes an
// offer of its own. It returns errors.ErrUnsupported where no agent ever takes a process back.
func Rejoin(ctx context.Context, t Tie, offer func() Offer) (*Conn, error) {
	if t.Socket == "" {
		return nil, errors.ErrUnsupported
	}
	for pause := rejoinMin; ; pause = min(2*pause, rejoinMax) {
		c, err := dialReturn(t.Socket)
		if err == nil {
			if err = c.sendOffer(offer()); err == nil {
				return c, nil
			}
			_ = c.Close()
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// sendOffer says everything. The descriptors stay the caller's.
func (c *Conn) sendOffer(o Offer) error {
	first := o.Return
	first.Format = Format
	if err := c.Send(first, offerTimeout); err != nil {
		return err
	}
	for set, hosts := range o.Names {
		for len(hosts) > 0 {
			n := min(len(hosts), NamesPerMessage)
			if err := c.Send(Return{Set: set, Hosts: hosts[:n]}, offerTimeout); err != nil {
				return err
			}
			hosts = hosts[n:]
		}
	}
	var m Return
	var files []*Handle
	for _, k := range o.Keeps {
		if len(files)+len(k.Files) > MaxFDs {
			if err := c.Send(m, offerTimeout, files...); err != nil {
				return err
			}
			m, files = Return{}, nil
		}
		m.Held, files = append(m.Held, k.Held), append(files, k.Files...)
	}
	m.Last = true
	return c.Send(m, offerTimeout, files...)
}

// RecvOffer reads all that a process says when it returns. Its descriptors are the caller's to close.
func (c *Conn) RecvOffer() (o Offer, err error) {
	defer func() {
		if err != nil {
			o.Close()
		}
	}()
	for first := true; ; first = false {
		var m Return
		files, err := c.Recv(&m)
		if err != nil {
			return o, fmt.Errorf("read offer: %w", err)
		}
		if first {
			if o.Return, o.Names = m, map[string][]string{}; m.Format != Format {
				CloseAll(files)
				return o, fmt.Errorf("read offer: format %d instead of %d", m.Format, Format)
			}
		}
		if len(m.Hosts) > 0 {
			o.Names[m.Set] = append(o.Names[m.Set], m.Hosts...)
		}
		if err := o.keep(m.Held, files); err != nil {
			return o, err
		}
		if m.Last {
			return o, nil
		}
	}
}

// keep takes over the descriptors of one message.
func (o *Offer) keep(held []Held, files []*Handle) error {
	for _, h := range held {
		n := h.Kind.FDs()
		if n > len(files) {
			CloseAll(files)
			return fmt.Errorf("read offer: %s %s comes with %d descriptors", h.Kind, h.ID, len(files))
		}
		o.Keeps = append(o.Keeps, Keep{Held: h, Files: files[:n]})
		files = files[n:]
	}
	if len(files) > 0 {
		CloseAll(files)
		return fmt.Errorf("read offer: %d descriptors are of nothing", len(files))
	}
	return nil
}
