package arm

import "strings"

// A Version is an api-version: "2024-05-01" or "2024-06-01-preview". The zero value precedes every version.
type Version string

// Valid says whether v has the form of an api-version.
func (v Version) Valid() bool {
	date, rest := string(v), ""
	if len(v) > 10 {
		date, rest = string(v[:10]), string(v[10:])
	}
	if len(date) != 10 || (rest != "" && rest != "-preview") {
		return false
	}
	for i, c := range []byte(date) {
		if dash := i == 4 || i == 7; dash != (c == '-') || (!dash && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// ParseVersion reads an api-version in any case.
func ParseVersion(s string) (Version, bool) {
	v := Version(strings.ToLower(strings.TrimSpace(s)))
	return v, v.Valid()
}

// Compare orders versions by date; of one date the preview comes first.
func (v Version) Compare(w Version) int {
	a, b := v.split()
	c, d := w.split()
	if n := strings.Compare(a, c); n != 0 {
		return n
	}
	return int(b) - int(d)
}

func (v Version) split() (date string, stable int8) {
	if d, ok := strings.CutSuffix(string(v), "-preview"); ok {
		return d, 0
	}
	return string(v), 1
}

// Before says whether v is older than w.
func (v Version) Before(w Version) bool { return v.Compare(w) < 0 }

// In says whether v lies in [from, until). An empty bound is open.
func (v Version) In(from, until Version) bool {
	return (from == "" || !v.Before(from)) && (until == "" || v.Before(until))
}

// JoinVersions lists versions as error messages do.
func JoinVersions(vs []Version, sep string) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = string(v)
	}
	return strings.Join(out, sep)
}
