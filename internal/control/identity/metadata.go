package identity

import (
	"fmt"
	"net/http"

	"github.com/portico-dev/portico/internal/arm"
)

// metadata tells clients where everything is. Its api-versions differ in shape.
func (a *Authority) metadata(w http.ResponseWriter, r *http.Request) {
	origin, ok := a.requestOrigin(r)
	if !ok {
		arm.WriteError(w, &arm.Error{Status: http.StatusBadRequest, Code: "InvalidHostName", Message: fmt.Sprintf("The host '%s' is not one of this server's.", clean(r.Host))})
		return
	}
	switch v := r.URL.Query().Get("api-version"); v {
	case "2022-09-01":
		writeBody(w, http.StatusOK, cloud(origin))
	case "2019-05-01", "2020-06-01":
		c := cloud(origin)
		complete(c, origin)
		writeBody(w, http.StatusOK, []any{c})
	case "2015-01-01":
		writeBody(w, http.StatusOK, map[string]any{
			"galleryEndpoint": origin + "/gallery", "graphEndpoint": origin + "/graph", "portalEndpoint": origin + "/portal",
			"authentication": map[string]any{"loginEndpoint": origin, "audiences": []string{origin, origin + "/"}},
		})
	case "":
		arm.WriteError(w, &arm.Error{Status: http.StatusBadRequest, Code: "MissingApiVersionParameter", Message: "The api-version query parameter (?api-version=) is required for all requests."})
	default:
		arm.WriteError(w, &arm.Error{
			Status: http.StatusBadRequest, Code: "InvalidApiVersionParameter",
			Message: fmt.Sprintf("The api-version '%s' is invalid. The supported versions are '2022-09-01,2020-06-01,2019-05-01,2015-01-01'.", clean(v)),
		})
	}
}

// cloud describes this installation as a cloud. Services that it does not have are left out, which makes clients do
// without them.
func cloud(origin string) map[string]any {
	return map[string]any{
		"name": "Portico", "portal": origin + "/portal", "resourceManager": origin, "gallery": origin + "/gallery",
		"graph": origin + "/graph", "graphAudience": origin + "/graph", "microsoftGraphResourceId": origin + "/graph",
		"authentication": map[string]any{
			"loginEndpoint": origin, "audiences": []string{origin, origin + "/"}, "tenant": "common", "identityProvider": "AAD",
		},
		"suffixes": map[string]any{},
	}
}

// complete adds the entries that readers of the list shape take for granted. They name nothing that exists: the
// suffixes end in .invalid, which never resolves.
func complete(c map[string]any, origin string) {
	for key, path := range map[string]string{
		"batch": "batch", "media": "media", "sqlManagement": "sql", "vmImageAliasDoc": "aliases.json",
		"activeDirectoryDataLake": "datalake", "appInsightsResourceId": "insights", "logAnalyticsResourceId": "loganalytics",
		"attestationResourceId": "attestation", "synapseAnalyticsResourceId": "synapse", "ossrDbmsResourceId": "ossrdbms",
	} {
		c[key] = origin + "/" + path
	}
	suffixes := map[string]any{}
	for key, name := range map[string]string{
		"acrLoginServer": "registry", "azureDataLakeStoreFileSystem": "datalakestore", "azureDataLakeAnalyticsCatalogAndJob": "datalakeanalytics",
		"keyVaultDns": "vault", "mhsmDns": "mhsm", "sqlServerHostname": "sql", "storage": "storage", "storageSyncEndpointSuffix": "sync",
		"synapseAnalytics": "synapse", "mysqlServerEndpoint": "mysql", "postgresqlServerEndpoint": "postgresql",
		"mariadbServerEndpoint": "mariadb", "azureFrontDoorEndpointSuffix": "frontdoor", "attestationEndpoint": "attestation",
	} {
		suffixes[key] = name + ".invalid"
	}
	c["suffixes"] = suffixes
}
