// Package policy reads, checks, renders and composes policy documents: the "not quite XML" in which API Management
// keeps what a gateway does with a request.
//
// A document goes this way: Substitute (or NewSource) puts named values in, Parse reads the text into statements and
// keeps every byte of it, Document.Check compares it with the catalogue, and Compose nests the documents of all scopes
// into the effective policy that a gateway runs. Running statements and compiling expressions is left to others; the
// package imports nothing of the project.
//
// All lines and columns are 1-based and count characters (Unicode code points) of the submitted text. The position of
// an element is that of its name, one after the '<', as the real service counts.
//
// Start reading at reader.go, then catalogue.go and check.go.
package policy

import "strings"

// A Format says how expressions are written in a document.
type Format string

const (
	// XML is a well-formed XML document; expressions are entity-escaped.
	XML Format = "xml"
	// RawXML holds expressions as written in C#, quotes and angle brackets included. Escaped ones are understood too.
	RawXML Format = "rawxml"
)

// A Section is one of the four parts of a policy document.
type Section string

// The sections, in the order a request meets them.
const (
	Inbound  Section = "inbound"
	Backend  Section = "backend"
	Outbound Section = "outbound"
	OnError  Section = "on-error"
)

// AllSections lists the sections in the order a request meets them.
func AllSections() []Section { return []Section{Inbound, Backend, Outbound, OnError} }

// A Scope is where a document belongs. Its text is what context.LastError.Scope shows.
type Scope string

// The scopes, broad to narrow.
const (
	Global    Scope = "global"
	Workspace Scope = "workspace"
	Product   Scope = "product"
	API       Scope = "api"
	Operation Scope = "operation"
)

// DefaultGlobal is the document that a new service has at global scope.
const DefaultGlobal = `<policies>
    <inbound></inbound>
    <backend>
        <forward-request />
    </backend>
    <outbound></outbound>
    <on-error></on-error>
</policies>`

// A Position is a place in the submitted text: 1-based line, and 1-based column in characters.
type Position struct {
	Line   int
	Column int
}

// A Document is one policy document or fragment together with the text it was read from. It is never changed after
// reading, apart from Scope, which its owner sets before Compose.
type Document struct {
	Root   *Statement // <policies> or <fragment>; nil when the text has no element at all
	Format Format     // the format it was read in
	Scope  Scope      // where the document belongs; Compose hands it on to the statements

	src   *Source
	exprs []*Expression // in the order of the text
}

// Section finds a section of the document, or nil when it is absent: an absent section inherits, a present but empty
// one does not.
func (d *Document) Section(name Section) *Statement {
	if d == nil || d.Root == nil {
		return nil
	}
	return d.Root.Child(string(name))
}

// A Statement is an element of a document: a policy statement, a section, or a helper element such as <value>.
type Statement struct {
	Name     string
	Attrs    []Attribute  // in the order of the text
	Children []*Statement // child elements; empty for set-body, whose markup is its text

	// Text is the decoded text of the element: verbatim for set-body, where markup inside counts as text too; trimmed
	// elsewhere. When the whole text is an expression, TextExpr is set and Text is its source.
	Text     string
	TextExpr *Expression
	TextPos  Position // of the first character of the text that is no white space

	Position        // of the element's name
	Path     string // place among nested statements of the section, e.g. "choose[3]/when[2]"

	doc        *Document
	start, end int // the element in the text that was read, tags included
	inner      [2]int
}

// An Attribute is an attribute of an element.
type Attribute struct {
	Name     string
	Value    string      // decoded; the source of the expression when Expr is set
	Expr     *Expression // set when the whole value is an expression
	Position             // of the name
	ValuePos Position    // of the first character of the value

	span [2]int // the value in the text that was read
}

// find looks an attribute up by name.
func (s *Statement) find(name string) *Attribute {
	if s == nil {
		return nil
	}
	for i := range s.Attrs {
		if s.Attrs[i].Name == name {
			return &s.Attrs[i]
		}
	}
	return nil
}

// Attr gives the value of an attribute, or "" when it is absent.
func (s *Statement) Attr(name string) string {
	if a := s.find(name); a != nil {
		return a.Value
	}
	return ""
}

// Attribute gives an attribute with its position and expression, or nil when it is absent.
func (s *Statement) Attribute(name string) *Attribute { return s.find(name) }

// Has says whether an attribute is present, even if empty.
func (s *Statement) Has(name string) bool { return s.find(name) != nil }

// Child gives the first child element of that name, or nil.
func (s *Statement) Child(name string) *Statement {
	if s == nil {
		return nil
	}
	for _, c := range s.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Elements gives the child elements of that name in their order.
func (s *Statement) Elements(name string) []*Statement {
	if s == nil {
		return nil
	}
	var out []*Statement
	for _, c := range s.Children {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// Source gives the statement as it stands in the text that was read, tags included.
func (s *Statement) Source() string { return s.doc.src.Text[s.start:s.end] }

// An Expression is a policy expression: @(…) or @{…}.
type Expression struct {
	Source   string // decoded, brackets and '@' included
	Position        // of the '@'

	doc        *Document
	start, end int  // in the text that was read
	escaped    bool // written with XML entities there
	cdata      bool // inside a CDATA section, hence the same in both formats
	delim      byte // the quote around it, or '<' in text
}

// Block says whether it is a block of statements, @{…}, and not a single expression, @(…).
func (e *Expression) Block() bool { return strings.HasPrefix(e.Source, "@{") }

// Code is the C# between the brackets; it begins at offset 2 of Source.
func (e *Expression) Code() string { return e.Source[2 : len(e.Source)-1] }

// At gives the position in the submitted text of a byte offset into Source, also where the text is entity-escaped.
func (e *Expression) At(offset int) Position {
	offset = max(0, min(offset, len(e.Source)))
	if !e.escaped {
		return e.doc.src.Position(e.start + offset)
	}
	raw := e.doc.src.Text[e.start:e.end]
	i := 0
	for n := 0; i < len(raw) && n < offset; {
		if text, size := entity(raw[i:]); size > 0 {
			n += len(text)
			i += size
			continue
		}
		n++
		i++
	}
	return e.doc.src.Position(e.start + i)
}

// Conceal is a message about a byte offset into Source as clients may see it: texts that named values put into the
// expression are replaced by the references to them, since a named value may be secret.
func (e *Expression) Conceal(offset int, message string) string {
	src := e.doc.src
	at := e.start + min(max(0, offset), len(e.Source))
	for _, p := range src.pieces {
		if p.at+p.size <= e.start || p.at >= e.end || p.size == 0 {
			continue
		}
		reference := src.Submitted[p.from : p.from+p.width]
		if !e.escaped && at >= p.at && at < p.at+p.size {
			return "The value of " + reference + " cannot stand here."
		}
		message = strings.ReplaceAll(message, src.Text[p.at:p.at+p.size], reference)
	}
	return message
}
