package arm

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// MaxPath bounds the path of a request, in bytes.
const MaxPath = 8 << 10

// ErrBadID is wrapped by the errors of ParseID and ParsePath.
var ErrBadID = errors.New("malformed resource id")

// An ID is a resource ID taken apart. A collection has one type segment more than it has names.
type ID struct {
	// Scope is what an extension resource ("…/providers/A/x/1/providers/B/y/2") belongs to; nil for others.
	Scope         *ID
	Subscription  string
	ResourceGroup string
	Provider      string // namespace, "Microsoft.ApiManagement"; empty for subscriptions and resource groups
	Types         []string
	Names         []string
	// Tail holds what follows a scope that is no provider path: "resources", "locations", "register".
	Tail []string
}

// ParseID reads the ID of one resource. Doubled and trailing slashes and percent-escapes are accepted.
func ParseID(path string) (ID, error) {
	id, err := ParsePath(path)
	if err != nil {
		return ID{}, err
	}
	if len(id.Tail) > 0 || len(id.Types) != len(id.Names) || (id.Provider != "" && len(id.Types) == 0) || id.isRoot() {
		return ID{}, fmt.Errorf("%w: not one resource", ErrBadID)
	}
	return id, nil
}

// ParsePath reads the path of a management request: a resource, a collection, or a scope with a Tail.
func ParsePath(path string) (ID, error) {
	segs, err := segments(path)
	if err != nil {
		return ID{}, err
	}
	var id ID
	if len(segs) > 0 && strings.EqualFold(segs[0], "subscriptions") && len(segs) > 1 {
		id.Subscription, segs = segs[1], segs[2:]
		if len(segs) > 1 && strings.EqualFold(segs[0], "resourceGroups") {
			id.ResourceGroup, segs = segs[1], segs[2:]
		}
	}
	for len(segs) > 1 && strings.EqualFold(segs[0], "providers") {
		if id.Provider != "" {
			outer := id
			id = ID{Scope: &outer, Subscription: outer.Subscription, ResourceGroup: outer.ResourceGroup}
		}
		id.Provider, segs = segs[1], segs[2:]
		for len(segs) > 0 && !(len(segs) > 1 && strings.EqualFold(segs[0], "providers") && len(id.Types) > 0) {
			id.Types = append(id.Types, segs[0])
			if segs = segs[1:]; len(segs) > 0 {
				id.Names, segs = append(id.Names, segs[0]), segs[1:]
			}
		}
	}
	if len(segs) > 0 {
		id.Tail = segs
	}
	return id, nil
}

// segments splits a path and undoes percent-escapes. A name may hold no slash, no control character, and may not be
// "." or "..": IDs are compared and stored as text.
func segments(path string) ([]string, error) {
	if len(path) > MaxPath {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrBadID, MaxPath)
	}
	var out []string
	for raw := range strings.SplitSeq(path, "/") {
		if raw == "" {
			continue
		}
		s, err := url.PathUnescape(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", ErrBadID, err.Error())
		}
		if s == "." || s == ".." || strings.ToValidUTF8(s, "") != s || strings.ContainsFunc(s, forbidden) {
			return nil, fmt.Errorf("%w: segment %q", ErrBadID, s)
		}
		out = append(out, s)
	}
	return out, nil
}

func forbidden(r rune) bool {
	return r < 0x20 || r == 0x7f || r == '/' || r == '\\' || r == '?' || r == '#'
}

func (id ID) isRoot() bool { return id.Subscription == "" && id.Provider == "" }

// Type is "Microsoft.ApiManagement/service/apis", in the spelling of the path.
func (id ID) Type() string {
	switch {
	case id.Provider != "":
		return strings.Join(append([]string{id.Provider}, id.Types...), "/")
	case id.ResourceGroup != "":
		return "Microsoft.Resources/resourceGroups"
	case id.Subscription != "":
		return "Microsoft.Resources/subscriptions"
	}
	return ""
}

// TypePath is Type without the namespace: "service/apis".
func (id ID) TypePath() string { return strings.Join(id.Types, "/") }

// Name is the last name of the resource.
func (id ID) Name() string {
	switch {
	case len(id.Names) > 0:
		return id.Names[len(id.Names)-1]
	case id.Provider != "":
		return ""
	case id.ResourceGroup != "":
		return id.ResourceGroup
	}
	return id.Subscription
}

// IsCollection tells "…/service" from "…/service/x".
func (id ID) IsCollection() bool { return len(id.Types) == len(id.Names)+1 }

// Parent is the resource that holds this one: a service for an API, a resource group for a service. The parent of a
// subscription is the zero ID.
func (id ID) Parent() ID {
	p := ID{Scope: id.Scope, Subscription: id.Subscription, ResourceGroup: id.ResourceGroup}
	switch n := len(id.Types); {
	case n > 1:
		p.Provider, p.Types, p.Names = id.Provider, id.Types[:n-1], id.Names[:min(n-1, len(id.Names))]
	case id.Provider != "" && id.Scope != nil:
		return *id.Scope
	case id.Provider != "":
	case id.ResourceGroup != "":
		p.ResourceGroup = ""
	default:
		p.Subscription = ""
	}
	return p
}

// String is the ID with the fixed words in canonical spelling. Names and types keep the spelling they have.
func (id ID) String() string {
	var b strings.Builder
	if id.Scope != nil {
		b.WriteString(id.Scope.String())
	} else {
		if id.Subscription != "" {
			b.WriteString("/subscriptions/" + id.Subscription)
		}
		if id.ResourceGroup != "" {
			b.WriteString("/resourceGroups/" + id.ResourceGroup)
		}
	}
	if id.Provider != "" {
		b.WriteString("/providers/" + id.Provider)
	}
	for i, t := range id.Types {
		b.WriteString("/" + t)
		if i < len(id.Names) {
			b.WriteString("/" + id.Names[i])
		}
	}
	for _, t := range id.Tail {
		b.WriteString("/" + t)
	}
	return b.String()
}

// SameID compares two IDs as ARM does: without case and without slashes at the ends.
func SameID(a, b string) bool { return strings.EqualFold(strings.Trim(a, "/"), strings.Trim(b, "/")) }
