package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// An identityView is by what an identity is known.
type identityView struct {
	PrincipalID string `json:"principalId,omitempty"`
	ClientID    string `json:"clientId,omitempty"`
}

var identityKind = resourceKind{
	"identity", "Microsoft.ManagedIdentity/userAssignedIdentities", "user-assigned identity", "2023-01-31", "CLIENT ID\tPRINCIPAL ID",
	func(v resourceView) string { return v.Properties.ClientID + "\t" + v.Properties.PrincipalID },
}

func identityCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "identity", Short: "user-assigned identities, which services may have",
		Long: `Makes user-assigned identities, which services may have. Storage accounts that
'portico up --backup-keys' names let the identities of services in.

  portico identity create archivist
  portico service identity shop --assign archivist
  portico service backup shop --identity archivist --account a --container c --backup b`,
	})
	cmd.AddCommand(identityCreateCommand(), identityKind.listCommand(), identityKind.showCommand(), identityKind.deleteCommand())
	return cmd
}

func identityCreateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "create NAME", Short: "make a user-assigned identity", Example: "  portico identity create archivist", Args: takes("NAME")}
	t, location := targetFlags(cmd), locationFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return identityKind.put(cmd, t, args[0], *location, func(*armclient.Client) (object, error) { return object{}, nil })
	}
	return cmd
}

// serviceIdentities are the identities of a service.
type serviceIdentities struct {
	Type string `json:"type"`
	identityView
	User map[string]identityView `json:"userAssignedIdentities,omitempty"`
}

func readIdentities(cmd *cobra.Command, c *armclient.Client, s serviceView) (serviceIdentities, error) {
	res, err := c.Do(cmd.Context(), http.MethodGet, s.ID, cliAPIVersion, nil)
	if err != nil {
		return serviceIdentities{}, err
	}
	var have struct {
		Identity serviceIdentities `json:"identity"`
	}
	return have.Identity, res.Decode(&have)
}

func serviceIdentityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "identity NAME",
		Short: "show, give and take the managed identities of a service",
		Example: `  portico service identity shop                        (shows them)
  portico service identity shop --system               (one of its own)
  portico service identity shop --assign archivist     (a user-assigned one)
  portico service identity shop --system=false --remove archivist`,
		Args: takes("NAME"),
	}
	t := targetFlags(cmd)
	system := cmd.Flags().Bool("system", false, "whether it has an identity of its own")
	assign := cmd.Flags().StringSlice("assign", nil, "user-assigned identities to give")
	remove := cmd.Flags().StringSlice("remove", nil, "user-assigned identities to take")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		have, err := readIdentities(cmd, c, s)
		if err != nil {
			return err
		}
		own, left, change := strings.Contains(have.Type, "SystemAssigned"), len(have.User), object{}
		if cmd.Flags().Changed("system") {
			own = *system
		}
		for _, name := range *remove {
			id := have.find(name)
			if id == "" {
				return fmt.Errorf("%s has no identity %q; `portico service identity %s` shows those it has", s.Name, name, s.Name)
			}
			change[id] = nil
			left--
		}
		for _, name := range *assign {
			id, err := identityKind.find(cmd.Context(), t.everywhere(), c, name)
			if err != nil {
				return err
			}
			change[id] = object{}
			left++
		}
		if cmd.Flags().Changed("system") || len(change) > 0 {
			body := object{"identity": object{"type": identityType(own, left > 0), "userAssignedIdentities": change}}
			if _, err := run(cmd, c, "identify "+s.Name, http.MethodPatch, s.ID, cliAPIVersion, body); err != nil {
				return err
			}
			if have, err = readIdentities(cmd, c, s); err != nil {
				return err
			}
		}
		return printIdentities(cmd, t, have)
	}
	return cmd
}

// find gives the ID of a user-assigned identity of a service by its name, its ID or its client ID; "" for none.
func (i serviceIdentities) find(name string) string {
	for _, id := range slices.Sorted(maps.Keys(i.User)) {
		if strings.EqualFold(id, name) || strings.EqualFold(lastPart(id), name) || strings.EqualFold(i.User[id].ClientID, name) {
			return id
		}
	}
	return ""
}

func identityType(own, user bool) string {
	switch {
	case own && user:
		return "SystemAssigned, UserAssigned"
	case own:
		return "SystemAssigned"
	case user:
		return "UserAssigned"
	}
	return "None"
}

func printIdentities(cmd *cobra.Command, t serviceTarget, have serviceIdentities) error {
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), have)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IDENTITY\tCLIENT ID\tPRINCIPAL ID")
	if have.PrincipalID != "" {
		fmt.Fprintf(w, "(its own)\t-\t%s\n", have.PrincipalID)
	}
	for _, id := range slices.Sorted(maps.Keys(have.User)) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", lastPart(id), dash(have.User[id].ClientID), dash(have.User[id].PrincipalID))
	}
	return w.Flush()
}
