package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/policy"
)

func lookup(name string) (string, bool) {
	values := map[string]string{"a": "1", "key-1": "k", "x.y_Z": "z", "again": "{{a}}", "empty": ""}
	v, ok := values[name]
	return v, ok
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	cases := []struct {
		src, want string
		missing   []string
	}{
		{"", "", nil},
		{"no braces", "no braces", nil},
		{"{{a}}{{a}}", "11", nil},
		{"x{{key-1}}y{{x.y_Z}}", "xkyz", nil},
		{"{{again}}", "{{a}}", nil},
		{"<{{empty}}>", "<>", nil},
		{"{{A}} {{b}} {{A}}", "{{A}} {{b}} {{A}}", []string{"A", "b"}},
		{"{{ a }} {{a b}} {{}} {{a} {{a", "{{ a }} {{a b}} {{}} {{a} {{a", nil},
		{"{{{a}}}", "{1}", nil},
		{"{{{{a}}}}", "{{1}}", nil},
		{"{{é}}", "{{é}}", nil},
	}
	for _, c := range cases {
		got, missing := policy.Substitute(c.src, lookup)
		if got != c.want || !cmp.Equal(missing, c.missing) {
			t.Errorf("Substitute(%q) = %q, %q; want %q, %q", c.src, got, missing, c.want, c.missing)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	got := policy.References("{{b}} {{a}} {{ no }} {{b}}")
	if diff := cmp.Diff([]string{"b", "a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSource_Position(t *testing.T) {
	t.Parallel()
	s := policy.NewSource("é{{key-1}}b\n{{empty}}{{again}}c", lookup)
	if want := "ékb\n{{a}}c"; s.Text != want {
		t.Fatalf("Text = %q, want %q", s.Text, want)
	}
	want := []policy.Position{
		{Line: 1, Column: 1},
		{Line: 1, Column: 1}, // é has two bytes
		{Line: 1, Column: 2},
		{Line: 1, Column: 11},
		{Line: 1, Column: 12},
		{Line: 2, Column: 10},
		{Line: 2, Column: 10},
		{Line: 2, Column: 10},
		{Line: 2, Column: 10},
		{Line: 2, Column: 10},
		{Line: 2, Column: 19},
		{Line: 2, Column: 20},
	}
	for offset, p := range want {
		if offset == 1 {
			continue // inside a character
		}
		if got := s.Position(offset); got != p {
			t.Errorf("Position(%d) = %v, want %v", offset, got, p)
		}
	}
}

func TestSource_IsBounded(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("x", 4096)
	src := policy.NewSource(strings.Repeat("{{a}}", 2000), func(string) (string, bool) { return value, true })
	if len(src.Text) > 4<<20+2000*5 {
		t.Errorf("%d bytes", len(src.Text))
	}
	_, findings := policy.ParseSource(src, policy.RawXML)
	if want := "With its named values the document has more than 4194304 bytes. Line 1, position 1."; findings.Error() != want {
		t.Errorf("got %q, want %q", findings, want)
	}
}
