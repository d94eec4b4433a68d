package policy

import "slices"

// A Type is the datatype of a value: what a literal must look like, and what an expression should give.
type Type string

// The datatypes.
const (
	String   Type = "string"
	Int      Type = "int"  // 32 bits
	Long     Type = "long" // 64 bits
	Double   Type = "double"
	Bool     Type = "bool"
	Duration Type = "duration" // whole seconds, or an ISO 8601 duration
	DateTime Type = "dateTime" // ISO 8601
	Bytes    Type = "byte[]"   // expressions only
	Any      Type = "object"
)

// A Row describes one policy statement. Validation, the reference page and editors read the same rows.
type Row struct {
	Element
	Sections []Section // where it may stand
	Scopes   []Scope   // of documents that may hold it
	Once     bool      // at most once in a section
	NotIn    []string  // tiers that refuse it
	Built    bool      // this version runs it; anything else is refused when a document is saved
	Proof    string    // name of the test that proves it, for built ones
}

// An Element describes an element: a statement, or a helper element inside one.
type Element struct {
	Name     string
	Attrs    []Attr
	Groups   []Group // rules over several attributes
	Children []Child
	Order    Order // of Children
	Body     bool  // holds statements of the section it stands in
	Open     bool  // holds anything: markup that is not policy
	Text     *Text // nil: no text
	MinItems int   // fewest children, of whatever name

	rule func(*checker, *Statement) // what fields cannot say
}

// An Attr describes an attribute.
type Attr struct {
	Name       string
	Type       Type
	Required   bool
	Default    string   // "" is none
	Enum       []string // the literals allowed
	Range      *Range   // of numbers
	Token      bool     // an HTTP token: the name of a header
	Expression bool     // an expression is allowed
	NotBuilt   []string // values this version refuses; "*" is every value
}

// A Range bounds numbers, both ends included.
type Range struct{ Min, Max int64 }

// A Group says how many attributes of a set must and may be given.
type Group struct {
	Attrs []string
	Min   int
	Max   int // 0 is no limit
}

// A Child is an element allowed inside another.
type Child struct {
	Name    string
	Min     int
	Max     int      // 0 is no limit
	Element *Element // nil: the statement of that name
}

// An Order says how children follow each other.
type Order string

// The orders.
const (
	All      Order = ""         // in any order
	Sequence Order = "sequence" // as listed
)

// Text describes the text of an element.
type Text struct {
	Type       Type
	Required   bool
	Expression bool // an expression is allowed
	Token      bool // an HTTP token: a method
}

// Catalogue lists every policy statement of the service, built here or not, in the order of its documentation.
func Catalogue() []Row { return slices.Clone(catalogue) }

// Lookup finds a statement's row.
func Lookup(name string) (*Row, bool) {
	row, ok := byName[name]
	return row, ok
}

var (
	catalogue = slices.Concat(
		accessRows(), validationRows(), routingRows(), cachingRows(), transformationRows(), crossDomainRows(),
		integrationRows(), telemetryRows(), aiRows(), controlRows(), resolverRows(), internalRows(),
	)
	byName = index(catalogue)
)

func index(rows []Row) map[string]*Row {
	m := make(map[string]*Row, len(rows))
	for i := range rows {
		m[rows[i].Name] = &rows[i]
	}
	return m
}

// Names used all over the rows.
var (
	everywhere    = []Section{Inbound, Backend, Outbound, OnError}
	anyScope      = []Scope{Global, Workspace, Product, API, Operation}
	noWorkspace   = []Scope{Global, Product, API, Operation}
	notOnV2       = []string{"BasicV2", "StandardV2", "PremiumV2"}
	noConsumption = []string{"Consumption"}
	positive      = &Range{1, maxInt}
	natural       = &Range{0, maxInt}
	text          = &Text{Type: String, Required: true, Expression: true}
	literalText   = &Text{Type: String, Required: true}
)

const maxInt = 1<<31 - 1

// idAttr may stand on every statement; it is what context.LastError.PolicyId shows.
var idAttr = Attr{Name: "id", Type: String}

// leaf is a helper element that holds text only.
func leaf(name string, t *Text, attrs ...Attr) *Element {
	return &Element{Name: name, Text: t, Attrs: attrs}
}

// many allows any number of a helper element, from least on.
func many(least int, e *Element) Child { return Child{Name: e.Name, Min: least, Element: e} }

// one allows a helper element once; least 0 makes it optional.
func one(least int, e *Element) Child { return Child{Name: e.Name, Min: least, Max: 1, Element: e} }

// statement allows a statement of the catalogue as a child.
func statement(name string, most int) Child { return Child{Name: name, Max: most} }

// list is <name><item/>…</name>.
func list(name string, least int, item *Element) *Element {
	return &Element{Name: name, Children: []Child{many(least, item)}}
}
