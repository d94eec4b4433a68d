package resource

import (
	"cmp"
	"context"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/platform"
)

// policies is the policy document of a scope.
func policies(parent, scope string) *Row {
	formats := words("xml", "rawxml", "xml-link", "rawxml-link")
	return &Row{
		Namespace: APIM, Path: parent + "/policies", Shape: Singleton, Entity: "Policy", Proof: "TestGolden/policies", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Delete | List, NameParam: "policyId", NameIs: []string{"policy"}, Policy: scope,
		Fields: []Field{
			{Path: "properties.policyContent", Kind: String, Until: v2019, Flags: Required, MinLen: 1, As: "properties.value"},
			{Path: "properties.contentFormat", Kind: String, Until: v2019, Enum: formats, As: "properties.format"},
			{Path: "properties.value", Kind: String, From: v2019, Flags: Required, MinLen: 1},
			{Path: "properties.format", Kind: String, From: v2019, Enum: formats, Default: "xml"},
		},
		Prepare: fetchPolicy,
		Rules:   []Rule{policyCompiles},
		Compute: showPolicy,
	}
}

// showPolicy gives a document the format that the query asks for: escaped unless it says rawxml.
func showPolicy(s *Shown) {
	if s.Query != nil && !s.Listed && strings.EqualFold(s.Query("format"), "rawxml") {
		return
	}
	s.Object.Set("properties.value", s.Env.PolicyXML(s.Object.Text("properties.value")))
	s.Object.Set("properties.format", "xml")
}

// fetchPolicy puts the document that a link leads to in the place of the link.
func fetchPolicy(ctx context.Context, c *Change) *arm.Error {
	plain, link := strings.CutSuffix(c.New.Text("properties.format"), "-link")
	if !link {
		return nil
	}
	text, err := c.Env.Fetch(ctx, c.New.Text("properties.value"), MaxPolicy)
	if err != nil {
		return err
	}
	c.New.Set("properties.format", plain)
	c.New.Set("properties.value", text)
	return nil
}

// MaxPolicy bounds a policy document, in bytes.
const MaxPolicy = 512 << 10

// policyCompiles checks a document and puts its raw form in its place.
func policyCompiles(c *Change) []arm.ErrorDetail {
	value := c.New.Text("properties.value")
	if most := c.maxPolicy(); len(value) > most {
		return []arm.ErrorDetail{Finding("value", "Policy size exceeds allowed limit of %d KB", most>>10)}
	}
	check := c.Checked
	if check == nil || !check.holds(c) {
		check = c.CheckPolicy()
	}
	if len(check.details) > 0 {
		return check.details
	}
	c.New.Set("properties.format", "rawxml")
	c.New.Set("properties.value", check.raw)
	return nil
}

// maxPolicy bounds the document of a change.
func (c *Change) maxPolicy() int {
	most := 0
	switch {
	case c.Env.Limits == "" || c.Env.Limits == platform.Unlimited:
	case c.Row.Policy == "fragment":
		most = c.Env.Limits.Fragment()
	default:
		most = c.Env.Limits.Policy(platform.Tier(c.Tier()))
	}
	return cmp.Or(most, MaxPolicy)
}

// A PolicyCheck is the outcome of a check and what it depended on: it holds as long as that is unchanged.
type PolicyCheck struct {
	format, value, tier string
	template            string // of the API operation's URL, in its scope
	values              map[string]lookup
	backends, fragments map[string]bool
	raw                 string
	details             []arm.ErrorDetail
}

type lookup struct {
	value string
	ok    bool
}

// CheckPolicy compiles the policy of a change against the documents that its Tree shows.
func (c *Change) CheckPolicy() *PolicyCheck {
	p := &PolicyCheck{
		format: c.New.Text("properties.format"), value: c.New.Text("properties.value"), tier: c.Tier(),
		template: c.urlTemplate(), values: map[string]lookup{}, backends: map[string]bool{}, fragments: map[string]bool{},
	}
	if p.format == "" {
		p.format = "xml"
	}
	in := PolicyInput{
		Text: p.value, Format: p.format, Scope: c.Row.Policy, Tier: p.tier,
		NamedValue: func(name string) (string, bool) {
			v, ok := c.namedValue(name)
			p.values[name] = lookup{v, ok}
			return v, ok
		},
		BackendExists: func(id string) bool {
			ok := c.backendExists(id)
			p.backends[id] = ok
			return ok
		},
		FragmentExists: func(id string) bool {
			ok := c.fragmentExists(id)
			p.fragments[id] = ok
			return ok
		},
	}
	if in.Scope == "operation" {
		in.Parameter = func(name string) bool {
			return strings.Contains(p.template, "{"+name+"}") || strings.Contains(p.template, "{*"+name+"}")
		}
	}
	p.raw, p.details = c.Env.CheckPolicy(in)
	return p
}

// urlTemplate is that of the API operation that the policy belongs to; empty in other scopes.
func (c *Change) urlTemplate() string {
	operation, ok := strings.CutSuffix(strings.ToLower(c.ID), "/policies/policy")
	if !ok || c.Row.Policy != "operation" {
		return ""
	}
	d, err := c.Tree.Get(operation)
	if err != nil {
		return ""
	}
	o, err := parseObject(d.Desired)
	if err != nil {
		return ""
	}
	return o.Text("properties.urlTemplate")
}

// holds says whether a check would come out the same now.
func (p *PolicyCheck) holds(c *Change) bool {
	format := c.New.Text("properties.format")
	if format == "" {
		format = "xml"
	}
	if p.format != format || p.value != c.New.Text("properties.value") || p.tier != c.Tier() || p.template != c.urlTemplate() {
		return false
	}
	for name, was := range p.values {
		if v, ok := c.namedValue(name); (lookup{v, ok}) != was {
			return false
		}
	}
	for id, was := range p.backends {
		if c.backendExists(id) != was {
			return false
		}
	}
	for id, was := range p.fragments {
		if c.fragmentExists(id) != was {
			return false
		}
	}
	return true
}

// namedValue finds a named value by its display name: the exact one first, then without case.
func (c *Change) namedValue(name string) (string, bool) {
	docs, objects := c.Named(APIM+"/service/namedValues", name)
	found := -1
	for i, o := range objects {
		have := o.Text("properties.displayName")
		if have == name {
			found = i
			break
		}
		if found < 0 && strings.EqualFold(have, name) {
			found = i
		}
	}
	if found < 0 {
		return "", false
	}
	o, err := c.Engine.Open(docs[found])
	if err != nil {
		return "", false
	}
	return o.Text("properties.value"), true
}

func (c *Change) backendExists(id string) bool { return c.Exists(c.Service() + "/backends/" + id) }

func (c *Change) fragmentExists(id string) bool {
	return c.Exists(c.Service() + "/policyFragments/" + id)
}
