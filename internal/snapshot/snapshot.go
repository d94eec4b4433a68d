// Package snapshot is the immutable configuration of one service as its gateways need it: a manifest that lists
// content-addressed parts. Control makes snapshots out of documents, machines compile the parts they lack. Nothing
// here reads a store or serves a request.
//
// One part holds what changes together: the service itself, its products, its subscriptions, the users that own these,
// its backends, its client certificates, and each API with its API operations and policies. Named values are substituted and policy fragments
// added before a part is made, so that a part's digest covers everything that its meaning depends on.
package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Format is the number of the encoding. A reader refuses a newer one and can read the one before.
const Format = 1

// A Manifest names the parts of one service at one moment.
type Manifest struct {
	Format  int    `json:"format"`
	Service string `json:"service"` // resource ID
	Name    string `json:"name"`
	Seq     int64  `json:"seq"` // the store transaction up to which everything is contained
	Parts   Parts  `json:"parts"`
}

// Digest identifies the content of a manifest, whatever its Seq.
func (m Manifest) Digest() string { return m.Parts.Digest() }

// Kinds of parts and the type each decodes to.
const (
	KindService       = "service"       // Service
	KindProducts      = "products"      // []Product
	KindSubscriptions = "subscriptions" // []Subscription
	KindUsers         = "users"         // []User
	KindBackends      = "backends"      // []Backend
	KindCertificates  = "certificates"  // []Certificate
	KindAPI           = "api"           // API
)

// Encode turns a part into its stored form and digest.
func Encode(v any) (data []byte, digest string, err error) {
	data, err = json.Marshal(v)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:16]), nil
}

// Service is what concerns all APIs of a service.
type Service struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Location string `json:"location"` // display form: West Europe
	Tier     string `json:"tier"`
	Hosts    []Host `json:"hosts"`
	Disabled bool   `json:"disabled,omitempty"` // disableGateway, at every location
	Blocked  bool   `json:"blocked,omitempty"`  // nobody is served, wherever from
	// Closed: only connections to the addresses of Private are served (publicNetworkAccess).
	Closed  bool     `json:"closed,omitempty"`
	Private []string `json:"private,omitempty"`
	Policy  *Policy  `json:"policy,omitempty"`
	// Locations are where the service is, the primary one first: a machine is what it is at its own. Empty for a service
	// that is at one location and nowhere else.
	Locations []Location `json:"locations,omitempty"`
	// RequireClient refuses requests of clients that have shown no certificate.
	RequireClient bool `json:"requireClient,omitempty"`
	// Authorities are certificates that the service brings to verify those of backends and clients with.
	Authorities []Authority `json:"authorities,omitempty"`
	TLS         TLS         `json:"tls,omitzero"`
}

// TLS is how a gateway speaks TLS, beside what crypto/tls does by itself: TLS 1.2 and later.
type TLS struct {
	HTTP2 bool `json:"http2,omitempty"` // offered to clients
	// Oldest is the oldest version that clients may speak, and OldestBackend the one that backends may; 0 for TLS 1.2.
	Oldest        uint16 `json:"oldest,omitempty"`
	OldestBackend uint16 `json:"oldestBackend,omitempty"`
	// Without are cipher suites that clients are not offered, With ones that they are offered beside the usual ones.
	Without []uint16 `json:"without,omitempty"`
	With    []uint16 `json:"with,omitempty"`
}

// An Authority is a certificate to verify others with: a root that is trusted as it is, or one between.
type Authority struct {
	Root           bool   `json:"root,omitempty"`
	CertificatePEM string `json:"certificatePem"`
}

// Location is one of several locations of a service.
type Location struct {
	Name     string `json:"name"`               // normalised: westeurope
	Display  string `json:"display"`            // West Europe
	Disabled bool   `json:"disabled,omitempty"` // out of rotation, while others are in
}

// Host is a name, or an address literal, that the gateway answers to.
type Host struct {
	Name    string `json:"name"`              // lower case; "*.example.com" for all names one label below
	Default bool   `json:"default,omitempty"` // presented when a client sends no SNI
	// AskClient has clients asked for a certificate, which they need not have.
	AskClient bool `json:"askClient,omitempty"`
	// Location is the normalised name of the location whose machines alone answer to the name; empty for all.
	Location string `json:"location,omitempty"`
	// CertificatePEM and KeyPEM are the chain and the key shown for this name; empty for an address literal.
	CertificatePEM string `json:"certificatePem,omitempty"`
	KeyPEM         string `json:"keyPem,omitempty"`
}

// Policy is one policy document with its named values already substituted.
type Policy struct {
	ID  string `json:"id"`  // resource ID of the policy
	XML string `json:"xml"` // in raw form: expressions unescaped
	// Fragments are the policy fragments that the document includes, so that a part's digest covers them.
	Fragments []Fragment `json:"fragments,omitempty"`
}

// Fragment is a policy fragment with its named values already substituted: statements below <fragment>.
type Fragment struct {
	ID   string `json:"id"`   // resource ID
	Name string `json:"name"` // what include-fragment calls it, compared without case
	XML  string `json:"xml"`  // in raw form
}

// Product is a published or unpublished product.
type Product struct {
	ID                   string   `json:"id"` // resource ID
	Name                 string   `json:"name"`
	DisplayName          string   `json:"displayName"`
	Published            bool     `json:"published"`
	SubscriptionRequired bool     `json:"subscriptionRequired"`
	ApprovalRequired     bool     `json:"approvalRequired,omitempty"`
	SubscriptionsLimit   *int     `json:"subscriptionsLimit,omitempty"`
	APIs                 []string `json:"apis"` // resource IDs of APIs, without revision
	Groups               []Group  `json:"groups,omitempty"`
	Policy               *Policy  `json:"policy,omitempty"`
}

// Subscription is a key holder. Scope is the resource ID of a product, an API, the service with "/apis", or (for the
// built-in one) the service itself.
type Subscription struct {
	ID           string    `json:"id"` // resource ID
	Name         string    `json:"name"`
	DisplayName  string    `json:"displayName,omitempty"`
	Scope        string    `json:"scope"`
	State        string    `json:"state"`             // active, submitted, …
	OwnerID      string    `json:"ownerId,omitempty"` // resource ID of a User
	PrimaryKey   string    `json:"primaryKey"`
	SecondaryKey string    `json:"secondaryKey"`
	Created      time.Time `json:"created"`
	// The dates are for the record; State alone decides whether the keys are good.
	Starts *time.Time `json:"starts,omitempty"`
	Ends   *time.Time `json:"ends,omitempty"`
}

// A User is a user that owns a subscription.
type User struct {
	ID         string     `json:"id"` // resource ID
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	FirstName  string     `json:"firstName"`
	LastName   string     `json:"lastName"`
	Note       string     `json:"note,omitempty"`
	State      string     `json:"state"` // active, blocked, …; the keys of a blocked user are refused
	Registered time.Time  `json:"registered"`
	Groups     []Group    `json:"groups,omitempty"`
	Identities []Identity `json:"identities,omitempty"`
}

// A Group is a group of users.
type Group struct {
	ID          string `json:"id"` // resource ID
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// An Identity is one way in which a user signs in.
type Identity struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
}

// Backend is a backend entity that set-backend-service can name.
type Backend struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	URL      string `json:"url"`
	Protocol string `json:"protocol"` // http or soap
	// SkipChain and SkipName switch off the checks of the backend's certificate chain and name.
	SkipChain bool                `json:"skipChain,omitempty"`
	SkipName  bool                `json:"skipName,omitempty"`
	Header    map[string][]string `json:"header,omitempty"` // credentials.header
	Query     map[string][]string `json:"query,omitempty"`  // credentials.query
	// AuthScheme and AuthParameter are credentials.authorization.
	AuthScheme    string `json:"authScheme,omitempty"`
	AuthParameter string `json:"authParameter,omitempty"`
	ProxyURL      string `json:"proxyUrl,omitempty"`
	ProxyUser     string `json:"proxyUser,omitempty"`
	ProxyPassword string `json:"proxyPassword,omitempty"`
}

// A Certificate is one that the service holds with its private key, for backends and for expressions.
type Certificate struct {
	ID             string `json:"id"` // resource ID
	Name           string `json:"name"`
	Thumbprint     string `json:"thumbprint"`     // SHA-1 in upper-case hex
	CertificatePEM string `json:"certificatePem"` // chain, the leaf first
	KeyPEM         string `json:"keyPem"`
}

// Where requests name the version of an API: the last segment of its path, a header, or a query parameter.
const (
	VersionSegment = "segment"
	VersionHeader  = "header"
	VersionQuery   = "query"
)

// API is one API revision with its API operations.
type API struct {
	ID                   string      `json:"id"` // resource ID as clients see it
	Name                 string      `json:"name"`
	DisplayName          string      `json:"displayName"`
	Path                 string      `json:"path"` // without slashes at the ends; may be empty
	Revision             string      `json:"revision"`
	Current              bool        `json:"current"`
	Version              string      `json:"version,omitempty"`
	VersionScheme        string      `json:"versionScheme,omitempty"` // where requests name the version; empty: nowhere
	VersionName          string      `json:"versionName,omitempty"`   // of the header or the query parameter
	ServiceURL           string      `json:"serviceUrl,omitempty"`
	Protocols            []string    `json:"protocols"` // http, https
	SubscriptionRequired bool        `json:"subscriptionRequired"`
	KeyHeader            string      `json:"keyHeader"` // Ocp-Apim-Subscription-Key
	KeyQuery             string      `json:"keyQuery"`  // subscription-key
	Operations           []Operation `json:"operations"`
	Policy               *Policy     `json:"policy,omitempty"`
}

// Operation is an API operation.
type Operation struct {
	Name        string  `json:"name"` // last segment of its resource ID
	DisplayName string  `json:"displayName"`
	Method      string  `json:"method"`      // upper case; "*" for any
	URLTemplate string  `json:"urlTemplate"` // /orders/{id}?page={page}
	Policy      *Policy `json:"policy,omitempty"`
	// Responses are those that the operation describes; left out where no policy can ask for them.
	Responses []Response `json:"responses,omitempty"`
}

// A Response is a described response of an API operation.
type Response struct {
	Status   int       `json:"status"`
	Contents []Content `json:"contents,omitempty"`
}

// Content is a media type of a response with the bodies that stand as examples for it. Sample is a body that its schema
// describes; only what has no example has one.
type Content struct {
	Type     string   `json:"type"`
	Examples []string `json:"examples,omitempty"`
	Sample   string   `json:"sample,omitempty"`
}

// PollPath is where a machine posts a PollRequest, on the publish socket. The answer comes as soon as something the
// machine lacks is there, and after PollTimeout at the latest.
const PollPath = "/portico/publish/v1/poll"

// PollTimeout bounds one long poll.
const PollTimeout = 30 * time.Second

// A PollRequest reports what a machine serves and asks for what is newer.
type PollRequest struct {
	Machine string `json:"machine"`
	// Service is the one service of a single-tenant machine; empty for an mtv1 worker, which gets every Consumption
	// service of Location.
	Service  string `json:"service,omitempty"`
	Location string `json:"location,omitempty"`
	// Session is that of the last answer, when the machine has taken all of it: what it holds is then known. Without
	// one, Have and Parts tell.
	Session string `json:"session,omitempty"`
	// Have maps a service's resource ID to the digest of the manifest that the machine has.
	Have map[string]string `json:"have,omitempty"`
	// Parts lists digests of parts that the machine holds and need not be sent.
	Parts []string `json:"parts,omitempty"`
	// Seq is the newest Seq of an earlier answer; the answer may come at once when nothing was answered yet (0).
	Seq int64 `json:"seq"`
	// Refused lists parts that did not compile; the machine goes on serving their last good form.
	Refused []Refusal `json:"refused,omitempty"`
}

// A Refusal names a part that a machine could not use.
type Refusal struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"` // resource ID
	Digest string `json:"digest"`
	Reason string `json:"reason"`
}

// A PollResponse brings changed manifests and the parts that they need and the machine lacks.
type PollResponse struct {
	Seq       int64             `json:"seq"` // everything up to here is contained, also when nothing else is
	Session   string            `json:"session,omitempty"`
	Resync    bool              `json:"resync,omitempty"` // the session is not known: tell what you have
	Manifests []Manifest        `json:"manifests,omitempty"`
	Changes   []Change          `json:"changes,omitempty"` // of manifests that the machine has
	Gone      []string          `json:"gone,omitempty"`    // services that the machine should drop
	Parts     map[string][]byte `json:"parts,omitempty"`   // by digest
}
