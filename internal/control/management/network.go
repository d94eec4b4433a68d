package management

import (
	"net/http"

	"github.com/portico-dev/portico/internal/network"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
)

// network reads what the body of a service says of networks, with what that is.
func (w *serviceWrite) network(o resource.Object) (platform.NetworkRequest, error) {
	return w.networkAt(o.Text("location"), o.Text("properties.virtualNetworkConfiguration.subnetResourceId"), o.Text("properties.publicIpAddressId"))
}

// networkAt is that of one location.
func (w *serviceWrite) networkAt(location, subnet, publicIP string) (platform.NetworkRequest, error) {
	o := w.change.New
	n := platform.NetworkRequest{
		Service: w.place.id, Location: resource.NormalLocation(location), Type: o.Text("properties.virtualNetworkType"), SubnetID: subnet, PublicIPID: publicIP,
		SeveralRegions: len(o.List("properties.additionalLocations")) > 0, Trouble: w.opt.Networks(),
	}
	var err error
	if n.SubnetID != "" {
		if n.Subnet, err = network.Subnet(w.tx, n.SubnetID); err != nil {
			return n, err
		}
	}
	if n.PublicIPID != "" {
		n.PublicIP, err = network.Address(w.tx, n.PublicIPID)
	}
	return n, err
}

// nat is the address of the platform's NAT gateway at a location, if the client asks for one there: the one that it has,
// or another.
func (w *serviceWrite) nat(state, location string, old *platform.Wish) (string, error) {
	switch {
	case state != "Enabled":
		return "", nil
	case old != nil && old.NAT != "" && !old.Gone:
		return old.NAT, nil
	case w.opt.AllocateIP == nil:
		return "", problem(http.StatusBadRequest, platform.CodeInvalidParameters, "'natGatewayState' Enabled needs a pool of addresses, which this host does not have.")
	}
	return w.opt.AllocateIP(w.place.id + "/natGateways/" + resource.NormalLocation(location))
}

// prepare gives locations on stv1 with a public address the one that they will have after a migration with NewIP, so that
// lists of allowed addresses and names can be made beforehand. They keep the one that they have.
func (w *serviceWrite) prepare(primary *platform.Wish, others []platform.LocationWish) error {
	at := resource.NormalLocation(w.change.New.Text("location"))
	if err := w.prepareAt(at, primary); err != nil {
		return err
	}
	for i := range others {
		if err := w.prepareAt(others[i].Location, &others[i].Wish); err != nil {
			return err
		}
	}
	return nil
}

func (w *serviceWrite) prepareAt(location string, wish *platform.Wish) (err error) {
	pick := w.opt.PrepareIP
	if wish.Injection != nil {
		pick = w.opt.AllocateIP
	}
	if wish.Platform != platform.STv1 || pick == nil || wish.Injection != nil && wish.Injection.Mode == platform.Internal {
		return nil
	}
	for _, l := range w.status.Locations() {
		if l.Name == location && l.Wish.Prepared != "" && platform.SameInjection(l.Wish.Injection, wish.Injection) {
			wish.Prepared = l.Wish.Prepared
			return nil
		}
	}
	wish.Prepared, err = pick(w.place.id + "/prepared/" + location)
	return err
}
