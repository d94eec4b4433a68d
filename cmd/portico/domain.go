package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/armclient"
)

// certificatePasswordEnv is the environment variable with the password of a certificate file.
const certificatePasswordEnv = "PORTICO_CERTIFICATE_PASSWORD"

// A certificateFile holds the flags that name a certificate with its private key.
type certificateFile struct{ file, key, passwordFile *string }

func certificateFlags(cmd *cobra.Command, what string) certificateFile {
	f := certificateFile{
		file:         cmd.Flags().String("certificate", "", what),
		key:          cmd.Flags().String("key", "", "`file` with the private key (PEM), where it is a file of its own"),
		passwordFile: cmd.Flags().String("password-file", "", "`file` with the password of the certificate or key; otherwise it is taken from "+certificatePasswordEnv),
	}
	_ = cmd.MarkFlagRequired("certificate")
	return f
}

// read gives the file as the management API takes it, and its password.
func (f certificateFile) read() (encoded, password string, err error) {
	data, err := os.ReadFile(*f.file)
	if err != nil {
		return "", "", err
	}
	if *f.key != "" {
		key, err := os.ReadFile(*f.key)
		if err != nil {
			return "", "", err
		}
		data = slices.Concat(data, []byte("\n"), key)
	}
	if password = os.Getenv(certificatePasswordEnv); *f.passwordFile != "" {
		text, err := os.ReadFile(*f.passwordFile)
		if err != nil {
			return "", "", err
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	return base64.StdEncoding.EncodeToString(data), password, nil
}

// A domainView is what commands show of a host name.
type domainView struct {
	Type        string           `json:"type"`
	Name        string           `json:"hostName"`
	Source      string           `json:"certificateSource"`
	Status      string           `json:"certificateStatus,omitempty"`
	Default     bool             `json:"defaultSslBinding"`
	Negotiate   bool             `json:"negotiateClientCertificate"`
	Certificate *certificateView `json:"certificate,omitempty"`
}

type certificateView struct {
	Subject    string `json:"subject"`
	Thumbprint string `json:"thumbprint"`
	Expiry     string `json:"expiry"`
}

// properties reads the properties of a service whole, to send parts of them back changed.
func properties(cmd *cobra.Command, c *armclient.Client, s serviceView, into any) error {
	res, err := c.Do(cmd.Context(), http.MethodGet, s.ID, cliAPIVersion, nil)
	if err != nil {
		return err
	}
	return res.Decode(&struct {
		Properties any `json:"properties"`
	}{into})
}

// serviceFlag adds --service for commands about a part of one.
func serviceFlag(cmd *cobra.Command) *string {
	name := cmd.Flags().String("service", "", "the service")
	_ = cmd.MarkFlagRequired("service")
	return name
}

func domainCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "domain", Short: "give the gateway of a service host names of its own, with certificates"})
	cmd.AddCommand(domainAddCommand(), domainListCommand(), domainRemoveCommand())
	return cmd
}

func domainAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add HOST --service NAME --certificate FILE",
		Short: "let a service answer to a host name, or renew the certificate of one",
		Long: `Lets the gateway of a service answer to a host name, with a certificate that matches
it: a PFX file, or PEM with the private key in the same file or in one of its own. A
host name that the service has already gets the new certificate; connections stay.
The DNS of the name is yours to set: to the VIP that 'portico service show' prints.`,
		Example: `  portico domain add api.contoso.com --service shop --certificate api.pfx --password-file pw
  portico domain add *.contoso.com --service shop --certificate chain.pem --key key.pem --default`,
		Args: takes("HOST"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	f := certificateFlags(cmd, "`file` with the certificate and those above it: PFX, or PEM")
	negotiate := cmd.Flags().Bool("client-certificates", false, "ask clients for a certificate")
	standard := cmd.Flags().Bool("default", false, "greet clients that name no host with this certificate")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		encoded, password, err := f.read()
		if err != nil {
			return err
		}
		return changeDomains(cmd, t, *service, "add "+args[0], func(hosts []object) ([]object, error) {
			if *standard {
				for _, h := range hosts {
					h["defaultSslBinding"] = false
				}
			}
			hosts = slices.DeleteFunc(hosts, hostIs(args[0]))
			return append(hosts, object{
				"type": "Proxy", "hostName": args[0], "encodedCertificate": encoded, "certificatePassword": password,
				"negotiateClientCertificate": *negotiate, "defaultSslBinding": *standard,
			}), nil
		})
	}
	return cmd
}

// hostIs finds a host name.
func hostIs(name string) func(object) bool {
	return func(h object) bool {
		have, _ := h["hostName"].(string)
		return strings.EqualFold(have, name)
	}
}

// changeDomains changes the list of host names of a service, and shows them.
func changeDomains(cmd *cobra.Command, t serviceTarget, service, what string, change func([]object) ([]object, error)) error {
	c, s, err := t.open(cmd.Context(), service)
	if err != nil {
		return err
	}
	var have struct {
		Hosts []object `json:"hostnameConfigurations"`
	}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	hosts, err := change(have.Hosts)
	if err != nil {
		return err
	}
	body := object{"properties": object{"hostnameConfigurations": hosts}}
	if _, err := run(cmd, c, what, http.MethodPatch, s.ID, cliAPIVersion, body); err != nil {
		return err
	}
	return printDomains(cmd, t, c, s)
}

func printDomains(cmd *cobra.Command, t serviceTarget, c *armclient.Client, s serviceView) error {
	have := struct {
		Hosts []domainView `json:"hostnameConfigurations"`
	}{Hosts: []domainView{}}
	if err := properties(cmd, c, s, &have); err != nil {
		return err
	}
	if *t.output == "json" {
		return printJSON(cmd.OutOrStdout(), have.Hosts)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tCERTIFICATE\tSUBJECT\tEXPIRES\tDEFAULT\tCLIENT CERTIFICATES")
	for _, h := range have.Hosts {
		cert := certificateView{}
		if h.Certificate != nil {
			cert = *h.Certificate
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Source, dash(cert.Subject), dash(cert.Expiry), yes(h.Default), yes(h.Negotiate))
	}
	return w.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

func domainListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list --service NAME", Short: "list the host names of a service", Example: "  portico domain list --service shop", Args: takes()}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, s, err := t.open(cmd.Context(), *service)
		if err != nil {
			return err
		}
		return printDomains(cmd, t, c, s)
	}
	return cmd
}

func domainRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove HOST --service NAME", Short: "take a host name from a service",
		Example: "  portico domain remove api.contoso.com --service shop", Args: takes("HOST"),
	}
	t, service := targetFlags(cmd), serviceFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return changeDomains(cmd, t, *service, "remove "+args[0], func(hosts []object) ([]object, error) {
			left := slices.DeleteFunc(slices.Clone(hosts), hostIs(args[0]))
			if len(left) == len(hosts) {
				return nil, fmt.Errorf("%s has no host name %q; `portico domain list --service %s` shows those there are", *service, args[0], *service)
			}
			return left, nil
		})
	}
	return cmd
}
