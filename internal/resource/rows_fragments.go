package resource

import (
	"regexp"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/store"
)

var fragmentName = regexp.MustCompile(`(^[\w]+$)|(^[\w][\w\-]+[\w]$)`)

func policyFragments() *Row {
	return &Row{
		Namespace: APIM, Path: "service/policyFragments", Shape: Entity, Entity: "PolicyFragment", Proof: "TestGolden/policyfragments",
		Versions: since(apimVersions, v2021dec), Policy: "fragment",
		Verbs: Get | Head | Put | Delete | List, NameParam: "id", NameMax: 80, NameLike: fragmentName,
		Fields: []Field{
			{Path: "properties.value", Kind: String, Flags: Required, MinLen: 1},
			{Path: "properties.description", Kind: String, MaxLen: 1000},
			{Path: "properties.format", Kind: String, Enum: words("xml", "rawxml"), Default: "xml"},
			{Path: "properties.provisioningState", Kind: String, From: v2023may, Flags: ReadOnly},
		},
		Filters: map[string]string{"name": "name", "description": "properties.description", "value": "properties.value"},
		Rules:   []Rule{policyCompiles},
		Compute: showPolicy,
		OnDelete: func(r *Removal) *arm.Error {
			users, err := FragmentUsers(r.Tree, r.ID)
			if err != nil {
				return internalError(err)
			}
			if len(users) > 0 {
				return arm.Invalid(Finding("id", "The policy fragment is in use by the policy '%s'.", users[0].ID))
			}
			return nil
		},
	}
}

// FragmentUsers lists the policies that include a policy fragment.
func FragmentUsers(t store.Reader, fragment string) ([]store.Document, error) {
	docs, err := policyDocuments(t, ServiceID(fragment))
	if err != nil {
		return nil, err
	}
	var users []store.Document
	for _, d := range docs {
		if slices.ContainsFunc(includedBy(d), func(id string) bool { return strings.EqualFold(id, lastSegment(fragment)) }) {
			users = append(users, d)
		}
	}
	return users, nil
}

// includedBy are the ids of the fragments that a stored policy includes.
func includedBy(d store.Document) []string {
	o, err := parseObject(d.Desired)
	if err != nil {
		return nil
	}
	text := o.Text("properties.value")
	if !strings.Contains(text, "include-fragment") {
		return nil
	}
	doc, found := policy.Parse(text, policy.RawXML)
	if len(found) > 0 {
		return nil
	}
	return doc.Fragments()
}
