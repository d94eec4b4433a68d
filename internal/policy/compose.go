package policy

import "strings"

// An Effective policy is what a gateway runs: per section the statements of all scopes in the order in which they run.
type Effective struct {
	Inbound  []Placed
	Backend  []Placed
	Outbound []Placed
	OnError  []Placed
}

// A Placed statement knows where it came from, as context.LastError tells it. Path is in the statement.
type Placed struct {
	*Statement
	Scope   Scope
	Section Section
}

// Section gives the statements of a section.
func (e *Effective) Section(name Section) []Placed {
	switch name {
	case Inbound:
		return e.Inbound
	case Backend:
		return e.Backend
	case Outbound:
		return e.Outbound
	case OnError:
		return e.OnError
	}
	return nil
}

// Compose nests documents, ordered broad to narrow, into the effective policy. In each section the narrowest document
// comes first and its <base/> stands for the effective section of the broader ones, and so on. A document without the
// section, and a nil document, inherit; a section that is there without <base/> cuts what is broader. In the broadest
// document <base/> is nothing.
func Compose(layers []*Document) *Effective {
	return &Effective{
		Inbound:  compose(layers, Inbound),
		Backend:  compose(layers, Backend),
		Outbound: compose(layers, Outbound),
		OnError:  compose(layers, OnError),
	}
}

func compose(layers []*Document, name Section) []Placed {
	var inherited []Placed
	for _, d := range layers {
		s := d.Section(name)
		if s == nil {
			continue
		}
		var out []Placed
		for _, child := range s.Children {
			if child.Name == "base" {
				out = append(out, inherited...)
				continue
			}
			out = append(out, Placed{Statement: child, Scope: d.Scope, Section: name})
		}
		inherited = out
	}
	return inherited
}

// Document renders the merged document, in rawxml, as "calculate effective policy" shows it. Comments between
// statements are not part of it.
func (e *Effective) Document() *Document {
	var b strings.Builder
	b.WriteString("<policies>\n")
	for _, name := range AllSections() {
		statements := e.Section(name)
		if len(statements) == 0 {
			b.WriteString("    <" + string(name) + " />\n")
			continue
		}
		b.WriteString("    <" + string(name) + ">\n")
		for _, s := range statements {
			b.WriteString("        " + s.Render(RawXML) + "\n")
		}
		b.WriteString("    </" + string(name) + ">\n")
	}
	b.WriteString("</policies>")
	d, _ := Reader{MaxBytes: b.Len()}.Parse(b.String(), RawXML)
	return d
}
