package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// certificateCommand is about certificates that policies and backends use; those of host names belong to `portico domain`.
func certificateCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "certificate", Short: "the certificates that a service shows to backends"})
	cmd.AddCommand(certificateAddCommand(), certificateListCommand(), certificateRemoveCommand())
	return cmd
}

// A storedCertificate is what commands show of a certificate of a service.
type storedCertificate struct {
	Name       string `json:"name"`
	Properties struct {
		Subject    string `json:"subject"`
		Thumbprint string `json:"thumbprint"`
		Expires    string `json:"expirationDate"`
	} `json:"properties"`
}

func certificateAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add ID --service NAME --certificate FILE",
		Short:   "store a certificate with its private key for authentication-certificate and context.Deployment.Certificates",
		Example: "  portico certificate add partner --service shop --certificate partner.pfx --password-file pw",
		Args:    takes("ID"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	f := certificateFlags(cmd, "PFX `file` with the certificate and its private key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, password, err := f.read()
		if err != nil {
			return err
		}
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		body := object{"properties": object{"data": data, "password": password}}
		if _, err := c.Do(cmd.Context(), http.MethodPut, s.ID+"/certificates/"+args[0], cliAPIVersion, body); err != nil {
			return err
		}
		return printCertificates(cmd, t, c, s)
	}
	return cmd
}

func printCertificates(cmd *cobra.Command, t serviceTarget, c *armclient.Client, s serviceView) error {
	all, err := listAll[storedCertificate](cmd.Context(), c, s.ID+"/certificates", cliAPIVersion)
	if err != nil {
		return err
	}
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSUBJECT\tTHUMBPRINT\tEXPIRES")
	for _, x := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", x.Name, x.Properties.Subject, x.Properties.Thumbprint, x.Properties.Expires)
	}
	return w.Flush()
}

func certificateListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list --service NAME", Short: "list the certificates of a service", Args: takes()}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		return printCertificates(cmd, t, c, s)
	}
	return cmd
}

func certificateRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "remove ID --service NAME", Short: "remove a certificate of a service", Args: takes("ID")}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		id := s.ID + "/certificates/" + args[0]
		if _, err := c.Do(cmd.Context(), http.MethodGet, id, cliAPIVersion, nil); err != nil {
			return err
		}
		if _, err := c.Do(cmd.Context(), http.MethodDelete, id, cliAPIVersion, nil, "If-Match", "*"); err != nil {
			return err
		}
		return printCertificates(cmd, t, c, s)
	}
	return cmd
}

// authorityCommand is about the CA certificates that a service trusts.
func authorityCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "authority", Short: "the CA certificates that a service trusts, of clients and backends"})
	cmd.AddCommand(authorityAddCommand(), authorityListCommand(), authorityRemoveCommand())
	return cmd
}

// An authorityView is what commands show of a CA certificate.
type authorityView struct {
	Store       string          `json:"storeName"`
	Certificate certificateView `json:"certificate"`
}

func authorityAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add FILE --service NAME",
		Short:   "let a service trust a CA certificate (PEM, DER, or PFX)",
		Example: "  portico authority add ca.pem --service shop\n  portico authority add between.pem --service shop --store CertificateAuthority",
		Args:    takes("FILE"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	store := cmd.Flags().String("store", "Root", "Root, or CertificateAuthority for one that stands between")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		none := ""
		encoded, password, err := certificateFile{&args[0], &none, &none}.read()
		if err != nil {
			return err
		}
		return changeAuthorities(cmd, t, *service, "add", func(all []object) ([]object, error) {
			return append(all, object{"storeName": *store, "encodedCertificate": encoded, "certificatePassword": password}), nil
		})
	}
	return cmd
}

// changeAuthorities changes the list of CA certificates of a service, and shows them.
func changeAuthorities(cmd *cobra.Command, t serviceTarget, service, what string, change func([]object) ([]object, error)) error {
	c, s, err := t.open(cmd.Context(), service)
	if err != nil {
		return err
	}
	var have struct {
		All []object `json:"certificates"`
	}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	all, err := change(have.All)
	if err != nil {
		return err
	}
	body := object{"properties": object{"certificates": append([]object{}, all...)}}
	if _, err := run(cmd, c, what, http.MethodPatch, s.ID, cliAPIVersion, body); err != nil {
		return err
	}
	return printAuthorities(cmd, t, c, s)
}

func printAuthorities(cmd *cobra.Command, t serviceTarget, c *armclient.Client, s serviceView) error {
	have := struct {
		All []authorityView `json:"certificates"`
	}{All: []authorityView{}}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), have.All)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "THUMBPRINT\tSTORE\tSUBJECT\tEXPIRES")
	for _, a := range have.All {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Certificate.Thumbprint, a.Store, a.Certificate.Subject, a.Certificate.Expiry)
	}
	return w.Flush()
}

func authorityListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list --service NAME", Short: "list the CA certificates that a service trusts", Args: takes()}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		return printAuthorities(cmd, t, c, s)
	}
	return cmd
}

func authorityRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove THUMBPRINT --service NAME", Short: "let a service trust a CA certificate no more; the beginning of its thumbprint is enough",
		Example: "  portico authority remove 5AC2 --service shop", Args: takes("THUMBPRINT"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if args[0] == "" {
			return errors.New("THUMBPRINT is empty")
		}
		return changeAuthorities(cmd, t, *service, "remove", func(all []object) ([]object, error) {
			left := slices.DeleteFunc(slices.Clone(all), func(a object) bool {
				cert, _ := a["certificate"].(object)
				thumbprint, _ := cert["thumbprint"].(string)
				return strings.HasPrefix(thumbprint, strings.ToUpper(args[0]))
			})
			if n := len(all) - len(left); n != 1 {
				return nil, fmt.Errorf("%s of %s begin with %q; `portico authority list --service %s` shows those there are", count(n, "thumbprint"), *service, args[0], *service)
			}
			return left, nil
		})
	}
	return cmd
}
