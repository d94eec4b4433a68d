package service

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/lib"
	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/route"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/snapshot"
)

// document compiles a policy; nil gives nil. params are the template parameters of an API operation.
func (c *Compiler) document(p *snapshot.Policy, scope policy.Scope, params []string) (*pipeline.Compiled, error) {
	if p == nil {
		return nil, nil
	}
	doc, findings := policy.Parse(p.XML, policy.RawXML)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.ID, err)
	}
	b := &pipeline.Build{ID: p.ID, Scope: scope, Params: params, Builders: c.Builders, Fragments: map[string]*policy.Statement{}}
	for _, f := range p.Fragments {
		doc, findings := policy.ParseFragment(f.XML, policy.RawXML)
		if err := findings.Err(); err != nil {
			return nil, fmt.Errorf("policy fragment %s: %w", f.ID, err)
		}
		b.Fragments[strings.ToLower(f.Name)] = doc.Root
	}
	out, err := b.Document(doc)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.ID, err)
	}
	return out, nil
}

func (c *Compiler) service(v snapshot.Service) (*info, error) {
	s := &info{Service: v, id: strings.ToLower(v.ID), hosts: make(map[string]*host, len(v.Hosts))}
	s.at(c.Location)
	for _, h := range s.Hosts {
		name := &host{asksClient: h.AskClient, local: h.Location != ""}
		s.hosts[strings.Trim(strings.ToLower(h.Name), "[]")] = name
		if h.CertificatePEM == "" {
			continue
		}
		pair, err := tls.X509KeyPair([]byte(h.CertificatePEM), []byte(h.KeyPEM))
		if err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", h.Name, err)
		}
		name.certificate = &pair
		if s.fallback == nil || h.Default {
			s.fallback = name
		}
	}
	var err error
	if s.trust, err = newTrust(v.Authorities); err != nil {
		return nil, err
	}
	s.policy, err = c.document(v.Policy, policy.Global, nil)
	s.Policy, s.Hosts, s.Authorities = nil, nil, nil // they are not needed any more
	return s, err
}

// newTrust makes what certificates are verified with, beside what the system trusts; nil for no more than that.
func newTrust(list []snapshot.Authority) (*pipeline.Trust, error) {
	if len(list) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("certificates of the system: %w", err)
	}
	t := &pipeline.Trust{Roots: roots}
	for _, a := range list {
		block, _ := pem.Decode([]byte(a.CertificatePEM))
		if block == nil {
			return nil, errors.New("an authority has no certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate of an authority: %w", err)
		}
		if a.Root {
			roots.AddCert(cert)
		} else {
			t.Between = append(t.Between, cert)
		}
		t.Key += fmt.Sprintf("%t %x;", a.Root, sha256.Sum256(cert.Raw))
	}
	return t, nil
}

func (c *Compiler) products(list []snapshot.Product) (*products, error) {
	out := &products{byID: make(map[string]*product, len(list)), open: make(map[apiID]*product)}
	for _, v := range list {
		p := &product{Product: v, apis: make(map[apiID]bool, len(v.APIs))}
		for _, id := range v.APIs {
			p.apis[withoutRevision(id)] = true
		}
		var err error
		if p.policy, err = c.document(v.Policy, policy.Product, nil); err != nil {
			return nil, err
		}
		p.Policy = nil
		out.byID[strings.ToLower(v.ID)] = p
		if !p.Published || p.SubscriptionRequired {
			continue
		}
		for id := range p.apis {
			if out.open[id] == nil {
				out.open[id] = p
			}
		}
	}
	return out, nil
}

func (c *Compiler) api(v snapshot.API) (*api, error) {
	if v.KeyHeader == "" {
		v.KeyHeader = "Ocp-Apim-Subscription-Key"
	}
	if v.KeyQuery == "" {
		v.KeyQuery = "subscription-key"
	}
	a := &api{API: v, id: withoutRevision(v.ID)}
	var err error
	if a.templates, err = route.Compile(a.routes); err != nil {
		return nil, err
	}
	if v.ServiceURL != "" {
		base, err := pipeline.ParseURL(v.ServiceURL)
		if err != nil {
			return nil, fmt.Errorf("service url: %w", err)
		}
		a.target = &pipeline.Target{Base: base}
	}
	if a.policy, err = c.document(v.Policy, policy.API, nil); err != nil {
		return nil, err
	}
	for i, o := range v.Operations {
		if o.Policy == nil {
			continue
		}
		if err := a.addPolicy(c, i, o); err != nil {
			return nil, err
		}
	}
	a.slim()
	return a, nil
}

// routes lists the operations as the routing table takes them.
func (a *api) routes() []route.Operation {
	out := make([]route.Operation, len(a.Operations))
	for i, o := range a.Operations {
		out[i] = route.Operation{Method: o.Method, Template: o.URLTemplate}
	}
	return out
}

func (a *api) addPolicy(c *Compiler, i int, o snapshot.Operation) error {
	names, err := route.Names(o.URLTemplate)
	if err != nil {
		return fmt.Errorf("operation %s: %w", o.Name, err)
	}
	compiled, err := c.document(o.Policy, policy.Operation, names)
	if err != nil {
		return err
	}
	if a.operations == nil {
		a.operations = map[int]*pipeline.Compiled{}
	}
	a.operations[i] = compiled
	return nil
}

// slim lets go of what was only needed to compile, and shares texts that most APIs have.
func (a *api) slim() {
	a.Policy = nil
	a.Operations = append(make([]snapshot.Operation, 0, len(a.Operations)), a.Operations...)
	for _, text := range []*string{&a.KeyHeader, &a.KeyQuery, &a.Revision, &a.VersionScheme} {
		*text = common(*text)
	}
	for i := range a.Protocols {
		a.Protocols[i] = common(a.Protocols[i])
	}
	for i := range a.Operations {
		o := &a.Operations[i]
		o.Policy, o.Method = nil, common(o.Method)
	}
}

// common is a text in the form that all who ask for it share, if it is a frequent one.
func common(text string) string {
	if one, ok := frequent[text]; ok {
		return one
	}
	return text
}

var frequent = func() map[string]string {
	out := map[string]string{}
	for _, text := range []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "*", "http", "https", "ws", "wss", "1",
		"Ocp-Apim-Subscription-Key", "subscription-key", snapshot.VersionSegment, snapshot.VersionHeader, snapshot.VersionQuery,
	} {
		out[text] = text
	}
	return out
}()

// keys finds a subscription by the hash of a key, so that looking one up tells nothing by the time it takes.
type keys map[[sha256.Size]byte]*subscription

func newKeys(list []snapshot.Subscription) (keys, error) {
	out := make(keys, 2*len(list))
	for _, v := range list {
		s := &subscription{Subscription: v, scope: string(withoutRevision(strings.TrimSuffix(v.Scope, "/")))}
		for _, k := range []string{v.PrimaryKey, v.SecondaryKey} {
			if k != "" {
				out[sha256.Sum256([]byte(k))] = s
			}
		}
	}
	return out, nil
}

func newUsers(list []snapshot.User) (users, error) {
	out := make(users, len(list))
	for i := range list {
		out[strings.ToLower(list[i].ID)] = &list[i]
	}
	return out, nil
}

func newCertificates(list []snapshot.Certificate) ([]pipeline.Certificate, error) {
	out := make([]pipeline.Certificate, 0, len(list))
	for _, v := range list {
		pair, err := tls.X509KeyPair([]byte(v.CertificatePEM), []byte(v.KeyPEM))
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", v.ID, err)
		}
		key, _ := pair.PrivateKey.(crypto.Signer)
		out = append(out, pipeline.Certificate{Name: v.Name, Thumbprint: v.Thumbprint, Certificate: &lib.Certificate{X509: pair.Leaf, Key: key}})
	}
	return out, nil
}

func newBackends(list []snapshot.Backend) (backends, error) {
	out := make(backends, len(list))
	for _, v := range list {
		base, err := pipeline.ParseURL(v.URL)
		if err != nil {
			return nil, fmt.Errorf("backend %s: %w", v.ID, err)
		}
		t := &pipeline.Target{
			Base: base, Backend: v.Name, SkipChain: v.SkipChain, SkipName: v.SkipName,
			Header: credentials(v.Header), Query: credentials(v.Query),
		}
		if v.AuthScheme != "" {
			t.Authorization = strings.TrimSpace(v.AuthScheme + " " + v.AuthParameter)
		}
		if v.ProxyURL != "" {
			if t.Proxy, err = url.Parse(v.ProxyURL); err != nil || t.Proxy.Host == "" {
				return nil, fmt.Errorf("backend %s: read proxy url: %w", v.ID, errors.Join(err, errNoHost))
			}
			if v.ProxyUser != "" {
				t.Proxy.User = url.UserPassword(v.ProxyUser, v.ProxyPassword)
			}
		}
		out[strings.ToLower(v.Name)] = t
	}
	return out, nil
}

var errNoHost = errors.New("a proxy needs an absolute url")

// credentials flattens names and values in the order of the names.
func credentials(m map[string][]string) []pipeline.Field {
	var out []pipeline.Field
	for n, values := range m {
		for _, v := range values {
			out = append(out, pipeline.Field{Name: n, Value: v})
		}
	}
	slices.SortStableFunc(out, func(a, b pipeline.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}
