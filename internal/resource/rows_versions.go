package resource

import (
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

func apiVersionSets() *Row {
	return &Row{
		Namespace: APIM, Path: "service/apiVersionSets", Shape: Entity, Entity: "ApiVersionSet", Proof: "TestGolden/apiversionsets", Versions: since(apimVersions, v2019),
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "versionSetId", PatchSilentUntil: v2020pre, NameMax: 80, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.displayName", Kind: String, Flags: Required, MinLen: 1, MaxLen: 100},
			{Path: "properties.versioningScheme", Kind: String, Flags: Required, Enum: words("Segment", "Query", "Header")},
			{Path: "properties.versionQueryName", Kind: String, MinLen: 1, MaxLen: 100},
			{Path: "properties.versionHeaderName", Kind: String, MinLen: 1, MaxLen: 100},
			{Path: "properties.description", Kind: String},
		},
		Filters: map[string]string{"name": "name", "displayName": "properties.displayName"},
		Rules:   []Rule{func(c *Change) []arm.ErrorDetail { return versionSetNames(c.New, "properties.") }},
		OnDelete: func(r *Removal) *arm.Error {
			docs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/service/apis"), Prefix: ServiceID(r.ID)})
			if err != nil {
				return internalError(err)
			}
			for _, d := range docs {
				if o, err := parseObject(d.Desired); err == nil && arm.SameID(o.Text("properties.apiVersionSetId"), r.ID) {
					return arm.Invalid(Finding("versionSetId", "The API version set is in use by the API '%s'.", d.ID))
				}
			}
			return nil
		},
	}
}

// versionSetNames asks for the name of the header or query parameter that carries the version.
func versionSetNames(o Object, bag string) (found []arm.ErrorDetail) {
	for _, in := range []string{"Header", "Query"} {
		name := "version" + in + "Name"
		text := o.Text(bag + name)
		switch {
		case o.Text(bag+"versioningScheme") == in && text == "":
			found = append(found, Finding(target(bag+name), "'%s' must not be empty when 'versioningScheme' is '%s'.", name, in))
		case in == "Header" && !isToken(text):
			found = append(found, Finding(target(bag+name), "'%s' is not a header name.", text))
		}
	}
	return found
}

// isToken says whether a text can be the name of a header.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) })
}

// completeVersion gives an API the version set that its body names by ID or describes. One that is described without an
// ID is made with the API, and follows what later bodies say of it.
func completeVersion(c *Change) {
	set, _ := c.New.Get("properties.apiVersionSet").(map[string]any)
	c.New.Remove("properties.apiVersionSet")
	id := c.New.Text("properties.apiVersionSetId")
	if id == "" {
		id = Object(set).Text("id")
	}
	if id == "" && Object(set).Text("versioningScheme") != "" {
		id = c.Old.Text("properties.apiVersionSetId")
		if id == "" {
			id = "/apiVersionSets/" + NewKey()[:24]
		}
		c.VersionSet = Object(set)
	}
	if id == "" {
		c.New.Remove("properties.apiVersionSetId")
		return
	}
	c.New.Set("properties.apiVersionSetId", c.fullID("apiVersionSets", id))
}

// apiVersioned asks that the version set exists, and that a version belongs to a set and can be part of a request.
func apiVersioned(c *Change) (found []arm.ErrorDetail) {
	id, version := c.New.Text("properties.apiVersionSetId"), c.New.Text("properties.apiVersion")
	if c.VersionSet != nil {
		return versionSetNames(c.VersionSet, "apiVersionSet.")
	}
	switch {
	case id == "" && version != "":
		found = append(found, Finding("apiVersionSetId", "An API with an 'apiVersion' must belong to an API version set."))
	case id != "" && !(strings.HasPrefix(store.Key(id), store.Key(c.Service())+"/apiversionsets/") && c.Exists(id)):
		found = append(found, Finding("apiVersionSetId", "API version set '%s' could not be found.", id))
	}
	if strings.ContainsAny(version, "/?#;&%\\ ") {
		found = append(found, Finding("apiVersion", "'%s' cannot be part of a request.", version))
	}
	return found
}

// versionSchemes maps the key of each version set of the service to its scheme.
func (c *Change) versionSchemes() map[string]string {
	docs, objects := c.Siblings(APIM+"/service/apiVersionSets", c.Service())
	out := make(map[string]string, len(docs)+1)
	for i, o := range objects {
		out[store.Key(docs[i].ID)] = o.Text("properties.versioningScheme")
	}
	if c.VersionSet != nil {
		out[store.Key(c.New.Text("properties.apiVersionSetId"))] = c.VersionSet.Text("versioningScheme")
	}
	return out
}

// RequestPath is the path that requests for an API have: with its version as the last segment where its set says so.
// schemes maps the keys of version sets to their schemes.
func RequestPath(api Object, schemes map[string]string) string {
	path, version := api.Text("properties.path"), api.Text("properties.apiVersion")
	if version == "" || schemes[store.Key(api.Text("properties.apiVersionSetId"))] != "Segment" {
		return path
	}
	return strings.Trim(path+"/"+version, "/")
}

// putVersionSet writes the version set that the body of an API describes.
func putVersionSet(c *Change, tx store.Tx) error {
	if c.VersionSet == nil {
		return nil
	}
	row, _ := c.Engine.Row(APIM + "/service/apiVersionSets")
	id := c.New.Text("properties.apiVersionSetId")
	var old *store.Document
	if d, err := tx.Get(id); err == nil {
		old = &d
	}
	o := Object{"properties": map[string]any{}}
	for _, name := range []string{"description", "versioningScheme", "versionQueryName", "versionHeaderName"} {
		if v := c.VersionSet[name]; v != nil {
			o.Set("properties."+name, v)
		}
	}
	o.Set("properties.displayName", c.New.Text("properties.displayName"))
	if name := c.VersionSet.Text("name"); name != "" {
		o.Set("properties.displayName", name)
	}
	d, err := c.Engine.Document(row, id, o, old)
	if err == nil {
		_, err = tx.Put(d)
	}
	return err
}

// showVersionSet adds what the version set of an API says to an answer about the API alone, and to a list on request.
func showVersionSet(s *Shown) {
	id := s.Object.Text("properties.apiVersionSetId")
	if id == "" || s.Tree == nil || s.Listed && !s.asks("expandApiVersionSet") {
		return
	}
	d, err := s.Tree.Get(id)
	if err != nil {
		return
	}
	o, err := parseObject(d.Desired)
	if err != nil {
		return
	}
	set := map[string]any{"id": d.ID, "name": o.Text("properties.displayName")}
	for _, name := range []string{"description", "versioningScheme", "versionQueryName", "versionHeaderName"} {
		if v := o.Get("properties." + name); v != nil {
			set[name] = v
		}
	}
	s.Object.Set("properties.apiVersionSet", set)
}
