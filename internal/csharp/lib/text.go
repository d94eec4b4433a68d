package lib

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Builder is a StringBuilder.
type Builder struct {
	b    []byte
	wide bool // may hold more than ASCII: its units are not its bytes
}

// RuntimeType is System.Text.StringBuilder.
func (*Builder) RuntimeType() *clr.Type { return named("System.Text.StringBuilder") }

// Text is what was built.
func (b *Builder) Text(F) string { return clr.Whole(string(b.b)) }

func (b *Builder) add(f F, s string) {
	f.Alloc(len(s))
	b.b = append(b.b, s...)
	b.wide = b.wide || !ascii(s)
}

func (b *Builder) set(s string) { b.b, b.wide = []byte(s), !ascii(s) }

// whole is the content of a builder that has to be looked through, for the steps that it takes: loops look again and
// again.
func (b *Builder) whole(f F) string {
	f.Step(len(b.b)>>6 + 1)
	return string(b.b)
}

func (b *Builder) length(f F) int {
	if !b.wide {
		return len(b.b)
	}
	return length(b.whole(f))
}

func (b *Builder) at(f F, i V) V {
	switch n := i.Int(); {
	case b.wide:
		return charAt(f, []V{clr.String(b.whole(f)), i})
	case n < 0 || n >= int64(len(b.b)):
		clr.ThrowIndex()
		return clr.Null
	default:
		return clr.Rune16(uint16(b.b[n]))
	}
}

func textDecls() []clr.Decl {
	return []clr.Decl{
		D("class System.Text.StringBuilder", builderRows()...), encodingDecl(), guidDecl(), randomDecl(),
		D("class System.IO.StringReader : System.IO.TextReader, IDisposable",
			R("new(string s)", func(_ F, a []V) V { return clr.Object(&reader{text(a[0], "s")}) }),
			R("string ReadToEnd()", func(_ F, a []V) V { r := a[0].Ref().(*reader); s := r.s; r.s = ""; return clr.String(s) }),
			R("string ReadLine()", func(_ F, a []V) V {
				r := a[0].Ref().(*reader)
				if r.s == "" {
					return clr.Null
				}
				end := strings.IndexAny(r.s, "\r\n")
				if end < 0 {
					end = len(r.s)
				}
				line, rest := r.s[:end], r.s[end:]
				if !strings.HasPrefix(rest, "\r\n") {
					rest = rest[min(1, len(rest)):]
				}
				r.s = strings.TrimPrefix(rest, "\r\n")
				return clr.String(line)
			}),
			R("int Read()", func(_ F, a []V) V { return a[0].Ref().(*reader).read(true) }), R("int Peek()", func(_ F, a []V) V { return a[0].Ref().(*reader).read(false) }),
		),
		D("class System.IO.TextReader"), D("class System.IO.TextWriter"),
		D("class System.IO.StringWriter : System.IO.TextWriter, IDisposable",
			R("new()", func(F, []V) V { return clr.Object(&writer{}) }),
			R("void Write(object value)", func(f F, a []V) V { a[0].Ref().(*writer).add(f, Text(f, a[1])); return clr.Null }),
			R("void Write(string value)", func(f F, a []V) V { a[0].Ref().(*writer).add(f, a[1].Str()); return clr.Null }),
			R("void WriteLine()", func(f F, a []V) V { a[0].Ref().(*writer).add(f, "\r\n"); return clr.Null }),
			R("void WriteLine(string value)", func(f F, a []V) V { a[0].Ref().(*writer).add(f, a[1].Str()+"\r\n"); return clr.Null }),
			R("StringBuilder GetStringBuilder()", func(_ F, a []V) V { return clr.Object(&a[0].Ref().(*writer).Builder) }), R("string ToString()", toStringRow),
		),
	}
}

// writer is a StringWriter, which writes to its StringBuilder.
type writer struct{ Builder }

// RuntimeType is System.IO.StringWriter.
func (*writer) RuntimeType() *clr.Type { return named("System.IO.StringWriter") }

type reader struct{ s string }

// RuntimeType is System.IO.StringReader.
func (*reader) RuntimeType() *clr.Type { return named("System.IO.StringReader") }

func (r *reader) read(take bool) V {
	u := units(cutFirst(r.s))
	if len(u) == 0 {
		return clr.Int(-1)
	}
	if take {
		r.s = r.s[len(cutFirst(r.s)):]
	}
	return clr.Int(int(u[0]))
}

func cutFirst(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func builderRows() []clr.Row {
	b := func(v V) *Builder { return v.Ref().(*Builder) }
	edit := func(f F, v V, fn func(u []uint16) []uint16) V {
		x := b(v)
		f.Step(len(x.b) / 8)
		s := fromUnits(fn(units(string(x.b))))
		f.Alloc(max(0, len(s)-len(x.b)))
		x.set(s)
		return v
	}
	check := func(ok bool, param string) {
		if !ok {
			clr.ThrowRange(param, "")
		}
	}
	make := func(f F, a []V) V {
		x := &Builder{}
		if len(a) > 0 && a[0].IsString() {
			x.add(f, a[0].Str())
		}
		return clr.Object(x)
	}
	rows := []clr.Row{
		R("new()", make), R("new(string value)", make), R("new(int capacity)", make), R("new(string value, int capacity)", make),
		RW("int Length", func(f F, a []V) V { return clr.Int(b(a[0]).length(f)) }, func(f F, a []V) V {
			n := int(a[1].Int())
			check(n >= 0, "value")
			return edit(f, a[0], func(u []uint16) []uint16 {
				f.Alloc(max(0, n-len(u)))
				for len(u) < n {
					u = append(u, 0)
				}
				return u[:n]
			})
		}),
		R("int Capacity", func(_ F, a []V) V { return clr.Int(max(16, cap(b(a[0]).b))) }), R("int MaxCapacity", func(F, []V) V { return clr.Int(1<<31 - 1) }),
		RW("char this[int index]", func(f F, a []V) V { return b(a[0]).at(f, a[1]) }, func(f F, a []V) V {
			return edit(f, a[0], func(u []uint16) []uint16 {
				if a[1].Int() < 0 || a[1].Int() >= int64(len(u)) {
					clr.ThrowRange("index", itemMessage)
				}
				u[a[1].Int()] = uint16(a[2].Int())
				return u
			})
		}),
		R("StringBuilder Append(char value, int repeatCount)", func(f F, a []V) V {
			check(a[2].Int() >= 0, "repeatCount")
			f.Alloc(int(a[2].Int()))
			b(a[0]).add(f, strings.Repeat(unit(uint16(a[1].Int())), int(a[2].Int())))
			return a[0]
		}),
		R("StringBuilder Append(string value, int startIndex, int count)", func(f F, a []V) V {
			checkSpan(length(a[1].Str()), int(a[2].Int()), int(a[3].Int()))
			b(a[0]).add(f, cut(a[1].Str(), int(a[2].Int()), int(a[3].Int())))
			return a[0]
		}),
		R("StringBuilder Append(char[] value)", func(f F, a []V) V {
			if !a[1].IsNull() {
				b(a[0]).add(f, fromUnits(chars(a[1])))
			}
			return a[0]
		}),
		R("StringBuilder AppendLine()", func(f F, a []V) V { b(a[0]).add(f, "\r\n"); return a[0] }),
		R("StringBuilder AppendLine(string value)", func(f F, a []V) V { b(a[0]).add(f, a[1].Str()+"\r\n"); return a[0] }),
		R("StringBuilder AppendFormat(string format, params object[] args)", func(f F, a []V) V {
			b(a[0]).add(f, composite(f, text(a[1], "format"), arr(a[2], "args").V).Str())
			return a[0]
		}),
		R("StringBuilder Insert(int index, object value)", func(f F, a []V) V {
			return edit(f, a[0], func(u []uint16) []uint16 {
				check(a[1].Int() >= 0 && a[1].Int() <= int64(len(u)), "index")
				return slices.Insert(u, int(a[1].Int()), units(Text(f, a[2]))...)
			})
		}),
		R("StringBuilder Remove(int startIndex, int length)", func(f F, a []V) V {
			return edit(f, a[0], func(u []uint16) []uint16 {
				i, n := a[1].Int(), a[2].Int()
				check(i >= 0 && n >= 0 && i+n <= int64(len(u)), "startIndex")
				return slices.Delete(u, int(i), int(i+n))
			})
		}),
		R("StringBuilder Replace(string oldValue, string newValue)", func(f F, a []V) V {
			x := b(a[0])
			x.set(replace(f, x.Text(f), a[1], a[2].Str(), false).Str())
			return a[0]
		}),
		R("StringBuilder Replace(char oldChar, char newChar)", func(f F, a []V) V {
			x := b(a[0])
			x.set(replace(f, x.Text(f), clr.String(unit(uint16(a[1].Int()))), unit(uint16(a[2].Int())), false).Str())
			return a[0]
		}),
		R("StringBuilder Clear()", func(_ F, a []V) V { *b(a[0]) = Builder{}; return a[0] }),
		R("int EnsureCapacity(int capacity)", func(_ F, a []V) V { return a[1] }),
		R("string ToString()", toStringRow),
		R("string ToString(int startIndex, int length)", func(f F, a []V) V {
			s := b(a[0]).whole(f)
			checkSpan(length(s), int(a[1].Int()), int(a[2].Int()))
			return f.Str(cut(s, int(a[1].Int()), int(a[2].Int())))
		}),
	}
	rows = append(rows, builderEdits(b, edit)...)
	for _, t := range []string{"string", "object", "char", "bool", "int", "long", "double", "decimal", "float", "byte", "uint", "ulong"} {
		rows = append(rows, R("StringBuilder Append("+t+" value)", func(f F, a []V) V { b(a[0]).add(f, Text(f, a[1])); return a[0] }))
	}
	return rows
}

// codec is an Encoding.
type codec struct {
	name string
	enc  func(s string) []byte
	dec  func(b []byte) string
}

// RuntimeType is System.Text.Encoding.
func (*codec) RuntimeType() *clr.Type { return named("System.Text.Encoding") }

// decodeUTF8 replaces what is not UTF-8.
// What could have become a character and did not is replaced as one.
func decodeUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			n = malformed(b)
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// malformed is the length of the longest beginning of b that could be the
// beginning of a character.
func malformed(b []byte) int {
	lo, hi, most := byte(0x80), byte(0xBF), 1
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		most = 2
	case c >= 0xE0 && c <= 0xEF:
		most = 3
		if c == 0xE0 {
			lo = 0xA0
		} else if c == 0xED {
			hi = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		most = 4
		if c == 0xF0 {
			lo = 0x90
		} else if c == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for n < most && n < len(b) && b[n] >= lo && b[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}

// encodeUTF8 replaces lone surrogates.
func encodeUTF8(s string) []byte {
	if utf8.ValidString(s) {
		return []byte(s)
	}
	return []byte(string(utf16.Decode(units(s))))
}

func narrow(limit rune, table map[rune]byte) func(string) []byte {
	return func(s string) []byte {
		var out []byte
		for _, u := range utf16.Decode(units(s)) {
			switch b, ok := table[u]; {
			case ok:
				out = append(out, b)
			case u < limit && table == nil || u < 0x80 || u < 0xA0 && u < limit:
				out = append(out, byte(u))
			default:
				out = append(out, '?')
			}
		}
		return out
	}
}

func widen(table [128]rune, limit byte) func([]byte) string {
	return func(b []byte) string {
		var s strings.Builder
		for _, c := range b {
			switch {
			case c < 0x80:
				s.WriteByte(c)
			case limit == 0x7F:
				s.WriteByte('?')
			case table[c-0x80] != 0:
				s.WriteRune(table[c-0x80])
			default:
				s.WriteRune(rune(c))
			}
		}
		return s.String()
	}
}

func wide(big bool, size int) *codec {
	put := func(b []byte, n uint32) []byte {
		for i := range size {
			shift := 8 * i
			if big {
				shift = 8 * (size - 1 - i)
			}
			b = append(b, byte(n>>shift))
		}
		return b
	}
	return &codec{enc: func(s string) []byte {
		var out []byte
		if size == 4 {
			for _, r := range utf16.Decode(units(s)) {
				out = put(out, uint32(r))
			}
			return out
		}
		for _, u := range utf16.Encode(utf16.Decode(units(s))) {
			out = put(out, uint32(u))
		}
		return out
	}, dec: func(b []byte) string {
		var u []uint16
		var out strings.Builder
		for i := 0; i+size <= len(b); i += size {
			n := uint32(0)
			for k := range size {
				if big {
					n = n<<8 | uint32(b[i+k])
				} else {
					n |= uint32(b[i+k]) << (8 * k)
				}
			}
			if size == 4 {
				out.WriteRune(rune(n))
			} else {
				u = append(u, uint16(n))
			}
		}
		if len(b)%size != 0 {
			out.WriteRune('\uFFFD')
		}
		return string(utf16.Decode(u)) + out.String()
	}}
}

func hebrew() (enc map[rune]byte, dec [128]rune) {
	enc = map[rune]byte{}
	for c := 0xE0; c <= 0xFA; c++ {
		r := rune(0x05D0 + c - 0xE0)
		enc[r], dec[c-0x80] = byte(c), r
	}
	return enc, dec
}

func findEncoding(name string) *codec {
	enc, dec := hebrew()
	var c *codec
	key := strings.ToLower(name)
	switch key {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "65001":
		key, c = "utf-8", &codec{enc: encodeUTF8, dec: decodeUTF8}
	case "us-ascii", "ascii", "20127":
		key, c = "us-ascii", &codec{enc: narrow(0x80, nil), dec: widen([128]rune{}, 0x7F)}
	case "iso-8859-1", "latin1", "28591":
		key, c = "iso-8859-1", &codec{enc: narrow(0x100, nil), dec: widen([128]rune{}, 0xFF)}
	case "utf-16", "utf-16le", "unicode", "1200":
		key, c = "utf-16", wide(false, 2)
	case "utf-16be", "unicodefffe", "1201":
		key, c = "utf-16BE", wide(true, 2)
	case "utf-32", "utf-32le", "12000":
		key, c = "utf-32", wide(false, 4)
	case "iso-8859-8", "iso-8859-8-i", "windows-1255", "28598", "1255":
		c = &codec{enc: narrow(0xA0, enc), dec: widen(dec, 0xFF)}
	case "windows-1252", "1252":
		e := map[rune]byte{}
		for r := rune(0xA0); r < 0x100; r++ {
			e[r] = byte(r)
		}
		var d [128]rune
		for i, r := range []rune("€\x00‚ƒ„…†‡ˆ‰Š‹Œ\x00Ž\x00\x00‘’“”•–—˜™š›œ\x00žŸ") {
			if r != 0 {
				e[r], d[i] = byte(0x80+i), r
			}
		}
		key, c = "windows-1252", &codec{enc: narrow(0x80, e), dec: widen(d, 0xFF)}
	default:
		clr.ThrowArg(clr.ExArgument, "'"+name+"' is not a supported encoding name. For information on defining a custom encoding, see the documentation for the Encoding.RegisterProvider method.", "name")
	}
	c.name = key
	return c
}

// codePages are the numbers of the encodings.
var codePages = map[string]int{
	"utf-8": 65001, "us-ascii": 20127, "iso-8859-1": 28591, "utf-16": 1200, "utf-16BE": 1201, "utf-32": 12000, "windows-1252": 1252,
	"iso-8859-8": 28598, "iso-8859-8-i": 38598, "windows-1255": 1255,
}

func encodingDecl() clr.Decl {
	get := func(name string) func(F, []V) V {
		v := clr.Object(findEncoding(name))
		return func(F, []V) V { return v }
	}
	c := func(v V) *codec { return v.Ref().(*codec) }
	decode := func(f F, e *codec, b []byte) V { return f.Str(e.dec(b)) }
	part := func(a []V) []byte {
		b := bytesOf(a[1], "bytes")
		i, n := a[2].Int(), a[3].Int()
		if i < 0 {
			clr.ThrowRange("index", "Non-negative number required.")
		}
		if n < 0 {
			clr.ThrowRange("count", "Non-negative number required.")
		}
		if i+n > int64(len(b)) {
			clr.ThrowRange("bytes", "Index and count must refer to a location within the buffer.")
		}
		return b[i : i+n]
	}
	return D("class System.Text.Encoding",
		R("static Encoding UTF8", get("utf-8")), R("static Encoding ASCII", get("ascii")), R("static Encoding Unicode", get("utf-16")), R("static Encoding BigEndianUnicode", get("utf-16be")),
		R("static Encoding UTF32", get("utf-32")), R("static Encoding Default", get("utf-8")), R("static Encoding Latin1", get("latin1")),
		R("static Encoding GetEncoding(string name)", func(_ F, a []V) V { return clr.Object(findEncoding(text(a[0], "name"))) }),
		R("static Encoding GetEncoding(int codepage)", func(_ F, a []V) V { return clr.Object(findEncoding(scalarText(clr.Int32, a[0]))) }),
		R("static byte[] Convert(Encoding srcEncoding, Encoding dstEncoding, byte[] bytes)", func(_ F, a []V) V { return clr.Bytes(c(a[1]).enc(c(a[0]).dec(bytesOf(a[2], "bytes")))) }),
		R("byte[] GetBytes(string s)", func(f F, a []V) V { s := text(a[1], "s"); f.Alloc(len(s)); return clr.Bytes(c(a[0]).enc(s)) }),
		R("byte[] GetBytes(char[] chars)", func(f F, a []V) V { return clr.Bytes(c(a[0]).enc(fromUnits(chars(notNull(a[1], "chars"))))) }),
		R("string GetString(byte[] bytes)", func(f F, a []V) V { return decode(f, c(a[0]), bytesOf(a[1], "bytes")) }),
		R("string GetString(byte[] bytes, int index, int count)", func(f F, a []V) V { return decode(f, c(a[0]), part(a)) }),
		R("char[] GetChars(byte[] bytes)", func(f F, a []V) V { return charArray(f, units(c(a[0]).dec(bytesOf(a[1], "bytes")))) }),
		R("int GetByteCount(string chars)", func(_ F, a []V) V { return clr.Int(len(c(a[0]).enc(text(a[1], "chars")))) }),
		R("int GetCharCount(byte[] bytes)", func(_ F, a []V) V { return clr.Int(length(c(a[0]).dec(bytesOf(a[1], "bytes")))) }),
		R("int CodePage", func(_ F, a []V) V { return clr.Int(codePages[c(a[0]).name]) }),
		R("string WebName", func(_ F, a []V) V { return clr.String(c(a[0]).name) }), R("string BodyName", func(_ F, a []V) V { return clr.String(c(a[0]).name) }), R("string HeaderName", func(_ F, a []V) V { return clr.String(c(a[0]).name) }),
		R("byte[] GetPreamble()", func(_ F, a []V) V {
			return clr.Bytes(slices.Clone(map[string][]byte{"utf-8": {0xEF, 0xBB, 0xBF}, "utf-16": {0xFF, 0xFE}, "utf-16BE": {0xFE, 0xFF}, "utf-32": {0xFF, 0xFE, 0, 0}}[c(a[0]).name]))
		}),
	)
}

// Guid is a System.Guid in the order of its text.
type Guid [16]byte

// RuntimeType is System.Guid.
func (*Guid) RuntimeType() *clr.Type { return named("System.Guid") }

// Text is the form with hyphens.
func (g *Guid) Text(F) string {
	s := hex.EncodeToString(g[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// FormatAs applies the formats N D B P X.
func (g *Guid) FormatAs(f F, format string) string {
	d := g.Text(f)
	switch strings.ToUpper(format) {
	case "N":
		return strings.ReplaceAll(d, "-", "")
	case "", "D":
		return d
	case "B":
		return "{" + d + "}"
	case "P":
		return "(" + d + ")"
	case "X":
		p := strings.Split(d, "-")
		tail := p[3] + p[4]
		var parts []string
		for i := 0; i < 16; i += 2 {
			parts = append(parts, "0x"+tail[i:i+2])
		}
		return "{0x" + p[0] + ",0x" + p[1] + ",0x" + p[2] + ",{" + strings.Join(parts, ",") + "}}"
	}
	throwGuid(guidBadFormat)
	return ""
}

// Equal compares values.
func (g *Guid) Equal(_ F, v V) bool { o, ok := v.Ref().(*Guid); return ok && *g == *o }

// Key is the value.
func (g *Guid) Key() any { return [16]byte(*g) }

// hash combines the four words in the order of memory.
func (g *Guid) hash() int32 {
	b := swap(g[:])
	var h uint32
	for i := 0; i < 16; i += 4 {
		h ^= binary.LittleEndian.Uint32(b[i:])
	}
	return int32(h)
}

// Compare orders as the text does.
func (g *Guid) Compare(v V) int { o := guid(v); return slices.Compare(g[:], o[:]) }

func guid(v V) *Guid {
	if g, ok := v.Ref().(*Guid); ok {
		return g
	}
	return &Guid{}
}

// NewGuid makes the value of a GUID given in the order of its text.
func NewGuid(b [16]byte) V { g := Guid(b); return clr.Object(&g) }

// swap turns the order of the text into that of ToByteArray, and back.
func swap(b []byte) []byte {
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

func guidDecl() clr.Decl {
	return D("struct System.Guid : IFormattable", append(comparisons("Guid", func(a, b V) int { return guid(a).Compare(b) })[:2],
		R("static Guid Empty", clr.Object(&Guid{})),
		R("new(string g)", func(_ F, a []V) V { return parseGuid(text(a[0], "g")) }),
		R("new(byte[] b)", func(_ F, a []V) V {
			b := bytesOf(a[0], "b")
			if len(b) != 16 {
				clr.ThrowArg(clr.ExArgument, "Byte array for Guid must be exactly 16 bytes long.", "b")
			}
			return clr.Object((*Guid)(swap(b)))
		}),
		R("static Guid NewGuid()", func(F, []V) V {
			g := Guid{}
			_, _ = rand.Read(g[:])
			g[6], g[8] = g[6]&0x0F|0x40, g[8]&0x3F|0x80
			return clr.Object(&g)
		}),
		R("static Guid Parse(string input)", func(_ F, a []V) V { return parseGuid(text(a[0], "input")) }),
		R("static Guid ParseExact(string input, string format)", func(_ F, a []V) V {
			g, fault := readGuidAs(text(a[0], "input"), guidFormat(text(a[1], "format")))
			throwGuid(fault)
			return clr.Object(g)
		}),
		R("static bool TryParseExact(string input, string format, out Guid result)", func(_ F, a []V) V {
			g, fault := readGuidAs(a[0].Str(), guidFormat(a[1].Str()))
			setOut(a[2], clr.Object(g))
			return clr.Bool(fault == "")
		}),
		R("new(int a, short b, short c, byte[] d)", func(_ F, a []V) V {
			d := bytesOf(a[3], "d")
			if len(d) != 8 {
				clr.ThrowArg(clr.ExArgument, "Byte array for Guid must be exactly 8 bytes long.", "d")
			}
			return clr.Object(guidOf(a[:3], d))
		}),
		R("new(int a, short b, short c, byte d, byte e, byte f, byte g, byte h, byte i, byte j, byte k)", func(_ F, a []V) V {
			var d []byte
			for _, v := range a[3:] {
				d = append(d, byte(v.Int()))
			}
			return clr.Object(guidOf(a[:3], d))
		}),
		R("static bool TryParse(string input, out Guid result)", func(_ F, a []V) V {
			g, fault := readGuid(a[0].Str())
			setOut(a[1], clr.Object(g))
			return clr.Bool(fault == "")
		}),
		R("byte[] ToByteArray()", func(_ F, a []V) V { return clr.Bytes(swap(guid(a[0])[:])) }),
		R("string ToString()", toStringRow), R("string ToString(string format)", func(f F, a []V) V { return clr.String(guid(a[0]).FormatAs(f, a[1].Str())) }),
		R("bool Equals(Guid g)", equalsRow), R("bool Equals(object o)", equalsRow), R("int CompareTo(Guid value)", compareRow), R("int GetHashCode()", hashRow),
	)...)
}

// random is a Random. Seeded ones give .NET's sequence.
type random struct {
	seed  [56]int32
	i, j  int
	plain bool
}

// RuntimeType is System.Random.
func (*random) RuntimeType() *clr.Type { return named("System.Random") }

// newRandom seeds Knuth's subtractive generator as .NET does.
func newRandom(seed int32) *random {
	r := &random{j: 21}
	s := seed
	if s < 0 {
		s = -s
		if s < 0 {
			s = 1<<31 - 1
		}
	}
	const big = 1<<31 - 1
	mj := int32(161803398) - s
	if mj < 0 {
		mj += big
	}
	r.seed[55] = mj
	mk := int32(1)
	ii := 0
	for range 54 {
		if ii += 21; ii >= 55 {
			ii -= 55
		}
		r.seed[ii] = mk
		if mk = mj - mk; mk < 0 {
			mk += big
		}
		mj = r.seed[ii]
	}
	for range 4 {
		for k := 1; k < 56; k++ {
			n := k + 30
			if n >= 55 {
				n -= 55
			}
			if r.seed[k] -= r.seed[1+n]; r.seed[k] < 0 {
				r.seed[k] += big
			}
		}
	}
	return r
}

func (r *random) next() int32 {
	if r.plain {
		return mrand.Int32N(1<<31 - 1) //nolint:gosec // as System.Random, which is for no secrets
	}
	if r.i++; r.i >= 56 {
		r.i = 1
	}
	if r.j++; r.j >= 56 {
		r.j = 1
	}
	n := r.seed[r.i] - r.seed[r.j]
	if n == 1<<31-1 {
		n--
	}
	if n < 0 {
		n += 1<<31 - 1
	}
	r.seed[r.i] = n
	return n
}

func (r *random) sample() float64 { return float64(r.next()) * (1.0 / (1<<31 - 1)) }

func (r *random) between(lo, hi int64) int64 {
	span := hi - lo
	if span <= 1<<31-1 {
		return int64(r.sample()*float64(span)) + lo
	}
	n := r.next()
	if r.next()%2 == 0 {
		n = -n
	}
	d := (float64(n) + (1<<31 - 2)) / (2*(1<<31-1) - 1)
	return int64(d*float64(span)) + lo
}

func randomDecl() clr.Decl {
	r := func(v V) *random { return v.Ref().(*random) }
	return D("class System.Random",
		R("new()", func(F, []V) V { return clr.Object(&random{plain: true}) }), R("new(int Seed)", func(_ F, a []V) V { return clr.Object(newRandom(int32(a[0].Int()))) }),
		R("int Next()", func(_ F, a []V) V { return clr.Int(int(r(a[0]).next())) }),
		R("int Next(int maxValue)", func(_ F, a []V) V {
			if a[1].Int() < 0 {
				clr.ThrowRange("maxValue", "'maxValue' must be greater than zero.")
			}
			return clr.Int(int(r(a[0]).between(0, a[1].Int())))
		}),
		R("int Next(int minValue, int maxValue)", func(_ F, a []V) V {
			if a[1].Int() > a[2].Int() {
				clr.ThrowRange("minValue", "'minValue' cannot be greater than maxValue.")
			}
			return clr.Int(int(r(a[0]).between(a[1].Int(), a[2].Int())))
		}),
		R("double NextDouble()", func(_ F, a []V) V { return clr.Float(r(a[0]).sample()) }),
		R("void NextBytes(byte[] buffer)", func(_ F, a []V) V {
			b := bytesOf(a[1], "buffer")
			for i := range b {
				b[i] = byte(r(a[0]).next())
			}
			return clr.Null
		}),
	)
}
