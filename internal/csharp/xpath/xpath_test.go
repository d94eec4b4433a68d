package xpath_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/csharp/xpath"
)

// node is a node of a tree that encoding/xml read.
type node struct {
	kind                        xpath.Kind
	prefix, local, space, value string
	parent                      *node
	kids, attrs                 []*node
}

// forest shows nodes to expressions and counts the work.
type forest struct{ steps int }

func (*forest) Kind(n *node) xpath.Kind { return n.kind }
func (*forest) Name(n *node) (prefix, local, space string) {
	return n.prefix, n.local, n.space
}

func (t *forest) Value(n *node) string {
	if n.kind != xpath.Element && n.kind != xpath.Root {
		return n.value
	}
	var b strings.Builder
	for _, k := range n.kids {
		if k.kind == xpath.Element || k.kind == xpath.Text {
			b.WriteString(t.Value(k))
		}
	}
	return b.String()
}

func (*forest) Parent(n *node) (*node, bool) { return n.parent, n.parent != nil }
func (*forest) Children(n *node) []*node     { return n.kids }
func (*forest) Attributes(n *node) []*node   { return n.attrs }
func (*forest) Namespaces(*node) []*node     { return nil }
func (t *forest) Step(n int) {
	if t.steps += n; t.steps > 100_000 {
		panic("too many steps")
	}
}

func parse(t testing.TB, src string) *node {
	t.Helper()
	cur := &node{kind: xpath.Root}
	root := cur
	add := func(n *node) *node { n.parent = cur; cur.kids = append(cur.kids, n); return n }
	for d := xml.NewDecoder(strings.NewReader(src)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return root
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			n := add(&node{kind: xpath.Element, local: x.Name.Local, space: x.Name.Space})
			for _, a := range x.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					n.attrs = append(n.attrs, &node{kind: xpath.Attribute, local: a.Name.Local, space: a.Name.Space, value: a.Value, parent: n})
				}
			}
			cur = n
		case xml.EndElement:
			cur = cur.parent
		case xml.CharData:
			add(&node{kind: xpath.Text, value: string(x)})
		case xml.Comment:
			add(&node{kind: xpath.Comment, value: string(x)})
		case xml.ProcInst:
			add(&node{kind: xpath.Instruction, local: x.Target, value: string(x.Inst)})
		}
	}
}

const document = `<lib xmlns:p="urn:p"><!--c--><book id="1" lang="en"><title>Go</title><price>10</price></book><book id="2"><title>C#</title><price>20.5</price><p:tag k="v">x</p:tag></book><?pi data?><mag id="3"><title>News</title></mag>tail</lib>`

func show(v any) string {
	nodes, ok := v.([]*node)
	if !ok {
		return fmt.Sprint(v)
	}
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		switch n.kind {
		case xpath.Root:
			parts[i] = "/"
		case xpath.Text:
			parts[i] = "'" + n.value + "'"
		case xpath.Comment:
			parts[i] = "!" + n.value
		case xpath.Attribute:
			parts[i] = "@" + n.local + "=" + n.value
		default:
			parts[i] = n.local
			for _, a := range n.attrs {
				if a.local == "id" {
					parts[i] += a.value
				}
			}
		}
	}
	return strings.Join(parts, " ")
}

func resolver(prefix string) (string, bool) { return "urn:p", prefix == "q" }

func TestEval(t *testing.T) {
	t.Parallel()
	doc := parse(t, document)
	for src, want := range map[string]string{
		// paths
		"/": "/", "/lib": "lib", "/lib/book": "book1 book2", "//book": "book1 book2", "//title": "title title title", "/lib/*": "book1 book2 mag3", "//book/title/text()": "'Go' 'C#'",
		"lib/book/@id": "@id=1 @id=2", "//@*": "@id=1 @lang=en @id=2 @k=v @id=3", "//@id[. > 1]": "@id=2 @id=3", "//comment()": "!c", "//processing-instruction()": "pi", "//processing-instruction('x')": "", "//processing-instruction('pi')": "pi",
		"//node()[self::comment()]": "!c", "/lib/text()": "'tail'", "//book/..": "lib", "//title/../..": "lib", "//book/.": "book1 book2", "/lib/book[2]/title": "title", "//q:tag": "tag", "//q:*": "tag", "//tag": "", "//*[local-name()='tag']": "tag",
		// axes
		"//book[1]/following-sibling::*": "book2 mag3", "//mag/preceding-sibling::book": "book1 book2", "//mag/preceding-sibling::book[1]": "book2", "//price[1]/ancestor::*": "lib book1 book2", "//title/ancestor-or-self::*[2]": "book1 book2 mag3",
		"//book[1]/descendant::text()": "'Go' '10'", "//book[2]/descendant-or-self::*": "book2 title price tag", "//book[1]/following::title": "title title", "//mag/preceding::price": "price price", "//title/parent::mag": "mag3", "//book/child::title": "title title",
		"//book/attribute::id": "@id=1 @id=2", "//title/self::title[.='Go']": "title", "//mag/following::node()": "'tail'", "//@k/following::title": "title", "//@lang/preceding::comment()": "!c", "//@id/..": "book1 book2 mag3",
		// predicates
		"//book[@id='2']": "book2", "//book[price>15]": "book2", "//book[title='Go']/@id": "@id=1", "//book[position()=2]": "book2", "//book[last()]": "book2", "//title[1]": "title title title", "(//title)[1]": "title", "(//title)[last()]/text()": "'News'",
		"//book[@lang]": "book1", "//book[not(@lang)]": "book2", "//book[@id][1]": "book1", "/lib/*[3]": "mag3", "/lib/*[position() mod 2 = 1]": "book1 mag3", "//book['']": "", "//book['x']": "book1 book2", "//book[title][price]": "book1 book2", "//book[count(*)=3]": "book2", "//*[title and not(price)]": "mag3",
		"//book[title='Go' or title='C#'][2]": "book2", "//book[@id=//mag/@id - 1]": "book2", "//*[@id=3]": "mag3", "//book[contains(title,'o')]": "book1", "//book[starts-with(title,'C')]/price": "price",
		// unions and filters
		"//price | //title": "title price title price title", "//mag | //book[1]": "book1 mag3", "(//mag | //book)[1]": "book1", "(//book)[2]/title": "title", "//book[1] | //book[1]": "book1",
		// numbers
		"1 + 2 * 3": "7", "7 mod 3": "1", "-7 mod 3": "-1", "7 div 2": "3.5", "1 div 0": "+Inf", "string(1 div 0)": "Infinity", "string(0 div 0)": "NaN", "- - 3": "3", "-(2)": "-2", "count(//book)": "2", "sum(//price)": "30.5", "sum(//title)": "NaN", "floor(2.7)": "2", "ceiling(2.1)": "3", "round(2.5)": "3", "round(-2.5)": "-2", "round(2.4)": "2",
		"number('12.5')": "12.5", "number(' 3 ')": "3", "number('1e3')": "NaN", "number('')": "NaN", "number('+1')": "NaN", "number(true())": "1", "number(//price)": "10", "string(1.0)": "1", "string(1000000000000000)": "1E+15", "string(0.00001)": "1E-05", "string(-0.5)": "-0.5", "2 - 1": "1", "price": "", "4 div 2 * 3": "6", ".5 + 1.": "1.5",
		// strings
		"concat('a', 1, true())": "a1true", "starts-with('abc','ab')": "true", "contains('abc','')": "true", "substring('12345',2,3)": "234", "substring('12345',2)": "2345", "substring('12345',1.5,2.6)": "234", "substring('12345',0,3)": "12", "substring('12345',0 div 0,3)": "", "substring('12345',1,0 div 0)": "", "substring('12345',-42,1 div 0)": "12345", "substring('12345',-1 div 0,1 div 0)": "",
		"substring-before('1999/04','/')": "1999", "substring-after('1999/04','/')": "04", "substring-before('a','x')": "", "substring-after('a','x')": "", "substring-after('a','')": "a", "string-length('héllo')": "5", "string-length('😀')": "2", "normalize-space('  a \n b  ')": "a b", "translate('bar','abc','AB')": "BAr", "translate('-a-','-','')": "a", "string(//title)": "Go", "string(/lib/mag)": "News", "string()": "Go10C#20.5xNewstail", "string-length()": "19", "name(//q:tag)": "tag", "local-name(//@*)": "id", "namespace-uri(//q:tag)": "urn:p", "name(//nope)": "", "normalize-space()": "Go10C#20.5xNewstail",
		// booleans and comparisons
		"true() and not(false())": "true", "1 = 1.0": "true", "'a' = 'b'": "false", "//title = 'C#'": "true", "'C#' = //title": "true", "//title != 'C#'": "true", "//nope = 'x'": "false", "//nope != 'x'": "false", "//price > 20": "true", "20 < //price": "true", "//price = //price": "true", "//title = //price": "false", "//book = true()": "true", "//nope = false()": "true", "boolean(//nope)": "false", "boolean('false')": "true", "boolean(0)": "false", "not('')": "true",
		"'10' < 9": "false", "'b' > 'a'": "false", "1 < 2 = true()": "true", "2 > 1 and 1 > 2 or true()": "true", "lang('en')": "false", "//title[.='Go'] = //title[1]": "true", "id('x')": "", "count(id('x'))": "0",
		// words that are operators only behind an operand
		"/lib/book/div": "", "count(//*) * 2": "20", "//* [1] /title": "title", "/ lib / book [ 1 ] / @ id": "@id=1", "child :: lib": "lib", "//book[* and @*]": "book1 book2", "and": "", "div div mod": "NaN",
	} {
		e, err := xpath.Compile(src, resolver)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := show(xpath.Eval(e, &forest{}, doc)); got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
}

func TestCompile_RefusesAsDotNetDoes(t *testing.T) {
	t.Parallel()
	const nodes = "Expression must evaluate to a node-set."
	for src, want := range map[string]string{
		"": nodes, "/a/": nodes, "a[": nodes, "a[1": "'a[1' has an invalid token.", "a]": "'a]' has an invalid token.", "'x": "This is an unclosed string.", "a b": "'a b' has an invalid token.", "1 +": nodes,
		"a:": "'a:' has an invalid qualified name.", "x:a": "Namespace prefix 'x' is not defined.", "foo()": "XsltContext is needed for this query because of an unknown function.", "'a'/b": nodes, "'a' | b": nodes, "(1)[1]": nodes, "count('a')": "The argument to function 'count' in 'count('a')' cannot be converted to a node-set.",
		"contains('a')": "Function 'contains' in 'contains('a')' has an invalid number of arguments.", "true(1)": "Function 'true' in 'true(1)' has an invalid number of arguments.", "$v": "Namespace Manager or XsltContext needed. This query has a prefix, variable, or user-defined function.", "a::b": "'a::b' has an invalid token.", "#": "'#' has an invalid token.", "concat('a','b',)": nodes,
		strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300): "The xpath query is too complex.",
	} {
		if _, err := xpath.Compile(src, resolver); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", src, err, want)
		}
	}
	if _, err := xpath.Compile("x:a", nil); err == nil || err.Error() != "Namespace Manager or XsltContext needed. This query has a prefix, variable, or user-defined function." {
		t.Errorf("without a resolver: %v", err)
	}
}

// FuzzEval checks that no expression panics but by its steps, and that node-sets
// are in document order without anything twice.
func FuzzEval(f *testing.F) {
	for _, src := range []string{"//book[@id='1' and position()=last()]/title | //mag/..", "sum(//price) div count(//*) - -3 mod 2", "concat(substring('a', 1, 2), translate(normalize-space(), 'a', 'b'))", "ancestor-or-self::node()/preceding::*[2]/following-sibling::text()", "q:tag/@*|id('x')/namespace::*", "$x", "'", "((((", "//*[//*[//*]]"} {
		f.Add(src)
	}
	doc := parse(f, document)
	f.Fuzz(func(t *testing.T, src string) {
		e, err := xpath.Compile(src, resolver)
		if err != nil {
			return
		}
		defer func() {
			if r := recover(); r != nil && r != "too many steps" {
				t.Fatalf("%q: %v", src, r)
			}
		}()
		nodes, ok := xpath.Eval(e, &forest{}, doc).([]*node)
		if ok != e.Selects() {
			t.Fatalf("%q: selects %v, announced %v", src, ok, e.Selects())
		}
		all, _ := xpath.Compile("//node() | //@* | /", nil)
		order := map[*node]int{}
		for i, n := range xpath.Eval(all, &forest{}, doc).([]*node) {
			order[n] = i
		}
		for i := 1; i < len(nodes); i++ {
			if order[nodes[i-1]] >= order[nodes[i]] {
				t.Fatalf("%q: node %d stands before %d", src, i, i-1)
			}
		}
	})
}
