package resource

import (
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// Administrator is the name of the user that every service is born with.
const Administrator = "1"

// hidden is an api-version that no client asks for: fields from then on are stored and never shown.
const hidden arm.Version = "9999-12-31"

func users() *Row {
	return &Row{
		Namespace: APIM, Path: "service/users", Lookup: "properties.email", Shape: Entity, Entity: "User", Proof: "TestGolden/users", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "userId", PatchSilentUntil: v2020pre, NameMax: 80,
		Fields: []Field{
			{Path: "properties.email", Kind: String, Flags: Required, MinLen: 1, MaxLen: 254},
			{Path: "properties.firstName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.lastName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.state", Kind: String, Enum: words("active", "blocked", "pending", "deleted"), Default: "active"},
			{Path: "properties.note", Kind: String},
			{Path: "properties.identities[].provider", Kind: String},
			{Path: "properties.identities[].id", Kind: String},
			{Path: "properties.registrationDate", Kind: Time, Flags: ReadOnly},
			{Path: "properties.groups", Kind: Array, Of: Any, Flags: ReadOnly},
			{Path: "properties.password", Kind: String, Flags: WriteOnly}, // nobody signs in with it, so it is not kept
			{Path: "properties.confirmation", Kind: String, Flags: WriteOnly, Enum: words("signup", "invite")},
			{Path: "properties.appType", Kind: String, From: v2019, Flags: WriteOnly, Enum: words("portal", "developerPortal")},
			{Path: "tokenKeys.primary", Kind: String, From: hidden, Flags: Sealed},
			{Path: "tokenKeys.secondary", Kind: String, From: hidden, Flags: Sealed},
		},
		Filters: map[string]string{
			"name": "name", "firstName": "properties.firstName", "lastName": "properties.lastName", "email": "properties.email",
			"state": "properties.state", "registrationDate": "properties.registrationDate", "note": "properties.note",
		},
		Complete: completeUser,
		Rules:    []Rule{userEmail},
		Stored: func(c *Change, tx store.Tx) error {
			return PutLink(tx, c.Service()+"/groups/"+Developers, "service/groups/users", c.Name)
		},
		Compute: func(s *Shown) {
			if !s.Listed || s.asks("expandGroups") {
				s.Object.Set("properties.groups", s.groupsOf("users"))
			}
		},
		OnDelete: deleteUser, DeletedFrom: v2023may,
		Actions: []Action{{"token", ""}},
	}
}

// completeUser keeps what the client cannot send. A user without another identity is known by the email address, and
// an identity by email address follows that.
func completeUser(c *Change) {
	for _, path := range []string{"properties.registrationDate", "tokenKeys"} {
		if was := c.Old.Get(path); was != nil {
			c.New.Set(path, was)
		}
	}
	c.New.SetDefault("properties.registrationDate", Timestamp(time.Now()))
	c.New.SetDefault("tokenKeys.primary", NewKey())
	c.New.SetDefault("tokenKeys.secondary", NewKey())
	if was := c.Old.Text("properties.state"); was != "" {
		c.New.SetDefault("properties.state", was)
	}
	if c.New.Get("properties.identities") == nil {
		c.New.Set("properties.identities", cloneValue(c.Old.List("properties.identities")))
	}
	identities, email := c.New.List("properties.identities"), c.New.Text("properties.email")
	if len(identities) == 0 {
		identities = []any{map[string]any{"provider": "Basic"}}
	}
	for _, v := range identities {
		if m, ok := v.(map[string]any); ok && m["provider"] == "Basic" {
			m["id"] = email
		}
	}
	c.New.Set("properties.identities", identities)
}

func userEmail(c *Change) []arm.ErrorDetail {
	email := c.New.Text("properties.email")
	name, domain, ok := strings.Cut(email, "@")
	if !ok || name == "" || domain == "" || strings.ContainsAny(email, " \t\r\n<>") {
		return []arm.ErrorDetail{Finding("email", "'%s' is not an email address.", email)}
	}
	return uniqueText(c, "email", "User")
}

// deleteUser needs deleteSubscriptions=true when the user owns subscriptions, and takes the memberships with it.
func deleteUser(r *Removal) *arm.Error {
	if lastSegment(r.ID) == Administrator {
		return arm.Invalid(Finding("userId", "The administrator of the service cannot be deleted."))
	}
	subs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/service/subscriptions"), Prefix: ServiceID(r.ID)})
	if err != nil {
		return internalError(err)
	}
	for _, d := range subs {
		if o, err := parseObject(d.Desired); err == nil && arm.SameID(o.Text("properties.ownerId"), r.ID) {
			r.Also = append(r.Also, d.ID)
		}
	}
	if len(r.Also) > 0 && !strings.EqualFold(r.Query("deleteSubscriptions"), "true") {
		return arm.Invalid(Finding("deleteSubscriptions", "The user has subscriptions: delete them first, or pass deleteSubscriptions=true."))
	}
	return r.links("service/groups/users")
}

// The built-in groups. Every user is a developer, the administrator is in the first group, nobody in the last.
const (
	Administrators = "administrators"
	Developers     = "developers"
	Guests         = "guests"
)

func groups() *Row {
	return &Row{
		Namespace: APIM, Path: "service/groups", Lookup: "properties.displayName", Shape: Entity, Entity: "Group", Proof: "TestGolden/groups", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "groupId", PatchSilentUntil: v2020pre, NameMax: 256,
		Fields: []Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 300},
			{Path: "properties.description", Kind: String},
			{Path: "properties.type", Kind: String, Enum: words("custom", "system", "external"), Default: "custom"},
			{Path: "properties.externalId", Kind: String},
			{Path: "properties.builtIn", Kind: Bool, Flags: ReadOnly},
		},
		Filters: map[string]string{
			"name": "name", "displayName": "properties.displayName", "description": "properties.description", "externalId": "properties.externalId",
		},
		Rules:   []Rule{groupNotBuiltIn, groupNameFree},
		Compute: func(s *Shown) { s.Object.Set("properties.builtIn", builtIn(s.Object)) },
		OnDelete: func(r *Removal) *arm.Error {
			if builtIn(r.Object) {
				return arm.Invalid(Finding("groupId", "The built-in group '%s' cannot be deleted.", lastSegment(r.ID)))
			}
			return r.links("service/products/groups")
		},
	}
}

func builtIn(group Object) bool { return group.Text("properties.type") == "system" }

func groupNotBuiltIn(c *Change) []arm.ErrorDetail {
	switch {
	case builtIn(c.Old):
		return []arm.ErrorDetail{Finding("groupId", "The built-in group '%s' cannot be changed.", c.Name)}
	case builtIn(c.New):
		return []arm.ErrorDetail{Finding("type", "A group of type 'system' cannot be created.")}
	}
	return nil
}

func groupNameFree(c *Change) []arm.ErrorDetail { return uniqueText(c, "displayName", "Group") }

func groupUsers() *Row {
	return &Row{
		Namespace: APIM, Path: "service/groups/users", Shape: Association, Entity: "User", Proof: "TestGolden/groups", Versions: apimVersions,
		Verbs: Head | Put | Delete | List, NameParam: "userId", NameMax: 80,
		Link: "service/users", NoIfMatch: true,
		Rules: []Rule{func(c *Change) []arm.ErrorDetail { return membershipIsFree(c.Tree, c.ID) }},
		OnDelete: func(r *Removal) *arm.Error {
			if found := membershipIsFree(r.Tree, r.ID); found != nil {
				return arm.Invalid(found...)
			}
			return nil
		},
	}
}

// membershipIsFree refuses to change who is in a built-in group: the service decides.
func membershipIsFree(t store.Reader, link string) []arm.ErrorDetail {
	group, err := t.Get(link[:strings.LastIndex(link, "/users/")])
	if err != nil {
		return nil
	}
	if o, err := parseObject(group.Desired); err == nil && builtIn(o) {
		return []arm.ErrorDetail{Finding("groupId", "The membership of the built-in group '%s' is managed by the service.", lastSegment(group.ID))}
	}
	return nil
}

func productGroups() *Row {
	return &Row{
		Namespace: APIM, Path: "service/products/groups", Shape: Association, Entity: "Group", Proof: "TestGolden/groups", Versions: apimVersions,
		Verbs: Head | Put | Delete | List, NameParam: "groupId", NameMax: 256,
		Link: "service/groups", NoIfMatch: true,
	}
}

// groupsOf are the groups of a user, or of a product, as they are shown inside it. kind is users or products.
func (s *Shown) groupsOf(kind string) []any {
	service, out := ServiceID(s.Doc.ID), []any{}
	all, err := s.Tree.List(store.Query{Type: strings.ToLower(APIM + "/service/groups"), Prefix: service})
	if err != nil {
		return out
	}
	for _, d := range all {
		link := d.ID + "/users/" + lastSegment(s.Doc.ID)
		if kind == "products" {
			link = s.Doc.ID + "/groups/" + lastSegment(d.ID)
		}
		if _, err := s.Tree.Get(link); err != nil {
			continue
		}
		o, err := parseObject(d.Desired)
		if err != nil {
			continue
		}
		group := map[string]any{"builtIn": builtIn(o), "id": d.ID, "name": lastSegment(d.ID)}
		for _, name := range []string{"displayName", "description", "type", "externalId"} {
			if v := o.Get("properties." + name); v != nil {
				group[name] = v
			}
		}
		out = append(out, group)
	}
	return out
}

// BuiltInGroups are the groups of a new service, with what clients see of them.
func BuiltInGroups() map[string]Object {
	group := func(name, description string) Object {
		return Object{"properties": map[string]any{"displayName": name, "description": description, "type": "system"}}
	}
	return map[string]Object{
		Administrators: group("Administrators", "Built-in group of those who manage the service."),
		Developers:     group("Developers", "Built-in group of the users that have signed up."),
		Guests:         group("Guests", "Built-in group of those who have not signed in."),
	}
}

// PutLink makes the association of an entity with another, whose name is given. typePath is that of the association.
func PutLink(tx store.Tx, owner, typePath, name string) error {
	id := owner + "/" + lastSegment(typePath) + "/" + name
	if _, err := tx.Get(id); err == nil {
		return nil
	}
	_, err := tx.Put(store.Document{ID: id, Type: strings.ToLower(APIM + "/" + typePath), Desired: []byte("{}")})
	return err
}

// links adds the associations of a type that lead to the removed entity.
func (r *Removal) links(typePath string) *arm.Error {
	docs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/" + typePath), Prefix: ServiceID(r.ID)})
	if err != nil {
		return internalError(err)
	}
	name, _, _ := strings.Cut(lastSegment(r.ID), ";rev=")
	for _, d := range docs {
		if strings.EqualFold(lastSegment(d.ID), name) {
			r.Also = append(r.Also, d.ID)
		}
	}
	return nil
}

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
