package publish

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// draft reads one part. It returns nil when what the part is about no longer exists. Errors of the store are
// returned; documents that cannot be understood are listed in the draft.
func (b *builder) draft(key partKey) (*draft, error) {
	d := &draft{id: b.service}
	var err error
	switch key.kind {
	case snapshot.KindService:
		err = b.serviceDraft(d)
	case snapshot.KindProducts:
		err = b.productsDraft(d)
	case snapshot.KindSubscriptions:
		err = b.subscriptionsDraft(d)
	case snapshot.KindUsers:
		err = b.usersDraft(d)
	case snapshot.KindBackends:
		err = b.backendsDraft(d)
	case snapshot.KindCertificates:
		err = b.certificatesDraft(d)
	case snapshot.KindAPI:
		d.id = b.service + "/apis/" + key.api
		err = b.apiDraft(d)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return d, err
}

func (b *builder) serviceDraft(d *draft) error {
	doc, err := b.r.Get(b.service)
	if err != nil {
		return err
	}
	var desired serviceDocument
	if err := b.p.decode(doc, &desired); err != nil {
		d.errs = append(d.errs, err)
		return nil
	}
	var status platform.ServiceStatus
	if len(doc.Status) > 0 {
		if err := json.Unmarshal(doc.Status, &status); err != nil {
			d.errs = append(d.errs, fmt.Errorf("decode status of %s: %w", doc.ID, err))
			return nil
		}
	}
	hosts, issued := desired.hosts(doc.ID, b.p.opt.Domain, status)
	d.hosts = issued
	closed := strings.EqualFold(desired.Properties.PublicNetworkAccess, "Disabled")
	var private []string
	for _, e := range status.Endpoints {
		hosts = append(hosts, snapshot.Host{Name: e.Address})
		if closed {
			private = append(private, e.Address)
		}
	}
	policy, err := b.policy(d, doc.ID)
	if err != nil {
		return err
	}
	v := snapshot.Service{
		ID: doc.ID, Name: lastSegment(doc.ID), Location: desired.Location, Tier: desired.SKU.Name, Hosts: hosts, Policy: policy,
		Authorities: desired.authorities(), RequireClient: desired.Properties.EnableClientCertificate,
		Closed: closed, Private: private, Blocked: resource.Blocked(desired.Properties.CustomProperties),
	}
	v.Locations, v.Disabled = desired.locations()
	v.TLS, _ = resource.TLSOf(desired.Properties.CustomProperties, desired.SKU.Name) // what is wrong was refused
	d.value = v
	return nil
}

// policy reads the policy document of an owner, nil when there is none.
func (b *builder) policy(d *draft, ownerID string) (*snapshot.Policy, error) {
	doc, err := b.r.Get(ownerID + "/policies/policy")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return b.policyOf(d, doc)
}

func (b *builder) policyOf(d *draft, doc store.Document) (*snapshot.Policy, error) {
	var desired policyDocument
	if err := b.p.decode(doc, &desired); err != nil {
		d.errs = append(d.errs, err)
		return nil, nil
	}
	xml, err := b.substitute(d, desired.Properties.Value)
	if err != nil {
		return nil, err
	}
	p := &snapshot.Policy{ID: doc.ID, XML: xml}
	p.Fragments, err = b.fragments(d, xml)
	d.mocks = d.mocks || mocks(xml) || slices.ContainsFunc(p.Fragments, func(f snapshot.Fragment) bool { return mocks(f.XML) })
	return p, err
}

// fragments are the policy fragments that a policy includes. One that does not exist is left out; the machine says so.
func (b *builder) fragments(d *draft, xml string) ([]snapshot.Fragment, error) {
	if !strings.Contains(xml, "include-fragment") {
		return nil, nil
	}
	parsed, found := policy.Parse(xml, policy.RawXML)
	if len(found) > 0 {
		return nil, nil // nor can a machine read it, which it will report
	}
	var out []snapshot.Fragment
	for _, name := range parsed.Fragments() {
		d.use(useOf("policyfragments", name))
		doc, err := b.r.Get(b.service + "/policyFragments/" + name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var desired policyDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		text, err := b.substitute(d, desired.Properties.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, snapshot.Fragment{ID: doc.ID, Name: lastSegment(doc.ID), XML: text})
	}
	return out, nil
}

// policies reads all policy documents of a type below an ID, by the key of their owner.
func (b *builder) policies(d *draft, ownerType, below string) (map[string]*snapshot.Policy, error) {
	docs, err := b.list(ownerType+"/policies", below)
	if err != nil {
		return nil, err
	}
	out := map[string]*snapshot.Policy{}
	for _, doc := range docs {
		p, err := b.policyOf(d, doc)
		if err != nil {
			return nil, err
		}
		owner, _, _ := strings.Cut(store.Key(doc.ID), "/policies/")
		out[owner] = p
	}
	return out, nil
}

func (b *builder) productsDraft(d *draft) error {
	docs, err := b.list(typeProduct, b.service)
	if err != nil {
		return err
	}
	policies, err := b.policies(d, typeProduct, b.service)
	if err != nil {
		return err
	}
	apis, err := b.productAPIs()
	if err != nil {
		return err
	}
	groups, err := b.productGroups(d)
	if err != nil {
		return err
	}
	out := []snapshot.Product{}
	for _, doc := range docs {
		var desired productDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		key, pr := store.Key(doc.ID), desired.Properties
		product := snapshot.Product{
			ID: doc.ID, Name: lastSegment(doc.ID), DisplayName: pr.DisplayName,
			Published:            strings.EqualFold(pr.State, "published"),
			SubscriptionRequired: orTrue(pr.SubscriptionRequired), ApprovalRequired: pr.ApprovalRequired,
			SubscriptionsLimit: pr.SubscriptionsLimit, APIs: apis[key], Groups: groups[key], Policy: policies[key],
		}
		if product.APIs == nil {
			product.APIs = []string{}
		}
		out = append(out, product)
	}
	d.value = out
	return nil
}

// productAPIs maps the key of a product to the IDs of its APIs, in the spelling of the APIs themselves. Links to APIs
// that do not exist are passed over.
func (b *builder) productAPIs() (map[string][]string, error) {
	links, err := b.list(typeProductAPI, b.service)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, l := range links {
		product, name, _ := strings.Cut(store.Key(l.ID[len(b.service):]), "/apis/")
		name, _ = splitRevision(name)
		api, err := b.r.Get(b.service + "/apis/" + name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		key := store.Key(b.service) + product
		out[key] = append(out[key], api.ID)
	}
	return out, nil
}

func (b *builder) subscriptionsDraft(d *draft) error {
	docs, err := b.list(typeSubscription, b.service)
	if err != nil {
		return err
	}
	out := []snapshot.Subscription{}
	for _, doc := range docs {
		var desired subscriptionDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		pr := desired.Properties
		out = append(out, snapshot.Subscription{
			ID: doc.ID, Name: lastSegment(doc.ID), DisplayName: pr.DisplayName, Scope: b.scope(pr.Scope),
			State: pr.State, OwnerID: pr.OwnerID, PrimaryKey: pr.PrimaryKey, SecondaryKey: pr.SecondaryKey,
			Created: pr.CreatedDate, Starts: pr.StartDate, Ends: pr.EndDate,
		})
	}
	d.value = out
	return nil
}

// scope completes the short forms "/products/p", "/apis/a" and "/apis".
func (b *builder) scope(s string) string {
	s = strings.TrimRight(s, "/")
	if s == "" || !strings.HasPrefix(strings.ToLower(s), "/subscriptions/") {
		return b.service + s
	}
	return s
}

func (b *builder) backendsDraft(d *draft) error {
	docs, err := b.list(typeBackend, b.service)
	if err != nil {
		return err
	}
	out := []snapshot.Backend{}
	for _, doc := range docs {
		var desired backendDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		backend, err := b.backend(d, doc.ID, desired)
		if err != nil {
			return err
		}
		out = append(out, backend)
	}
	d.value = out
	return nil
}

// backend is a backend entity. Its credentials may mention named values, as the hosted service's may.
func (b *builder) backend(d *draft, id string, doc backendDocument) (snapshot.Backend, error) {
	pr := doc.Properties
	out := snapshot.Backend{
		ID: id, Name: lastSegment(id), URL: pr.URL, Protocol: strings.ToLower(pr.Protocol),
		SkipChain: !orTrue(pr.TLS.ValidateCertificateChain), SkipName: !orTrue(pr.TLS.ValidateCertificateName),
		AuthScheme: pr.Credentials.Authorization.Scheme,
		ProxyURL:   pr.Proxy.URL, ProxyUser: pr.Proxy.Username, ProxyPassword: pr.Proxy.Password,
	}
	var err error
	if out.AuthParameter, err = b.substitute(d, pr.Credentials.Authorization.Parameter); err != nil {
		return out, err
	}
	if out.Header, err = b.credentials(d, pr.Credentials.Header); err != nil {
		return out, err
	}
	out.Query, err = b.credentials(d, pr.Credentials.Query)
	return out, err
}

func (b *builder) credentials(d *draft, lists map[string]texts) (map[string][]string, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	out := make(map[string][]string, len(lists))
	for name, values := range lists {
		for _, v := range values {
			v, err := b.substitute(d, v)
			if err != nil {
				return nil, err
			}
			out[name] = append(out[name], v)
		}
	}
	return out, nil
}

func (b *builder) certificatesDraft(d *draft) error {
	docs, err := b.list(typeCertificate, b.service)
	if err != nil {
		return err
	}
	out := []snapshot.Certificate{}
	for _, doc := range docs {
		var desired certificateDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		out = append(out, snapshot.Certificate{
			ID: doc.ID, Name: lastSegment(doc.ID), Thumbprint: desired.Properties.Thumbprint,
			CertificatePEM: desired.Pair.Certificate, KeyPEM: desired.Pair.Key,
		})
	}
	d.value = out
	return nil
}

func (b *builder) apiDraft(d *draft) error {
	doc, err := b.r.Get(d.id)
	if err != nil {
		return err
	}
	d.id = doc.ID
	var desired apiDocument
	if err := b.p.decode(doc, &desired); err != nil {
		d.errs = append(d.errs, err)
		return nil
	}
	pr := desired.Properties
	name, rev := splitRevision(lastSegment(doc.ID))
	api := snapshot.API{
		ID: doc.ID, Name: name, DisplayName: pr.DisplayName, Path: strings.Trim(pr.Path, "/"),
		Revision: firstOf(rev, pr.APIRevision, "1"), Current: rev == "",
		Version: pr.APIVersion, ServiceURL: pr.ServiceURL, Protocols: pr.Protocols,
		SubscriptionRequired: orTrue(pr.SubscriptionRequired),
		KeyHeader:            firstOf(pr.KeyNames.Header, "Ocp-Apim-Subscription-Key"),
		KeyQuery:             firstOf(pr.KeyNames.Query, "subscription-key"),
	}
	if len(api.Protocols) == 0 {
		api.Protocols = []string{"https"}
	}
	if err = b.version(d, &api, pr.APIVersionSetID); err != nil {
		return err
	}
	if api.Policy, err = b.policy(d, doc.ID); err != nil {
		return err
	}
	if api.Operations, err = b.operations(d, doc.ID); err != nil {
		return err
	}
	d.value = api
	return nil
}

// version says where requests name the version of an API.
func (b *builder) version(d *draft, api *snapshot.API, set string) error {
	if set == "" {
		return nil
	}
	d.use(useOf("apiversionsets", lastSegment(set)))
	doc, err := b.r.Get(set)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var desired versionSetDocument
	if err := b.p.decode(doc, &desired); err != nil {
		d.errs = append(d.errs, err)
		return nil
	}
	api.VersionScheme = strings.ToLower(desired.Properties.Scheme)
	switch api.VersionScheme {
	case snapshot.VersionHeader:
		api.VersionName = desired.Properties.HeaderName
	case snapshot.VersionQuery:
		api.VersionName = desired.Properties.QueryName
	}
	return nil
}

func (b *builder) operations(d *draft, api string) ([]snapshot.Operation, error) {
	docs, err := b.list(typeOperation, api)
	if err != nil {
		return nil, err
	}
	policies, err := b.policies(d, typeOperation, api)
	if err != nil {
		return nil, err
	}
	samples := &sampler{b: b, api: api}
	out := []snapshot.Operation{}
	for _, doc := range docs {
		var desired operationDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		pr := desired.Properties
		o := snapshot.Operation{
			Name: lastSegment(doc.ID), DisplayName: pr.DisplayName, Method: strings.ToUpper(pr.Method),
			URLTemplate: pr.URLTemplate, Policy: policies[store.Key(doc.ID)],
		}
		if d.mocks || b.mocks { // nobody else asks for them
			if o.Responses, err = responses(desired, samples); err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// mocks says whether a policy may answer with an example.
func mocks(xml string) bool { return strings.Contains(xml, "<mock-response") }

// responses are the described responses of an API operation with their examples in the order of their names, "default"
// before all others. What has no example has a body that its schema describes.
func responses(doc operationDocument, samples *sampler) ([]snapshot.Response, error) {
	var out []snapshot.Response
	for _, r := range doc.Properties.Responses {
		res := snapshot.Response{Status: r.StatusCode}
		for _, rep := range r.Representations {
			c := snapshot.Content{Type: rep.ContentType}
			names := slices.SortedFunc(maps.Keys(rep.Examples), func(a, b string) int {
				return cmp.Or(cmp.Compare(later(a), later(b)), strings.Compare(a, b))
			})
			for _, name := range names {
				c.Examples = append(c.Examples, exampleText(rep.Examples[name].Value))
			}
			if len(names) == 0 && rep.Sample != "" {
				c.Examples = []string{rep.Sample}
			}
			if len(c.Examples) == 0 {
				var err error
				if c.Sample, err = samples.body(rep.ContentType, rep.SchemaID, rep.TypeName); err != nil {
					return nil, err
				}
			}
			res.Contents = append(res.Contents, c)
		}
		out = append(out, res)
	}
	return out, nil
}

// later puts the example that has no name of its own first.
func later(name string) int {
	if name == "default" {
		return 0
	}
	return 1
}

// exampleText is the body that an example stands for: a text as it is, anything else as JSON.
func exampleText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// firstOf returns the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
