package lib

import (
	"slices"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Equal compares what was built.
func (b *Builder) Equal(_ F, v V) bool {
	o, ok := v.Ref().(*Builder)
	return ok && string(o.b) == string(b.b)
}

// Key is the builder itself; only Equals(StringBuilder) looks at the content.
func (b *Builder) Key() any { return b }

// builderEdits are the members of StringBuilder that work on a part of it.
func builderEdits(b func(V) *Builder, edit func(F, V, func([]uint16) []uint16) V) []clr.Row {
	join := func(f F, a []V, sep string, values V) V {
		first := true
		Each(f, notNull(values, "values"), func(v V) bool {
			if !first {
				b(a[0]).add(f, sep)
			}
			first = false
			b(a[0]).add(f, Text(f, v))
			return true
		})
		return a[0]
	}
	part := func(f F, a []V, fn func(s string) V) V {
		return edit(f, a[0], func(u []uint16) []uint16 {
			i, n := a[3].Int(), a[4].Int()
			if i < 0 || i > int64(len(u)) {
				clr.ThrowRange("startIndex", itemMessage)
			}
			if n < 0 || i+n > int64(len(u)) {
				clr.ThrowRange("count", itemMessage)
			}
			with := units(fn(fromUnits(u[i : i+n])).Str())
			return slices.Concat(u[:i], with, u[i+n:])
		})
	}
	rows := []clr.Row{
		R("new(string value, int startIndex, int length, int capacity)", func(f F, a []V) V {
			s := a[0].Str()
			checkSpan(length(s), int(a[1].Int()), int(a[2].Int()))
			x := &Builder{}
			x.add(f, cut(s, int(a[1].Int()), int(a[2].Int())))
			return clr.Object(x)
		}),
		R("StringBuilder Append(char[] value, int startIndex, int charCount)", func(f F, a []V) V {
			u := chars(notNull(a[1], "value"))
			i, n := a[2].Int(), a[3].Int()
			if i < 0 {
				clr.ThrowRange("startIndex", "Value must be positive.")
			}
			if n < 0 {
				clr.ThrowRange("charCount", "Value must be positive.")
			}
			if i+n > int64(len(u)) {
				clr.ThrowRange("charCount", itemMessage)
			}
			b(a[0]).add(f, fromUnits(u[i:i+n]))
			return a[0]
		}),
		R("StringBuilder Insert(int index, string value, int count)", func(f F, a []V) V {
			if a[3].Int() < 0 {
				clr.ThrowRange("count", "Non-negative number required.")
			}
			return edit(f, a[0], func(u []uint16) []uint16 {
				if a[1].Int() < 0 || a[1].Int() > int64(len(u)) {
					clr.ThrowRange("index", itemMessage)
				}
				return slices.Insert(u, int(a[1].Int()), units(repeat(f, a[2].Str(), int(a[3].Int())).Str())...)
			})
		}),
		R("StringBuilder Replace(string oldValue, string newValue, int startIndex, int count)", func(f F, a []V) V {
			return part(f, a, func(s string) V { return replace(f, s, a[1], a[2].Str(), false) })
		}),
		R("StringBuilder Replace(char oldChar, char newChar, int startIndex, int count)", func(f F, a []V) V {
			return part(f, a, func(s string) V {
				return replace(f, s, clr.String(unit(uint16(a[1].Int()))), unit(uint16(a[2].Int())), false)
			})
		}),
		R("bool Equals(StringBuilder sb)", func(f F, a []V) V { return clr.Bool(b(a[0]).Equal(f, a[1])) }),
		R("void CopyTo(int sourceIndex, char[] destination, int destinationIndex, int count)", func(f F, a []V) V {
			u, d := units(string(b(a[0]).b)), arr(a[2], "destination")
			from, to, n := int(a[1].Int()), int(a[3].Int()), int(a[4].Int())
			switch {
			case to < 0:
				clr.ThrowRange("destinationIndex", "'destinationIndex' must be non-negative.")
			case to > d.Len()-n:
				clr.Throw(clr.ExArgument, "Either offset did not refer to a position in the string, or there is an insufficient length of destination character array.")
			case n < 0:
				clr.ThrowRange("count", "Argument count must not be negative.")
			case from < 0 || from > len(u):
				clr.ThrowRange("sourceIndex", itemMessage)
			case from > len(u)-n:
				clr.Throw(clr.ExArgument, "Source string was not long enough. Check sourceIndex and count.")
			}
			for i := range n {
				d.Put(to+i, clr.Rune16(u[from+i]))
			}
			return clr.Null
		}),
	}
	for _, t := range []string{"string", "char"} {
		for _, of := range []string{"params string[] values", "params object[] values"} {
			rows = append(rows, R("StringBuilder AppendJoin("+t+" separator, "+of+")", func(f F, a []V) V { return join(f, a, Text(f, a[1]), a[2]) }))
		}
		rows = append(rows, R("StringBuilder AppendJoin<T>("+t+" separator, IEnumerable<T> values)", func(f F, a []V) V { return join(f, a, Text(f, a[1]), a[2]) }))
	}
	return rows
}
