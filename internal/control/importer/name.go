package importer

import (
	"strconv"
	"strings"
)

// maxName leaves four of the 80 characters of a resource name to the suffix that makes it unique.
const (
	maxName   = 76
	maxUnique = 80
)

// normalize makes a resource name out of an operationId, or of "GET-/path" where there is none: lower case, every run
// of other characters than letters and digits one dash, none at the ends.
// https://learn.microsoft.com/azure/api-management/api-management-api-import-restrictions
func normalize(id string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(id) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() > maxName {
			break
		}
	}
	s := b.String()
	return strings.Trim(s[:min(len(s), maxName)], "-")
}

// names hands out names, each once. A name that was used before gets -1, -2, ….
type names struct {
	next map[string]int // of a normalised name, the suffix to try
	used map[string]bool
}

func (n *names) unique(id string) string {
	base := normalize(id)
	if base == "" {
		base = "operation" // nothing of it can be part of a name
	}
	name := base
	for n.used[name] {
		n.next[base]++
		suffix := "-" + strconv.Itoa(n.next[base])
		name = base[:min(len(base), maxUnique-len(suffix))] + suffix
	}
	n.used[name] = true
	return name
}
