package resource

import (
	"slices"

	"github.com/portico-dev/portico/internal/arm"
)

// tagged are the types that tags can be put on.
var tagged = []string{"service/apis", "service/apis/operations", "service/products"}

// Tagged says whether tags can be put on entities of the type.
func (r *Row) Tagged() bool { return slices.Contains(tagged, r.Path) }

func tags() *Row {
	return &Row{
		Namespace: APIM, Path: "service/tags", Lookup: "properties.displayName", Shape: Entity, Entity: "Tag", Proof: "TestGolden/tags", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "tagId", PatchSilentUntil: v2020pre, NameMax: 80, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 160},
		},
		Filters: map[string]string{"name": "name", "displayName": "properties.displayName"},
		Rules:   []Rule{func(c *Change) []arm.ErrorDetail { return uniqueText(c, "displayName", "Tag") }},
		OnDelete: func(r *Removal) *arm.Error {
			for _, on := range tagged {
				if err := r.links(on + "/tags"); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// tagsOn are the tags on entities of a type. They can be read one by one, unlike other associations.
func tagsOn(parent string) *Row {
	return &Row{
		Namespace: APIM, Path: parent + "/tags", Shape: Association, Entity: "Tag", Proof: "TestGolden/tags", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Delete | List, NameParam: "tagId", NameMax: 80, NameLike: plainName,
		Link: "service/tags", NoIfMatch: true,
	}
}
