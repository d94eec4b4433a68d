package policy

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// CheckOptions say what a document is checked against. The zero value checks against the catalogue alone.
type CheckOptions struct {
	Scope Scope  // of the document; "" allows every scope
	Tier  string // ARM name of the SKU, such as "Consumption"; "" allows every tier

	// BackendExists says whether a backend entity exists; nil accepts every id.
	BackendExists func(id string) bool

	// FragmentExists says whether there is a policy fragment; nil accepts every id.
	FragmentExists func(id string) bool

	// Parameter says whether the API operation's URL template has a parameter; nil accepts every name.
	Parameter func(name string) bool

	// Expression checks an expression that should give a value of a type. Its findings are reported as they are; use
	// Expression.At for positions and Expression.Finding to make them. When nil, every expression is refused.
	Expression func(e *Expression, want Type) Findings

	assumeBuilt bool // for tests of the catalogue's facts: check also what is not built
}

const noExpressions = "Policy expressions are not built in this version of Portico."

// Finding makes a finding about a stretch of the expression that begins at a byte offset into Source. Element is the
// name of the element that holds the expression.
func (e *Expression) Finding(element string, offset int, message string) Finding {
	return e.doc.src.finding(element, e.At(offset), message)
}

// Check compares the document with the catalogue and reports what the service would refuse and what this version
// does not build, in the order of the text and at most 100 findings.
func (d *Document) Check(opt CheckOptions) Findings {
	c := &checker{opt: opt, doc: d}
	switch {
	case d.Root == nil:
		return nil
	case d.Root.Name == "fragment":
		c.fragment(d.Root)
	default:
		c.policies(d.Root)
	}
	sort.SliceStable(c.findings, func(i, j int) bool {
		a, b := c.findings[i], c.findings[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return c.findings
}

type checker struct {
	opt      CheckOptions
	doc      *Document
	section  Section         // being checked; "" in a fragment
	seen     map[string]bool // once-only statements of the section
	findings Findings
}

// maxFindings bounds what one check reports.
const maxFindings = 100

// at reports a finding about a statement.
func (c *checker) at(s *Statement, pos Position, message string) {
	if len(c.findings) >= maxFindings {
		return
	}
	c.findings = append(c.findings, c.doc.src.finding(s.Name, pos, message))
}

// shown is an attribute's value as submitted: with references where named values were put in.
func (c *checker) shown(a *Attribute) string {
	text, _ := decode(c.doc.src.original(a.span[0], a.span[1]))
	return text
}

func (c *checker) policies(root *Statement) {
	c.undeclared(root, nil)
	c.noText(root, sectionNames())
	open := sectionNames()
	for _, s := range root.Children {
		n := slices.Index(open, s.Name)
		if n < 0 {
			c.at(s, s.Position, invalidChild(root.Name, s.Name, open))
			if !slices.Contains(sectionNames(), s.Name) {
				continue
			}
		} else {
			open = slices.Delete(open, n, n+1)
		}
		c.inSection(s)
	}
}

func sectionNames() []string {
	var names []string
	for _, s := range AllSections() {
		names = append(names, string(s))
	}
	return names
}

// inSection checks one section.
func (c *checker) inSection(s *Statement) {
	c.section, c.seen = Section(s.Name), map[string]bool{}
	c.undeclared(s, nil)
	c.noText(s, nil)
	for i, child := range s.Children {
		if c.section == Backend && i > 0 {
			c.at(child, child.Position, invalidChild(s.Name, child.Name, nil)+" The backend section can hold only one policy.")
		}
		if child.Name == "base" {
			c.base(child)
			continue
		}
		c.statement(s, child)
	}
}

func (c *checker) base(s *Statement) {
	c.element(s, &Element{Name: "base", Attrs: []Attr{idAttr}})
}

// fragment checks a policy fragment: statements that will stand in whatever section includes it.
func (c *checker) fragment(root *Statement) {
	c.seen = map[string]bool{}
	c.undeclared(root, nil)
	c.noText(root, nil)
	for _, child := range root.Children {
		if child.Name == "include-fragment" {
			c.at(child, child.Position, "Policy is not allowed in a policy fragment")
			continue
		}
		c.statement(root, child)
	}
}

// statement checks a statement that stands in a section, directly or in the body of another statement.
func (c *checker) statement(parent, s *Statement) {
	row, ok := Lookup(s.Name)
	if !ok {
		c.at(s, s.Position, invalidChild(parent.Name, s.Name, nil))
		return
	}
	if c.refused(s, row) && !row.Built {
		return // the service refuses it too, so that it is not built is no news
	}
	c.seen[s.Name] = true
	c.row(s, row)
}

// refused reports a statement that cannot stand where it does.
func (c *checker) refused(s *Statement, row *Row) bool {
	switch {
	case c.section != "" && !slices.Contains(row.Sections, c.section):
		c.at(s, s.Position, "Policy is not allowed in the specified section")
	case c.opt.Scope != "" && !slices.Contains(row.Scopes, c.opt.Scope):
		c.at(s, s.Position, "Policy is not allowed in the specified scope")
	case slices.ContainsFunc(row.NotIn, func(t string) bool { return strings.EqualFold(t, c.opt.Tier) }):
		c.at(s, s.Position, fmt.Sprintf("Policy is not allowed in '%s' sku", c.opt.Tier))
	case row.Once && c.seen[s.Name]:
		c.at(s, s.Position, fmt.Sprintf("Policy '%s' is allowed only once in a section.", s.Name))
	default:
		return false
	}
	return true
}

// row checks a statement against its row, wherever it stands.
func (c *checker) row(s *Statement, row *Row) {
	if !row.Built && !c.opt.assumeBuilt {
		c.at(s, s.Position, fmt.Sprintf("Policy '%s' is not built in this version of Portico.", s.Name))
		return
	}
	e := row.Element
	e.Attrs = append(slices.Clip(e.Attrs), idAttr)
	c.element(s, &e)
}

// element checks attributes, text and children.
func (c *checker) element(s *Statement, e *Element) {
	c.attributes(s, e)
	c.text(s, e)
	if !e.Open {
		c.children(s, e)
	}
	if e.rule != nil {
		e.rule(c, s)
	}
}

// children checks names, numbers and order of child elements.
func (c *checker) children(s *Statement, e *Element) {
	counts := make([]int, len(e.Children))
	place := 0 // in a sequence, how far it has come
	for _, child := range s.Children {
		n := slices.IndexFunc(e.Children, func(k Child) bool { return k.Name == child.Name })
		switch {
		case n < 0 && e.Body:
			c.statement(s, child)
			continue
		case n < 0, e.Order == Sequence && n < place, full(e.Children[max(n, 0)], counts[max(n, 0)]):
			c.at(child, child.Position, unexpectedChild(s, child, e, counts, place))
			if n < 0 {
				continue
			}
		default:
			place = n
		}
		counts[n]++
		c.child(child, e.Children[n])
	}
	missing := lacking(e, counts)
	if len(missing) > 0 || len(s.Children) < e.MinItems {
		if len(missing) == 0 {
			missing = childNames(e)
		}
		c.at(s, s.Position, incomplete(s.Name, missing))
	}
}

func (c *checker) child(s *Statement, k Child) {
	if k.Element != nil {
		c.element(s, k.Element)
		return
	}
	if row, ok := Lookup(k.Name); ok {
		c.row(s, row)
	}
}

func full(k Child, n int) bool { return k.Max > 0 && n >= k.Max }

// lacking names children that must still come.
func lacking(e *Element, counts []int) []string {
	var names []string
	for i, k := range e.Children {
		if counts[i] < k.Min {
			names = append(names, k.Name)
		}
	}
	return names
}

func childNames(e *Element) []string {
	var names []string
	for _, k := range e.Children {
		names = append(names, k.Name)
	}
	return names
}

// isBaseURL says whether a literal can be the base of backend URLs.
func isBaseURL(s string) bool {
	u, err := url.Parse(strings.TrimSpace(s))
	return err == nil && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) && u.Host != ""
}

// placeholders lists the names in {name} and {*name}.
func placeholders(template string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(template, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return names
		}
		names = append(names, strings.TrimPrefix(name, "*"))
		template = after
	}
}
