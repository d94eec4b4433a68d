package lib

import (
	"encoding/base64"
	"strconv"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// fromToken is the explicit conversion (T)token.
func fromToken(f F, t *Token, to *clr.Type) V {
	u := to.Underlying()
	null := to.IsReference() || to.IsNullable()
	if t == nil {
		if null || u.Kind == clr.Array {
			return clr.Null
		}
		clr.ThrowArgNull("value")
	}
	if t.kind == jProperty {
		t = t.kids[0]
	}
	name := typeTitle(u)
	null = null && u.Kind != clr.Array
	bad := func() {
		clr.Throw(clr.ExArgument, "Can not convert "+kindName(t.kind)+" to "+name+".")
	}
	if t.container() {
		bad()
	}
	if t.kind == jNull || t.kind == jUndefined || t.val.IsNull() {
		if !null {
			bad()
		}
		return clr.Null
	}
	v := t.val
	switch {
	case u == clr.StringType:
		if t.kind == jBytes {
			return clr.String(base64.StdEncoding.EncodeToString(v.Ref().(*clr.Arr).B))
		}
		return f.Str(Text(f, v))
	case clr.Same(f.TypeOf(v), u):
		return v
	case u.Kind == clr.Array && t.kind == jString:
		return fromBase64(f, v.Str())
	case u.IsNumeric() && t.kind != jDate && t.kind != jTimeSpan && t.kind != jGuid && t.kind != jBytes && t.kind != jURI,
		u == clr.Boolean && (t.kind == jBoolean || t.kind == jInteger || t.kind == jFloat || t.kind == jString):
		return changeType(f, v, u)
	case t.kind == jString || t.kind == jDate && (u == clr.DateTime || u.Name == "DateTimeOffset"):
		return changeType(f, v, u)
	case u.Kind == clr.Array && t.kind == jBytes:
		return v
	}
	bad()
	return clr.Null
}

func typeTitle(t *clr.Type) string {
	if t.Kind == clr.Array {
		return "byte array"
	}
	return t.Name
}

// tokenTo is Value<T>: the token itself, its value, or that converted.
func tokenTo(f F, v V, to *clr.Type) V {
	if v.IsNull() {
		return clr.Zero(to)
	}
	if f.Is(v, to) {
		return v
	}
	t := tok(v)
	if t == nil || t.container() {
		clr.Throw(clr.ExInvalidCast, "Cannot cast "+f.TypeOf(v).FullName()+" to "+tokenType().FullName()+".")
	}
	if t.val.IsNull() {
		if to.IsValueType() && !to.IsNullable() {
			clr.Throw(clr.ExInvalidCast, "Null object cannot be converted to a value type.")
		}
		return clr.Null
	}
	u := to.Underlying()
	if f.Is(t.val, u) {
		return t.val
	}
	if from := f.TypeOf(t.val); !changeable(from) {
		clr.Throw(clr.ExInvalidCast, "Object must implement IConvertible.")
	} else if !changeable(u) {
		clr.Throw(clr.ExInvalidCast, "Invalid cast from '"+from.FullName()+"' to '"+u.FullName()+"'.")
	}
	return changeType(f, t.val, u)
}

// changeable tells the types that Convert.ChangeType knows.
func changeable(t *clr.Type) bool {
	return t == clr.StringType || t == clr.Boolean || t == clr.DateTime || t == clr.ObjectType || t.IsNumeric()
}

// primitive tells the types that ToObject<T> converts as casts do.
func primitive(t *clr.Type) bool {
	if u := t.Underlying(); changeable(u) && u != clr.ObjectType {
		return true
	} else {
		return u == clr.TimeSpan || u.Name == "Guid" || u.Name == "Uri" || u.Name == "DateTimeOffset"
	}
}

// toObject is ToObject<T> and DeserializeObject<T>.
func toObject(f F, t *Token, to *clr.Type) V {
	f.Alloc(48)
	v := clr.Object(t)
	u := to.Underlying()
	isNull := t.kind == jNull || t.kind == jUndefined
	switch {
	case to == clr.ObjectType:
		if t.container() {
			return v
		}
		return t.val
	case to.Inherits(tokenType()):
		if !f.Is(v, to) {
			clr.Throw(clr.ExJSONSerial, "Deserialized JSON type '"+f.TypeOf(v).FullName()+"' is not compatible with expected type '"+to.FullName()+"'. "+t.where())
		}
		return v
	case isNull:
		if u.IsValueType() && !to.IsNullable() {
			clr.Throw(clr.ExJSONSerial, "Error converting value {null} to type '"+to.ReflectionName()+"'. "+t.where())
		}
		return clr.Null
	case to.Kind == clr.Array && to.Elem != clr.Byte && t.kind == jArray:
		return clr.Object(clr.ArrOf(to.Elem, objects(f, t, to.Elem)))
	case t.kind == jArray && !dictionaryLike(to):
		if e := to.AsInstance(clr.EnumerableDef); e != nil && to.Kind != clr.Array {
			items := objects(f, t, e.Args[0])
			if to.Name == "HashSet" || to.Name == "ISet" {
				s := &Set{T: clr.Of(Universe().Lookup("System.Collections.Generic.HashSet", 1), e.Args[0])}
				for _, x := range items {
					s.d.add(f, x)
				}
				return clr.Object(s)
			}
			return newList(e.Args[0], items)
		}
	case t.kind == jObject:
		if dictionaryLike(to) {
			d := &Dict{T: clr.Of(Universe().Lookup("System.Collections.Generic.Dictionary", 2), to.Args...)}
			for _, p := range t.kids {
				d.put(f, changeType(f, clr.String(p.name), to.Args[0]), toObject(f, p.kids[0], to.Args[1]))
			}
			return clr.Object(d)
		}
	case u.Kind == clr.Enum:
		if t.kind == jString {
			if x, ok := enumValue(u, t.val.Str(), true); ok {
				return x
			}
		}
		return clr.Scalar(u, t.val.Int())
	case !t.container():
		return scalarObject(f, t, to, u)
	}
	wrongShape(t, to)
	return clr.Null
}

// wrongShape throws for an array or object that is to become something else.
func wrongShape(t *Token, to *clr.Type) {
	have := map[bool]string{true: "array (e.g. [1,2,3])", false: `object (e.g. {"name":"value"})`}[t.kind == jArray]
	want := "JSON primitive value (e.g. string, number, boolean, null)"
	switch {
	case to == clr.StringType:
		want = "JSON string value"
	case dictionaryLike(to):
		want = `JSON object (e.g. {"name":"value"})`
	case to.Kind == clr.Array || to.AsInstance(clr.EnumerableDef) != nil:
		want = "JSON array (e.g. [1,2,3])"
	}
	advice := "so that it is a normal .NET type (e.g. not a primitive type like integer, not a collection type like an array or List<T>) that can be deserialized from a JSON object. JsonObjectAttribute can also be added to the type to force it to deserialize from a JSON object."
	if t.kind == jArray {
		advice = "to an array or a type that implements a collection interface (e.g. ICollection, IList) like List<T> that can be deserialized from a JSON array. JsonArrayAttribute can also be added to the type to force it to deserialize from a JSON array."
	}
	clr.Throw(clr.ExJSONSerial, "Cannot deserialize the current JSON "+have+" into type '"+to.ReflectionName()+"' because the type requires a "+want+" to deserialize correctly.\r\nTo fix this error either change the JSON to a "+want+" or change the deserialized type "+advice+"\r\n"+t.where())
}

func dictionaryLike(t *clr.Type) bool {
	return len(t.Args) == 2 && (t.Name == "Dictionary" || t.Name == "IDictionary" || t.Name == "IReadOnlyDictionary")
}

func scalarObject(f F, t *Token, to, u *clr.Type) (out V) {
	if f.Is(t.val, u) {
		return t.val
	}
	if u.Kind == clr.Array && t.kind == jString {
		return fromBase64(f, t.val.Str())
	}
	if u == clr.StringType {
		if t.kind == jDate {
			return clr.String(jsonDate(t.val))
		}
		return clr.String(Text(f, t.val))
	}
	defer func() {
		if r := recover(); r != nil {
			if ex, ok := r.(*clr.Exception); ok {
				title := readAs[u.Name]
				if t.kind == jString && title != "" {
					panic(&clr.Exception{Type: clr.ExJSONReader, Message: "Could not convert string to " + title + ": " + t.val.Str() + ". " + t.where(), Inner: ex})
				}
				text := Text(f, t.val)
				if t.kind == jString {
					text = `"` + text + `"`
				}
				panic(&clr.Exception{Type: clr.ExJSONSerial, Message: "Error converting value " + text + " to type '" + to.ReflectionName() + "'. " + t.where(), Inner: ex})
			}
			panic(r)
		}
	}()
	return changeType(f, t.val, u)
}

// readAs are the names of types in the messages of JsonReader.
var readAs = map[string]string{"Int32": "integer", "Double": "double", "Decimal": "decimal", "Boolean": "boolean", "DateTime": "DateTime", "DateTimeOffset": "DateTimeOffset"}

// where is the end of a message about a token.
func (t *Token) where() string {
	s := "Path '" + t.path() + "'"
	if t.line > 0 {
		s += ", line " + strconv.Itoa(int(t.line)) + ", position " + strconv.Itoa(int(t.col))
	}
	return s + "."
}

func objects(f F, t *Token, elem *clr.Type) []V {
	out := make([]V, len(t.kids))
	for i, k := range t.kids {
		out[i] = toObject(f, k, elem)
	}
	return out
}
