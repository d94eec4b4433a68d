package pipeline

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/expression"
	"github.com/portico-dev/portico/internal/policy"
)

// A Builder compiles one statement. What is fixed is decided here, once; the step only evaluates values.
type Builder func(b *Build, s *policy.Statement) (Step, error)

// A Build compiles one policy document.
type Build struct {
	ID    string // resource ID of the policy
	Scope policy.Scope
	// Params lists the template parameters of the operation; Operation says whether the document belongs to one.
	Params   []string
	Builders map[string]Builder
	// Fragments are what include-fragment names, by lower-case name: the elements that hold their statements.
	Fragments map[string]*policy.Statement

	Section policy.Section // the section being compiled

	keepers int // statements that keep responses
}

// Keeps says that the statement being compiled keeps responses for later requests. One that is answered with such a
// response goes on after it.
func (b *Build) Keeps() { b.keepers++ }

// A BuildError says which element cannot be compiled and where it stands.
type BuildError struct {
	Element string
	Line    int
	Column  int
	Message string
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("Error in element '%s' on line %d, column %d: %s", e.Element, e.Line, e.Column, e.Message)
}

// Errorf makes a BuildError at a statement.
func (b *Build) Errorf(s *policy.Statement, format string, args ...any) error {
	return &BuildError{Element: s.Name, Line: s.Line, Column: s.Column, Message: fmt.Sprintf(format, args...)}
}

// Document compiles a policy document.
func (b *Build) Document(d *policy.Document) (*Compiled, error) {
	c := &Compiled{ID: b.ID, Scope: b.Scope}
	for name, i := range sectionIndex {
		section := d.Section(name)
		if section == nil {
			continue
		}
		b.Section = name
		items := make([]item, 0, len(section.Children))
		for _, s := range section.Children {
			it, err := b.item(s)
			if err != nil {
				return nil, err
			}
			items = append(items, it)
		}
		c.sections[i] = items
	}
	return c, nil
}

func (b *Build) item(s *policy.Statement) (item, error) {
	if s.Name == "base" {
		return item{}, nil
	}
	before := b.keepers
	run, err := b.Statement(s)
	if err != nil {
		return item{}, err
	}
	return item{run: run, scope: b.Scope, statement: s.Name, id: s.Attr("id"), path: s.Path, keeps: b.keepers > before}, nil
}

// Block compiles the statements inside of an element.
func (b *Build) Block(s *policy.Statement) (Block, error) {
	k := make(Block, 0, len(s.Children))
	for _, c := range s.Children {
		it, err := b.item(c)
		if err != nil {
			return nil, err
		}
		k = append(k, it)
	}
	return k, nil
}

// Statement compiles one statement; composites use it for what they hold.
func (b *Build) Statement(s *policy.Statement) (Step, error) {
	builder := b.Builders[s.Name]
	if builder == nil {
		return nil, b.Errorf(s, "The policy is not built yet.")
	}
	return builder(b, s)
}

// Attr compiles an attribute; one that is absent has the given text.
func (b *Build) Attr(s *policy.Statement, name, absent string) (Value, error) {
	a := s.Attribute(name)
	if a == nil {
		return Literal(absent), nil
	}
	if a.Expr == nil {
		return Literal(a.Value), nil
	}
	return b.expression(s, a.Expr)
}

// Required is Attr for an attribute that must be there.
func (b *Build) Required(s *policy.Statement, name string) (Value, error) {
	if !s.Has(name) {
		return Value{}, b.Errorf(s, "The required attribute '%s' is missing.", name)
	}
	return b.Attr(s, name, "")
}

// Text compiles the text of an element.
func (b *Build) Text(s *policy.Statement) (Value, error) {
	if s.TextExpr == nil {
		return Literal(s.Text), nil
	}
	return b.expression(s, s.TextExpr)
}

// Texts compiles the texts of all child elements of a name.
func (b *Build) Texts(s *policy.Statement, name string) ([]Value, error) {
	var out []Value
	for _, c := range s.Elements(name) {
		v, err := b.Text(c)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Bool reads an attribute that takes no expression.
func (b *Build) Bool(s *policy.Statement, name string, absent bool) (bool, error) {
	if !s.Has(name) {
		return absent, nil
	}
	v, err := b.Attr(s, name, "")
	if err != nil {
		return false, err
	}
	text, fixed := v.Fixed()
	if !fixed {
		return false, b.Errorf(s, "The attribute '%s' takes no expression.", name)
	}
	ok, err := ParseBool(text)
	if err != nil {
		return false, b.Errorf(s, "The '%s' attribute is invalid - The value '%s' is invalid according to its datatype 'Boolean'.", name, text)
	}
	return ok, nil
}

// Fixed reads an attribute that takes no expression.
func (b *Build) Fixed(s *policy.Statement, name, absent string) (string, error) {
	v, err := b.Attr(s, name, absent)
	if err != nil {
		return "", err
	}
	text, fixed := v.Fixed()
	if !fixed {
		return "", b.Errorf(s, "The attribute '%s' takes no expression.", name)
	}
	return strings.TrimSpace(text), nil
}

// expression compiles an expression. Which types the place takes was decided when the document was saved; here whatever
// comes is converted.
func (b *Build) expression(s *policy.Statement, e *policy.Expression) (Value, error) {
	p, findings := expression.Compile(e, policy.Any)
	if findings != nil {
		f := findings[0]
		return Value{}, &BuildError{Element: s.Name, Line: f.Line, Column: f.Column, Message: f.Message}
	}
	return Evaluated(p), nil
}
