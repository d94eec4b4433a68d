package clr

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Universe is an immutable set of types with their members.
type Universe struct {
	types   map[string]*Type // full name`arity
	imports []string
	spaces  map[string]bool
	simple  map[string]*Type // name`arity, of the imported namespaces
	members map[*Type]*members
	ext     map[string][]*Member
	hosts   []func(any) *Type
	order   []*Type
}

type members struct {
	byName map[string][]*Member
	all    []*Member
}

// Import names the namespaces whose types need no qualification.
var imports = []string{
	"System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Security.Cryptography",
	"System.Security.Cryptography.X509Certificates", "System.Text", "System.Text.RegularExpressions", "System.Threading",
	"System.Threading.Tasks", "System.Xml", "System.Xml.Linq", "Newtonsoft.Json", "Newtonsoft.Json.Linq", "Gateway",
}

// Build makes a universe of decls on top of parent, or of the core types when
// that is nil. Types keep their identity. Host tells the types of
// objects that Go code outside hands in; it may be nil. An error names the
// faulty row.
func Build(parent *Universe, host func(any) *Type, decls ...Decl) (*Universe, error) {
	u := &Universe{
		types: map[string]*Type{}, spaces: map[string]bool{}, simple: map[string]*Type{},
		members: map[*Type]*members{}, ext: map[string][]*Member{}, imports: imports,
	}
	if parent != nil {
		u.inherit(parent)
	}
	if host != nil {
		u.hosts = append(u.hosts, host)
	}
	for _, t := range append(CoreTypes(), ExceptionTypes()...) {
		if parent == nil {
			u.add(t)
		}
	}
	heads := make([]*head, len(decls))
	for i, d := range decls {
		h, err := u.declare(d)
		if err != nil {
			return nil, fmt.Errorf("declare %s: %w", d.Sig, err)
		}
		heads[i] = h
	}
	for _, h := range heads {
		if err := h.bases(u); err != nil {
			return nil, fmt.Errorf("declare %s: %w", h.decl.Sig, err)
		}
	}
	for _, h := range heads {
		if err := u.fill(h); err != nil {
			return nil, err
		}
	}
	return u, nil
}

func (u *Universe) inherit(p *Universe) {
	maps.Copy(u.types, p.types)
	maps.Copy(u.spaces, p.spaces)
	maps.Copy(u.simple, p.simple)
	maps.Copy(u.members, p.members)
	for name, list := range p.ext {
		u.ext[name] = slices.Clone(list)
	}
	u.hosts = slices.Clone(p.hosts)
	u.order = slices.Clone(p.order)
}

func key(name string, arity int) string {
	if arity == 0 {
		return name
	}
	return name + "`" + strconv.Itoa(arity)
}

func (u *Universe) add(t *Type) {
	k := key(t.FullName(), len(t.Params))
	if u.types[k] == nil {
		u.order = append(u.order, t)
	}
	u.types[k] = t
	for s := t.Space; s != "" && t.Outer == nil; {
		u.spaces[s] = true
		i := strings.LastIndexByte(s, '.')
		s = s[:max(i, 0)]
	}
	if slices.Contains(u.imports, t.Space) {
		u.simple[key(t.Name, len(t.Params))] = t
	}
}

// Lookup finds a type by its full name and number of generic parameters.
func (u *Universe) Lookup(full string, arity int) *Type { return u.types[key(full, arity)] }

// Simple finds a type of the imported namespaces.
func (u *Universe) Simple(name string, arity int) *Type { return u.simple[key(name, arity)] }

// IsSpace reports whether name is a namespace, or the start of one.
func (u *Universe) IsSpace(name string) bool { return u.spaces[name] }

// Members are the members of that name that t itself declares. Constructors are
// named .ctor, indexers this[], operators "operator +", conversions "implicit"
// and "explicit".
func (u *Universe) Members(t *Type, name string) []*Member {
	if m := u.members[t.Definition()]; m != nil {
		return m.byName[name]
	}
	return nil
}

// All are the members that t itself declares, in the order of the table.
func (u *Universe) All(t *Type) []*Member {
	if m := u.members[t.Definition()]; m != nil {
		return m.all
	}
	return nil
}

// Types are all types in the order of their declaration.
func (u *Universe) Types() []*Type { return u.order }

// Extensions are the extension methods of that name.
func (u *Universe) Extensions(name string) []*Member { return u.ext[name] }

func (u *Universe) fill(h *head) error {
	ms := u.members[h.t]
	if ms == nil {
		ms = &members{byName: map[string][]*Member{}}
		u.members[h.t] = ms
	}
	for _, row := range h.decl.Rows {
		m, err := u.member(h.t, row)
		if err != nil {
			return fmt.Errorf("member %s of %s: %w", row.Sig, h.t.FullName(), err)
		}
		ms.byName[m.Name] = append(ms.byName[m.Name], m)
		ms.all = append(ms.all, m)
		if m.Extension && slices.Contains(u.imports, h.t.Space) {
			u.ext[m.Name] = append(u.ext[m.Name], m)
		}
	}
	for name := range strings.FieldsSeq(h.decl.Refused) {
		ms.byName[name] = append(ms.byName[name], &Member{Name: name, Owner: h.t, Refused: true, Ret: ErrorT})
	}
	for _, c := range h.t.Consts {
		v := Scalar(h.t, c.Value)
		m := &Member{Name: c.Name, Kind: Property, Owner: h.t, Static: true, Ret: h.t, Const: &v}
		ms.byName[c.Name] = append(ms.byName[c.Name], m)
	}
	return nil
}
