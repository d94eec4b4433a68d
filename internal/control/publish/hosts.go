package publish

import (
	"strings"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/snapshot"
)

// hosts are the names and addresses that the gateway answers to, the default name first; issued are those whose
// certificates are the platform's own. The default name is the one for clients that ask for none, unless a custom one is.
func (d *serviceDocument) hosts(id, domain string, status platform.ServiceStatus) (hosts []snapshot.Host, issued []string) {
	p := d.Properties
	issued = []string{hostName(id, domain)}
	hosts = []snapshot.Host{{Name: issued[0], Default: true, AskClient: p.EnableClientCertificate}}
	for _, l := range status.Locations() {
		if l.Name != "" && l.Wish.Platform != platform.MTv1 { // one in a pool has no name of its location
			regional := platform.RegionalHost(lastSegment(id), l.Name, domain)
			issued, hosts = append(issued, regional), append(hosts, snapshot.Host{Name: regional, Location: l.Name})
		}
		for _, v := range l.Hosting.VIPs {
			if v.Address != "" {
				hosts = append(hosts, snapshot.Host{Name: strings.ToLower(v.Address), Location: l.Name})
			}
		}
	}
	for _, h := range p.HostnameConfigurations {
		if h.Type != "Proxy" {
			continue // of an endpoint that is not the gateway
		}
		custom := strings.ToLower(h.HostName)
		pair := d.HostCertificates[custom]
		hosts = append(hosts, snapshot.Host{
			Name: custom, Default: h.DefaultSSLBinding, AskClient: h.NegotiateClientCertificate || p.EnableClientCertificate,
			CertificatePEM: pair.Certificate, KeyPEM: pair.Key,
		})
		hosts[0].Default = hosts[0].Default && !h.DefaultSSLBinding
	}
	return hosts, issued
}

// authorities are the CA certificates of the service.
func (d *serviceDocument) authorities() (out []snapshot.Authority) {
	for _, a := range d.Properties.Certificates {
		if file, ok := d.AuthorityCertificates[a.Certificate.Thumbprint]; ok {
			out = append(out, snapshot.Authority{Root: a.StoreName == "Root", CertificatePEM: file.Certificate})
		}
	}
	return out
}
