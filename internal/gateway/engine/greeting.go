package engine

import (
	"cmp"
	"crypto/tls"
	"errors"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// greetings are the usual ways to answer a TLS greeting: with HTTP/2 or without, and asking for a certificate of the
// client or not.
type greetings map[manner]*tls.Config

type manner struct{ http2, asks bool }

func newGreetings(base *tls.Config) greetings {
	all := greetings{}
	for _, g := range []manner{{false, false}, {false, true}, {true, false}, {true, true}} {
		c := base.Clone()
		if g.http2 {
			c.NextProtos = []string{"h2", "http/1.1"}
		}
		if g.asks {
			c.ClientAuth = tls.RequestClientCert // whether it is good enough is for policies to say
		}
		all[g] = c
	}
	return all
}

// of is how the greetings of a service are answered.
func (all greetings) of(t snapshot.TLS, asks bool) *tls.Config {
	c := all[manner{t.HTTP2, asks}]
	if t.Oldest == 0 && len(t.Without)+len(t.With) == 0 {
		return c
	}
	c = c.Clone()
	c.MinVersion = cmp.Or(t.Oldest, c.MinVersion)
	c.CipherSuites = suites(t)
	return c
}

// suites are the cipher suites of TLS 1.2 and before that a service offers; nil for the usual ones.
func suites(t snapshot.TLS) (ids []uint16) {
	if len(t.Without)+len(t.With) == 0 {
		return nil
	}
	for _, s := range tls.CipherSuites() {
		if !slices.Contains(t.Without, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return append(ids, t.With...)
}

// greeted is the service that a TLS greeting is for; nil for none.
func (s *Server) greeted(hello *tls.ClientHelloInfo) (*service.Service, error) {
	if s.tenants != nil {
		found, _, err := s.tenants.find(hello.Context(), strings.ToLower(hello.ServerName))
		return found, err
	}
	return s.current.Load(), nil
}

// configuration chooses how a greeting is answered; nil for one that is for no service. All ways share the keys of session
// tickets, and none takes up a session that had, or had not, to show a certificate of the client's.
func (s *Server) configuration(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	svc, err := s.greeted(hello)
	if err != nil || svc == nil {
		return nil, err
	}
	return s.greetings.of(svc.TLS(), svc.AsksClient(hello.ServerName)), nil
}

func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	svc, err := s.greeted(hello)
	if err != nil {
		return nil, err
	}
	if svc != nil {
		if c := svc.Certificate(hello.ServerName); c != nil {
			return c, nil
		}
	}
	return nil, errNoCertificate
}

var errNoCertificate = errors.New("no certificate for the name")
