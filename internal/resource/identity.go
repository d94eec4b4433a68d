package resource

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// ManagedIdentity is the namespace of identities that are resources of their own.
const ManagedIdentity = "Microsoft.ManagedIdentity"

const typeUserIdentity = ManagedIdentity + "/userAssignedIdentities"

// userIdentities is where a service lists the user-assigned identities that it has, by their IDs.
const userIdentities = "identity.userAssignedIdentities"

// maxUserIdentities is how many of them a service may have.
const maxUserIdentities = 10

var (
	identityVersions = []arm.Version{"2018-11-30", "2021-09-30-preview", "2022-01-31-preview", "2023-01-31", "2023-07-31-preview", "2024-11-30"}
	identityName     = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`)
)

// An IdentityStatus is the Status of a user-assigned identity.
type IdentityStatus struct {
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
}

func userAssignedIdentities() *Row {
	return &Row{
		Namespace: ManagedIdentity, Path: "userAssignedIdentities", Shape: Tracked, Entity: "Identity", Proof: "TestGolden/identities", Versions: identityVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "resourceName", NameMin: 3, NameMax: 128, NameLike: identityName, NoIfMatch: true,
		Fields: append([]Field{{Path: "location", Kind: String}, {Path: "tags", Kind: Map}},
			readOnly("properties.tenantId", "properties.principalId", "properties.clientId")...),
		Complete: func(c *Change) {
			c.New.Set("location", NormalLocation(c.New.Text("location")))
			delete(c.New, "properties")
		},
		Rules: []Rule{tagLimits},
		NewStatus: func(*Change) (any, error) {
			return IdentityStatus{PrincipalID: uuid.NewString(), ClientID: uuid.NewString()}, nil
		},
		Compute: func(s *Shown) {
			st := identityStatus(s.Doc)
			s.Object.Set("properties.tenantId", s.Env.TenantID)
			s.Object.Set("properties.principalId", st.PrincipalID)
			s.Object.Set("properties.clientId", st.ClientID)
		},
	}
}

func identityStatus(d store.Document) (st IdentityStatus) {
	_ = json.Unmarshal(d.Status, &st) // an unreadable status is an empty one
	return st
}

// patchIdentity is the identity of a resource after a patch. The type is what it says; of the user-assigned ones those
// that are not named stay, and those that are null go. IDs compare without case.
func patchIdentity(old, patch map[string]any) map[string]any {
	out := maps.Clone(patch)
	if out["type"] == nil && old["type"] != nil {
		out["type"] = old["type"]
	}
	const list = "userAssignedIdentities"
	was, _ := old[list].(map[string]any)
	change, _ := patch[list].(map[string]any)
	if kind, _ := out["type"].(string); !strings.Contains(strings.ToLower(kind), "userassigned") {
		was = nil
	}
	merged := maps.Clone(was)
	if merged == nil {
		merged = map[string]any{}
	}
	for id, v := range change {
		maps.DeleteFunc(merged, func(have string, _ any) bool { return arm.SameID(have, id) })
		if v != nil {
			merged[id] = v
		}
	}
	if delete(out, list); len(merged) > 0 {
		out[list] = merged
	}
	return out
}

// hasIdentity says whether a service has identities of a kind: SystemAssigned or UserAssigned.
func hasIdentity(o Object, kind string) bool {
	return slices.Contains(strings.Split(o.Text("identity.type"), ", "), kind)
}

// completeIdentity gives the IDs of user-assigned identities the spelling of what they name.
func completeIdentity(c *Change) {
	if c.New.Text("identity.type") == "None" {
		delete(c.New, "identity")
		return
	}
	given, ok := c.New.Get(userIdentities).(map[string]any)
	if !ok {
		return
	}
	list := map[string]any{}
	for id := range given {
		if d, err := c.Tree.Get(id); err == nil {
			id = d.ID
		}
		list[id] = map[string]any{}
	}
	if c.New.Remove(userIdentities); len(list) > 0 {
		c.New["identity"].(map[string]any)["userAssignedIdentities"] = list
	}
}

// identityRules: the list agrees with the type, and what is listed anew exists. One that was deleted since stays listed
// until it is taken away, and is good for nothing.
func identityRules(c *Change) (found []arm.ErrorDetail) {
	kind := c.New.Text("identity.type")
	list, _ := c.New.Get(userIdentities).(map[string]any)
	had, _ := c.Old.Get(userIdentities).(map[string]any)
	switch user := hasIdentity(c.New, "UserAssigned"); {
	case user && len(list) == 0:
		found = append(found, Finding(userIdentities, "An identity of the type '%s' must list at least one user-assigned identity.", kind))
	case !user && len(list) > 0:
		found = append(found, Finding(userIdentities, "An identity of the type '%s' lists no user-assigned identities.", kind))
	case len(list) > maxUserIdentities:
		found = append(found, Finding(userIdentities, "A service may have at most %d user-assigned identities.", maxUserIdentities))
	}
	for _, id := range slices.Sorted(maps.Keys(list)) {
		if _, kept := had[id]; !kept && reference(c.Tree, id, typeUserIdentity) == nil {
			found = append(found, Finding(userIdentities, "The user-assigned identity '%s' was not found.", id))
		}
	}
	return found
}

// A userIdentity is a user-assigned identity of a service.
type userIdentity struct {
	id string
	IdentityStatus
}

// identitiesOf are the user-assigned identities of a service that exist.
func identitiesOf(t store.Reader, service Object) (out []userIdentity) {
	list, _ := service.Get(userIdentities).(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(list)) {
		if d, err := t.Get(id); err == nil {
			out = append(out, userIdentity{id, identityStatus(d)})
		}
	}
	return out
}

// SystemIdentity says whether a service has an identity of its own.
func SystemIdentity(service Object) bool { return hasIdentity(service, "SystemAssigned") }

// UserIdentity says whether a service has the user-assigned identity with a client ID.
func UserIdentity(t store.Reader, service Object, clientID string) bool {
	return slices.ContainsFunc(identitiesOf(t, service), func(u userIdentity) bool { return strings.EqualFold(u.ClientID, clientID) })
}

// showIdentity adds the IDs by which the identities of a service are known.
func showIdentity(s *Shown, principal string) {
	if SystemIdentity(s.Object) {
		s.Object.Set("identity.principalId", principal)
		s.Object.Set("identity.tenantId", s.Env.TenantID)
	}
	list, ok := s.Object.Get(userIdentities).(map[string]any)
	if !ok || s.Tree == nil {
		return
	}
	for _, u := range identitiesOf(s.Tree, s.Object) {
		list[u.id] = map[string]any{"principalId": u.PrincipalID, "clientId": u.ClientID}
	}
}
