// Package resource holds the one table of resource types and the small engine that works on it: it reads bodies,
// checks them, fills defaults, shows a document as an api-version knows it, seals secrets and hides them. There is no
// code per type apart from the rules that fields cannot express.
//
// A type is a Row; what a body may hold is its Fields. Start reading at Row, then Engine.Decode and Engine.Show. The
// package serves no request and opens no transaction: control/management does.
package resource

import (
	"context"
	"regexp"
	"slices"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

// Kind is the JSON type of a field.
type Kind uint8

// The kinds. An Object is never declared: a field's path makes its parents objects.
const (
	String Kind = iota
	Int
	Number // with a fraction
	Bool
	Time // RFC 3339 text
	Array
	Map // any names, values of one kind
	Any // any JSON
	object
)

// Flags of a field.
type Flags uint16

// The flags. ReadOnly fields are dropped from bodies, WriteOnly ones are used and not kept. Sealed ones are encrypted
// at rest; Masked ones are shown by actions only.
const (
	Required Flags = 1 << iota
	ReadOnly
	WriteOnly
	Sealed
	Masked
	Reset // an older PUT, which cannot express the field, removes it instead of keeping it
)

// A Value is one word of an enumeration. In api-versions before From it is refused, and shown as Older (or not at
// all when Older is empty).
type Value struct {
	Name  string
	From  arm.Version
	Older string
}

// A Field is one property. Path is dotted, "[]" stands for the elements of an array and "{}" for the values of a map:
// "properties.request.headers[].name".
type Field struct {
	Path  string
	Kind  Kind
	Of    Kind // of the elements of an Array or Map
	Flags Flags
	Enum  []Value // of a String, or of the elements of an Array
	// MinLen and MaxLen count characters of a String (MaxLen 0: no limit); MaxItems elements of an Array.
	MinLen, MaxLen, MaxItems int
	Min, Max                 *int64
	Pattern                  *regexp.Regexp
	Default                  any
	From, Until              arm.Version // present in [From, Until)
	// As names the field that holds the value in newer versions: a field with As is the old spelling of another.
	As string
	// MaskedFrom is the first api-version in which a Masked field is hidden; empty: always.
	MaskedFrom arm.Version
	newer      []Value // Enum with the words that a compiled version does not know
}

// Shape is how a type behaves as a whole.
type Shape uint8

// The shapes. A Tracked resource has a location, tags, and a place in a resource group; a Proxy lives below a
// subscription; a Singleton has one fixed name; an Association links two entities; a Link is an Association seen under
// a name of its own.
const (
	Entity Shape = iota
	Singleton
	Association
	Link
	Tracked
	Group
	Proxy
)

// Verb is a set of HTTP methods that an instance knows.
type Verb uint8

// The verbs.
const (
	Get Verb = 1 << iota
	Head
	Put
	Patch
	Delete
	List // GET of the collection
)

// An Action is a POST below an instance.
type Action struct {
	Name string
	From arm.Version
}

// A Row is one resource type.
type Row struct {
	Namespace string
	Path      string // "service/apis", in canonical spelling
	Shape     Shape
	Entity    string // for "API not found."
	Proof     string // name of the test that proves it
	Versions  []arm.Version
	Verbs     Verb
	// NameParam is what messages call the name: "apiId".
	NameParam string
	NameMin   int // 0 means 1
	NameMax   int
	NameLike  *regexp.Regexp
	NameIs    []string // the only names, if any
	Fields    []Field
	// Lookup is the path of the field by whose text documents are found: rules ask who else has it.
	Lookup string
	// Filters maps names that $filter may use to paths; the path "name" is the name of the resource.
	Filters map[string]string
	Rules   []Rule
	// Prepare does what needs no other document, before the transaction; Complete fills what the client left out;
	// Compute adds what is not stored to an answer.
	Prepare  func(context.Context, *Change) *arm.Error
	Complete func(*Change)
	Compute  func(*Shown)
	// Stored writes, in the same transaction, what comes with a document that was written.
	Stored func(*Change, store.Tx) error
	// OnDelete refuses a deletion or names what goes with the document.
	OnDelete func(*Removal) *arm.Error
	// Removed writes, in the same transaction, what follows from a deletion.
	Removed func(tx store.Tx, id string) error
	Actions []Action
	// NewStatus is the Status of a document that is created.
	NewStatus func(*Change) (any, error)
	// WireType is the type in answers where it differs.
	WireType string
	// Policy is the scope of the policy document that the type holds: global, product, api or operation; "fragment" for
	// a policy fragment, empty for no policy at all.
	Policy string
	// Link names the type that an Association shows: "service/apis". One with the verb Get has the ETag of what it shows.
	// Of a Link, it is the association that it is stored as, and LinkEnd the type at its other end.
	Link, LinkEnd string
	// Uncounted: lists have no count.
	Uncounted bool
	// NoIfMatch: PATCH and DELETE do without If-Match.
	NoIfMatch bool
	// DeletedFrom is the first api-version in which a deletion answers 204 and not 200.
	DeletedFrom arm.Version
	// PatchSilentUntil is the first api-version in which a PATCH answers with the entity; older ones get a bare 204.
	PatchSilentUntil arm.Version
}

// Type is the full type as the wire spells it.
func (r *Row) Type() string { return r.Namespace + "/" + r.Path }

// Has says whether api-version v declares the type.
func (r *Row) Has(v arm.Version) bool {
	return slices.Contains(r.Versions, v)
}

// Can says whether instances know a verb.
func (r *Row) Can(v Verb) bool { return r.Verbs&v != 0 }

// Action finds an action by name, without case, if v declares it.
func (r *Row) Action(name string, v arm.Version) (Action, bool) {
	for _, a := range r.Actions {
		if equalFold(a.Name, name) && !v.Before(a.From) {
			return a, true
		}
	}
	return Action{}, false
}
