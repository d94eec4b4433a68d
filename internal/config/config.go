// Package config reads the settings of `portico up` from flags, environment and a file, in that order, over the
// defaults, and remembers where each value came from. Layout (layout.go) knows the data folder.
package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/portico-dev/portico/internal/control/backup"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
)

// A Setting is one row of the table of settings. Key is the flag's name; the environment variable is PORTICO_ and the
// key in capitals with underscores; the file spells the key as it is.
type Setting struct {
	Key     string
	Default string
	Help    string
	Test    string // the test that proves the setting's effect
	set     func(*Up, string) error
}

// Env is the name of the setting's environment variable.
func (s Setting) Env() string {
	return "PORTICO_" + strings.ToUpper(strings.ReplaceAll(s.Key, "-", "_"))
}

// Up is the configuration of `portico up`.
type Up struct {
	Data        string // the data folder
	ARM         string // address of ARM and portal, plain
	ARMTLS      string
	Edge        string // address of the edge, plain
	EdgeTLS     string
	VIPHTTP     int          // port of every VIP, plain
	VIPHTTPS    int          // port of every VIP, TLS
	VIPPool     netip.Prefix // zero: derived from the data folder
	Domain      string       // services are {name}.Domain on the edge
	Coexistence time.Duration
	// HealthDeadline is how long new gateways may take to become healthy.
	HealthDeadline time.Duration
	// HangTime is how long a gateway may leave the questions of its agent unanswered.
	HangTime time.Duration
	// GapTime is how long connections of a service wait while none of its gateways takes any.
	GapTime time.Duration
	// Grace is how long after a change no machine is given up; Pause the platform time between two batches of a walk.
	Grace, Pause  time.Duration
	RetireSTv1    time.Time     // zero: never
	SoftDelete    time.Duration // how long a deleted service can be restored
	Idle          time.Duration // after which an mtv1 worker unloads a service
	Sleep         time.Duration // after which an mtv1 worker without connections ends its process; 0: never
	Counters      int           // for rate limits, and as many for quotas, of a service at a location
	Cache         int64         // bytes of one machine for responses and values that policies keep
	MachineCores  float64       // of a machine; 0: as many as the host has
	MachineMemory int64         // bytes
	NewerCores    float64       // of one on newer hardware; 0: as MachineCores
	NewerMemory   int64         // bytes of one; 0: as MachineMemory
	Limits        platform.Era  // on what services may hold
	Pace          pace.Pace     // of platform time
	// BlobEndpoint is where the Blob service of a storage account is, {account} in it; BackupFolders stand in for accounts.
	BlobEndpoint  string
	BackupFolders map[string]string
	// BackupKeys are files with the keys of the accounts that identities of services are let into.
	BackupKeys map[string]string
	LogLevel   string
}

// Settings is the table of all settings of `portico up`, in the order of the help text.
func Settings() []Setting {
	return []Setting{
		{"data", "./portico-data", "folder of all state; made on first use", "TestUp_FirstRunMakesTheFolder", text(func(u *Up) *string { return &u.Data })},
		{"arm", "127.0.0.1:8480", "address of ARM and portal, plain HTTP", "TestUp_PortZeroIsKept", address(func(u *Up) *string { return &u.ARM })},
		{"arm-tls", "127.0.0.1:8443", "address of ARM and portal, TLS", "TestUp_PortZeroIsKept", address(func(u *Up) *string { return &u.ARMTLS })},
		{"edge", "127.0.0.1:8080", "address of the edge, plain HTTP", "TestUp_PortZeroIsKept", address(func(u *Up) *string { return &u.Edge })},
		{"edge-tls", "127.0.0.1:8444", "address of the edge, TLS", "TestUp_PortZeroIsKept", address(func(u *Up) *string { return &u.EdgeTLS })},
		{"vip-http", "9080", "port of every VIP, plain HTTP", "TestUp_VIPSettings", port(func(u *Up) *int { return &u.VIPHTTP })},
		{"vip-https", "9443", "port of every VIP, TLS", "TestUp_VIPSettings", port(func(u *Up) *int { return &u.VIPHTTPS })},
		{"vip-pool", "", "addresses for VIPs, as a prefix; empty: a loopback range derived from the folder", "TestUp_VIPSettings", prefix},
		{"domain", "apim.localhost", "services are {name}.DOMAIN on the edge", "TestUp_Domain", text(func(u *Up) *string { return &u.Domain })},
		{"coexistence", "15m", "how long the old compute of a migration is kept", "TestSoak", window(func(u *Up) *time.Duration { return &u.Coexistence })},
		{"health-deadline", "2m", "how long new gateways may take to become healthy before a change is undone", "TestRollback_OfAMigration", positive(func(u *Up) *time.Duration { return &u.HealthDeadline })},
		{"hang-time", "15s", "after about how long without an answer a gateway is killed and started again", "TestMachine_ThatHangs", positive(func(u *Up) *time.Duration { return &u.HangTime })},
		{"gap-time", "1m", "how long connections of a service with gateways of its own wait while none of these takes any; then they are refused, with 503, until one does", "TestGap_IsBounded", positive(func(u *Up) *time.Duration { return &u.GapTime })},
		{"repair-grace", "1m", "how long after machines were added none is given up and replaced; on stv2, in the pools and the v2 tiers", "TestRepair_WaitsForItsGrace", positive(func(u *Up) *time.Duration { return &u.Grace })},
		{"batch-pause", "0s", "platform time between two batches of an upgrade, on stv2, in the pools and the v2 tiers", "TestUpgrade_PausesBetweenBatches", window(func(u *Up) *time.Duration { return &u.Pause })},
		{"soft-delete", "48h", "how long a deleted service can be restored", "TestSoftDelete_IsPurgedAfterItsWindow", window(func(u *Up) *time.Duration { return &u.SoftDelete })},
		{"retire-stv1", "", "day, or time, from which no service is put on stv1, and those on it are migrated; empty: never", "TestSoak", date(func(u *Up) *time.Time { return &u.RetireSTv1 })},
		{"idle", "20m", "after how long without a request an mtv1 worker unloads a service", "TestConsumption_ActivatesAndUnloads", window(func(u *Up) *time.Duration { return &u.Idle })},
		{"sleep", "20m", "after how long without a connection the process of an mtv1 worker ends, until the next one; 0s: never", "TestConsumption_SleepsAndWakes", window(func(u *Up) *time.Duration { return &u.Sleep })},
		{"counters", "65536", "counters for rate limits, and as many for quotas, that a service has at a location; a Consumption service has an eighth", "TestRateLimit_IsExactOverMachines", count(func(u *Up) *int { return &u.Counters })},
		{"cache", "64MiB", "memory of one machine for the responses and values that policies keep; one that takes more than an eighth is not kept", "TestCache_HoldsWhatItMay", size(func(u *Up) *int64 { return &u.Cache })},
		{"machine-cores", "", "processor cores of a machine: as many of its threads run at a time, and its load is measured by them; a worker of a pool is only measured. Empty: measured by one, and as many as the host has", "TestUp_MachineBounds", optional(cores(func(u *Up) *float64 { return &u.MachineCores }))},
		{"machine-memory", "1GiB", "memory of a machine: its load is measured by it, and garbage is collected more often near it", "TestUp_MachineBounds", size(func(u *Up) *int64 { return &u.MachineMemory })},
		{"newer-cores", "", "processor cores of a machine on newer hardware, stv2.1; empty: as --machine-cores", "TestHardware_MovesUnderLoad", optional(cores(func(u *Up) *float64 { return &u.NewerCores }))},
		{"newer-memory", "", "memory of a machine on newer hardware; empty: as --machine-memory, and with neither there is none", "TestHardware_MovesUnderLoad", optional(size(func(u *Up) *int64 { return &u.NewerMemory }))},
		{"limits", "2024", "limits on what a service of each tier may hold: those published until 2024, those of 2026, or none", "TestUp_Limits", limits},
		{"pace", "instant", "instant: work takes as long as it takes; azure: as long as in the cloud service; xN: as in the cloud service, with a clock N times as fast; manual: the clock stands until `portico clock --advance`", "TestPace_Manual", speed},
		{"blob-endpoint", backup.DefaultEndpoint, "where backups go: the Blob service of a storage account, {account} standing for its name", "TestBackup_ToAStorageAccount", endpoint},
		{"backup-folders", "", "folders that stand in for storage accounts, as ACCOUNT=FOLDER,…; each holds a folder for each container", "TestBackup_ToAFolder", backupFolders},
		{"backup-keys", "", "storage accounts that services get into by their managed identities, as ACCOUNT=FILE,…; each file has the access key of the account", "TestBackup_ByIdentity", backupKeys},
		{"log-level", "warn", "what is logged to stderr: debug, info, warn, error", "TestUp_LogLevel", level},
	}
}

func text(field func(*Up) *string) func(*Up, string) error {
	return func(u *Up, v string) error {
		if v == "" {
			return errors.New("may not be empty")
		}
		*field(u) = v
		return nil
	}
}

func address(field func(*Up) *string) func(*Up, string) error {
	return func(u *Up, v string) error {
		_, p, err := net.SplitHostPort(v)
		if err != nil {
			return fmt.Errorf("%q is not host:port", v)
		}
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return fmt.Errorf("%q has no port between 0 and 65535", v)
		}
		*field(u) = v
		return nil
	}
}

func port(field func(*Up) *int) func(*Up, string) error {
	return func(u *Up, v string) error {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not a port between 0 and 65535", v)
		}
		*field(u) = int(n)
		return nil
	}
}

func count(field func(*Up) *int) func(*Up, string) error {
	return func(u *Up, v string) error {
		n, err := strconv.ParseUint(v, 10, 24)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not a number between 1 and %d", v, 1<<24-1)
		}
		*field(u) = int(n)
		return nil
	}
}

func size(field func(*Up) *int64) func(*Up, string) error {
	return func(u *Up, v string) error {
		for unit, shift := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
			digits, found := strings.CutSuffix(v, unit)
			n, err := strconv.ParseUint(digits, 10, 20)
			if found && err == nil && n > 0 {
				*field(u) = int64(n) << shift //nolint:gosec // 20 bits
				return nil
			}
		}
		return fmt.Errorf("%q is not a size such as 512KiB, 64MiB or 2GiB", v)
	}
}

func cores(field func(*Up) *float64) func(*Up, string) error {
	return func(u *Up, v string) error {
		const least, most = 0.01, 1024.0
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || !(n >= least && n <= most) {
			return fmt.Errorf("%q is not a number of cores between %v and %v", v, least, most)
		}
		*field(u) = n
		return nil
	}
}

// optional takes an empty value for none.
func optional(set func(*Up, string) error) func(*Up, string) error {
	return func(u *Up, v string) error {
		if v == "" {
			return nil
		}
		return set(u, v)
	}
}

func prefix(u *Up, v string) error {
	if v == "" {
		return nil
	}
	p, err := netip.ParsePrefix(v)
	if err != nil || !p.Addr().Is4() {
		return fmt.Errorf("%q is not an IPv4 prefix such as 10.9.0.0/24", v)
	}
	u.VIPPool = p.Masked()
	return nil
}

func window(field func(*Up) *time.Duration) func(*Up, string) error {
	return func(u *Up, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is not a duration such as 90s, 15m or 48h", v)
		}
		*field(u) = d
		return nil
	}
}

func date(field func(*Up) *time.Time) func(*Up, string) error {
	return func(u *Up, v string) error {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, v); err == nil {
				*field(u) = t
				return nil
			}
		}
		if v != "" {
			return fmt.Errorf("%q is not a date such as 2024-08-31 or 2024-08-31T22:00:00Z", v)
		}
		return nil
	}
}

// positive is window without 0.
func positive(field func(*Up) *time.Duration) func(*Up, string) error {
	return func(u *Up, v string) error {
		if err := window(field)(u, v); err != nil {
			return err
		}
		if *field(u) == 0 {
			return errors.New("may not be 0")
		}
		return nil
	}
}

func speed(u *Up, v string) (err error) {
	u.Pace, err = pace.Parse(v)
	return err
}

func limits(u *Up, v string) error {
	era := platform.Era(v)
	if !slices.Contains(platform.Eras(), era) {
		return fmt.Errorf("%q is none of 2024, 2026, none", v)
	}
	u.Limits = era
	return nil
}

func endpoint(u *Up, v string) error {
	at, err := url.Parse(strings.ReplaceAll(v, "{account}", "account"))
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return fmt.Errorf("%q is not a URL such as %s or http://127.0.0.1:10000/{account}", v, backup.DefaultEndpoint)
	}
	u.BlobEndpoint = v
	return nil
}

func backupFolders(u *Up, v string) (err error) {
	u.BackupFolders, err = backup.ParsePaths(v)
	return err
}

func backupKeys(u *Up, v string) (err error) {
	u.BackupKeys, err = backup.ParsePaths(v)
	return err
}

func level(u *Up, v string) error {
	switch v {
	case "debug", "info", "warn", "error":
		u.LogLevel = v
		return nil
	}
	return fmt.Errorf("%q is none of debug, info, warn, error", v)
}

// A Value is a setting with where it came from: "flag", "environment NAME", "file PATH" or "default".
type Value struct {
	Setting
	Value  string
	Source string
}

// Load decides every setting. flags holds those given on the command line; file may be empty.
func Load(flags map[string]string, lookupEnv func(string) (string, bool), file string) (Up, []Value, error) {
	fromFile, err := readFile(file)
	if err != nil {
		return Up{}, nil, err
	}
	var up Up
	var values []Value
	var errs []error
	for _, s := range Settings() {
		v := Value{Setting: s, Value: s.Default, Source: "default"}
		if x, ok := fromFile[s.Key]; ok {
			v.Value, v.Source = x, "file "+file
		}
		if x, ok := lookupEnv(s.Env()); ok {
			v.Value, v.Source = x, "environment "+s.Env()
		}
		if x, ok := flags[s.Key]; ok {
			v.Value, v.Source = x, "flag"
		}
		if err := s.set(&up, v.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s (%s): %w", s.Key, v.Source, err))
		}
		values = append(values, v)
	}
	errs = append(errs, up.checkHardware())
	return up, values, errors.Join(errs...)
}

const maxFile = 1 << 20 // bytes of a configuration file

func readFile(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	var root yaml.Node
	if err := yaml.NewDecoder(io.LimitReader(f, maxFile)).Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if len(root.Content) == 0 {
		return nil, nil
	}
	top := root.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected lines of the form key: value", path, top.Line)
	}
	values := map[string]string{}
	var errs []error
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		switch {
		case !known(key.Value):
			errs = append(errs, fmt.Errorf("%s:%d:%d: unknown key %q; did you mean %q?", path, key.Line, key.Column, key.Value, nearest(key.Value)))
		case value.Kind != yaml.ScalarNode:
			errs = append(errs, fmt.Errorf("%s:%d:%d: %s takes one value", path, value.Line, value.Column, key.Value))
		default:
			values[key.Value] = value.Value
		}
	}
	return values, errors.Join(errs...)
}

func known(key string) bool {
	for _, s := range Settings() {
		if s.Key == key {
			return true
		}
	}
	return false
}

// nearest is the known key with the fewest single-character edits from key.
func nearest(key string) string {
	all := Settings()
	sort.SliceStable(all, func(i, j int) bool { return edits(key, all[i].Key) < edits(key, all[j].Key) })
	return all[0].Key
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
