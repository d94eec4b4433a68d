package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func apiCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "api", Short: "work with the APIs of a service"})
	cmd.AddCommand(apiImportCommand())
	return cmd
}

func apiImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import FILE --service NAME --path PATH",
		Short:   "import an OpenAPI document, 2.0 or 3.x, JSON or YAML",
		Example: "  portico api import openapi.yaml --service shop --path books",
		Args:    takes("FILE"),
	}
	t := targetFlags(cmd)
	service := cmd.Flags().String("service", "", "service to import into")
	path := cmd.Flags().String("path", "", "path of the API below the gateway's address")
	id := cmd.Flags().String("id", "", "name of the API; default: its path")
	serviceURL := cmd.Flags().String("service-url", "", "where the backend is; default: the document's server")
	_ = cmd.MarkFlagRequired("service")
	_ = cmd.MarkFlagRequired("path")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		document, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		c, s, err := t.open(ctx, *service)
		if err != nil {
			return err
		}
		if *id == "" {
			*id = strings.NewReplacer("/", "-").Replace(strings.Trim(*path, "/"))
		}
		properties := object{"format": importFormat(document), "value": string(document), "path": *path}
		if *serviceURL != "" {
			properties["serviceUrl"] = *serviceURL
		}
		if _, err := run(cmd, c, "import "+*id, http.MethodPut, s.ID+"/apis/"+*id, cliAPIVersion, object{"properties": properties}); err != nil {
			return err
		}
		ops, err := c.List(ctx, s.ID+"/apis/"+*id+"/operations", cliAPIVersion)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s at %s/%s\n", *id, count(len(ops), "API operation"), s.Properties.GatewayURL, strings.Trim(*path, "/"))
		return err
	}
	return cmd
}

// importFormat tells the ARM format word for a document from its first lines.
func importFormat(document []byte) string {
	text := string(document[:min(len(document), 4096)])
	isJSON := strings.HasPrefix(strings.TrimSpace(text), "{")
	switch {
	case strings.Contains(text, "swagger"):
		return "swagger-json"
	case isJSON:
		return "openapi+json"
	}
	return "openapi"
}
