package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portico-dev/portico/internal/config"
)

var update = flag.Bool("update", false, "write docs/reference/commands.md")

const page = "../../docs/reference/commands.md"

// proofs names the end-to-end test of each command and of each flag that is not a setting.
var proofs = map[string]string{
	"portico up":                                         "TestUp_FirstRunMakesTheFolder",
	"portico up --config":                                "TestCLI_Config",
	"portico down":                                       "TestUp_PortZeroIsKept",
	"portico restart":                                    "TestRestart_KeepsTheGatewaysAndTheAddress",
	"portico restart --agent":                            "TestSoak",
	"portico token":                                      "TestToken_IsAccepted",
	"portico version":                                    "TestCLI_Version",
	"portico config":                                     "TestCLI_Config",
	"portico config --config":                            "TestCLI_Config",
	"portico bookshop":                                   "TestCLI_Bookshop",
	"portico bookshop --listen":                          "TestCLI_Bookshop",
	"portico demo":                                       "TestDemo",
	"portico demo --keep":                                "TestDemo",
	"portico demo --rate":                                "TestDemo",
	"portico service list":                               "TestCLI_Service",
	"portico service show":                               "TestCLI_Service",
	"portico service create":                             "TestCLI_Service",
	"portico service create --tier":                      "TestCLI_Service",
	"portico service create --units":                     "TestCLI_Service",
	"portico service create --zones":                     "TestCLI_Service",
	"portico service create --location":                  "TestCLI_Service",
	"portico service create --api-version":               "TestMigrate_ByCommand",
	"portico service scale":                              "TestCLI_Service",
	"portico service scale --tier":                       "TestCLI_Service",
	"portico service scale --units":                      "TestCLI_Service",
	"portico service migrate":                            "TestMigrate_ByCommand",
	"portico service migrate --mode":                     "TestMigrate_ByCommand",
	"portico service migrate --back":                     "TestMigrate_ByCommand",
	"portico service upgrade":                            "TestUpgrade_UnderLoad",
	"portico service upgrade --to":                       "TestUpgrade_UnderLoad",
	"portico service upgrade --all":                      "TestUpgrade_UnderLoad",
	"portico service upgrade --hardware":                 "TestHardware_MovesUnderLoad",
	"portico service forecast --hardware":                "TestHardware_MovesUnderLoad",
	"portico service upgrade --cancel":                   "TestUpgrade_Canceled",
	"portico gateway install":                            "TestUpgrade_UnderLoad",
	"portico gateway list":                               "TestUpgrade_UnderLoad",
	"portico up --check":                                 "TestControlPlane_ABrokenProgramIsRolledBack",
	"portico upgrade":                                    "TestControlPlane_UpgradeUnderLoad",
	"portico upgrade --watch":                            "TestControlPlane_UpgradeUnderLoad",
	"portico upgrade --status":                           "TestControlPlane_ACrashOnProbationIsUndone",
	"portico upgrade --within":                           "TestControlPlane_ABrokenProgramIsRolledBack",
	"portico gateway rollout start":                      "TestRollout_ByChannelInWindowsUnderLoad",
	"portico gateway rollout start --forecast":           "TestRollout_ByChannelInWindowsUnderLoad",
	"portico gateway rollout start --group":              "TestRollout_ByChannelInWindowsUnderLoad",
	"portico gateway rollout start --parallel":           "TestRollout_ByChannelInWindowsUnderLoad",
	"portico gateway rollout start --ignore-windows":     "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout start --ignore-errors":      "TestRollout_ErrorsOfCallersBringItBack",
	"portico gateway rollout start --halt":               "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout show":                       "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout list":                       "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout pause":                      "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout resume":                     "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout cancel":                     "TestRollout_ARegressionIsRolledBack",
	"portico gateway rollout rollback":                   "TestRollout_ARegressionIsRolledBack",
	"portico service update":                             "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service update --release-channel":           "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service maintenance-window":                 "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service maintenance-window --start":         "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service maintenance-window --day":           "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service maintenance-window --reset":         "TestRollout_ByChannelInWindowsUnderLoad",
	"portico service forecast":                           "TestForecast_ByCommand",
	"portico service forecast --units":                   "TestForecast_ByCommand",
	"portico service forecast --tier":                    "TestForecast_ByCommand",
	"portico service forecast --zones":                   "TestForecast_ByCommand",
	"portico service forecast --mode":                    "TestForecast_ByCommand",
	"portico service forecast --to":                      "TestForecast_ByCommand",
	"portico service forecast --api-version":             "TestForecast_ByCommand",
	"portico service delete":                             "TestCLI_Service",
	"portico service backup":                             "TestBackup_KilledInTheMiddle",
	"portico service backup --account":                   "TestBackup_KilledInTheMiddle",
	"portico service backup --container":                 "TestBackup_KilledInTheMiddle",
	"portico service backup --backup":                    "TestBackup_KilledInTheMiddle",
	"portico service backup --key-file":                  "TestBackup_KilledInTheMiddle",
	"portico service restore":                            "TestBackup_KilledInTheMiddle",
	"portico service restore --account":                  "TestBackup_KilledInTheMiddle",
	"portico service restore --container":                "TestBackup_KilledInTheMiddle",
	"portico service restore --backup":                   "TestBackup_KilledInTheMiddle",
	"portico service restore --key-file":                 "TestBackup_KilledInTheMiddle",
	"portico service deleted":                            "TestCLI_DeletedServices",
	"portico service undelete":                           "TestCLI_DeletedServices",
	"portico service purge":                              "TestCLI_DeletedServices",
	"portico service purge --yes":                        "TestCLI_DeletedServices",
	"portico service timeline":                           "TestCLI_OperationsAndTimeline",
	"portico service create --tags":                      "TestCLI_LocksTagsAndActivity",
	"portico service list --tag":                         "TestCLI_LocksTagsAndActivity",
	"portico service tag":                                "TestCLI_LocksTagsAndActivity",
	"portico service tag --remove":                       "TestCLI_LocksTagsAndActivity",
	"portico lock create":                                "TestCLI_LocksTagsAndActivity",
	"portico lock create --level":                        "TestCLI_LocksTagsAndActivity",
	"portico lock create --notes":                        "TestCLI_LocksTagsAndActivity",
	"portico lock create --resource":                     "TestCLI_LocksTagsAndActivity",
	"portico lock list":                                  "TestCLI_LocksTagsAndActivity",
	"portico lock list --resource":                       "TestCLI_LocksTagsAndActivity",
	"portico lock delete":                                "TestCLI_LocksTagsAndActivity",
	"portico lock delete --resource":                     "TestCLI_LocksTagsAndActivity",
	"portico activity":                                   "TestCLI_LocksTagsAndActivity",
	"portico activity --resource":                        "TestCLI_LocksTagsAndActivity",
	"portico activity --since":                           "TestCLI_LocksTagsAndActivity",
	"portico activity --status":                          "TestCLI_LocksTagsAndActivity",
	"portico activity --caller":                          "TestCLI_LocksTagsAndActivity",
	"portico activity --correlation":                     "TestCLI_LocksTagsAndActivity",
	"portico domain add":                                 "TestCLI_DomainsAndCertificates",
	"portico domain add --certificate":                   "TestCLI_DomainsAndCertificates",
	"portico domain add --key":                           "TestCLI_DomainsAndCertificates",
	"portico domain add --password-file":                 "TestCLI_DomainsAndCertificates",
	"portico domain add --default":                       "TestCLI_DomainsAndCertificates",
	"portico domain add --client-certificates":           "TestCLI_DomainsAndCertificates",
	"portico domain list":                                "TestCLI_DomainsAndCertificates",
	"portico domain remove":                              "TestCLI_DomainsAndCertificates",
	"portico certificate add":                            "TestCLI_DomainsAndCertificates",
	"portico certificate add --certificate":              "TestCLI_DomainsAndCertificates",
	"portico certificate add --key":                      "TestCLI_DomainsAndCertificates",
	"portico certificate add --password-file":            "TestCLI_DomainsAndCertificates",
	"portico certificate list":                           "TestCLI_DomainsAndCertificates",
	"portico certificate remove":                         "TestCLI_DomainsAndCertificates",
	"portico authority add":                              "TestCLI_DomainsAndCertificates",
	"portico authority add --store":                      "TestCLI_DomainsAndCertificates",
	"portico authority list":                             "TestCLI_DomainsAndCertificates",
	"portico authority remove":                           "TestCLI_DomainsAndCertificates",
	"portico region add":                                 "TestCLI_Regions",
	"portico region add --units":                         "TestCLI_Regions",
	"portico region add --zones":                         "TestCLI_Regions",
	"portico region add --disabled":                      "TestCLI_Regions",
	"portico region list":                                "TestCLI_Regions",
	"portico region remove":                              "TestCLI_Regions",
	"portico network vnet list":                          "TestCLI_Networks",
	"portico network vnet show":                          "TestCLI_Networks",
	"portico network vnet delete":                        "TestCLI_Networks",
	"portico network nsg list":                           "TestCLI_Networks",
	"portico network nsg show":                           "TestCLI_Networks",
	"portico network nsg delete":                         "TestCLI_Networks",
	"portico network public-ip list":                     "TestCLI_Networks",
	"portico network public-ip show":                     "TestCLI_Networks",
	"portico network public-ip delete":                   "TestCLI_Networks",
	"portico network vnet create":                        "TestCLI_Networks",
	"portico network vnet create --location":             "TestCLI_Networks",
	"portico network vnet create --prefix":               "TestCLI_Networks",
	"portico network vnet create --subnet":               "TestCLI_Networks",
	"portico network vnet create --nsg":                  "TestCLI_Networks",
	"portico network nsg create":                         "TestCLI_Networks",
	"portico network nsg create --location":              "TestCLI_Networks",
	"portico network nsg create --for-services":          "TestCLI_Networks",
	"portico network nsg rule":                           "TestCLI_Networks",
	"portico network nsg rule --allow":                   "TestCLI_Networks",
	"portico network nsg rule --deny":                    "TestCLI_Networks",
	"portico network nsg rule --delete":                  "TestCLI_Networks",
	"portico network nsg rule --from":                    "TestCLI_Networks",
	"portico network nsg rule --ports":                   "TestCLI_Networks",
	"portico network nsg rule --priority":                "TestCLI_Networks",
	"portico network public-ip create":                   "TestCLI_Networks",
	"portico network public-ip create --location":        "TestCLI_Networks",
	"portico network public-ip create --dns-label":       "TestCLI_Networks",
	"portico network public-ip create --zones":           "TestCLI_Networks",
	"portico network subnet create":                      "TestCLI_Networks",
	"portico network subnet create --prefix":             "TestCLI_Networks",
	"portico network subnet create --nsg":                "TestCLI_Networks",
	"portico network subnet delete":                      "TestCLI_Networks",
	"portico network private-endpoint list":              "TestNetwork_ByCommand",
	"portico network private-endpoint show":              "TestNetwork_ByCommand",
	"portico network private-endpoint delete":            "TestNetwork_ByCommand",
	"portico network private-endpoint connections":       "TestNetwork_ByCommand",
	"portico network private-endpoint approve":           "TestNetwork_ByCommand",
	"portico network private-endpoint approve --message": "TestNetwork_ByCommand",
	"portico network private-endpoint reject":            "TestNetwork_ByCommand",
	"portico network private-endpoint reject --message":  "TestNetwork_ByCommand",
	"portico network private-endpoint create":            "TestNetwork_ByCommand",
	"portico network private-endpoint create --location": "TestNetwork_ByCommand",
	"portico network private-endpoint create --subnet":   "TestNetwork_ByCommand",
	"portico network private-endpoint create --manual":   "TestNetwork_ByCommand",
	"portico network private-endpoint create --message":  "TestNetwork_ByCommand",
	"portico service network":                            "TestNetwork_ByCommand",
	"portico service network --mode":                     "TestNetwork_ByCommand",
	"portico service network --subnet":                   "TestNetwork_ByCommand",
	"portico service network --public-ip":                "TestNetwork_ByCommand",
	"portico identity create":                            "TestBackup_ByIdentity",
	"portico identity create --location":                 "TestBackup_ByIdentity",
	"portico identity list":                              "TestBackup_ByIdentity",
	"portico identity show":                              "TestBackup_ByIdentity",
	"portico identity delete":                            "TestBackup_ByIdentity",
	"portico service identity":                           "TestBackup_ByIdentity",
	"portico service identity --system":                  "TestBackup_ByIdentity",
	"portico service identity --assign":                  "TestBackup_ByIdentity",
	"portico service identity --remove":                  "TestBackup_ByIdentity",
	"portico service backup --identity":                  "TestBackup_ByIdentity",
	"portico service restore --identity":                 "TestBackup_ByIdentity",
	"portico operations":                                 "TestCLI_OperationsAndTimeline",
	"portico operations --running":                       "TestCLI_OperationsAndTimeline",
	"portico expr":                                       "TestCLI_Expr",
	"portico expr --context":                             "TestCLI_Expr",
	"portico expr --explain":                             "TestCLI_Expr",
	"portico expr --check":                               "TestCLI_Expr",
	"portico expr --run":                                 "TestCLI_Expr",
	"portico autoscale set":                              "TestAutoscale_OutAndBackIn",
	"portico autoscale set --min":                        "TestAutoscale_OutAndBackIn",
	"portico autoscale set --max":                        "TestAutoscale_OutAndBackIn",
	"portico autoscale set --default":                    "TestAutoscale_OutAndBackIn",
	"portico autoscale set --step":                       "TestAutoscale_OutAndBackIn",
	"portico autoscale set --out":                        "TestAutoscale_OutAndBackIn",
	"portico autoscale set --in":                         "TestAutoscale_OutAndBackIn",
	"portico autoscale set --webhook":                    "TestAutoscale_OutAndBackIn",
	"portico autoscale set --window":                     "TestAutoscale_OutAndBackIn",
	"portico autoscale set --cool-down-out":              "TestAutoscale_OutAndBackIn",
	"portico autoscale set --cool-down-in":               "TestAutoscale_OutAndBackIn",
	"portico autoscale set --disabled":                   "TestAutoscale_OutAndBackIn",
	"portico autoscale set --file":                       "TestAutoscale_OutAndBackIn",
	"portico autoscale show":                             "TestAutoscale_OutAndBackIn",
	"portico autoscale list":                             "TestAutoscale_OutAndBackIn",
	"portico autoscale delete":                           "TestAutoscale_OutAndBackIn",
	"portico service capacity":                           "TestAutoscale_OutAndBackIn",
	"portico units":                                      "TestCLI_Service",
	"portico zone list":                                  "TestSoak",
	"portico zone down":                                  "TestMachine_Kill",
	"portico zone up":                                    "TestMachine_Kill",
	"portico machine":                                    "TestMachine_Kill",
	"portico machine kill":                               "TestMachine_Kill",
	"portico clock":                                      "TestPace_Fast",
	"portico clock --advance":                            "TestPace_Manual",
	"portico api import":                                 "TestCLI_Import",
	"portico api import --id":                            "TestCLI_Import",
	"portico api import --path":                          "TestCLI_Import",
	"portico api import --service-url":                   "TestCLI_Import",
}

// common are flags that several commands share.
var common = map[string]string{
	"data":           "TestUp_FirstRunMakesTheFolder",
	"resource-group": "TestCLI_Service",
	"output":         "TestCLI_Service",
	"service":        "TestCLI_Regions",
}

// TestCommandsPage renders the reference of commands and flags. It fails when one of them has no test, and when the
// page is not fresh (-update writes it).
func TestCommandsPage(t *testing.T) {
	t.Parallel()
	exists := endToEndTests(t)
	settings := map[string]bool{}
	for _, s := range config.Settings() {
		settings[s.Key] = true
	}
	var b bytes.Buffer
	b.WriteString("# Commands\n\n<!-- Generated by `make gen` from the commands of the program. Do not edit. -->\n\n| command | does | proof |\n| --- | --- | --- |\n")
	var flags bytes.Buffer
	cite := func(what, test string) string {
		if !exists[test] {
			t.Errorf("%s: its test %q does not exist", what, test)
		}
		return "`" + test + "`"
	}
	walk(root(), func(c *cobra.Command) {
		if c.HasSubCommands() {
			return
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.UseLine(), c.Short, cite(c.CommandPath(), proofs[c.CommandPath()]))
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			name := c.CommandPath() + " --" + f.Name
			switch test := common[f.Name]; {
			case f.Name == "help" || settings[f.Name] && f.Name != "data":
			case test != "":
				cite(name, test)
			default:
				fmt.Fprintf(&flags, "| `%s` | %s | %s |\n", name, f.Usage, cite(name, proofs[name]))
			}
		})
	})
	b.WriteString("\n## Flags\n\nEvery command that talks to a Portico takes `--data`; commands about services take `--resource-group` and\n`--output`, those about a part of one `--service`. The settings of `portico up` are on [their own page](settings.md).\n\n| flag | meaning | proof |\n| --- | --- | --- |\n")
	b.Write(flags.Bytes())
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(page); err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not fresh: run `make gen`", page)
	}
}

func walk(c *cobra.Command, f func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		f(sub)
		walk(sub, f)
	}
}

func endToEndTests(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../test/e2e/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no end-to-end tests: %v", err)
	}
	found := map[string]bool{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}

func TestImportFormat(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"openapi: 3.0.1\n": "openapi", `{"openapi": "3.0.1"}`: "openapi+json", `{"swagger": "2.0"}`: "swagger-json", "swagger: '2.0'": "swagger-json",
	} {
		if got := importFormat([]byte(document)); got != want {
			t.Errorf("%s is %s, want %s", strings.TrimSpace(document), got, want)
		}
	}
}
