package management

import (
	"time"

	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// starterPolicy is that of the sample product.
const starterPolicy = `<policies>
    <inbound>
        <rate-limit calls="5" renewal-period="60" />
        <quota calls="100" renewal-period="604800" />
        <base />
    </inbound>
    <backend>
        <base />
    </backend>
    <outbound>
        <base />
    </outbound>
    <on-error>
        <base />
    </on-error>
</policies>`

// A freshDocument is a document of a new service. id is below the service's.
type freshDocument struct {
	path, id string
	object   resource.Object
}

// fresh writes what a new service comes with: the global policy, the built-in subscription and groups, the
// administrator, and two sample products. The API echo-api is left out, because its backend is on the Internet. A
// Consumption service has neither users and groups nor sample products.
func (w *serviceWrite) fresh(tx store.Tx, d store.Document) error {
	rawxml := func(text string) resource.Object {
		return resource.Object{"properties": map[string]any{"format": "rawxml", "value": text}}
	}
	docs := []freshDocument{
		{"service/policies", "/policies/policy", rawxml(policy.DefaultGlobal)},
		{"service/subscriptions", "/subscriptions/master", resource.Object{"properties": map[string]any{
			"displayName": "Built-in all-access subscription", "scope": d.ID, "state": "active", "allowTracing": true,
			"createdDate": resource.Timestamp(time.Now()), "primaryKey": resource.NewKey(), "secondaryKey": resource.NewKey(),
		}}},
	}
	if w.wish.Tier != platform.Consumption {
		docs = append(docs, freshDocument{"service/users", "/users/" + resource.Administrator, administrator(w.change.New.Text("properties.publisherEmail"))})
		for name, group := range resource.BuiltInGroups() {
			docs = append(docs, freshDocument{"service/groups", "/groups/" + name, group})
		}
		docs = append(docs, []freshDocument{
			{"service/products", "/products/starter", sampleProduct("Starter", "For trying the APIs out: five calls a minute.", false)},
			{"service/products/policies", "/products/starter/policies/policy", rawxml(starterPolicy)},
			{"service/products", "/products/unlimited", sampleProduct("Unlimited", "Without limits. Subscriptions need an administrator's approval.", true)},
		}...)
	}
	for _, x := range docs {
		row, _ := w.engine.Row(resource.APIM + "/" + x.path)
		child, err := w.engine.Document(row, d.ID+x.id, x.object, nil)
		if err != nil {
			return err
		}
		if _, err := tx.Put(child); err != nil {
			return err
		}
	}
	return w.freshLinks(tx, d.ID)
}

// freshLinks makes the administrator a member of groups, and groups those who see the sample products.
func (w *serviceWrite) freshLinks(tx store.Tx, service string) error {
	if w.wish.Tier == platform.Consumption {
		return nil
	}
	for _, group := range []string{resource.Administrators, resource.Developers} {
		if err := resource.PutLink(tx, service+"/groups/"+group, "service/groups/users", resource.Administrator); err != nil {
			return err
		}
	}
	for _, product := range []string{"starter", "unlimited"} {
		for _, group := range []string{resource.Administrators, resource.Developers, resource.Guests} {
			if err := resource.PutLink(tx, service+"/products/"+product, "service/products/groups", group); err != nil {
				return err
			}
		}
	}
	return nil
}

func administrator(email string) resource.Object {
	return resource.Object{
		"properties": map[string]any{
			"firstName": "Administrator", "lastName": "", "email": email, "state": "active",
			"registrationDate": resource.Timestamp(time.Now()),
			"identities":       []any{map[string]any{"provider": "Azure", "id": email}},
		},
		"tokenKeys": map[string]any{"primary": resource.NewKey(), "secondary": resource.NewKey()},
	}
}

func sampleProduct(name, description string, approval bool) resource.Object {
	return resource.Object{"properties": map[string]any{
		"displayName": name, "description": description, "terms": "", "subscriptionRequired": true,
		"approvalRequired": approval, "subscriptionsLimit": int64(1), "state": "published",
	}}
}
