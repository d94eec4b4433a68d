package syntax

import "testing"

// FuzzScan checks that tokens stand in the source one after the other.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`1 + 2`, `$"a{1,5:D3}b{{"`, `@"a""b" + 'x' + 0x1F + 1e5 + 1.5m`, "\"\\u0041\\x41\" /* c */ // d", `$@"\{x}"`, "größe_1 >>= ??", `'`, `0b_`, `$"{$"{1}"}"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		var errs []*Error
		sc := &scanner{src: src, errs: &errs}
		at := Pos(0)
		for _, tok := range sc.scan() {
			if tok.Pos < at || tok.End < tok.Pos || int(tok.End) > len(src) {
				t.Fatalf("%q: token %q stands at %d to %d, after %d", src, tok.Text, tok.Pos, tok.End, at)
			}
			at = tok.End
		}
		for _, e := range errs {
			if e.Pos < 0 || int(e.Pos) > len(src) {
				t.Fatalf("%q: bad position of %v", src, e)
			}
		}
	})
}
