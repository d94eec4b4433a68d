package lib

import (
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const jns = "Newtonsoft.Json.Linq."

func jsonDecls() []clr.Decl {
	return []clr.Decl{
		D("enum Newtonsoft.Json.Formatting { None, Indented }"),
		D("enum " + jns + "JTokenType { None, Object, Array, Constructor, Property, Comment, Integer, Float, String, Boolean, Null, Undefined, Date, Raw, Bytes, Guid, Uri, TimeSpan }"),
		D("interface "+jns+"IJEnumerable<T> : IEnumerable<T>", R("IJEnumerable<JToken> this[object key]", func(f F, s S, a []V) V {
			return newList(tokenType(), children(f, a[0], a[1]))
		})),
		D("class "+jns+"JToken : IJEnumerable<JToken>", slices.Concat(tokenRows(), tokenConversions())...),
		D("class "+jns+"JContainer : JToken", containerRows()...),
		D("class "+jns+"JObject : JContainer, IDictionary<string,JToken>", objectRows()...),
		D("class "+jns+"JArray : JContainer, IList<JToken>", arrayTokenRows()...),
		D("class "+jns+"JProperty : JContainer", propertyRows()...),
		D("class "+jns+"JConstructor : JContainer", R("new(string name, params object[] content)", func(f F, a []V) V {
			t := &Token{kind: jConstructor, name: text(a[0], "name")}
			addContent(f, t, a[1])
			return clr.Object(t)
		}), R("string Name", func(_ F, a []V) V { return clr.String(tok(a[0]).name) })),
		D("class "+jns+"JValue : JToken", valueRows()...),
		D("class "+jns+"JRaw : JValue", R("new(object rawJson)", func(f F, a []V) V { return clr.Object(newValue(jRaw, clr.String(Text(f, a[0])))) })),
		D("static class "+jns+"Extensions", extensionRows()...),
		{Sig: "static class Newtonsoft.Json.JsonConvert", Access: clr.AccessListed, Refused: "ToString PopulateObject SerializeXmlNode DeserializeXmlNode SerializeXNode DeserializeXNode DefaultSettings DeserializeAnonymousType True False Null", Rows: []clr.Row{
			R("static string SerializeObject(object value)", func(f F, a []V) V { return clr.String(writeJSON(f, fromObject(f, a[0]), false)) }),
			R("static string SerializeObject(object value, Formatting formatting)", func(f F, a []V) V {
				return clr.String(writeJSON(f, fromObject(f, a[0]), a[1].Int() == 1))
			}),
			R("static T DeserializeObject<T>(string value)", func(f F, s S, a []V) V {
				if strings.TrimSpace(text(a[0], "value")) == "" {
					return clr.Zero(s.Ret)
				}
				return toObject(f, parseJSON(f, a[0].Str(), "JToken", jNone), s.Ret)
			}),
			R("static object DeserializeObject(string value)", func(f F, a []V) V {
				if strings.TrimSpace(text(a[0], "value")) == "" {
					return clr.Null
				}
				return toObject(f, parseJSON(f, a[0].Str(), "JToken", jNone), clr.ObjectType)
			}),
		}},
	}
}

// get reads a child by key, as the indexer of JToken does.
func tokenGet(t *Token, key V) V {
	switch t.kind {
	case jObject:
		if !notNull(key, "key").IsString() {
			clr.Throw(clr.ExArgument, "Accessed JObject values with invalid key value: "+keyText(key)+". Object property name expected.")
		}
		if p := t.property(key.Str()); p != nil {
			return clr.Object(p.kids[0])
		}
		return clr.Null
	case jArray, jConstructor:
		if notNull(key, "key").Tag() != clr.Int32 {
			clr.Throw(clr.ExArgument, "Accessed JArray values with invalid key value: "+keyText(key)+". Int32 array index expected.")
		}
		return tokenAt(t, key)
	}
	clr.Throw(clr.ExInvalidOp, "Cannot access child value on "+t.RuntimeType().FullName()+".")
	return clr.Null
}

func keyText(key V) string {
	switch {
	case key.IsString():
		return `"` + key.Str() + `"`
	case key.Tag() != nil:
		return scalarText(key.Tag(), key)
	}
	return "{null}"
}

func tokenAt(t *Token, key V) V {
	i := key.Int()
	if i < 0 || i >= int64(len(t.kids)) {
		clr.ThrowRange("index", itemMessage)
	}
	return clr.Object(t.kids[i])
}

func tokenSet(f F, a []V) V {
	t, key, v := tok(a[0]), a[1], a[2]
	switch {
	case t.kind == jObject && key.IsString():
		setProperty(f, t, key.Str(), v)
	case t.kind == jArray && key.Tag() == clr.Int32:
		i := t.within(key)
		x := contentToken(f, v)
		if x.parent != nil {
			x = clone(f, x)
		}
		t.kids[i].parent = nil
		x.parent = t
		t.kids[i] = x
	case t.kind == jObject:
		clr.Throw(clr.ExArgument, "Set JObject values with invalid key value: "+keyText(notNull(key, "key"))+". Object property name expected.")
	case t.kind == jArray:
		clr.Throw(clr.ExArgument, "Set JArray values with invalid key value: "+keyText(notNull(key, "key"))+". Int32 array index expected.")
	default:
		clr.Throw(clr.ExInvalidOp, "Cannot set child value on "+t.RuntimeType().FullName()+".")
	}
	return clr.Null
}

// insertAt is JArray.Insert.
func insertAt(f F, t *Token, index, item V) {
	if index.Int() < 0 || index.Int() > int64(len(t.kids)) {
		clr.ThrowRange("index", "Index must be within the bounds of the List.")
	}
	t.insert(f, int(index.Int()), contentToken(f, item))
}

// within checks the index of a child that is replaced or removed.
func (t *Token) within(index V) int {
	i := index.Int()
	if i < 0 {
		clr.ThrowRange("index", "Index is less than 0.")
	}
	if i >= int64(len(t.kids)) {
		clr.ThrowRange("index", "Index is equal to or greater than Count.")
	}
	return int(i)
}

// children are the children of each token of a sequence, or those with a key.
func children(f F, src V, key V) []V {
	var out []V
	eachToken(f, src, func(t *Token) {
		if !key.IsNull() {
			if v := tokenGet(t, key); !v.IsNull() {
				out = append(out, v)
			}
			return
		}
		if !t.container() {
			out = append(out, clr.Object(t))
		}
		for _, k := range t.kids {
			out = append(out, clr.Object(k))
		}
	})
	return out
}

// eachToken enumerates a sequence of tokens; a token stands for its children.
func eachToken(f F, src V, yield func(*Token)) {
	if t := tok(src); t != nil {
		for _, k := range t.kids {
			f.Step(1)
			yield(k)
		}
		return
	}
	Each(f, src, func(v V) bool {
		if t := tok(v); t != nil {
			yield(t)
		}
		return true
	})
}

func kidList(kids []*Token) []V {
	out := make([]V, len(kids))
	for i, k := range kids {
		out[i] = clr.Object(k)
	}
	return out
}

func (t *Token) sibling(d int) V {
	if t.parent == nil {
		return clr.Null
	}
	i := t.place() + d
	if i < 0 || i >= len(t.parent.kids) {
		return clr.Null
	}
	return clr.Object(t.parent.kids[i])
}

func needParent(t *Token) {
	if t.parent == nil {
		clr.Throw(clr.ExInvalidOp, "The parent is missing.")
	}
}

func descend(f F, t *Token, out *[]V) {
	for _, k := range t.kids {
		f.Alloc(24)
		*out = append(*out, clr.Object(k))
		descend(f, k, out)
	}
}

func tokenRows() []clr.Row {
	end := func(last bool) func(F, []V) V {
		return func(_ F, a []V) V {
			t := tok(a[0])
			if !t.container() {
				clr.Throw(clr.ExInvalidOp, "Cannot access child value on "+t.RuntimeType().FullName()+".")
			}
			if len(t.kids) == 0 {
				return clr.Null
			}
			if last {
				return clr.Object(t.kids[len(t.kids)-1])
			}
			return clr.Object(t.kids[0])
		}
	}
	ancestors := func(self bool) func(F, []V) V {
		return func(_ F, a []V) V {
			var out []V
			t := tok(a[0])
			if !self {
				t = t.parent
			}
			for ; t != nil; t = t.parent {
				out = append(out, clr.Object(t))
			}
			return newList(tokenType(), out)
		}
	}
	beside := func(d int) func(F, []V) V {
		return func(f F, a []V) V {
			t := tok(a[0])
			needParent(t)
			for _, x := range contents(f, a[1]) {
				t.parent.insert(f, t.place()+d, x)
				if d == 1 {
					t = t.parent.kids[t.place()+1]
				}
			}
			return clr.Null
		}
	}
	sel := func(f F, a []V, must bool) V {
		found := selectPath(f, tok(a[0]), text(a[1], "expression"), must)
		if len(found) > 1 {
			clr.Throw(clr.ExJSON, "Path returned multiple tokens.")
		}
		if len(found) == 0 {
			return clr.Null
		}
		return clr.Object(found[0])
	}
	parse := func(what string, kind uint8) func(F, []V) V {
		return func(f F, a []V) V { return clr.Object(parseJSON(f, text(a[0], "s"), what, kind)) }
	}
	return []clr.Row{
		R("static JToken Parse(string json)", parse("JToken", jNone)),
		R("static JToken FromObject(object o)", func(f F, a []V) V { return clr.Object(fromObject(f, notNull(a[0], "o"))) }),
		R("static bool DeepEquals(JToken t1, JToken t2)", func(f F, a []V) V { return clr.Bool(deepEqual(f, tok(a[0]), tok(a[1]))) }),
		R("JTokenType Type", func(f F, a []V) V { return clr.Scalar(named(jns+"JTokenType"), int64(tok(a[0]).kind)) }),
		R("bool HasValues", func(_ F, a []V) V { return clr.Bool(len(tok(a[0]).kids) > 0) }),
		R("string Path", func(_ F, a []V) V { return clr.String(tok(a[0]).path()) }),
		R("JContainer Parent", func(_ F, a []V) V { return tokenValue(tok(a[0]).parent) }),
		R("JToken Root", func(_ F, a []V) V { return clr.Object(tok(a[0]).root()) }),
		R("JToken First", end(false)), R("JToken Last", end(true)),
		R("JToken Next", func(_ F, a []V) V { return tok(a[0]).sibling(1) }), R("JToken Previous", func(_ F, a []V) V { return tok(a[0]).sibling(-1) }),
		RW("JToken this[object key]", func(_ F, a []V) V { return tokenGet(tok(a[0]), a[1]) }, tokenSet),
		R("T Value<T>(object key)", func(f F, s S, a []V) V { return tokenTo(f, tokenGet(tok(a[0]), a[1]), s.Ret) }),
		R("IEnumerable<T> Values<T>()", func(f F, s S, a []V) V {
			var out []V
			if t := tok(a[0]); !t.container() {
				clr.Throw(clr.ExInvalidOp, "Cannot access child value on "+t.RuntimeType().FullName()+".")
			}
			for _, k := range tok(a[0]).kids {
				out = append(out, tokenTo(f, clr.Object(k), s.Args[0]))
			}
			return newList(s.Args[0], out)
		}),
		R("IJEnumerable<JToken> Children()", func(_ F, a []V) V { return clr.Object(&tokens{kidList(tok(a[0]).kids)}) }),
		R("IJEnumerable<T> Children<T>()", func(f F, s S, a []V) V {
			var out []V
			for _, k := range tok(a[0]).kids {
				if v := clr.Object(k); f.Is(v, s.Args[0]) {
					out = append(out, v)
				}
			}
			return clr.Object(&tokens{out})
		}),
		R("IJEnumerable<JToken> AsJEnumerable()", func(_ F, a []V) V { return clr.Object(&tokens{kidList(tok(a[0]).kids)}) }),
		R("IEnumerable<JToken> Ancestors()", ancestors(false)), R("IEnumerable<JToken> AncestorsAndSelf()", ancestors(true)),
		R("IEnumerable<JToken> BeforeSelf()", func(_ F, a []V) V {
			t := tok(a[0])
			if t.parent == nil {
				return newList(tokenType(), nil)
			}
			return newList(tokenType(), kidList(t.parent.kids[:t.place()]))
		}),
		R("IEnumerable<JToken> AfterSelf()", func(_ F, a []V) V {
			t := tok(a[0])
			if t.parent == nil {
				return newList(tokenType(), nil)
			}
			return newList(tokenType(), kidList(t.parent.kids[t.place()+1:]))
		}),
		R("void AddAfterSelf(object content)", beside(1)), R("void AddBeforeSelf(object content)", beside(0)),
		R("void Remove()", func(_ F, a []V) V {
			t := tok(a[0])
			needParent(t)
			if t.parent.kind == jProperty {
				clr.Throw(clr.ExJSON, "Cannot add or remove items from "+t.parent.RuntimeType().FullName()+".")
			}
			t.parent.removeAt(t.place())
			return clr.Null
		}),
		R("void Replace(JToken value)", func(f F, a []V) V {
			t := tok(a[0])
			needParent(t)
			p := t.parent
			if p.kind == jProperty {
				p.setValue(f, contentToken(f, a[1]))
				return clr.Null
			}
			i := t.place()
			p.removeAt(i)
			p.insert(f, i, contentToken(f, a[1]))
			return clr.Null
		}),
		R("JToken SelectToken(string path)", func(f F, a []V) V { return sel(f, a, false) }),
		R("JToken SelectToken(string path, bool errorWhenNoMatch)", func(f F, a []V) V { return sel(f, a, a[2].Bool()) }),
		R("IEnumerable<JToken> SelectTokens(string path)", func(f F, a []V) V {
			return newList(tokenType(), kidList(selectPath(f, tok(a[0]), text(a[1], "expression"), false)))
		}),
		R("IEnumerable<JToken> SelectTokens(string path, bool errorWhenNoMatch)", func(f F, a []V) V {
			return newList(tokenType(), kidList(selectPath(f, tok(a[0]), text(a[1], "expression"), a[2].Bool())))
		}),
		R("T ToObject<T>()", func(f F, s S, a []V) V {
			if primitive(s.Ret) {
				return fromToken(f, tok(a[0]), s.Ret)
			}
			return toObject(f, tok(a[0]), s.Ret)
		}),
		R("object ToObject(Type objectType)", func(f F, a []V) V { return toObject(f, tok(a[0]), a[1].Ref().(*clr.TypeRef).Of) }),
		R("JToken DeepClone()", func(f F, a []V) V { return clr.Object(clone(f, tok(a[0]))) }),
		R("string ToString()", func(f F, a []V) V { return f.Str(tok(a[0]).Text(f)) }),
		R("string ToString(Formatting formatting)", func(f F, a []V) V { return f.Str(writeJSON(f, tok(a[0]), a[1].Int() == 1)) }),
	}
}

// tokens is the result of Children(): a sequence that can be indexed by key.
type tokens struct{ items []V }

// RuntimeType is IJEnumerable<JToken>.
func (*tokens) RuntimeType() *clr.Type {
	return clr.Of(Universe().Lookup(jns+"IJEnumerable", 1), tokenType())
}

// Each yields the tokens.
func (t *tokens) Each(f F, yield func(V) bool) {
	l := List{V: t.items}
	l.Each(f, yield)
}

// contents are the tokens that content of any form stands for.
func contents(f F, v V) []*Token {
	tmp := &Token{kind: jArray}
	if t := tok(v); t != nil {
		return []*Token{t}
	}
	addContent(f, tmp, v)
	for _, k := range tmp.kids {
		k.parent = nil
	}
	return tmp.kids
}

func containerRows() []clr.Row {
	return []clr.Row{
		R("int Count", func(_ F, a []V) V { return clr.Int(len(tok(a[0]).kids)) }),
		R("void Add(object content)", func(f F, a []V) V { addContent(f, tok(a[0]), a[1]); return clr.Null }),
		R("void AddFirst(object content)", func(f F, a []V) V {
			for i, x := range contents(f, a[1]) {
				tok(a[0]).insert(f, i, x)
			}
			return clr.Null
		}),
		R("void RemoveAll()", func(_ F, a []V) V { clearToken(tok(a[0])); return clr.Null }),
		R("void ReplaceAll(object content)", func(f F, a []V) V { clearToken(tok(a[0])); addContent(f, tok(a[0]), a[1]); return clr.Null }),
		R("IEnumerable<JToken> Descendants()", func(f F, a []V) V { var out []V; descend(f, tok(a[0]), &out); return newList(tokenType(), out) }),
		R("IEnumerable<JToken> DescendantsAndSelf()", func(f F, a []V) V {
			out := []V{a[0]}
			descend(f, tok(a[0]), &out)
			return newList(tokenType(), out)
		}),
		R("void Merge(object content)", func(f F, a []V) V { merge(f, tok(a[0]), contentToken(f, a[1])); return clr.Null }),
	}
}

func clearToken(t *Token) {
	for _, k := range t.kids {
		k.parent = nil
	}
	t.kids, t.index = nil, nil
}

// merge adds b to a: objects join by name, arrays are concatenated.
func merge(f F, a, b *Token) {
	if a.kind == jArray && b.kind == jArray {
		for _, k := range slices.Clone(b.kids) {
			a.insert(f, len(a.kids), clone(f, k))
		}
		return
	}
	if a.kind != jObject || b.kind != jObject {
		return
	}
	for _, p := range b.kids {
		mine := a.property(p.name)
		v := p.kids[0]
		switch {
		case mine == nil:
			addProperty(f, a, p.name, clr.Object(clone(f, v)))
		case mine.kids[0].kind == v.kind && v.container():
			merge(f, mine.kids[0], v)
		case v.kind != jNull:
			mine.setValue(f, clone(f, v))
		}
	}
}

func objectRows() []clr.Row {
	fold := func(t *Token, name string, mode int64) *Token {
		if p := t.property(name); p != nil {
			return p
		}
		for _, k := range t.kids {
			if mode%2 == 1 && strings.EqualFold(k.name, name) {
				return k
			}
		}
		return nil
	}
	value := func(p *Token) V {
		if p == nil {
			return clr.Null
		}
		return clr.Object(p.kids[0])
	}
	return []clr.Row{
		R("new()", newContainer(jObject)), R("new(object content)", newContainer(jObject)), R("new(params object[] content)", newContainer(jObject)), R("new(JObject other)", copyContainer),
		R("static JObject Parse(string json)", func(f F, a []V) V { return clr.Object(parseJSON(f, text(a[0], "s"), "JObject", jObject)) }),
		R("static JObject FromObject(object o)", func(f F, a []V) V {
			t := fromObject(f, notNull(a[0], "o"))
			if t.kind != jObject {
				clr.Throw(clr.ExArgument, "Object serialized to "+kindName(t.kind)+". JObject instance expected.")
			}
			return clr.Object(t)
		}),
		RW("JToken this[string propertyName]", func(_ F, a []V) V { return value(tok(a[0]).property(text(a[1], "propertyName"))) },
			func(f F, a []V) V { setProperty(f, tok(a[0]), text(a[1], "propertyName"), a[2]); return clr.Null }),
		R("IEnumerable<JProperty> Properties()", func(_ F, a []V) V { return newList(named(jns+"JProperty"), kidList(tok(a[0]).kids)) }),
		R("JProperty Property(string name)", func(_ F, a []V) V { return tokenValue(tok(a[0]).property(text(a[1], "name"))) }),
		R("JProperty Property(string name, StringComparison comparison)", func(_ F, a []V) V { return tokenValue(fold(tok(a[0]), text(a[1], "name"), a[2].Int())) }),
		R("IJEnumerable<JToken> PropertyValues()", func(_ F, a []V) V {
			var out []V
			for _, k := range tok(a[0]).kids {
				out = append(out, clr.Object(k.kids[0]))
			}
			return clr.Object(&tokens{out})
		}),
		R("void Add(string propertyName, JToken value)", func(f F, a []V) V { addProperty(f, tok(a[0]), text(a[1], "propertyName"), a[2]); return clr.Null }),
		R("bool Remove(string propertyName)", func(_ F, a []V) V { return clr.Bool(tok(a[0]).removeName(text(a[1], "propertyName"))) }),
		R("bool ContainsKey(string propertyName)", func(_ F, a []V) V { return clr.Bool(tok(a[0]).property(text(a[1], "propertyName")) != nil) }),
		R("JToken GetValue(string propertyName)", func(_ F, a []V) V { return value(tok(a[0]).property(a[1].Str())) }),
		R("JToken GetValue(string propertyName, StringComparison comparison)", func(_ F, a []V) V { return value(fold(tok(a[0]), a[1].Str(), a[2].Int())) }),
		R("bool TryGetValue(string propertyName, out JToken value)", func(_ F, a []V) V {
			p := tok(a[0]).property(a[1].Str())
			setOut(a[2], value(p))
			return clr.Bool(p != nil)
		}),
		R("bool TryGetValue(string propertyName, StringComparison comparison, out JToken value)", func(_ F, a []V) V {
			p := fold(tok(a[0]), a[1].Str(), a[2].Int())
			setOut(a[3], value(p))
			return clr.Bool(p != nil)
		}),
		R("IEnumerator<KeyValuePair<string,JToken>> GetEnumerator()", enumerateRow),
	}
}

func kindName(kind uint8) string {
	return []string{"None", "Object", "Array", "Constructor", "Property", "Comment", "Integer", "Float", "String", "Boolean", "Null", "Undefined", "Date", "Raw", "Bytes", "Guid", "Uri", "TimeSpan"}[kind]
}

// newContainer makes a container of content, which may be a container itself:
// only the overloads for their own type copy.
func newContainer(kind uint8) func(F, []V) V {
	return func(f F, a []V) V {
		t := &Token{kind: kind}
		if len(a) > 0 {
			addContent(f, t, a[0])
		}
		return clr.Object(t)
	}
}

func copyContainer(f F, a []V) V { return clr.Object(clone(f, tok(notNull(a[0], "other")))) }

func arrayTokenRows() []clr.Row {
	index := func(_ F, a []V) int {
		return slices.Index(tok(a[0]).kids, tok(a[1]))
	}
	return []clr.Row{
		R("new()", newContainer(jArray)), R("new(object content)", newContainer(jArray)), R("new(params object[] content)", newContainer(jArray)), R("new(JArray other)", copyContainer),
		R("static JArray Parse(string json)", func(f F, a []V) V { return clr.Object(parseJSON(f, text(a[0], "s"), "JArray", jArray)) }),
		R("static JArray FromObject(object o)", func(f F, a []V) V {
			t := fromObject(f, notNull(a[0], "o"))
			if t.kind != jArray {
				clr.Throw(clr.ExArgument, "Object serialized to "+kindName(t.kind)+". JArray instance expected.")
			}
			return clr.Object(t)
		}),
		RW("JToken this[int index]", func(_ F, a []V) V { return tokenAt(tok(a[0]), a[1]) }, tokenSet),
		R("void Add(JToken item)", func(f F, a []V) V { t := tok(a[0]); t.insert(f, len(t.kids), contentToken(f, a[1])); return clr.Null }),
		R("void Insert(int index, JToken item)", func(f F, a []V) V {
			insertAt(f, tok(a[0]), a[1], a[2])
			return clr.Null
		}),
		R("void RemoveAt(int index)", func(_ F, a []V) V { t := tok(a[0]); t.removeAt(t.within(a[1])); return clr.Null }),
		R("bool Remove(JToken item)", func(f F, a []V) V {
			i := index(f, a)
			if i >= 0 {
				tok(a[0]).removeAt(i)
			}
			return clr.Bool(i >= 0)
		}),
		R("int IndexOf(JToken item)", func(f F, a []V) V { return clr.Int(index(f, a)) }),
		R("bool Contains(JToken item)", func(f F, a []V) V { return clr.Bool(index(f, a) >= 0) }),
		R("void Clear()", func(_ F, a []V) V { clearToken(tok(a[0])); return clr.Null }),
		R("IEnumerator<JToken> GetEnumerator()", enumerateRow),
	}
}

func propertyRows() []clr.Row {
	make := func(f F, a []V) V {
		return clr.Object(newProperty(f, text(a[0], "name"), a[1]))
	}
	return []clr.Row{
		R("new(string name, object content)", make), R("new(string name, params object[] content)", make),
		R("string Name", func(_ F, a []V) V { return clr.String(tok(a[0]).name) }),
		RW("JToken Value", func(_ F, a []V) V { return clr.Object(tok(a[0]).kids[0]) },
			func(f F, a []V) V { tok(a[0]).setValue(f, contentToken(f, a[1])); return clr.Null }),
	}
}

func valueRows() []clr.Row {
	make := func(f F, a []V) V {
		t := toToken(f, a[0])
		if t == nil {
			clr.Throw(clr.ExArgument, "Could not determine JSON object type for type "+f.TypeOf(a[0]).ReflectionName()+".")
		}
		return clr.Object(newValue(t.kind, t.val))
	}
	rows := []clr.Row{
		RW("object Value", func(_ F, a []V) V { return tok(a[0]).val }, func(f F, a []V) V {
			t := toToken(f, a[1])
			tok(a[0]).kind, tok(a[0]).val = t.kind, t.val
			return clr.Null
		}),
		R("static JValue CreateNull()", func(F, []V) V { return clr.Object(newValue(jNull, clr.Null)) }),
		R("static JValue CreateUndefined()", func(F, []V) V { return clr.Object(newValue(jUndefined, clr.Null)) }),
		R("static JValue CreateString(string value)", func(_ F, a []V) V { return clr.Object(newValue(jString, a[0])) }),
		R("static JValue CreateComment(string value)", func(_ F, a []V) V { return clr.Object(newValue(jComment, a[0])) }),
		R("bool Equals(JValue other)", func(f F, a []V) V { return clr.Bool(Equal(f, a[0], a[1])) }),
		R("string ToString(string format)", func(f F, a []V) V { return f.Str(Format(f, tok(a[0]).val, a[1].Str())) }),
		R("int CompareTo(JValue obj)", func(f F, a []V) V {
			if a[1].IsNull() {
				return clr.Int(1)
			}
			return clr.Int(compareValues(f, tok(a[0]), tok(a[1])))
		}),
	}
	for _, t := range []string{"object", "string", "long", "ulong", "double", "float", "decimal", "bool", "char", "DateTime", "DateTimeOffset", "Guid", "TimeSpan", "Uri", "JValue"} {
		fn := make
		if t == "string" {
			fn = func(_ F, a []V) V { return clr.Object(newValue(jString, a[0])) }
		}
		if t == "JValue" {
			fn = copyContainer
		}
		rows = append(rows, R("new("+t+" value)", fn))
	}
	return rows
}

func extensionRows() []clr.Row {
	flat := func(get func(f F, t *Token) []V) func(F, []V) V {
		return func(f F, a []V) V {
			var out []V
			eachToken(f, notNull(a[0], "source"), func(t *Token) { out = append(out, get(f, t)...) })
			return clr.Object(&tokens{out})
		}
	}
	values := func(f F, s S, a []V, key V) V {
		var out []V
		for _, v := range children(f, notNull(a[0], "source"), key) {
			out = append(out, tokenTo(f, v, s.Args[0]))
		}
		return newList(s.Args[0], out)
	}
	return []clr.Row{
		R("static U Value<U>(this IEnumerable<JToken> value)", func(f F, s S, a []V) V { return tokenTo(f, notNull(a[0], "value"), s.Ret) }),
		R("static IJEnumerable<JToken> Values(this IEnumerable<JToken> source)", func(f F, a []V) V { return clr.Object(&tokens{children(f, a[0], clr.Null)}) }),
		R("static IJEnumerable<JToken> Values(this IEnumerable<JToken> source, object key)", func(f F, a []V) V { return clr.Object(&tokens{children(f, a[0], a[1])}) }),
		R("static IEnumerable<U> Values<U>(this IEnumerable<JToken> source)", func(f F, s S, a []V) V {
			return values(f, s, a, clr.Null)
		}),
		R("static IEnumerable<U> Values<U>(this IEnumerable<JToken> source, object key)", func(f F, s S, a []V) V { return values(f, s, a, a[1]) }),
		R("static IJEnumerable<JToken> Children(this IEnumerable<JToken> source)", flat(func(_ F, t *Token) []V { return kidList(t.kids) })),
		R("static IJEnumerable<JToken> Descendants(this IEnumerable<JToken> source)", flat(func(f F, t *Token) []V { var out []V; descend(f, t, &out); return out })),
		R("static IJEnumerable<JProperty> Properties(this IEnumerable<JObject> source)", flat(func(_ F, t *Token) []V { return kidList(t.kids) })),
		R("static IJEnumerable<JToken> AsJEnumerable(this IEnumerable<JToken> source)", func(f F, a []V) V {
			if a[0].IsNull() {
				return clr.Null
			}
			var out []V
			eachToken(f, a[0], func(t *Token) { out = append(out, clr.Object(t)) })
			return clr.Object(&tokens{out})
		}),
	}
}

// tokenConversions are the operators between JToken and .NET values.
func tokenConversions() []clr.Row {
	var rows []clr.Row
	for _, t := range []string{
		"bool", "string", "int", "long", "short", "byte", "sbyte", "ushort", "uint", "ulong", "double", "float", "decimal", "DateTime",
		"DateTimeOffset", "TimeSpan", "Guid", "Uri", "byte[]", "bool?", "int?", "long?", "double?", "decimal?", "DateTime?",
		"DateTimeOffset?", "TimeSpan?", "Guid?", "float?",
	} {
		rows = append(rows, R("static implicit operator JToken("+t+" value)", func(f F, a []V) V {
			if t == "string" {
				return clr.Object(newValue(jString, a[0]))
			}
			return clr.Object(toToken(f, a[0]))
		}),
			R("static explicit operator "+t+"(JToken value)", func(f F, s S, a []V) V { return fromToken(f, tok(a[0]), s.Ret) }))
	}
	return append(rows, R("static explicit operator char(JToken value)", func(f F, s S, a []V) V { return fromToken(f, tok(a[0]), s.Ret) }))
}
