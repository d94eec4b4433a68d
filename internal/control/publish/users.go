package publish

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/snapshot"
	"github.com/portico-dev/portico/internal/store"
)

// usersDraft lists the users that own a subscription: gateways know no others.
func (b *builder) usersDraft(d *draft) error {
	owners, err := b.owners()
	if err != nil {
		return err
	}
	groups, err := b.groups(d)
	if err != nil {
		return err
	}
	out := []snapshot.User{}
	for _, id := range owners {
		doc, err := b.r.Get(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		// What is sealed of a user is no business of gateways, so it is not opened.
		var desired userDocument
		if err := json.Unmarshal(doc.Desired, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		user := userOf(doc.ID, desired)
		for _, g := range groups {
			_, err := b.r.Get(g.ID + "/users/" + user.Name)
			if err == nil {
				user.Groups = append(user.Groups, g)
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		out = append(out, user)
	}
	d.value = out
	return nil
}

func userOf(id string, doc userDocument) snapshot.User {
	pr := doc.Properties
	u := snapshot.User{
		ID: id, Name: lastSegment(id), Email: pr.Email, FirstName: pr.FirstName, LastName: pr.LastName, Note: pr.Note,
		State: pr.State, Registered: pr.RegistrationDate,
	}
	for _, i := range pr.Identities {
		u.Identities = append(u.Identities, snapshot.Identity{Provider: i.Provider, ID: i.ID})
	}
	return u
}

// owners are the IDs of the users that own subscriptions, each once and in order.
func (b *builder) owners() ([]string, error) {
	docs, err := b.list(typeSubscription, b.service)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, doc := range docs {
		var desired struct {
			Properties struct {
				OwnerID string `json:"ownerId"`
			} `json:"properties"`
		}
		// One that cannot be read is reported where the keys are published.
		if json.Unmarshal(doc.Desired, &desired) == nil && desired.Properties.OwnerID != "" {
			ids = append(ids, store.Key(b.scope(desired.Properties.OwnerID)))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// groups lists the groups of the service.
func (b *builder) groups(d *draft) ([]snapshot.Group, error) {
	docs, err := b.list(typeGroup, b.service)
	if err != nil {
		return nil, err
	}
	var out []snapshot.Group
	for _, doc := range docs {
		var desired groupDocument
		if err := b.p.decode(doc, &desired); err != nil {
			d.errs = append(d.errs, err)
			continue
		}
		out = append(out, snapshot.Group{ID: doc.ID, Name: lastSegment(doc.ID), DisplayName: desired.Properties.DisplayName})
	}
	return out, nil
}

// productGroups maps the key of a product to the groups that see it.
func (b *builder) productGroups(d *draft) (map[string][]snapshot.Group, error) {
	links, err := b.list(typeProductGroup, b.service)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	groups, err := b.groups(d)
	if err != nil {
		return nil, err
	}
	byKey := make(map[string]snapshot.Group, len(groups))
	for _, g := range groups {
		byKey[strings.ToLower(g.Name)] = g
	}
	out := map[string][]snapshot.Group{}
	for _, l := range links {
		product, name, _ := strings.Cut(store.Key(l.ID), "/groups/")
		if g, ok := byKey[name]; ok {
			out[product] = append(out[product], g)
		}
	}
	return out, nil
}
