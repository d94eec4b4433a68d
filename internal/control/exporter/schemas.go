package exporter

import (
	"maps"
	"slices"
	"strings"
)

// A Schema holds named types; bodies name it and one of its types.
type Schema struct {
	Name  string
	Types map[string]any
}

// typeOf finds the type that a representation names. Of two types of one name only that of the first schema is described.
func (a API) typeOf(representation map[string]any) (string, bool) {
	id, name := text(representation, "schemaId"), text(representation, "typeName")
	for _, s := range a.Schemas {
		if _, ok := s.Types[name]; ok {
			return name, strings.EqualFold(s.Name, id[strings.LastIndexByte(id, '/')+1:])
		}
	}
	return "", false
}

// types are all types of the schemas, which refer to one another below a place.
func (a API) types(place string) doc {
	all := map[string]any{}
	for _, s := range a.Schemas {
		for name, t := range s.Types {
			if _, taken := all[name]; !taken {
				all[name] = t
			}
		}
	}
	var d doc
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d = append(d, field{name, moved(all[name], place)})
	}
	return d
}

func reference(place, name string) doc { return doc{{"$ref", place + name}} }

// moved is a schema whose references lead to a place.
func moved(v any, place string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = moved(e, place)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = moved(e, place)
		}
		if ref, ok := v["$ref"].(string); ok {
			out["$ref"] = place + ref[strings.LastIndexByte(ref, '/')+1:]
		}
		return out
	}
	return v
}
