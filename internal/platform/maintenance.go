package platform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // hosts without a database of time zones have nights too
)

// A Channel says how early a service gets a new version of the gateway. The words are those of releaseChannel.
type Channel string

// The channels, which portals call Early, Default and Late.
const (
	PreviewChannel Channel = "Preview"
	DefaultChannel Channel = "Default"
	StableChannel  Channel = "Stable"
)

// Channels lists the channels in the order in which versions reach them.
func Channels() []Channel { return []Channel{PreviewChannel, DefaultChannel, StableChannel} }

// ChannelOf is the channel of a service that has chosen one, or none. Developer services are early, whatever they chose;
// those that share their machines with others go with the default.
func ChannelOf(tier Tier, chosen string) Channel {
	switch {
	case tier == Developer:
		return PreviewChannel
	case tier != Consumption && slices.Contains(Channels(), Channel(chosen)):
		return Channel(chosen)
	}
	return DefaultChannel
}

// WindowTakes is how long a maintenance window is.
const WindowTakes = 8 * time.Hour

// defaultStart is when a maintenance window begins that nobody has moved.
const defaultStart = "22:00"

// A Maintenance says when the platform may work on a service of its own accord: in a window each day, told by the clocks
// of the location. The zero value is the window of the night, from ten to six.
type Maintenance struct {
	Start string `json:"start,omitempty"` // of every day that is not in Days: 22:00
	// Days are the days whose window begins at another time, by their English name.
	Days map[string]string `json:"days,omitempty"`
}

// Normal is m with its names and times spelt as they are kept, or says which of them is none.
func (m Maintenance) Normal() (Maintenance, error) {
	out := Maintenance{}
	var err error
	if m.Start != "" {
		if out.Start, err = normalTime(m.Start); err != nil {
			return out, fmt.Errorf("start: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Days)) {
		day, ok := weekday(name)
		if !ok {
			return out, fmt.Errorf("days: %q is not a day of the week", name)
		}
		if out.Days == nil {
			out.Days = map[string]string{}
		}
		if out.Days[day.String()], err = normalTime(m.Days[name]); err != nil {
			return out, fmt.Errorf("days.%s: %w", name, err)
		}
	}
	return out, nil
}

func normalTime(s string) (string, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return "", fmt.Errorf("%q is not a time of day such as 22:00", s)
	}
	return t.Format("15:04"), nil
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()) {
			return d, true
		}
	}
	return 0, false
}

// Window is the window in a zone that is open at t, or else the next one. Of two that are open it is the one that closes
// later.
func (m Maintenance) Window(zone *time.Location, t time.Time) (from, to time.Time) {
	local := t.In(zone)
	const longest = 9 // days around t: a window begins on each
	for i := range longest {
		begin := m.begins(zone, local.Year(), local.Month(), local.Day()+i-1)
		switch end := begin.Add(WindowTakes); {
		case !end.After(t):
		case !begin.After(t):
			from, to = begin, end
		case from.IsZero():
			from, to = begin, end
		}
	}
	return from, to
}

// Begins is the time of day at which windows begin on days that have none of their own.
func (m Maintenance) Begins() string { return cmp.Or(m.Start, defaultStart) }

// begins is when the window of a day begins.
func (m Maintenance) begins(zone *time.Location, y int, mo time.Month, d int) time.Time {
	day := time.Date(y, mo, d, 12, 0, 0, 0, zone).Weekday()
	start := m.Begins()
	if s, ok := m.Days[day.String()]; ok {
		start = s
	}
	at, err := time.Parse("15:04", start)
	if err != nil { // Normal has read it
		at, _ = time.Parse("15:04", defaultStart)
	}
	return time.Date(y, mo, d, at.Hour(), at.Minute(), 0, 0, zone)
}

// located are the locations of each time zone.
var located = map[string][]string{
	"Europe/Amsterdam":    {"westeurope"},
	"Europe/Dublin":       {"northeurope"},
	"Europe/London":       {"uksouth", "ukwest"},
	"Europe/Berlin":       {"germanywestcentral", "germanynorth"},
	"Europe/Stockholm":    {"swedencentral"},
	"Europe/Paris":        {"francecentral", "francesouth"},
	"Europe/Zurich":       {"switzerlandnorth", "switzerlandwest"},
	"Europe/Oslo":         {"norwayeast", "norwaywest"},
	"Europe/Warsaw":       {"polandcentral"},
	"Europe/Rome":         {"italynorth"},
	"America/New_York":    {"eastus", "eastus2"},
	"America/Chicago":     {"centralus", "southcentralus", "northcentralus"},
	"America/Denver":      {"westcentralus"},
	"America/Phoenix":     {"westus3"},
	"America/Los_Angeles": {"westus", "westus2"},
	"America/Toronto":     {"canadacentral", "canadaeast"},
	"America/Sao_Paulo":   {"brazilsouth", "brazilsoutheast"},
	"Africa/Johannesburg": {"southafricanorth", "southafricawest"},
	"Asia/Dubai":          {"uaenorth", "uaecentral"},
	"Asia/Qatar":          {"qatarcentral"},
	"Asia/Jerusalem":      {"israelcentral"},
	"Asia/Kolkata":        {"centralindia", "southindia", "westindia"},
	"Asia/Tokyo":          {"japaneast", "japanwest"},
	"Asia/Seoul":          {"koreacentral", "koreasouth"},
	"Asia/Hong_Kong":      {"eastasia"},
	"Asia/Singapore":      {"southeastasia"},
	"Australia/Sydney":    {"australiaeast", "australiacentral"},
	"Australia/Melbourne": {"australiasoutheast"},
}

var timeZones = sync.OnceValue(func() map[string]*time.Location {
	all := map[string]*time.Location{}
	for name, locations := range located {
		zone, err := time.LoadLocation(name)
		for _, location := range locations {
			if err == nil {
				all[location] = zone
			}
		}
	}
	return all
})

// Zone is the time zone of a location; UTC for one that is not known.
func Zone(location string) *time.Location {
	if zone := timeZones()[location]; zone != nil {
		return zone
	}
	return time.UTC
}

// MaintenanceBelow is where the window of a service is stored, below the service, in the form in which IDs are compared.
const MaintenanceBelow = "/providers/portico.hosting/maintenancewindow"
