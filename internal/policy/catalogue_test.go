package policy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalogue_RowsAreSound(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range Catalogue() {
		if seen[row.Name] {
			t.Errorf("%s has two rows", row.Name)
		}
		seen[row.Name] = true
		if row.Built != (row.Proof != "") {
			t.Errorf("%s: built %t, but proof %q", row.Name, row.Built, row.Proof)
		}
		if got, ok := Lookup(row.Name); !ok || got.Name != row.Name {
			t.Errorf("Lookup(%s) = %v, %t", row.Name, got, ok)
		}
		soundElement(t, row.Name, &row.Element)
	}
	if _, ok := Lookup("base"); ok {
		t.Error("base is no statement")
	}
}

func soundElement(t *testing.T, path string, e *Element) {
	t.Helper()
	names := map[string]bool{}
	for i := range e.Attrs {
		a := &e.Attrs[i]
		if a.Name == "" || a.Type == "" || names[a.Name] {
			t.Errorf("%s: attribute %q of type %q stands twice or lacks something", path, a.Name, a.Type)
		}
		names[a.Name] = true
		if problem := invalid(a.Default, a.Default, a); a.Default != "" && problem != "" {
			t.Errorf("%s: default of %s is invalid: %s", path, a.Name, problem)
		}
	}
	for _, g := range e.Groups {
		for _, name := range g.Attrs {
			if !names[name] {
				t.Errorf("%s: a group names %s, which is no attribute", path, name)
			}
		}
	}
	for _, c := range e.Children {
		switch {
		case c.Element != nil && c.Element.Name != c.Name:
			t.Errorf("%s: child %s is described as %s", path, c.Name, c.Element.Name)
		case c.Element != nil:
			soundElement(t, path+"/"+c.Name, c.Element)
		default:
			if _, ok := Lookup(c.Name); !ok {
				t.Errorf("%s: child %s is no statement", path, c.Name)
			}
		}
	}
}

// What the catalogue finds in real documents, apart from what is not built. Everything listed here is an oddity of the
// document; the service refuses it too, or would fail with every request: placeholders that are to be filled in first.
var oddities = map[string][]string{
	"GET a file from blobStorage account.xml": {
		"Error in element 'set-header' on line 54, column 31: The 'name' attribute is invalid - The value '{MyMetadataName1}' is invalid according to its datatype 'String' - The Pattern constraint failed.",
		"Error in element 'set-header' on line 57, column 31: The 'name' attribute is invalid - The value '{MyMetadataName2}' is invalid according to its datatype 'String' - The Pattern constraint failed.",
	},
	"PUT a file to blobStorage account.xml": {
		"Error in element 'set-header' on line 51, column 31: The 'name' attribute is invalid - The value 'x-ms-meta-{MyMetadataName1}' is invalid according to its datatype 'String' - The Pattern constraint failed.",
		"Error in element 'set-header' on line 54, column 32: The 'name' attribute is invalid - The value 'x-ms-meta-{MyMetadataName2}' is invalid according to its datatype 'String' - The Pattern constraint failed.",
	},
	"azure-openai-token-limit.xml": {
		"Error in element 'azure-openai-token-limit' on line 4, column 4: The required attribute 'estimate-prompt-tokens' is missing.",
		"Error in element 'azure-openai-token-limit' on line 4, column 50: The 'estimate-prompt-token' attribute is not declared.",
	},
	"forward-request.xml": {
		"Error in element 'forward-request' on line 7, column 4: The element 'backend' has invalid child element 'forward-request'. The backend section can hold only one policy.",
	},
	"invoke-darp-binding.xml": {
		"Error in element 'invoke-darp-binding' on line 4, column 4: The element 'inbound' has invalid child element 'invoke-darp-binding'.",
	},
	"llm-semantic-cache-lookup.xml": {
		"Error in element 'llm-semantic-cache-lookup' on line 4, column 116: The 'embeddings-backend-auth' attribute is invalid - The value 'managed-identity' is invalid according to its datatype 'String' - The Enumeration constraint failed.",
	},
	"llm-token-limit.xml": {
		"Error in element 'llm-token-limit' on line 4, column 4: The required attribute 'estimate-prompt-tokens' is missing.",
		"Error in element 'llm-token-limit' on line 4, column 41: The 'estimate-prompt-token' attribute is not declared.",
		"Error in element 'llm-token-limit' on line 4, column 111: The 'token-quota-period' attribute is invalid - The value 'day' is invalid according to its datatype 'String' - The Enumeration constraint failed.",
	},
	"set-backend-service.xml": {
		"Error in element 'set-backend-service' on line 7, column 10: The element 'backend' has invalid child element 'set-backend-service'. The backend section can hold only one policy.",
	},
	"validate-status-code.xml": {
		"Error in element 'validate-status-code' on line 10, column 66: The 'error-variable-name' attribute is not declared.",
	},
}

// damaged is the one document of the corpus that cannot be read.
const damaged = "Call out to an HTTP endpoint and cache the response.policy.xml"

func TestCatalogue_AgreesWithRealDocuments(t *testing.T) {
	t.Parallel()
	const folder = "../../../shared/corpus"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the corpus of real policy documents is not here: ", folder)
	}
	checked := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".xml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Base(path) == damaged {
			return nil
		}
		doc, findings := withNamedValues(string(text), "https://example.com")
		if len(findings) > 0 { // a reference stands for a number in C#
			doc, findings = withNamedValues(string(text), "60")
		}
		if len(findings) > 0 {
			t.Errorf("%s:\n%s", filepath.Base(path), findings.Pretty())
			return nil
		}
		checked++
		var got []string
		for _, f := range doc.Check(CheckOptions{assumeBuilt: true}) {
			got = append(got, f.Detail())
		}
		if diff := cmp.Diff(oddities[filepath.Base(path)], got); diff != "" {
			t.Errorf("%s: %s", filepath.Base(path), diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d real documents checked, %d of them with oddities", checked, len(oddities))
}

// withNamedValues reads a document in which every named value is the same.
func withNamedValues(text, value string) (*Document, Findings) {
	root := "policies"
	if strings.Contains(text, "<fragment") {
		root = "fragment"
	}
	src := NewSource(text, func(string) (string, bool) { return value, true })
	return Reader{}.ParseSource(src, RawXML, root)
}

// TestCatalogue_Tiers: these statements, and no others, are refused in some tiers.
func TestCatalogue_Tiers(t *testing.T) {
	t.Parallel()
	v2 := []string{"BasicV2", "StandardV2", "PremiumV2"}
	want := map[string][]string{
		"rate-limit-by-key": {"Consumption"}, "quota-by-key": append([]string{"Consumption"}, v2...),
		"azure-openai-token-limit": {"Consumption"}, "llm-token-limit": {"Consumption"},
	}
	got := map[string][]string{}
	for _, row := range Catalogue() {
		if len(row.NotIn) > 0 {
			got[row.Name] = row.NotIn
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tiers that refuse a statement (-want +got):\n%s", d)
	}
	const document = `<policies><inbound><quota-by-key calls="1" renewal-period="300" counter-key="k" /></inbound></policies>`
	for _, tier := range append(v2, "Consumption", "Developer") {
		doc, found := Parse(document, RawXML)
		if len(found) > 0 {
			t.Fatal(found)
		}
		text := fmt.Sprintf("Error in element 'quota-by-key' on line 1, column 21: Policy is not allowed in '%s' sku", tier)
		if tier == "Developer" {
			text = "Error in element 'quota-by-key' on line 1, column 21: Policy 'quota-by-key' is not built in this version of Portico."
		}
		if got := doc.Check(CheckOptions{Tier: tier}); len(got) != 1 || got[0].Detail() != text {
			t.Errorf("%s: got %v, want %s", tier, got, text)
		}
	}
}
