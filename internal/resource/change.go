package resource

import (
	"context"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Env holds what rows need from the rest of the program. Every function is set by whoever builds the management API.
type Env struct {
	// CheckPolicy reads a policy document, gives it in raw form, and says what is wrong with it.
	CheckPolicy func(PolicyInput) (raw string, details []arm.ErrorDetail)
	// PolicyXML turns a raw document into one with its expressions escaped.
	PolicyXML func(raw string) string
	// Import reads an API description.
	Import func(Description) (*Imported, *arm.Error)
	// Fetch reads a document that a link leads to, of at most so many bytes.
	Fetch func(ctx context.Context, link string, limit int64) (string, *arm.Error)
	// OpenPFX takes a PFX file, in base64, apart. So does OpenServer, which reads PEM too and wants a certificate that
	// has not ended; OpenAuthority takes the certificate alone of a file of any form.
	OpenPFX, OpenServer, OpenAuthority func(data, password string) (*KeyPair, []arm.ErrorDetail)
	// URLs are the addresses of a service.
	URLs func(ServiceFacts) URLs
	// AllocateIP gives a public IP address resource its address.
	AllocateIP func(id string) (string, error)
	// Networks says why there are no virtual networks, and how there would be; empty when there are.
	Networks func() string
	// AddressDomain is the suffix of the DNS names of public IP addresses.
	AddressDomain string
	// Limits are those on what services may hold; empty for none.
	Limits platform.Era
	// TenantID is that of the identities of services.
	TenantID string
	// Locations are the places where resources may be.
	Locations []Location
}

// PolicyInput is a policy document with what it is checked against.
type PolicyInput struct {
	Text, Format string // Format is xml or rawxml
	// Scope is that of Row.Policy.
	Scope, Tier   string
	NamedValue    func(name string) (string, bool)
	BackendExists func(id string) bool
	// FragmentExists says whether there is a policy fragment.
	FragmentExists func(id string) bool
	// Parameter says whether the URL template of the API operation has a parameter; nil in other scopes.
	Parameter func(name string) bool
}

// A Description is a document that describes an API.
type Description struct {
	Format, Value string
	Link          string // where it was read from; empty for a value that came with the request
	// RequiredQueryStays: required query parameters do not become template parameters.
	RequiredQueryStays bool
}

// Imported is what an API description says.
type Imported struct {
	DisplayName, Description, ServiceURL string
	Protocols                            []string
	Operations, Schemas                  []ImportedChild
}

// An ImportedChild is one entity below the API; Name is its last name segment.
type ImportedChild struct {
	Name       string
	Properties map[string]any
}

// ServiceFacts is what the addresses of a service depend on.
type ServiceFacts struct {
	ID, Name string
	Location string // normalised
	Status   platform.ServiceStatus
}

// URLs are the addresses in the body of a service. Empty ones are not shown.
type URLs struct {
	Gateway, GatewayRegional, Portal, DeveloperPortal, Management, SCM string
	// GatewayHost is the default host name.
	GatewayHost string
}

// A Location is a place where resources may be.
type Location struct {
	Name    string // westeurope
	Display string // West Europe
	Zones   []string
}

// NormalLocation is the form in which locations are compared.
func NormalLocation(s string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), " ", ""))
}

// Location finds a location by either of its names.
func (env *Env) Location(s string) (Location, bool) {
	for _, l := range env.Locations {
		if l.Name == NormalLocation(s) {
			return l, true
		}
	}
	return Location{}, false
}

// A Rule says what is wrong with a change, beyond what fields can say.
type Rule func(*Change) []arm.ErrorDetail

// A Change is one write in the making.
type Change struct {
	Row     *Row
	Version arm.Version
	ID      string // canonical
	Name    string // last segment, without ";rev="
	// Revision is the number after ";rev=" in the URL of an API; empty for none.
	Revision string
	Old      Object // nil for a creation
	New      Object
	Tree     store.Reader
	Engine   *Engine
	Env      *Env
	// Source is the API that a new one is a copy of; SourceMissing says that the body names one that is not there.
	Source        *store.Document
	SourceMissing bool
	// MakeCurrent says that the body of a revision asks to become the current one. Moved is the ID under which the
	// document is afterwards, when that is not ID.
	MakeCurrent bool
	Moved       string
	// Imported is what Prepare read from the body.
	Imported *Imported
	// Restored says that a soft-deleted service is brought back: Old is nil, and New is what it was.
	Restored bool
	// Opened are the certificate files in the body of a service.
	Opened map[Upload]*KeyPair
	// VersionSet is the version set that the body of an API describes, to be made with it.
	VersionSet Object
	// Secrets are values by the name of the named value that is to hold them.
	Secrets map[string]string
	// Made lists fields whose values were made at random here.
	Made []string
	// Checked remembers a policy check made before the transaction.
	Checked *PolicyCheck
	// Brings are the resources below this one that its body lists, by their full type: all that there are to be of a type
	// that is there. Of one of them, Parent is the change that brings it, and doc what is there.
	Brings map[string][]*Change
	Parent *Change
	doc    *store.Document
}

// Creating says whether nothing is there yet.
func (c *Change) Creating() bool { return c.Old == nil }

// Service is the ID of the service that the entity belongs to.
func (c *Change) Service() string { return ServiceID(c.ID) }

// ServiceID cuts a child's ID down to its service's. It returns "" for an ID outside a service.
func ServiceID(id string) string {
	const mark = "/providers/microsoft.apimanagement/service/"
	i := strings.Index(strings.ToLower(id), mark)
	if i < 0 {
		return ""
	}
	rest := id[i+len(mark):]
	if j := strings.IndexByte(rest, '/'); j >= 0 {
		rest = rest[:j]
	}
	return id[:i+len(mark)] + rest
}

// Tier is the SKU name of the service; empty when it cannot be read.
func (c *Change) Tier() string {
	d, err := c.Tree.Get(c.Service())
	if err != nil {
		return ""
	}
	o, err := parseObject(d.Desired)
	if err != nil {
		return ""
	}
	return o.Text("sku.name")
}

// Exists says whether there is such a document.
func (c *Change) Exists(id string) bool {
	_, err := c.Tree.Get(id)
	return err == nil
}

// lookupWord is the form of a text in store.Document.Lookup: without case, and without slashes around it. The sign
// before it makes a word of an empty text too.
func lookupWord(text string) string {
	return "=" + strings.ToLower(strings.ToUpper(strings.Trim(text, "/ ")))
}

// Named lists the documents of a type of the service whose field Row.Lookup has a text, without case.
func (c *Change) Named(fullType, text string) ([]store.Document, []Object) {
	return c.list(store.Query{Type: strings.ToLower(fullType), Prefix: c.Service(), Lookup: lookupWord(text)})
}

// Siblings lists the documents of a type below an ID with what their clients asked for.
func (c *Change) Siblings(fullType, below string) ([]store.Document, []Object) {
	return c.list(store.Query{Type: strings.ToLower(fullType), Prefix: below})
}

func (c *Change) list(q store.Query) ([]store.Document, []Object) {
	docs, err := c.Tree.List(q)
	if err != nil {
		return nil, nil
	}
	objects := make([]Object, len(docs))
	for i, d := range docs {
		objects[i], _ = parseObject(d.Desired)
	}
	return docs, objects
}

// Finish completes and checks the new object: what an older api-version could not express is kept, defaults are
// filled, then every rule speaks.
func (c *Change) Finish() *arm.Error {
	c.complete()
	return c.Check()
}

func (c *Change) complete() {
	if c.Old != nil {
		c.Engine.keep(c.Row, c.Version, c.Old, c.New)
	}
	if c.Row.Complete != nil {
		c.Row.Complete(c)
	}
	setDefaults(c.Row, c.New)
}

// Check lets every rule speak.
func (c *Change) Check() *arm.Error {
	var found []arm.ErrorDetail
	for _, rule := range c.Row.Rules {
		found = append(found, rule(c)...)
	}
	if len(found) == 0 {
		return nil
	}
	err := arm.Invalid(found...)
	if first := found[0]; first.Code != err.Code { // a code of its own
		err.Code, err.Message, err.Target = first.Code, first.Message, first.Target
	}
	return err
}

// A Removal is one deletion in the making.
type Removal struct {
	ID      string
	Object  Object
	Query   func(name string) string
	Tree    store.Reader
	Version arm.Version
	// Also lists IDs that go too, each with everything below it.
	Also []string
}

// CheckName says what is wrong with a name.
func (r *Row) CheckName(name string) []arm.ErrorDetail {
	param := r.NameParam
	for _, fixed := range r.NameIs {
		if strings.EqualFold(fixed, name) {
			return nil
		}
	}
	switch {
	case len(r.NameIs) > 0:
		return []arm.ErrorDetail{Finding(param, "'%s' is not a valid value of '%s'. Possible values: %s.", name, param, strings.Join(r.NameIs, ", "))}
	case len(name) < max(r.NameMin, 1) || r.NameMax > 0 && len(name) > r.NameMax:
		return []arm.ErrorDetail{Finding(param, "'%s' must be between %d and %d characters. You entered %d characters.", param, max(r.NameMin, 1), r.NameMax, len(name))}
	case r.NameLike != nil && !r.NameLike.MatchString(name):
		return []arm.ErrorDetail{Finding(param, "'%s' has the wrong form; it must match %s.", param, r.NameLike)}
	}
	return nil
}

// CanonicalName is the spelling of a name: that of a fixed name, or as the client gave it.
func (r *Row) CanonicalName(name string) string {
	for _, fixed := range r.NameIs {
		if strings.EqualFold(fixed, name) {
			return fixed
		}
	}
	return name
}
