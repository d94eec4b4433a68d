package importer

import (
	"net/url"
	"strings"
)

// servers says where the backend is and which protocols callers may use. Of several servers the first with https is
// taken, else the first with http; a relative one has nothing to be relative to and is passed over.
func (r *reader) servers() (serviceURL string, protocols []string) {
	var first [2]string // http, https
	for _, s := range r.serverURLs() {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
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
	var out []string
	for _, s := range r.root.get("servers").list() {
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

func (r *reader) swaggerURLs() []string {
	host := r.root.get("host").str()
	if host == "" {
		return nil
	}
	schemes := r.root.get("schemes").list()
	if len(schemes) == 0 { // the scheme that the document was fetched by, says the specification; here there is none
		return []string{"https://" + host + r.root.get("basePath").str()}
	}
	var out []string
	for _, s := range schemes {
		out = append(out, s.str()+"://"+host+r.root.get("basePath").str())
	}
	return out
}
