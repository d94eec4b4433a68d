package statement

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// addresses is an <address> or an <address-range>, both ends included.
type addresses struct{ from, to pipeline.Value }

// filter is the compiled <ip-filter>.
type filter struct {
	action pipeline.Value
	list   []addresses
}

// ipFilter builds <ip-filter>: callers from the listed addresses are let in, or kept out.
func ipFilter(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	f := &filter{}
	var err error
	if f.action, err = b.Required(s, "action"); err != nil {
		return nil, err
	}
	for _, c := range s.Children {
		a, err := filterAddresses(b, c)
		if err != nil {
			return nil, err
		}
		f.list = append(f.list, a)
	}
	return f.run, nil
}

func filterAddresses(b *pipeline.Build, c *policy.Statement) (a addresses, err error) {
	if c.Name == "address" {
		a.from, err = b.Text(c)
		a.to = a.from
	} else if a.from, err = b.Required(c, "from"); err == nil {
		a.to, err = b.Required(c, "to")
	}
	if err != nil {
		return a, err
	}
	for _, v := range [...]pipeline.Value{a.from, a.to} {
		if text, fixed := v.Fixed(); fixed {
			if _, err := address(text); err != nil {
				return a, b.Errorf(c, "'%s' is no IP address.", text)
			}
		}
	}
	return a, nil
}

// address reads an IPv4 or IPv6 address; IPv4 within IPv6 is IPv4.
func address(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	return a.Unmap().WithZone(""), err
}

func (f *filter) run(_ context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
	action, _, err := f.action.String(x)
	if err != nil {
		return pipeline.Next, err
	}
	allow := action == "allow"
	if !allow && action != "forbid" {
		return pipeline.Next, fmt.Errorf("'action' is %q, neither allow nor forbid", action)
	}
	caller, err := address(x.ClientIP)
	if err != nil {
		return pipeline.Next, forbidden(pipeline.ReasonCallerUnknown, "Failed to establish IP address for the caller. Access denied.")
	}
	listed, err := f.lists(x, caller)
	switch {
	case err != nil:
		return pipeline.Next, err
	case allow && !listed:
		return pipeline.Next, forbidden(pipeline.ReasonCallerNotAllowed, fmt.Sprintf("Caller IP address %s is not allowed. Access denied.", x.ClientIP))
	case !allow && listed:
		return pipeline.Next, forbidden(pipeline.ReasonCallerBlocked, "Caller IP address is blocked. Access denied.")
	}
	return pipeline.Next, nil
}

func (f *filter) lists(x *pipeline.Exchange, caller netip.Addr) (bool, error) {
	for _, a := range f.list {
		from, err := evaluated(x, a.from)
		if err != nil {
			return false, err
		}
		to, err := evaluated(x, a.to)
		if err != nil {
			return false, err
		}
		if from.BitLen() == caller.BitLen() && from.Compare(caller) <= 0 && caller.Compare(to) <= 0 {
			return true, nil
		}
	}
	return false, nil
}

func evaluated(x *pipeline.Exchange, v pipeline.Value) (netip.Addr, error) {
	text, _, err := v.String(x)
	if err != nil {
		return netip.Addr{}, err
	}
	return address(text)
}

func forbidden(reason, message string) error {
	return &pipeline.Failure{Reason: reason, Message: message, Status: 403, Public: "Forbidden"}
}
