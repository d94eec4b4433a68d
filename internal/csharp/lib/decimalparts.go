package lib

import (
	"math/big"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// decimalParts are the members that make decimals and take them apart.
func decimalParts() []clr.Row {
	rows := []clr.Row{
		R("new(int lo, int mid, int hi, bool isNegative, byte scale)", func(_ F, a []V) V {
			if a[4].Int() > 28 {
				clr.ThrowRange("scale", "Decimal's scale value must be between 0 and 28, inclusive.")
			}
			c := new(big.Int)
			for _, part := range []V{a[2], a[1], a[0]} {
				c.Or(c.Lsh(c, 32), big.NewInt(int64(uint32(part.Int()))))
			}
			if a[3].Bool() {
				c.Neg(c)
			}
			return clr.Dec(clr.NewDecimal(c, int(a[4].Int())))
		}),
		R("static int[] GetBits(decimal d)", func(_ F, a []V) V { return decimalBits(a[0].Decimal()) }),
		P("static bool Equals(decimal d1, decimal d2)", equalsRow),
		P("static long ToOACurrency(decimal value)", func(_ F, a []V) V {
			n := clr.Arith("*", clr.DecimalT, a[0], clr.Dec(clr.DecimalInt(10000)), true)
			return clr.ConvertNumber(clr.Dec(n.Decimal().Round(0, false)), clr.DecimalT, clr.Int64, true)
		}),
		P("static decimal FromOACurrency(long cy)", func(_ F, a []V) V {
			return clr.Arith("/", clr.DecimalT, clr.Dec(clr.DecimalInt(a[0].Int())), clr.Dec(clr.DecimalInt(10000)), true)
		}),
	}
	for _, kw := range []string{"int", "uint", "long", "ulong", "float", "double"} {
		t := clr.Keyword(kw)
		rows = append(rows, R("new("+kw+" value)", func(_ F, a []V) V { return clr.ConvertNumber(a[0], t, clr.DecimalT, true) }))
	}
	for _, kw := range []string{"byte", "sbyte", "short", "ushort", "uint", "ulong", "float"} {
		t := clr.Keyword(kw)
		rows = append(rows, P("static "+kw+" To"+t.Name+"(decimal value)", func(_ F, a []V) V {
			if t == clr.Single {
				return clr.ConvertNumber(a[0], clr.DecimalT, t, true)
			}
			return toNumber(clr.Dec(a[0].Decimal().Truncate()), clr.DecimalT, t)
		}))
	}
	return rows
}

// words are the three words of the coefficient, the lowest first, and the flags:
// scale and sign.
func words(d *clr.Decimal) [4]uint32 {
	c := new(big.Int).Abs(d.Coefficient())
	mask := big.NewInt(1<<32 - 1)
	var out [4]uint32
	for i := range 3 {
		out[i] = uint32(new(big.Int).And(c, mask).Uint64())
		c.Rsh(c, 32)
	}
	out[3] = uint32(d.Scale()) << 16
	if d.Coefficient().Sign() < 0 {
		out[3] |= 1 << 31
	}
	return out
}

// decimalBits is GetBits.
func decimalBits(d *clr.Decimal) V {
	var v []V
	for _, w := range words(d) {
		v = append(v, clr.Int(int(int32(w))))
	}
	return clr.Object(clr.ArrOf(clr.Int32, v))
}

// decimalHash is equal for decimals that differ in zeros at their end only.
func decimalHash(d *clr.Decimal) int32 {
	if d.Coefficient().Sign() == 0 {
		return 0
	}
	w := words(d.Trim())
	return int32(w[0] ^ w[1] ^ w[2] ^ w[3])
}
