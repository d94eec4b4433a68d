package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// attributes checks which attributes are there and what they hold.
func (c *checker) attributes(s *Statement, e *Element) {
	c.undeclared(s, e)
	for i := range e.Attrs {
		row := &e.Attrs[i]
		a := s.find(row.Name)
		switch {
		case a != nil:
			c.attribute(s, a, row)
		case row.Required:
			c.at(s, s.Position, fmt.Sprintf("The required attribute '%s' is missing.", row.Name))
		}
	}
	for _, g := range e.Groups {
		c.group(s, g)
	}
}

// undeclared reports attributes that the element does not have. Namespace declarations may stand anywhere.
func (c *checker) undeclared(s *Statement, e *Element) {
	for i := range s.Attrs {
		a := &s.Attrs[i]
		known := e != nil && slices.ContainsFunc(e.Attrs, func(r Attr) bool { return r.Name == a.Name })
		if known || e != nil && e.Open || a.Name == "xmlns" || strings.HasPrefix(a.Name, "xmlns:") || strings.HasPrefix(a.Name, "xml:") {
			continue
		}
		c.at(s, a.Position, fmt.Sprintf("The '%s' attribute is not declared.", a.Name))
	}
}

func (c *checker) group(s *Statement, g Group) {
	n := 0
	for _, name := range g.Attrs {
		if s.Has(name) {
			n++
		}
	}
	names := "'" + strings.Join(g.Attrs, "', '") + "'"
	switch {
	case n < g.Min:
		c.at(s, s.Position, fmt.Sprintf("One of the attributes %s is required.", names))
	case g.Max > 0 && n > g.Max:
		c.at(s, s.Position, fmt.Sprintf("Only one of the attributes %s can be specified.", names))
	}
}

func (c *checker) attribute(s *Statement, a *Attribute, row *Attr) {
	if !c.opt.assumeBuilt && (slices.Contains(row.NotBuilt, "*") || slices.Contains(row.NotBuilt, a.Value)) {
		what := fmt.Sprintf("Attribute '%s' of policy '%s'", row.Name, s.Name)
		if !slices.Contains(row.NotBuilt, "*") {
			what = fmt.Sprintf("Value '%s' of attribute '%s' of policy '%s'", a.Value, row.Name, s.Name)
		}
		c.at(s, a.Position, what+" is not built in this version of Portico.")
		return
	}
	if a.Expr != nil {
		if !row.Expression {
			c.at(s, a.Expr.Position, fmt.Sprintf("The '%s' attribute does not accept policy expressions.", a.Name))
			return
		}
		c.expression(s, a.Expr, row.Type)
		return
	}
	if invalid(a.Value, "", row) != "" {
		shown := c.shown(a)
		c.at(s, a.ValuePos, fmt.Sprintf("The '%s' attribute is invalid - The value '%s' is invalid according to its datatype %s",
			a.Name, shown, invalid(a.Value, shown, row)))
	}
}

// expression hands an expression to its checker.
func (c *checker) expression(s *Statement, e *Expression, want Type) {
	if c.opt.Expression == nil {
		if !c.opt.assumeBuilt {
			c.at(s, e.Position, noExpressions)
		}
		return
	}
	for _, f := range c.opt.Expression(e, want) {
		if len(c.findings) >= maxFindings {
			return
		}
		if f.Element == "" {
			f.Element = s.Name
		}
		c.findings = append(c.findings, f)
	}
}

// text checks the text of an element.
func (c *checker) text(s *Statement, e *Element) {
	switch {
	case e.Open:
	case e.Text == nil:
		c.noText(s, childNames(e))
	case s.TextExpr != nil && !e.Text.Expression:
		c.at(s, s.TextExpr.Position, fmt.Sprintf("The element '%s' does not accept policy expressions.", s.Name))
	case s.TextExpr != nil:
		c.expression(s, s.TextExpr, e.Text.Type)
	case e.Text.Required && s.Text == "":
		c.at(s, s.Position, fmt.Sprintf("The '%s' element is invalid - The value '' is invalid according to its datatype 'String' - The actual length is less than the MinLength value.", s.Name))
	case e.Text.Token && !token(strings.Trim(s.Text, space)):
		c.at(s, s.TextPos, fmt.Sprintf("The '%s' element is invalid - Its value is invalid according to its datatype 'String' - The Pattern constraint failed.", s.Name))
	}
}

// token reports whether s can be the name of a header, or a method.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// noText reports text where only elements may stand.
func (c *checker) noText(s *Statement, expected []string) {
	if s.Text == "" {
		return
	}
	message := fmt.Sprintf("The element '%s' cannot contain text.", s.Name)
	if len(expected) > 0 {
		message += " List of possible elements expected: '" + strings.Join(expected, ", ") + "'."
	}
	c.at(s, s.TextPos, message)
}

// invalid says what is wrong with a literal in the words of .NET's schema validation, from the datatype's name on, or
// gives "". Only shown, the value as submitted, may appear in the words.
func invalid(value, shown string, row *Attr) string {
	trimmed := strings.Trim(value, space)
	switch {
	case row.Required && row.Type == String && value == "":
		return "'String' - The actual length is less than the MinLength value."
	case len(row.Enum) > 0 && !slices.Contains(row.Enum, trimmed):
		return "'String' - The Enumeration constraint failed."
	case row.Token && value != "" && !token(value):
		return "'String' - The Pattern constraint failed."
	}
	switch row.Type {
	case Int:
		n, err := strconv.ParseInt(trimmed, 10, 32)
		return number(shown, "int", "Int32", err, n, row.Range)
	case Long:
		n, err := strconv.ParseInt(trimmed, 10, 64)
		return number(shown, "long", "Int64", err, n, row.Range)
	case Double:
		n, err := strconv.ParseFloat(trimmed, 64)
		return number(shown, "double", "Double", err, int64(n), row.Range)
	case Bool:
		if !slices.Contains([]string{"true", "false", "1", "0"}, trimmed) {
			return notValid(shown, "boolean", "Boolean")
		}
	case Duration:
		if n, err := strconv.ParseInt(trimmed, 10, 32); err == nil {
			return number(shown, "int", "Int32", nil, n, row.Range)
		}
		if !isoDuration.MatchString(trimmed) || strings.HasSuffix(trimmed, "P") || strings.HasSuffix(trimmed, "T") {
			return notValid(shown, "duration", "TimeSpan")
		}
	case DateTime:
		if !isDateTime(trimmed) {
			return notValid(shown, "dateTime", "DateTime")
		}
	case Bytes:
		return "'byte[]' - Only a policy expression can give it."
	case String, Any:
	}
	return ""
}

var isoDuration = regexp.MustCompile(`^P(\d+Y)?(\d+M)?(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$`)

func isDateTime(s string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func notValid(value, schema, net string) string {
	return fmt.Sprintf("'http://www.w3.org/2001/XMLSchema:%s' - The string '%s' is not a valid %s value.", schema, value, net)
}

func number(value, schema, net string, err error, n int64, r *Range) string {
	switch {
	case err != nil:
		return notValid(value, schema, net)
	case r != nil && n < r.Min:
		return fmt.Sprintf("'%s' - The MinInclusive constraint failed.", strings.ToUpper(schema[:1])+schema[1:])
	case r != nil && n > r.Max:
		return fmt.Sprintf("'%s' - The MaxInclusive constraint failed.", strings.ToUpper(schema[:1])+schema[1:])
	}
	return ""
}

// The sentences of .NET's schema validation about child elements.

func invalidChild(parent, child string, expected []string) string {
	message := fmt.Sprintf("The element '%s' has invalid child element '%s'.", parent, child)
	if len(expected) > 0 {
		message += " List of possible elements expected: '" + strings.Join(expected, ", ") + "'."
	}
	return message
}

func incomplete(parent string, expected []string) string {
	return fmt.Sprintf("The element '%s' has incomplete content. List of possible elements expected: '%s'.", parent, strings.Join(expected, ", "))
}

// unexpectedChild is the sentence for a child that cannot stand where it does.
func unexpectedChild(s, child *Statement, e *Element, counts []int, place int) string {
	switch {
	case len(e.Children) == 0 && e.Text != nil:
		return fmt.Sprintf("The element '%s' cannot contain child element '%s' because the parent element's content model is text only.", s.Name, child.Name)
	case len(e.Children) == 0:
		return fmt.Sprintf("The element '%s' cannot contain child element '%s' because the parent element's content model is empty.", s.Name, child.Name)
	}
	var expected []string
	for i, k := range e.Children {
		if full(k, counts[i]) || e.Order == Sequence && i < place {
			continue
		}
		expected = append(expected, k.Name)
	}
	return invalidChild(s.Name, child.Name, expected)
}
