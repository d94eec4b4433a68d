package resource

import (
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

func products() *Row {
	return &Row{
		Namespace: APIM, Path: "service/products", Lookup: "properties.displayName", Shape: Entity, Entity: "Product", Proof: "TestGolden/products", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "productId", PatchSilentUntil: v2020pre, NameMax: 256,
		Fields: []Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 300},
			{Path: "properties.description", Kind: String, MaxLen: 1000},
			{Path: "properties.terms", Kind: String},
			{Path: "properties.subscriptionRequired", Kind: Bool, Default: true},
			{Path: "properties.approvalRequired", Kind: Bool},
			{Path: "properties.subscriptionsLimit", Kind: Int, Min: new(int64(0)), Max: new(int64(1<<31 - 1))},
			{Path: "properties.state", Kind: String, Enum: words("notPublished", "published"), Default: "notPublished"},
			{Path: "properties.groups", Kind: Array, Of: Any, Flags: ReadOnly}, // of a list with expandGroups
		},
		Filters: map[string]string{
			"name": "properties.displayName", "displayName": "properties.displayName", "description": "properties.description",
			"terms": "properties.terms", "state": "properties.state",
		},
		Complete: func(c *Change) {
			if c.New.Get("properties.subscriptionRequired") != false {
				c.New.SetDefault("properties.approvalRequired", false)
			}
		},
		Rules: []Rule{productNeedsSubscriptions, productNameFree},
		Stored: func(c *Change, tx store.Tx) error {
			if !c.Creating() {
				return nil
			}
			return PutLink(tx, c.ID, "service/products/groups", Administrators)
		},
		Compute: func(s *Shown) {
			if s.Listed && s.asks("expandGroups") {
				s.Object.Set("properties.groups", s.groupsOf("products"))
			}
		},
		OnDelete: deleteProduct,
	}
}

// productNeedsSubscriptions: approval and a limit make sense only where subscriptions are asked for.
func productNeedsSubscriptions(c *Change) (found []arm.ErrorDetail) {
	if c.New.Get("properties.subscriptionRequired") != false {
		return nil
	}
	if c.New.Flag("properties.approvalRequired") {
		found = append(found, Finding("approvalRequired", "'approvalRequired' can be true only when 'subscriptionRequired' is true."))
	}
	if n, ok := c.New.Number("properties.subscriptionsLimit"); ok && n > 0 {
		found = append(found, Finding("subscriptionsLimit", "'subscriptionsLimit' can be set only when 'subscriptionRequired' is true."))
	}
	return found
}

func productNameFree(c *Change) []arm.ErrorDetail {
	return uniqueText(c, "displayName", "Product")
}

// uniqueText refuses a text that another entity of the type has, without case. The field is the row's Lookup.
func uniqueText(c *Change, name, entity string) []arm.ErrorDetail {
	text := c.New.Text("properties." + name)
	docs, objects := c.Named(c.Row.Type(), text)
	for i, o := range objects {
		if store.Key(docs[i].ID) != store.Key(c.ID) && strings.EqualFold(o.Text("properties."+name), text) {
			return []arm.ErrorDetail{Finding(name, "%s with the same %s '%s' already exists.", entity, name, text)}
		}
	}
	return nil
}

// deleteProduct needs deleteSubscriptions=true when there are subscriptions.
func deleteProduct(r *Removal) *arm.Error {
	if err := withScope(r); err != nil {
		return err
	}
	if len(r.Also) > 0 && !strings.EqualFold(r.Query("deleteSubscriptions"), "true") {
		return arm.Invalid(Finding("deleteSubscriptions", "The product has subscriptions: delete them first, or pass deleteSubscriptions=true."))
	}
	return nil
}

func productAPIs() *Row {
	return &Row{
		Namespace: APIM, Path: "service/products/apis", Shape: Association, Entity: "API", Proof: "TestGolden/products", Versions: apimVersions,
		Verbs: Head | Put | Delete | List, NameParam: "apiId", NameMax: 256, NameLike: plainName,
		Link: "service/apis", NoIfMatch: true,
	}
}

func subscriptions() *Row {
	states := words("suspended", "active", "expired", "submitted", "rejected", "cancelled")
	return &Row{
		Namespace: APIM, Path: "service/subscriptions", Lookup: "properties.ownerId", Shape: Entity, Entity: "Subscription", Proof: "TestGolden/subscriptions", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "sid", PatchSilentUntil: v2020pre, NameMax: 256, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.userId", Kind: String, Until: v2019, Flags: Required, MinLen: 1, As: "properties.ownerId"},
			{Path: "properties.productId", Kind: String, Until: v2019, Flags: Required, MinLen: 1, As: "properties.scope"},
			{Path: "properties.ownerId", Kind: String, From: v2019},
			{Path: "properties.scope", Kind: String, From: v2019, Flags: Required, MinLen: 1},
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.state", Kind: String, Enum: states, Default: "submitted"},
			{Path: "properties.createdDate", Kind: Time, Flags: ReadOnly},
			{Path: "properties.startDate", Kind: Time},
			{Path: "properties.expirationDate", Kind: Time},
			{Path: "properties.endDate", Kind: Time},
			{Path: "properties.notificationDate", Kind: Time},
			{Path: "properties.stateComment", Kind: String},
			{Path: "properties.allowTracing", Kind: Bool, From: v2019, Default: false},
			{Path: "properties.primaryKey", Kind: String, MinLen: 1, MaxLen: 256, Flags: Sealed | Masked, MaskedFrom: v2019dec},
			{Path: "properties.secondaryKey", Kind: String, MinLen: 1, MaxLen: 256, Flags: Sealed | Masked, MaskedFrom: v2019dec},
		},
		Filters: map[string]string{
			"name": "properties.displayName", "displayName": "properties.displayName", "stateComment": "properties.stateComment",
			"ownerId": "properties.ownerId", "scope": "properties.scope", "userId": "properties.ownerId",
			"productId": "properties.scope", "state": "properties.state",
		},
		Complete: completeSubscription,
		Rules:    []Rule{subscriptionScope, subscriptionOwner, subscriptionLimit, subscriptionKeys},
		OnDelete: func(r *Removal) *arm.Error {
			if arm.SameID(r.Object.Text("properties.scope"), ServiceID(r.ID)) {
				return arm.Invalid(Finding("sid", "The built-in all-access subscription cannot be deleted."))
			}
			return nil
		},
		Actions: []Action{{"listSecrets", v2019dec}, {"regeneratePrimaryKey", ""}, {"regenerateSecondaryKey", ""}},
	}
}

// completeSubscription keeps keys and dates that the client did not send, makes them for a new subscription, and
// turns a relative scope into a full ID.
func completeSubscription(c *Change) {
	for _, name := range []string{"primaryKey", "secondaryKey", "createdDate"} {
		if was := c.Old.Get("properties." + name); was != nil {
			c.New.SetDefault("properties."+name, was)
		}
	}
	for _, path := range []string{"properties.primaryKey", "properties.secondaryKey"} {
		if c.New.Get(path) == nil {
			c.New.Set(path, NewKey())
			c.Made = append(c.Made, path)
		}
	}
	c.New.SetDefault("properties.createdDate", Timestamp(time.Now()))
	if was := c.Old.Text("properties.state"); was != "" {
		c.New.SetDefault("properties.state", was)
	}
	completeState(c)
	c.New.Set("properties.scope", c.fullScope(c.New.Text("properties.scope")))
	if owner := c.New.Text("properties.ownerId"); owner != "" {
		c.New.Set("properties.ownerId", c.fullID("users", owner))
	}
}

// completeState notes when a subscription became active and when it ended. The dates are for the record: it is the
// state alone that decides whether keys are good, and any state may follow any other.
func completeState(c *Change) {
	now := Timestamp(time.Now())
	if was := c.Old.Get("properties.startDate"); was != nil {
		c.New.SetDefault("properties.startDate", was)
	}
	switch state := c.New.Text("properties.state"); state {
	case "active":
		if c.Old.Text("properties.state") != state {
			c.New.SetDefault("properties.startDate", now)
			c.New.Remove("properties.endDate")
		}
	case "cancelled", "expired":
		if was := c.Old.Get("properties.endDate"); was != nil && c.Old.Text("properties.state") == state {
			c.New.SetDefault("properties.endDate", was)
		}
		c.New.SetDefault("properties.endDate", now)
	}
}

// subscriptionLimit holds a user to the number of subscriptions that a product allows at the same time.
func subscriptionLimit(c *Change) []arm.ErrorDetail {
	owner, scope := c.New.Text("properties.ownerId"), c.New.Text("properties.scope")
	if owner == "" || !live(c.New) || live(c.Old) && arm.SameID(scope, c.Old.Text("properties.scope")) && arm.SameID(owner, c.Old.Text("properties.ownerId")) {
		return nil
	}
	product, err := c.Tree.Get(scope)
	if err != nil || product.Type != strings.ToLower(APIM+"/service/products") {
		return nil
	}
	o, err := parseObject(product.Desired)
	if err != nil {
		return nil
	}
	limit, ok := o.Number("properties.subscriptionsLimit")
	if !ok {
		return nil
	}
	docs, others := c.Named(c.Row.Type(), owner)
	for i, other := range others {
		if store.Key(docs[i].ID) != store.Key(c.ID) && live(other) && arm.SameID(other.Text("properties.ownerId"), owner) && arm.SameID(other.Text("properties.scope"), scope) {
			limit--
		}
	}
	if limit > 0 {
		return nil
	}
	return []arm.ErrorDetail{Finding("scope", "Subscriptions limit reached for same user")}
}

// live says whether a subscription is, or may yet become, of use.
func live(subscription Object) bool {
	switch subscription.Text("properties.state") {
	case "submitted", "active", "suspended":
		return true
	}
	return false
}

// fullID is the full ID of an entity of this service that a client names by it, by "/users/1" or by "users/1". What is
// no such name is returned as it is.
func (c *Change) fullID(kind, ref string) string {
	service, rest := c.Service(), strings.TrimRight(ref, "/")
	if i := strings.Index(strings.ToLower(rest), "/providers/microsoft.apimanagement/service/"); i >= 0 {
		if !strings.HasPrefix(store.Key(rest), store.Key(service)+"/") {
			return ref
		}
		rest = rest[len(service):]
	}
	have, name, ok := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if !ok || !strings.EqualFold(have, kind) || name == "" || strings.Contains(name, "/") {
		return ref
	}
	if d, err := c.Tree.Get(service + "/" + kind + "/" + name); err == nil {
		return d.ID
	}
	return service + "/" + kind + "/" + name
}

// fullScope is the full ID of a scope; what is no scope of this service is returned as it is.
func (c *Change) fullScope(scope string) string {
	service := c.Service()
	rest := strings.TrimRight(scope, "/")
	if i := strings.Index(strings.ToLower(rest), "/providers/microsoft.apimanagement/service/"); i >= 0 {
		if len(rest) < len(service) || !strings.EqualFold(rest[:len(service)], service) {
			return scope
		}
		rest = rest[len(service):]
	}
	segs := strings.Split(strings.Trim(rest, "/"), "/")
	switch {
	case rest == "":
		return service
	case strings.EqualFold(segs[0], "apis") && len(segs) == 1:
		return service + "/apis"
	case len(segs) == 2 && (strings.EqualFold(segs[0], "apis") || strings.EqualFold(segs[0], "products")):
		name, _, _ := strings.Cut(segs[1], ";rev=")
		id := service + "/" + strings.ToLower(segs[0]) + "/" + name
		if d, err := c.Tree.Get(id); err == nil {
			return d.ID
		}
		return id
	}
	return scope
}

func subscriptionScope(c *Change) []arm.ErrorDetail {
	scope, service := c.New.Text("properties.scope"), c.Service()
	switch {
	case arm.SameID(scope, service+"/apis"):
		return nil
	case arm.SameID(scope, service):
		if strings.EqualFold(c.Name, "master") {
			return nil
		}
	case strings.HasPrefix(store.Key(scope), store.Key(service)+"/"):
		if c.Exists(scope) {
			return nil
		}
		return []arm.ErrorDetail{Finding("scope", "Subscription scope '%s' could not be found.", scope)}
	}
	return []arm.ErrorDetail{Finding("scope", "Subscription scope should be one of '/apis', '/apis/{apiId}', '/products/{productId}'. You entered '%s'.", scope)}
}

// subscriptionOwner asks that the owner, if there is one, is a user of the service.
func subscriptionOwner(c *Change) []arm.ErrorDetail {
	owner := c.New.Text("properties.ownerId")
	if owner == "" || owner == c.Old.Text("properties.ownerId") || strings.HasPrefix(store.Key(owner), store.Key(c.Service())+"/users/") && c.Exists(owner) {
		return nil
	}
	return []arm.ErrorDetail{Finding("ownerId", "User '%s' could not be found.", owner)}
}

// subscriptionKeys refuses a key that another subscription has. Keys that did not change are unique already, and those
// made here are nobody else's.
func subscriptionKeys(c *Change) (found []arm.ErrorDetail) {
	mine := map[string]string{}
	for _, name := range []string{"primaryKey", "secondaryKey"} {
		path := "properties." + name
		if key := c.New.Text(path); !slices.Contains(c.Made, path) && (c.Old == nil || c.Old.Text(path) != key) {
			mine[key] = name
		}
	}
	if len(mine) == 0 {
		return nil
	}
	docs, _ := c.Siblings(c.Row.Type(), c.Service())
	for _, d := range docs {
		if store.Key(d.ID) == store.Key(c.ID) {
			continue
		}
		o, err := c.Engine.Open(d)
		if err != nil {
			continue
		}
		for _, name := range []string{"primaryKey", "secondaryKey"} {
			if clash, ok := mine[o.Text("properties."+name)]; ok {
				found = append(found, Finding(clash, "The subscription key is in use by another subscription."))
			}
		}
	}
	return found
}
