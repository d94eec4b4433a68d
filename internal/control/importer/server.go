package importer

import (
	"net/url"
	"strings"
)

// servers says where the backend is and which protocols callers may use. Of several servers the first with https is
// taken, else the first with http. One that is relative is so to the link that the description was read from; without
// a link it is passed over.
func (r *reader) servers() (serviceURL string, protocols []string) {
	var first [2]string // http, https
	for _, s := range r.serverURLs() {
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		if base := r.base(); base != nil && u.Host == "" {
			u = base.ResolveReference(u)
			s = u.String()
		}
		if u.Host == "" {
			continue
		}
		for i, scheme := range [2]string{"http", "https"} {
			if strings.EqualFold(u.Scheme, scheme) && first[i] == "" {
				first[i] = strings.TrimRight(s, "/")
				protocols = append(protocols, scheme)
			}
		}
	}
	switch {
	case len(protocols) == 0:
		return "", []string{"https"}
	case len(protocols) == 2:
		protocols = []string{"http", "https"}
	}
	if first[1] != "" {
		return first[1], protocols
	}
	return first[0], protocols
}

func (r *reader) serverURLs() []string {
	if r.swagger {
		return r.swaggerURLs()
	}
	servers := r.root.get("servers").list()
	if len(servers) == 0 && r.base() != nil { // "/", says the specification
		return []string{"/"}
	}
	var out []string
	for _, s := range servers {
		address := s.get("url").str()
		for _, v := range s.get("variables").object() {
			address = strings.ReplaceAll(address, "{"+v.key+"}", v.value.get("default").str())
			if len(address) > maxURL {
				break // variables may name each other and grow without end
			}
		}
		if len(address) <= maxURL {
			out = append(out, address)
		}
	}
	return out
}

// maxURL is the length of the serviceUrl property.
const maxURL = 2000

// base is the link that the description was read from, nil for none.
func (r *reader) base() *url.URL {
	u, err := url.Parse(r.opt.Base)
	if err != nil || u.Host == "" {
		return nil
	}
	u.User = nil // who may read the description is not who calls the API
	return u
}

// swaggerURLs are made of host, base path and schemes. Host and scheme are those of the link where the description
// does not say.
func (r *reader) swaggerURLs() []string {
	host, scheme := r.root.get("host").str(), "https"
	if base := r.base(); base != nil {
		scheme = base.Scheme
		if host == "" {
			host = base.Host
		}
	}
	if host == "" {
		return nil
	}
	path := r.root.get("basePath").str()
	schemes := r.root.get("schemes").list()
	if len(schemes) == 0 {
		return []string{scheme + "://" + host + path}
	}
	var out []string
	for _, s := range schemes {
		out = append(out, s.str()+"://"+host+path)
	}
	return out
}
