package resource

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portico-dev/portico/internal/arm"
)

const operationsFolder = "../../../shared/specs/operations"

// verbsDiffer lists, by row, verbs that the row has on purpose otherwise, and why.
var verbsDiffer = map[string]Verb{
	"locations/deletedservices": List, // of the subscription, not of a location
	"service":                   Head, // ARM itself answers it, for every resource that it tracks
}

// An operation is one that an api-version declares.
type operation struct {
	OperationID, Method, Path string
	Parameters                []struct {
		Name     string
		Required bool
	}
	Responses map[string]any
}

func (o operation) asksForIfMatch() bool {
	return slices.ContainsFunc(o.Parameters, func(p struct {
		Name     string
		Required bool
	},
	) bool {
		return p.Name == "If-Match" && p.Required
	})
}

// TestVerbsAgreeWithOperations compares the verbs of each row, whether they ask for If-Match, and the statuses that they
// end with, to the operations that each api-version declares.
func TestVerbsAgreeWithOperations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(operationsFolder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the published operations are not here: ../shared/specs/operations")
	}
	words := map[string]Verb{"GET": Get, "HEAD": Head, "PUT": Put, "PATCH": Patch, "DELETE": Delete}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Operations []operation }
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		v := arm.Version(strings.TrimSuffix(filepath.Base(file), ".json"))
		declared := map[string]map[Verb]operation{}
		for _, o := range list.Operations {
			types, instance := typesOf(o.Path)
			verb := words[o.Method]
			if !instance && verb == Get {
				verb = List
			}
			if verb != 0 && (instance || verb == List) {
				if declared[types] == nil {
					declared[types] = map[Verb]operation{}
				}
				declared[types][verb] = o
			}
		}
		for _, row := range All() {
			if row.Namespace == APIM && row.Has(v) {
				compareVerbs(t, v, row, declared[strings.ToLower(row.Path)])
			}
		}
	}
}

func compareVerbs(t *testing.T, v arm.Version, row *Row, declared map[Verb]operation) {
	t.Helper()
	var want Verb
	for verb := range declared {
		want |= verb
	}
	if want, got := want&^verbsDiffer[row.Path], row.Verbs&^verbsDiffer[row.Path]; want != got {
		t.Errorf("%s %s: the operations are %s, the row has %s", v, row.Path, verbNames(want), verbNames(got))
	}
	if row.Shape == Tracked || row.Shape == Proxy {
		return // long-running
	}
	for verb, o := range declared {
		if verb&(Patch|Delete) != 0 && o.asksForIfMatch() == row.NoIfMatch && !(v == "2018-01-01" && row.Shape == Association) {
			t.Errorf("%s %s: If-Match is required: %v", v, o.OperationID, o.asksForIfMatch())
		}
		status := ""
		switch {
		case verb == Patch && v.Before(row.PatchSilentUntil):
			status = "204"
		case verb == Delete && row.DeletedFrom != "" && !v.Before(row.DeletedFrom):
			status = "204"
		case verb == Head && row.Shape == Association && !row.Can(Get):
			status = "204"
		default:
			status = "200"
		}
		if _, ok := o.Responses[status]; !ok {
			t.Errorf("%s %s: answers %s, which is not declared", v, o.OperationID, status)
		}
	}
}

// typesOf cuts a path down to its types: "service/apis", and says whether it is that of an instance.
func typesOf(path string) (types string, instance bool) {
	_, rest, ok := strings.Cut(path, "/providers/Microsoft.ApiManagement/")
	if !ok {
		return "", false
	}
	segs := strings.Split(strings.Trim(rest, "/"), "/")
	var out []string
	for i := 0; i < len(segs); i += 2 {
		out = append(out, strings.ToLower(segs[i]))
	}
	return strings.Join(out, "/"), len(segs)%2 == 0
}

func verbNames(v Verb) string {
	var names []string
	for name, verb := range map[string]Verb{"GET": Get, "HEAD": Head, "PUT": Put, "PATCH": Patch, "DELETE": Delete, "list": List} {
		if v&verb != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
