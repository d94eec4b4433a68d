package apim

import (
	"sync"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/lib"
)

// The dictionaries of the context object. They wrap what the host gives.

func dictType(val *clr.Type) func() *clr.Type {
	return sync.OnceValue(func() *clr.Type {
		return clr.Of(lib.Universe().Lookup("System.Collections.Generic.IReadOnlyDictionary", 2), clr.StringType, val)
	})
}

// The types of the dictionaries, by what they hold.
var (
	stringArray = clr.ArrayOf(clr.StringType)
	stringsDict = dictType(stringArray)
	textDict    = dictType(clr.StringType)
	objectDict  = dictType(clr.ObjectType)
)

// headers makes a Header a dictionary. Interface values of hosts are used as they
// are: reading a header allocates nothing.
func headers(h Header) v {
	if h == nil {
		return clr.Null
	}
	if m, ok := h.(interface{ HeaderMap() *HeaderMap }); ok {
		return clr.Object(m.HeaderMap())
	}
	return clr.Object(&HeaderMap{h})
}

// HeaderMap makes a Header a dictionary. Hosts whose Header has a method
// HeaderMap that returns the same one each time save an allocation per read.
type HeaderMap struct{ Header }

// RuntimeType is IReadOnlyDictionary<string, string[]>.
func (*HeaderMap) RuntimeType() *clr.Type { return stringsDict() }

// Lookup finds the values of a name.
func (m *HeaderMap) Lookup(_ *clr.Frame, key v) (v, bool) {
	list := m.Values(key.Str())
	if list == nil {
		return clr.Null, false
	}
	return clr.Strings(list), true
}

// Count is the number of names.
func (m *HeaderMap) Count(*clr.Frame) int { return m.Len() }

// Each yields the names with their values.
func (m *HeaderMap) Each(fr *clr.Frame, yield func(v) bool) {
	m.Header.Each(func(name string) bool {
		fr.Alloc(64)
		return yield(lib.Pair(clr.StringType, stringArray, clr.String(name), clr.Strings(m.Values(name))))
	})
}

type stringsMap struct{ m Strings }

// RuntimeType is IReadOnlyDictionary<string, string>.
func (*stringsMap) RuntimeType() *clr.Type { return textDict() }

// Lookup finds a value.
func (m *stringsMap) Lookup(_ *clr.Frame, key v) (v, bool) {
	if m.m == nil {
		return clr.Null, false
	}
	s, ok := m.m.Get(key.Str())
	return clr.String(s), ok
}

// Count is the number of entries.
func (m *stringsMap) Count(*clr.Frame) int {
	if m.m == nil {
		return 0
	}
	return m.m.Len()
}

// Each yields the entries.
func (m *stringsMap) Each(fr *clr.Frame, yield func(v) bool) {
	if m.m == nil {
		return
	}
	m.m.Each(func(name, value string) bool {
		fr.Alloc(64)
		return yield(lib.Pair(clr.StringType, clr.StringType, clr.String(name), clr.String(value)))
	})
}

// variables reads context.Variables.
func variables(_ f, x v) v {
	vars := x.Ref().(Context).Variables()
	if m, ok := vars.(interface{ VariablesMap() *VariablesMap }); ok {
		return clr.Object(m.VariablesMap())
	}
	return clr.Object(&VariablesMap{vars})
}

// VariablesMap makes Variables a dictionary. Hosts whose Variables have a method
// VariablesMap that returns the same one each time save an allocation per read.
type VariablesMap struct{ Vars Variables }

// RuntimeType is IReadOnlyDictionary<string, object>.
func (*VariablesMap) RuntimeType() *clr.Type { return objectDict() }

// Lookup finds a variable.
func (m *VariablesMap) Lookup(_ *clr.Frame, key v) (v, bool) {
	if m.Vars == nil {
		return clr.Null, false
	}
	return m.Vars.Get(key.Str())
}

// Count is the number of variables.
func (m *VariablesMap) Count(*clr.Frame) int {
	if m.Vars == nil {
		return 0
	}
	return m.Vars.Len()
}

// Each yields the variables.
func (m *VariablesMap) Each(fr *clr.Frame, yield func(v) bool) {
	if m.Vars == nil {
		return
	}
	m.Vars.Each(func(name string, x v) bool {
		fr.Alloc(64)
		return yield(lib.Pair(clr.StringType, clr.ObjectType, clr.String(name), x))
	})
}

type certMap struct{ d Deployment }

// RuntimeType is IReadOnlyDictionary<string, X509Certificate2>.
func (*certMap) RuntimeType() *clr.Type {
	return dictType(lib.Universe().Lookup("System.Security.Cryptography.X509Certificates.X509Certificate2", 0))()
}

// Lookup finds a certificate by its thumbprint.
func (m *certMap) Lookup(_ *clr.Frame, key v) (v, bool) {
	c := m.d.Certificate(key.Str())
	if c == nil {
		return clr.Null, false
	}
	return clr.Object(c), true
}

// Count is the number of certificates.
func (m *certMap) Count(*clr.Frame) int {
	n := 0
	m.d.EachCertificate(func(string, *lib.Certificate) bool { n++; return true })
	return n
}

// Each yields the certificates.
func (m *certMap) Each(fr *clr.Frame, yield func(v) bool) {
	t := m.RuntimeType().Args[1]
	m.d.EachCertificate(func(id string, c *lib.Certificate) bool {
		fr.Alloc(64)
		return yield(lib.Pair(clr.StringType, t, clr.String(id), clr.Object(c)))
	})
}
