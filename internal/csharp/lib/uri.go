package lib

import (
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// URI is a System.Uri.
type URI struct {
	orig string
	at   *address // nil for a relative one
}

// NewURI makes a System.Uri of an absolute URL.
func NewURI(s string) V { return clr.Object(newURI(s)) }

// RuntimeType is System.Uri.
func (*URI) RuntimeType() *clr.Type { return named("System.Uri") }

// Text is the canonical form, unescaped where that is safe.
func (x *URI) Text(F) string {
	if x.at == nil {
		return x.orig
	}
	return unescapeIRI(x.at.String())
}

// identity is the canonical form without user and fragment, by which addresses
// compare.
func (x *URI) identity() string {
	if x.at == nil {
		return x.orig
	}
	a := *x.at
	a.fragment = ""
	if a.name != "mailto" {
		a.user = ""
	}
	return unescapeIRI(a.String())
}

// Equal compares canonical forms without user and fragment.
func (x *URI) Equal(_ F, v V) bool {
	y, ok := v.Ref().(*URI)
	return ok && x.identity() == y.identity()
}

// Key is the canonical form without user and fragment.
func (x *URI) Key() any { return "u" + x.identity() }

// String is the canonical form.
func (a *address) String() string { return a.left(3) + a.fragment }

// left is an address up to a UriPartial.
func (a *address) left(part int64) string {
	s := a.name + ":"
	if a.authority {
		s += "//"
	}
	if part > 0 {
		s += a.user + a.server()
	}
	if part > 1 {
		s += a.path
	}
	if part > 2 {
		s += a.query
	}
	return s
}

// server is host and port.
func (a *address) server() string {
	if a.defaultPort() {
		return a.host
	}
	return a.host + ":" + strconv.Itoa(a.port)
}

func (a *address) defaultPort() bool { return a.port == a.scheme.port }

// leftPart is GetLeftPart.
func (a *address) leftPart(part int64) string {
	if part == 1 && (!a.authority || a.dos) {
		return ""
	}
	return a.left(part)
}

// absolutePath is the path, which begins with the drive where there is one.
func (a *address) absolutePath() string {
	if a.dos {
		return a.path[1:]
	}
	return a.path
}

// localPath is the path without escapes, as Windows writes it for its own.
func (a *address) localPath() string {
	path := unescapeData(a.absolutePath())
	switch {
	case a.unc:
		path = "//" + a.host + path
		fallthrough
	case a.dos:
		return strings.ReplaceAll(path, "/", `\`)
	}
	return path
}

// idnHost is the host as DNS knows it.
func (a *address) idnHost() string {
	labels := strings.Split(strings.Trim(a.host, "[]"), ".")
	for i, l := range labels {
		labels[i] = punycode(l)
	}
	return strings.Join(labels, ".")
}

// safeHost is the host without brackets.
func (a *address) safeHost() string { return strings.Trim(a.host, "[]") }

// loopback tells whether an address is of this machine.
func (a *address) loopback() bool {
	return a.host == "localhost" || a.kind == 3 && strings.HasPrefix(a.host, "127.") || a.host == "[::1]" || a.name == "file" && a.host == ""
}

// segments are the parts of the path, each with the slash behind it.
func (a *address) segments() V {
	parts := strings.SplitAfter(a.path, "/")
	if parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return clr.Strings(parts)
}

// resolve is the text of the address that a reference names, seen from another
// address.
func (a *address) resolve(ref string) string {
	ref = strings.Trim(ref, " \t\r\n")
	if name, rest, ok := strings.Cut(ref, ":"); ok && isScheme(name) && len(name) > 1 {
		if strings.ToLower(name) != a.name {
			return ref
		}
		ref = rest
	}
	switch {
	case ref == "":
		return a.String()
	case ref[0] == '#':
		return a.left(3) + ref
	case ref[0] == '?' && !a.scheme.noQuery:
		return a.left(2) + ref
	case strings.HasPrefix(ref, "//"):
		return a.name + ":" + ref
	case isSlash(ref[0]):
		return a.left(1) + "/" + ref[1:]
	}
	return a.left(1) + a.directory() + ref
}

// directory is the path up to its last slash.
func (a *address) directory() string { return a.path[:strings.LastIndexByte(a.path, '/')+1] }

// join is the constructor of a base and a reference.
func join(base, ref *URI) V {
	if base.at == nil {
		clr.ThrowRange("baseUri", "")
	}
	if ref.at != nil {
		return clr.Object(ref)
	}
	return clr.Object(newURI(base.at.resolve(ref.orig)))
}

// relativeTo is the reference that leads from one address to another.
func (a *address) relativeTo(to *URI) V {
	if to.at == nil {
		throwRelative()
	}
	if b := to.at; a.name == b.name && a.host == b.host && a.port == b.port {
		ref := pathDifference(a.absolutePath(), b.absolutePath())
		if colonFirst(ref) {
			ref = "./" + ref
		}
		return clr.Object(&URI{orig: ref + b.query + b.fragment})
	}
	return clr.Object(to)
}

// colonFirst tells whether a reference would be taken for one with a scheme.
func colonFirst(ref string) bool {
	i := strings.IndexAny(ref, `:/\?#`)
	return i >= 0 && ref[i] == ':'
}

func pathDifference(from, to string) string {
	same, slash := 0, -1
	for same < len(from) && same < len(to) && from[same] == to[same] {
		if from[same] == '/' {
			slash = same
		}
		same++
	}
	up := strings.Repeat("../", strings.Count(from[same:], "/"))
	switch {
	case same == 0 || from == to:
		return to[same:]
	case up == "" && len(to)-1 == slash:
		return "./"
	}
	return up + to[slash+1:]
}

// baseOf tells whether another address lies in the directory of this one.
func (a *address) baseOf(x *URI) bool {
	if x.at == nil {
		x, _ = readURI(a.resolve(x.orig), uriAbsoluteOnly)
	}
	return x != nil && a.left(1) == x.at.left(1) && strings.HasPrefix(unescapeIRI(x.at.directory()), unescapeIRI(a.directory()))
}

// wellFormed tells whether the text is as it has to be.
func (x *URI) wellFormed() bool {
	s := x.orig
	for i := range len(s) {
		if one := s[i:min(i+3, len(s))]; s[i] < 0x80 && escapeURI(one, "")[0] != s[i] || s[i] == '%' && len(escapedBytes(one)) == 0 {
			return false
		}
	}
	if x.at == nil {
		return !colonFirst(s)
	}
	return x.at.name != "file" || strings.HasPrefix(strings.ToLower(s), "file:")
}

func throwRelative() {
	clr.Throw(clr.ExInvalidOp, "This operation is not supported for a relative URI.")
}
