package importer

import (
	"fmt"
	"net/url"
	"strings"
)

// Bounds of a walk. Shared parts are copied into every API operation that refers to them, so the result can be far
// larger than the description: maxValues counts what is copied.
const (
	maxFindings = 20
	maxValues   = 1 << 20
	maxRefs     = 16 // references that follow one another
	maxRefBytes = 1000
)

// A reader walks a description. It goes on after a finding, so that one error reports them all.
type reader struct {
	opt       Options
	root      *node
	swagger   bool // 2.0; otherwise OpenAPI 3
	findings  []finding
	values    int // copied so far
	exhausted bool

	ids       map[string]bool // operationIds seen, lower case
	templates map[string]bool // method and URL template seen
	names     names
	types     types
}

func newReader(o Options, root *node) *reader {
	return &reader{
		opt: o, root: root,
		ids: map[string]bool{}, templates: map[string]bool{},
		names: names{next: map[string]int{}, used: map[string]bool{}},
	}
}

func (r *reader) read() *Result {
	if !r.version() {
		return nil
	}
	info := r.root.get("info")
	if info.get("title").str() == "" {
		r.report(info, r.root, "'info.title' is required")
	}
	r.checkRefs(r.root, map[*node]bool{})
	res := &Result{DisplayName: info.get("title").str(), Description: info.get("description").str()}
	res.ServiceURL, res.Protocols = r.servers()
	r.readTypes()
	res.Operations = r.paths()
	res.Schema = r.schemas()
	return res
}

func (r *reader) version() bool {
	if v := r.root.get("swagger"); v != nil {
		r.swagger = true
		if v.str() == "2.0" || v.str() == "2" {
			return true
		}
		r.report(v, nil, "Swagger version '%s' is not supported; 2.0 is", v.text)
		return false
	}
	v := r.root.get("openapi")
	switch s := v.str(); {
	case strings.HasPrefix(s+".", "3.0.") || strings.HasPrefix(s+".", "3.1."):
		return true
	case v == nil:
		r.report(r.root, nil, "neither 'openapi' nor 'swagger' says which specification the document follows")
	default:
		r.report(v, nil, "OpenAPI version '%s' is not supported; 3.0 and 3.1 are", v.text)
	}
	return false
}

// report adds a finding at n, or at its parent when n is not there.
func (r *reader) report(n, parent *node, format string, args ...any) {
	if len(r.findings) >= maxFindings {
		return
	}
	f := finding{text: fmt.Sprintf(format, args...)}
	if n == nil {
		n = parent
	}
	if n != nil {
		f.line, f.col = n.line, n.col
	}
	r.findings = append(r.findings, f)
}

// spend counts values that are copied into the result and says whether the bound still allows them.
func (r *reader) spend(n int) bool {
	if r.values += n; r.values > maxValues && !r.exhausted {
		r.exhausted = true
		r.report(r.root, nil, "the document describes too much: its references copy more than %d values", maxValues)
	}
	return !r.exhausted
}

// resolve follows references to where n really is; nil when there is nothing, which checkRefs has reported.
func (r *reader) resolve(n *node) *node {
	for range maxRefs {
		ref := n.get("$ref")
		if ref == nil || ref.kind != stringKind {
			return n
		}
		n = r.lookup(ref.text)
	}
	return nil
}

// lookup finds the value that a reference within the document points to.
func (r *reader) lookup(ref string) *node {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || len(ref) > maxRefBytes {
		return nil
	}
	if p, err := url.PathUnescape(pointer); err == nil {
		pointer = p
	}
	n := r.root
	for token := range strings.SplitSeq(pointer, "/") {
		if n == r.root && token == "" {
			continue
		}
		n = n.at(strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
	}
	return n
}

// checkRefs reports references that lead nowhere, in a circle of references, or out of the document.
func (r *reader) checkRefs(n *node, seen map[*node]bool) {
	if n == nil || seen[n] || n.kind != listKind && n.kind != objectKind {
		return
	}
	seen[n] = true
	for _, item := range n.items {
		r.checkRefs(item, seen)
	}
	if ref := n.get("$ref"); ref != nil && ref.kind == stringKind {
		switch {
		case !strings.HasPrefix(ref.text, "#"):
			r.report(ref, nil, "the reference '%s' leads out of the document, which is not supported", ref.text)
		case r.resolve(n) == nil:
			r.report(ref, nil, "the reference '%s' leads nowhere", ref.text)
		}
	}
	for _, f := range n.fields {
		if !isData(f.key) {
			r.checkRefs(f.value, seen)
		}
	}
}
