package lib

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/syntax"
)

// jsonReader reads JSON as leniently as JsonTextReader does: comments, single
// quotes, names without quotes, NaN, undefined, constructors.
type jsonReader struct {
	f     F
	s     string
	i     int
	line  int      // of position 0 when nothing was read
	start int      // of the line
	path  []string // places in the open containers; "" before the first
	what  string   // the class that reads
	dates bool
}

// jsonDepth is how many containers may be open at once: the default of
// Newtonsoft.Json since 13.0.1.
const jsonDepth = 64

// parseJSON reads one document; what says which class is wanted.
func parseJSON(f F, s, what string, wantKind uint8) *Token {
	f.Alloc(len(s))
	r := &jsonReader{f: f, s: s, what: what, dates: true}
	r.skip()
	if r.i >= len(s) {
		r.fail("Error reading "+what+" from JsonReader.", 0, 0)
	}
	if c := s[r.i]; wantKind == jObject && c != '{' || wantKind == jArray && c != '[' {
		r.wrongKind(what, c)
	}
	t := r.value()
	r.path = nil
	r.skip()
	if r.i < len(s) {
		r.failAt("Additional text encountered after finished reading JSON content: " + r.char() + ".")
	}
	return t
}

func (r *jsonReader) wrongKind(what string, c byte) {
	kind := "an object"
	if what == "JArray" {
		kind = "an array"
	}
	names := map[byte]string{'{': "StartObject", '[': "StartArray", '"': "String", '\'': "String", 't': "Boolean", 'f': "Boolean", 'n': "Null"}
	item := names[c]
	if item == "" || item == "String" || item == "Boolean" || item == "Null" {
		v := r.value()
		item = map[uint8]string{jInteger: "Integer", jFloat: "Float", jString: "String", jBoolean: "Boolean", jNull: "Null", jUndefined: "Undefined", jDate: "Date", jConstructor: "StartConstructor"}[v.kind]
	} else {
		r.i++
	}
	r.failAt("Error reading " + what + " from JsonReader. Current JsonReader item is not " + kind + ": " + item + ".")
}

func (r *jsonReader) char() string {
	_, n := utf8.DecodeRuneInString(r.s[r.i:])
	return r.s[r.i : r.i+n]
}

func (r *jsonReader) failAt(msg string) { r.fail(msg, r.line+1, r.i-r.start) }

func (r *jsonReader) fail(msg string, line, pos int) {
	var p strings.Builder
	for _, s := range r.path {
		joinPath(&p, s)
	}
	clr.Throw(clr.ExJSONReader, msg+" Path '"+p.String()+"', line "+strconv.Itoa(line)+", position "+strconv.Itoa(pos)+".")
}

func (r *jsonReader) skip() {
	for r.i < len(r.s) {
		switch c := r.s[r.i]; {
		case c == '\n':
			r.i++
			r.line++
			r.start = r.i
		case c == ' ' || c == '\t' || c == '\r':
			r.i++
		case c == '/':
			r.comment()
		case strings.HasPrefix(r.s[r.i:], "\ufeff"):
			r.i += 3
		default:
			return
		}
	}
}

// comment skips a comment.
func (r *jsonReader) comment() {
	r.i++
	rest := r.s[r.i:]
	switch {
	case strings.HasPrefix(rest, "*"):
		end := strings.Index(rest[1:], "*/")
		if end < 0 {
			r.i = len(r.s)
			r.failAt("Unexpected end while parsing comment.")
		}
		r.i += end + 3
	case strings.HasPrefix(rest, "/"):
		for r.i < len(r.s) && r.s[r.i] != '\n' {
			r.i++
		}
	case rest == "":
		r.failAt("Unexpected end while parsing comment.")
	default:
		r.failAt("Error parsing comment. Expected: *, got " + r.char() + ".")
	}
}

// value reads a value. Containers are where they begin, others where they end.
func (r *jsonReader) value() *Token {
	line, col := r.line+1, r.i-r.start+1
	t := r.read()
	if !t.container() {
		line, col = r.line+1, r.i-r.start
	}
	t.line, t.col = int32(line), int32(col)
	return t
}

func (r *jsonReader) read() *Token {
	r.f.Alloc(96)
	switch c := r.s[r.i]; {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"' || c == '\'':
		return r.stringValue()
	case c == '-' || c == '.' || c >= '0' && c <= '9':
		return r.number()
	}
	c := r.s[r.i]
	for _, w := range jsonWords {
		if c == w.text[0] && (c != 'n' || r.i+1 < len(r.s) && r.s[r.i+1] == 'u') {
			return r.word(w)
		}
	}
	if r.line == 0 && r.i == 0 {
		r.fail("Unexpected character encountered while parsing value: "+r.char()+".", 0, 0)
	}
	r.failAt("Unexpected character encountered while parsing value: " + r.char() + ".")
	return nil
}

type jsonWord struct {
	text, what string
	kind       uint8
	v          V
}

var jsonWords = []jsonWord{
	{"true", "boolean", jBoolean, clr.Bool(true)},
	{"false", "boolean", jBoolean, clr.Bool(false)},
	{"null", "null", jNull, clr.Null},
	{"undefined", "undefined", jUndefined, clr.Null},
	{"NaN", "NaN", jFloat, clr.Float(math.NaN())},
	{"Infinity", "Infinity", jFloat, clr.Float(math.Inf(1))},
}

// word reads a literal; what follows it must end it.
func (r *jsonReader) word(w jsonWord) *Token {
	if len(r.s)-r.i < len(w.text) {
		r.i = len(r.s)
		r.failAt("Unexpected end when reading JSON.")
	}
	for n := 0; n < len(w.text); n++ {
		if r.s[r.i] != w.text[n] {
			r.failAt("Error parsing " + w.what + " value.")
		}
		r.i++
	}
	if r.i < len(r.s) && strings.IndexByte("}],/) \t\r\n", r.s[r.i]) < 0 {
		r.failAt("Error parsing " + w.what + " value.")
	}
	return newValue(w.kind, w.v)
}

func (r *jsonReader) end() {
	if r.i >= len(r.s) {
		r.failAt("Unexpected end of content while loading " + r.class() + ".")
	}
}

// class is the class that messages name: the one of the document.
func (r *jsonReader) class() string {
	if r.what != "JToken" && r.what != "" {
		return r.what
	}
	if strings.HasPrefix(strings.TrimLeft(r.s, " \t\r\n\ufeff"), "[") {
		return "JArray"
	}
	return "JObject"
}

// open notes that a container begins; the path of its parent names it now.
func (r *jsonReader) open() {
	r.i++
	if len(r.path) == jsonDepth {
		r.failAt("The reader's MaxDepth of " + strconv.Itoa(jsonDepth) + " has been exceeded.")
	}
	r.path = append(r.path, "")
	r.skip()
	if r.i >= len(r.s) && len(r.path) == 1 {
		r.failAt("Error reading " + r.class() + " from JsonReader.")
	}
}

// place is a property as a part of a path.
func place(name string) string {
	if strings.ContainsAny(name, ". '/\"[]()\t\n\r\f\b\\\u0085\u2028\u2029") {
		return "['" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(name) + "']"
	}
	return name
}

func (r *jsonReader) object() *Token {
	t := &Token{kind: jObject}
	r.open()
	defer r.close()
	for {
		r.skip()
		r.end()
		if r.s[r.i] == '}' {
			r.i++
			return t
		}
		name := r.propertyName()
		r.skip()
		r.end()
		if r.s[r.i] != ':' {
			r.failAt("Invalid character after parsing property name. Expected ':' but got: " + r.char() + ".")
		}
		r.i++
		r.skip()
		r.path[len(r.path)-1] = place(name)
		r.end()
		v := r.value()
		if p := t.property(name); p != nil {
			p.setValue(r.f, v)
		} else {
			p := &Token{kind: jProperty, name: name, kids: []*Token{v}}
			v.parent = p
			t.push(p)
		}
		r.skip()
		r.end()
		switch r.s[r.i] {
		case ',':
			r.i++
		case '}':
		default:
			r.failAt("After parsing a value an unexpected character was encountered: " + r.char() + ".")
		}
	}
}

func (r *jsonReader) close() { r.path = r.path[:len(r.path)-1] }

func (r *jsonReader) propertyName() string {
	c := r.s[r.i]
	if c == '"' || c == '\'' {
		return r.text(c)
	}
	from := r.i
	for r.i < len(r.s) && (r.s[r.i] == '_' || r.s[r.i] == '$' || r.s[r.i] >= '0' && r.s[r.i] <= '9' || r.s[r.i]|0x20 >= 'a' && r.s[r.i]|0x20 <= 'z' || r.s[r.i] >= 0x80) {
		r.i++
	}
	if r.i == from {
		r.failAt("Invalid property identifier character: " + r.char() + ".")
	}
	return r.s[from:r.i]
}

func (r *jsonReader) array() *Token {
	t := &Token{kind: jArray}
	r.open()
	defer r.close()
	for {
		r.skip()
		r.end()
		if r.s[r.i] == ']' {
			r.i++
			return t
		}
		at := "[" + strconv.Itoa(len(t.kids)) + "]"
		var v *Token
		switch r.s[r.i] {
		case ',':
			v = newValue(jUndefined, clr.Null)
		case '{', '[':
			r.path[len(r.path)-1] = at
			v = r.value()
		default:
			v = r.value()
			r.path[len(r.path)-1] = at
		}
		t.push(v)
		r.skip()
		r.end()
		switch r.s[r.i] {
		case ',':
			r.i++
		case ']':
		default:
			r.failAt("After parsing a value an unexpected character was encountered: " + r.char() + ".")
		}
	}
}

// text reads a string behind its opening quote.
func (r *jsonReader) text(quote byte) string {
	r.i++
	from := r.i
	var b []byte
	for {
		if r.i >= len(r.s) {
			r.failAt("Unterminated string. Expected delimiter: " + string(quote) + ".")
		}
		switch c := r.s[r.i]; c {
		case quote:
			s := r.s[from:r.i]
			r.i++
			if b != nil {
				return string(append(b, s...))
			}
			return s
		case '\\':
			b = append(b, r.s[from:r.i]...)
			b = r.escape(b, quote)
			from = r.i
		case '\n':
			r.i++
			r.line++
			r.start = r.i
		default:
			r.i++
		}
	}
}

func (r *jsonReader) escape(b []byte, quote byte) []byte {
	r.i++
	if r.i >= len(r.s) {
		r.failAt("Unterminated string. Expected delimiter: " + string(quote) + ".")
	}
	c := r.s[r.i]
	r.i++
	switch c {
	case 'n':
		return append(b, '\n')
	case 'r':
		return append(b, '\r')
	case 't':
		return append(b, '\t')
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case '\\', '/', '"', '\'':
		return append(b, c)
	case 'u':
		if r.i+4 > len(r.s) {
			r.i = len(r.s)
			r.failAt("Unexpected end while parsing Unicode escape sequence.")
		}
		n, err := strconv.ParseUint(r.s[r.i:r.i+4], 16, 16)
		if err != nil {
			r.failAt("Invalid Unicode escape sequence: \\u" + r.s[r.i:r.i+4] + ".")
		}
		r.i += 4
		return syntax.AppendUnit(b, uint16(n))
	}
	r.failAt("Bad JSON escape sequence: \\" + string(c) + ".")
	return b
}

func (r *jsonReader) stringValue() *Token {
	s := r.text(r.s[r.i])
	if r.dates && len(s) >= 9 && len(s) <= 40 {
		if d, ok := jsonDateText(s); ok {
			return newValue(jDate, d)
		}
	}
	return newValue(jString, clr.String(s))
}

// jsonDateText recognises the dates that Newtonsoft turns into Date tokens.
func jsonDateText(s string) (V, bool) {
	if ms, ok := strings.CutPrefix(s, "/Date("); ok {
		n, err := strconv.ParseInt(strings.TrimSuffix(ms, ")/"), 10, 64)
		if err != nil || !strings.HasSuffix(ms, ")/") || n < -62135596800000 || n > 253402300799999 {
			return clr.Null, false
		}
		return DateTime(time.UnixMilli(n)), true
	}
	if len(s) >= 19 && s[4] == '-' && s[7] == '-' && s[10] == 'T' && s[13] == ':' && s[16] == ':' {
		if d, ok := parseISO(s); ok {
			return d, true
		}
	}
	return clr.Null, false
}

func (r *jsonReader) number() *Token {
	from := r.i
	for r.i < len(r.s) && strings.IndexByte("+-.0123456789abcdefABCDEFxXIniyty", r.s[r.i]) >= 0 {
		r.i++
	}
	s := r.s[from:r.i]
	if s == "-Infinity" {
		return newValue(jFloat, clr.Float(math.Inf(-1)))
	}
	if !strings.ContainsAny(s, ".eEI") || strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		if len(s) > 1 && s[0] == '0' {
			return r.octal(s)
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return newValue(jInteger, clr.Long(n))
		}
		if isDigits(strings.TrimPrefix(s, "-")) {
			return r.bigInteger(s)
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(x, 0) {
		r.noNumber(s)
	}
	return newValue(jFloat, clr.Float(x))
}

// bigInteger is an integer that a long does not hold: a decimal, or the text
// where .NET has a BigInteger.
func (r *jsonReader) bigInteger(s string) *Token {
	if len(s) > 380 {
		r.failAt("JSON integer " + s + " is too large to parse.")
	}
	if len(s) > 28 {
		return newValue(jInteger, clr.String(s))
	}
	d, _ := clr.ParseDecimal(s)
	return newValue(jInteger, clr.Object(d))
}

func (r *jsonReader) noNumber(s string) { r.failAt("Input string '" + s + "' is not a valid number.") }

// octal reads an integer that begins with a zero: octal, or hexadecimal behind
// 0x.
func (r *jsonReader) octal(s string) *Token {
	digits, base := s, 8
	if s[1]|0x20 == 'x' {
		digits, base = s[2:], 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		r.noNumber(s)
	}
	return newValue(jInteger, clr.Long(int64(n)))
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
