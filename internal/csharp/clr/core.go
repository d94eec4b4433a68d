package clr

func prim(name string, code Code, kind Kind, base *Type) *Type {
	return &Type{Space: "System", Name: name, Code: code, Kind: kind, Base: base}
}

// The types that the language refers to by itself. Their members, and all other
// types, are rows of package lib.
var (
	ObjectType = prim("Object", CodeObject, Class, nil)
	ValueType  = prim("ValueType", CodeNone, Class, ObjectType)
	EnumBase   = prim("Enum", CodeNone, Class, ValueType)
	ArrayBase  = prim("Array", CodeNone, Class, ObjectType)
	Boolean    = prim("Boolean", CodeBoolean, Struct, ValueType)
	Char       = prim("Char", CodeChar, Struct, ValueType)
	SByte      = prim("SByte", CodeSByte, Struct, ValueType)
	Byte       = prim("Byte", CodeByte, Struct, ValueType)
	Int16      = prim("Int16", CodeInt16, Struct, ValueType)
	UInt16     = prim("UInt16", CodeUInt16, Struct, ValueType)
	Int32      = prim("Int32", CodeInt32, Struct, ValueType)
	UInt32     = prim("UInt32", CodeUInt32, Struct, ValueType)
	Int64      = prim("Int64", CodeInt64, Struct, ValueType)
	UInt64     = prim("UInt64", CodeUInt64, Struct, ValueType)
	Single     = prim("Single", CodeSingle, Struct, ValueType)
	Double     = prim("Double", CodeDouble, Struct, ValueType)
	DecimalT   = prim("Decimal", CodeDecimal, Struct, ValueType)
	StringType = prim("String", CodeString, Class, ObjectType)
	VoidType   = prim("Void", CodeNone, Void, nil)
	TypeType   = &Type{Space: "System", Name: "Type", Kind: Class, Base: ObjectType, Access: AccessNone}
	DateTime   = prim("DateTime", CodeNone, Struct, ValueType)
	TimeSpan   = prim("TimeSpan", CodeNone, Struct, ValueType)

	NullableDef   = generic(&Type{Space: "System", Name: "Nullable", Kind: Struct, Base: ValueType}, "T")
	TupleDef      = &Type{Space: "System", Name: "ValueTuple", Kind: Struct, Base: ValueType}
	Enumerable    = &Type{Space: "System.Collections", Name: "IEnumerable", Kind: Interface}
	EnumerableDef = generic(collection("IEnumerable", Enumerable), "T")
	CollectionDef = generic(collection("ICollection"), "T")
	ListIfaceDef  = generic(collection("IList"), "T")
	ReadCollDef   = generic(collection("IReadOnlyCollection"), "T")
	ReadListDef   = generic(collection("IReadOnlyList"), "T")
	KeyValueDef   = generic(&Type{Space: "System.Collections.Generic", Name: "KeyValuePair", Kind: Struct, Base: ValueType}, "TKey", "TValue")
	ListDef       = generic(&Type{Space: "System.Collections.Generic", Name: "List", Kind: Class, Base: ObjectType}, "T")
	Disposable    = prim("IDisposable", CodeNone, Interface, nil)
	FormattableT  = prim("IFormattable", CodeNone, Interface, nil)
	DelegateBase  = prim("Delegate", CodeNone, Class, ObjectType)

	NullT  = &Type{Name: "<null>", Kind: NullKind}
	FuncT  = &Type{Name: "lambda expression", Kind: FuncKind}
	ErrorT = &Type{Name: "?", Kind: ErrorKind}

	// ArrayIfaces are the generic interfaces of one-dimensional arrays.
	ArrayIfaces = []*Type{ListIfaceDef, ReadListDef}
)

func collection(name string, ifaces ...*Type) *Type {
	return &Type{Space: "System.Collections.Generic", Name: name, Kind: Interface, Ifaces: ifaces}
}

// generic gives a definition its parameters and, for the collection interfaces,
// the interfaces that mention them.
func generic(t *Type, names ...string) *Type {
	for i, n := range names {
		t.Params = append(t.Params, &Type{Name: n, Kind: TypeParam, Index: i, Owner: t})
	}
	return t
}

// coreIfaces are set when a universe is first built from declarations; arrays
// and lists need them while checking. They are constants: computed from the
// variables above, before anything can read them.
var _ = func() bool {
	p := func(t *Type) *Type { return t.Params[0] }
	CollectionDef.Ifaces = []*Type{Of(EnumerableDef, p(CollectionDef))}
	ListIfaceDef.Ifaces = []*Type{Of(CollectionDef, p(ListIfaceDef))}
	ReadCollDef.Ifaces = []*Type{Of(EnumerableDef, p(ReadCollDef))}
	ReadListDef.Ifaces = []*Type{Of(ReadCollDef, p(ReadListDef))}
	ListDef.Ifaces = []*Type{Of(ListIfaceDef, p(ListDef)), Of(ReadListDef, p(ListDef))}
	ArrayBase.Ifaces = []*Type{Enumerable}
	StringType.Ifaces = []*Type{Of(EnumerableDef, Char)}
	DateTime.Ifaces = []*Type{FormattableT}
	for _, t := range []*Type{Byte, SByte, Int16, UInt16, Int32, UInt32, Int64, UInt64, Single, Double, DecimalT, TimeSpan} {
		t.Ifaces = []*Type{FormattableT}
	}
	return true
}()

// CoreTypes are the types above that sources can name.
func CoreTypes() []*Type {
	return []*Type{
		ObjectType, ValueType, EnumBase, ArrayBase, Boolean, Char, SByte, Byte, Int16, UInt16, Int32, UInt32, Int64, UInt64,
		Single, Double, DecimalT, StringType, TypeType, DateTime, TimeSpan, NullableDef, EnumerableDef, CollectionDef,
		ListIfaceDef, ReadCollDef, ReadListDef, KeyValueDef, ListDef, Disposable, FormattableT, Enumerable, DelegateBase,
	}
}
