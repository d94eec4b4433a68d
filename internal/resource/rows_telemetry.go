package resource

import (
	"maps"
	"slices"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/store"
)

func loggers() *Row {
	kinds := newer(words("azureEventHub", "applicationInsights"), v2020pre, "azureMonitor")
	return &Row{
		Namespace: APIM, Path: "service/loggers", Shape: Entity, Entity: "Logger", Proof: "TestGolden/loggers", Versions: apimVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "loggerId", PatchSilentUntil: v2020pre, NameMax: 256, NameLike: plainName,
		Fields: []Field{
			{Path: "properties.loggerType", Kind: String, Flags: Required, Enum: kinds},
			{Path: "properties.description", Kind: String, MaxLen: 256},
			{Path: "properties.credentials", Kind: Map, Until: v2020pre, Flags: Required},
			{Path: "properties.credentials", Kind: Map, From: v2020pre},
			{Path: "properties.isBuffered", Kind: Bool, Default: true},
			{Path: "properties.resourceId", Kind: String, From: v2019},
		},
		Filters: map[string]string{
			"name": "name", "description": "properties.description", "loggerType": "properties.loggerType", "resourceId": "properties.resourceId",
		},
		Complete: hideCredentials,
		Rules:    []Rule{loggerCredentials},
		Stored:   putCredentials,
		OnDelete: deleteLogger,
	}
}

// secretCredentials are the credentials of loggers that are kept as secret named values. What is shown of them is the
// reference to the named value, as the hosted service does.
var secretCredentials = []string{"instrumentationKey", "connectionString"}

const credentialName = "Logger-Credentials-"

// hideCredentials replaces credentials by references. A logger keeps the names that it has.
func hideCredentials(c *Change) {
	c.Secrets = map[string]string{}
	credentials, _ := c.New.Get("properties.credentials").(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(credentials)) {
		value, _ := credentials[key].(string)
		if value == "" || isReference(value) || !slices.ContainsFunc(secretCredentials, func(s string) bool { return strings.EqualFold(s, key) }) {
			continue
		}
		name := ownCredential(c.Old, key)
		if name == "" {
			name = credentialName + NewKey()[:24]
		}
		c.Secrets[name] = value
		credentials[key] = "{{" + name + "}}"
	}
}

func isReference(value string) bool {
	return strings.HasPrefix(value, "{{") && strings.HasSuffix(value, "}}")
}

// ownCredential is the named value that was made for a credential of a logger, empty for none.
func ownCredential(logger Object, key string) string {
	name := strings.Trim(logger.Text("properties.credentials."+key), "{}")
	if !strings.HasPrefix(name, credentialName) {
		return ""
	}
	return name
}

// ownCredentials are the IDs of the named values that were made for a logger.
func ownCredentials(service string, logger Object) []string {
	credentials, _ := logger.Get("properties.credentials").(map[string]any)
	var ids []string
	for _, key := range slices.Sorted(maps.Keys(credentials)) {
		if name := ownCredential(logger, key); name != "" {
			ids = append(ids, service+"/namedValues/"+name)
		}
	}
	return ids
}

// putCredentials keeps the named values of a logger in step with it.
func putCredentials(c *Change, tx store.Tx) error {
	row, _ := c.Engine.Row(APIM + "/service/namedValues")
	for name, value := range c.Secrets {
		id := c.Service() + "/namedValues/" + name
		var old *store.Document
		if d, err := tx.Get(id); err == nil {
			old = &d
		}
		d, err := c.Engine.Document(row, id, Object{"properties": map[string]any{"displayName": name, "value": value, "secret": true}}, old)
		if err != nil {
			return err
		}
		if _, err := tx.Put(d); err != nil {
			return err
		}
	}
	kept := ownCredentials(c.Service(), c.New)
	for _, id := range ownCredentials(c.Service(), c.Old) {
		if !slices.Contains(kept, id) {
			if err := tx.Delete(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// loggerCredentials asks for what each kind of logger needs, and that references lead to named values.
func loggerCredentials(c *Change) (found []arm.ErrorDetail) {
	credentials, _ := c.New.Get("properties.credentials").(map[string]any)
	has := func(names ...string) bool {
		for key := range credentials {
			if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, key) }) {
				return true
			}
		}
		return false
	}
	switch c.New.Text("properties.loggerType") {
	case "applicationInsights":
		if !has("instrumentationKey", "connectionString") {
			found = append(found, Finding("credentials", "'credentials' must hold 'instrumentationKey' or 'connectionString' for a logger of type 'applicationInsights'."))
		}
	case "azureEventHub":
		if !has("name") || !has("connectionString", "endpointAddress") {
			found = append(found, Finding("credentials", "'credentials' must hold 'name', and 'connectionString' or 'endpointAddress', for a logger of type 'azureEventHub'."))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(credentials)) {
		name := strings.Trim(Object(credentials).Text(key), "{}")
		if _, mine := c.Secrets[name]; mine || !isReference(Object(credentials).Text(key)) {
			continue
		}
		if _, ok := c.namedValue(name); !ok {
			found = append(found, Finding("credentials."+key, "Cannot find a property '%s'", name))
		}
	}
	return found
}

// loggerUsing is the ID of a logger whose credentials refer to a named value, empty for none.
func loggerUsing(t store.Reader, service, displayName string) string {
	docs, _ := t.List(store.Query{Type: strings.ToLower(APIM + "/service/loggers"), Prefix: service})
	for _, d := range docs {
		o, err := parseObject(d.Desired)
		if err != nil {
			continue
		}
		credentials, _ := o.Get("properties.credentials").(map[string]any)
		for _, v := range credentials {
			if s, _ := v.(string); strings.EqualFold(s, "{{"+displayName+"}}") {
				return d.ID
			}
		}
	}
	return ""
}

// deleteLogger refuses while a diagnostic uses the logger, unless force=true, and takes its named values with it.
func deleteLogger(r *Removal) *arm.Error {
	for _, path := range []string{"service/diagnostics", "service/apis/diagnostics"} {
		docs, err := r.Tree.List(store.Query{Type: strings.ToLower(APIM + "/" + path), Prefix: ServiceID(r.ID)})
		if err != nil {
			return internalError(err)
		}
		for _, d := range docs {
			o, err := parseObject(d.Desired)
			if err == nil && strings.EqualFold(lastSegment(o.Text("properties.loggerId")), lastSegment(r.ID)) && !strings.EqualFold(r.Query("force"), "true") {
				return arm.Invalid(Finding("loggerId", "The logger is in use by the diagnostic '%s'.", d.ID))
			}
		}
	}
	r.Also = append(r.Also, ownCredentials(ServiceID(r.ID), r.Object)...)
	return nil
}

// diagnostics are those of a service or of an API.
func diagnostics(parent string) *Row {
	fields := []Field{
		{Path: "properties.enabled", Kind: Bool, Until: v2019, Flags: Required},
		{Path: "properties.enableHttpCorrelationHeaders", Kind: Bool, From: v2019, Until: v2019dec},
		{Path: "properties.alwaysLog", Kind: String, From: v2019, Enum: words("allErrors")},
		{Path: "properties.loggerId", Kind: String, From: v2019, Flags: Required},
		{Path: "properties.sampling.samplingType", Kind: String, From: v2019, Enum: words("fixed")},
		{Path: "properties.sampling.percentage", Kind: Number, From: v2019, Min: new(int64(0)), Max: new(int64(100))},
		{Path: "properties.httpCorrelationProtocol", Kind: String, From: v2019, Enum: words("None", "Legacy", "W3C")},
		{Path: "properties.verbosity", Kind: String, From: v2019, Enum: words("verbose", "information", "error")},
		{Path: "properties.logClientIp", Kind: Bool, From: v2019dec},
		{Path: "properties.operationNameFormat", Kind: String, From: v2020pre, Enum: words("Name", "Url")},
		{Path: "properties.metrics", Kind: Bool, From: v2020pre},
	}
	for _, at := range []string{"frontend.request", "frontend.response", "backend.request", "backend.response"} {
		fields = append(fields, below("properties."+at,
			Field{Path: "headers", Kind: Array, From: v2019},
			Field{Path: "body.bytes", Kind: Int, From: v2019, Min: new(int64(0)), Max: new(int64(8192))},
			Field{Path: "dataMasking.queryParams[].value", Kind: String, From: v2020pre},
			Field{Path: "dataMasking.queryParams[].mode", Kind: String, From: v2020pre, Enum: words("Mask", "Hide")},
			Field{Path: "dataMasking.headers[].value", Kind: String, From: v2020pre},
			Field{Path: "dataMasking.headers[].mode", Kind: String, From: v2020pre, Enum: words("Mask", "Hide")},
		)...)
	}
	return &Row{
		Namespace: APIM, Path: parent + "/diagnostics", Shape: Entity, Entity: "Diagnostic", Proof: "TestGolden/diagnostics", Versions: since(apimVersions, v2017),
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "diagnosticId", PatchSilentUntil: v2020pre, NameMax: 80, NameLike: plainName,
		Fields:  fields,
		Filters: map[string]string{"name": "name"},
		Rules: []Rule{func(c *Change) []arm.ErrorDetail {
			id := c.New.Text("properties.loggerId")
			if id == "" || id == c.Old.Text("properties.loggerId") || c.Exists(c.fullID("loggers", id)) {
				return nil
			}
			return []arm.ErrorDetail{Finding("loggerId", "Logger '%s' could not be found.", id)}
		}},
	}
}
