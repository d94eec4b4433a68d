package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/autoscale"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/store"
)

// Insights is the namespace of autoscale settings, metrics and the activity log.
const Insights = "Microsoft.Insights"

// AutoscaleSettings is the type of autoscale settings.
const AutoscaleSettings = Insights + "/autoscaleSettings"

var autoscaleVersions = []arm.Version{"2022-10-01", autoscaleOff, "2015-04-01", "2014-04-01"}

// autoscaleOff is the first api-version in which a setting that does not say so is not enabled.
const autoscaleOff arm.Version = "2021-05-01-preview"

// AutoscaleStatus is the Status of an autoscale setting.
type AutoscaleStatus struct {
	Last *AutoscaleAction `json:"last,omitempty"`
}

// An AutoscaleAction is what a setting did.
type AutoscaleAction struct {
	At      time.Time `json:"at"` // when it began, by platform time
	From    int       `json:"from"`
	To      int       `json:"to"`
	Profile string    `json:"profile"`
	Why     string    `json:"why"`
}

var (
	settingName = regexp.MustCompile(`^[^<>*%&:\\?+/]+$`)
	serviceID   = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ApiManagement/service/[^/]+/?$`)
)

func autoscaleSettings() *Row {
	return &Row{
		Namespace: Insights, Path: "autoscaleSettings", Shape: Tracked, Entity: "Autoscale setting", Proof: "TestAutoscale_Setting", Versions: autoscaleVersions,
		Verbs: Get | Head | Put | Patch | Delete | List, NameParam: "autoscaleSettingName", NameMax: 260, NameLike: settingName, NoIfMatch: true,
		Lookup: "properties.targetResourceUri",
		Fields: slices.Concat([]Field{
			{Path: "location", Kind: String},
			{Path: "tags", Kind: Map},
			{Path: "properties.name", Kind: String},
			{Path: "properties.enabled", Kind: Bool},
			{Path: "properties.targetResourceUri", Kind: String, Flags: Required},
			{Path: "properties.targetResourceLocation", Kind: String},
			{Path: "properties.notifications[].operation", Kind: String, Flags: Required, Enum: words("Scale")},
			{Path: "properties.notifications[].email.sendToSubscriptionAdministrator", Kind: Bool},
			{Path: "properties.notifications[].email.sendToSubscriptionCoAdministrators", Kind: Bool},
			{Path: "properties.notifications[].email.customEmails", Kind: Array},
			{Path: "properties.notifications[].webhooks[].serviceUri", Kind: String, Flags: Required},
			{Path: "properties.notifications[].webhooks[].properties", Kind: Map},
			{Path: "properties.predictiveAutoscalePolicy.scaleMode", Kind: String, From: autoscaleOff, Flags: Required, Enum: words("Disabled", "ForecastOnly", "Enabled")},
			{Path: "properties.predictiveAutoscalePolicy.scaleLookAheadTime", Kind: String, From: autoscaleOff},
		},
			below("properties.profiles[]",
				Field{Path: "name", Kind: String, Flags: Required, MinLen: 1, MaxLen: 260},
				Field{Path: "capacity.minimum", Kind: String, Flags: Required},
				Field{Path: "capacity.maximum", Kind: String, Flags: Required},
				Field{Path: "capacity.default", Kind: String, Flags: Required},
				Field{Path: "fixedDate.timeZone", Kind: String},
				Field{Path: "fixedDate.start", Kind: String, Flags: Required},
				Field{Path: "fixedDate.end", Kind: String, Flags: Required},
				Field{Path: "recurrence.frequency", Kind: String, Flags: Required, Enum: words("None", "Second", "Minute", "Hour", "Day", "Week", "Month", "Year")},
				Field{Path: "recurrence.schedule.timeZone", Kind: String, Flags: Required},
				Field{Path: "recurrence.schedule.days", Kind: Array, Flags: Required},
				Field{Path: "recurrence.schedule.hours", Kind: Array, Of: Int, Flags: Required},
				Field{Path: "recurrence.schedule.minutes", Kind: Array, Of: Int, Flags: Required},
			),
			below("properties.profiles[].rules[].metricTrigger",
				Field{Path: "metricName", Kind: String, Flags: Required},
				Field{Path: "metricNamespace", Kind: String},
				Field{Path: "metricResourceUri", Kind: String, Flags: Required},
				Field{Path: "metricResourceLocation", Kind: String},
				Field{Path: "timeGrain", Kind: String, Flags: Required},
				Field{Path: "statistic", Kind: String, Flags: Required, Enum: words(autoscale.Statistics()...)},
				Field{Path: "timeWindow", Kind: String, Flags: Required},
				Field{Path: "timeAggregation", Kind: String, Flags: Required, Enum: words(autoscale.TimeAggregations()...)},
				Field{Path: "operator", Kind: String, Flags: Required, Enum: words(autoscale.Operators()...)},
				Field{Path: "threshold", Kind: Number, Flags: Required},
				Field{Path: "dimensions", Kind: Array, Of: Any},
				Field{Path: "dividePerInstance", Kind: Bool},
			),
			below("properties.profiles[].rules[].scaleAction",
				Field{Path: "direction", Kind: String, Flags: Required, Enum: words("Increase", "Decrease")},
				Field{Path: "type", Kind: String, Flags: Required, Enum: words(autoscale.Kinds()...)},
				Field{Path: "value", Kind: String},
				Field{Path: "cooldown", Kind: String, Flags: Required},
			)),
		Complete: completeAutoscale,
		Rules:    []Rule{tagLimits, autoscaleNotBuilt, autoscaleRules},
	}
}

func completeAutoscale(c *Change) {
	c.New.Set("location", NormalLocation(c.New.Text("location")))
	c.New.SetDefault("properties.enabled", c.Version.Before(autoscaleOff))
	c.New.SetDefault("properties.name", c.Name)
	c.New.SetDefault("properties.notifications", []any{})
	for _, p := range c.New.List("properties.profiles") {
		profile, _ := p.(map[string]any)
		for _, r := range Object(profile).List("rules") {
			rule, _ := r.(map[string]any)
			Object(rule).SetDefault("metricTrigger.dividePerInstance", false)
			Object(rule).SetDefault("scaleAction.value", "1")
		}
	}
}

// autoscaleNotBuilt refuses, by name, what this version of Portico does not do.
func autoscaleNotBuilt(c *Change) (found []arm.ErrorDetail) {
	for i, n := range c.New.List("properties.notifications") {
		notification, _ := n.(map[string]any)
		if mails(Object(notification)) {
			found = append(found, notBuilt(fmt.Sprintf("notifications[%d].email", i), "Notifications of autoscale settings by email"))
		}
	}
	if mode := c.New.Text("properties.predictiveAutoscalePolicy.scaleMode"); mode != "" && mode != "Disabled" {
		found = append(found, notBuilt("predictiveAutoscalePolicy.scaleMode", "Predictive autoscale"))
	}
	for _, p := range c.New.List("properties.profiles") {
		profile, _ := p.(map[string]any)
		for _, r := range Object(profile).List("rules") {
			rule, _ := r.(map[string]any)
			if len(Object(rule).List("metricTrigger.dimensions")) > 0 {
				return append(found, notBuilt("dimensions", "Dimensions of the metrics of rules"))
			}
		}
	}
	return found
}

// mails says whether a notification goes to anybody by email.
func mails(n Object) bool {
	return n.Flag("email.sendToSubscriptionAdministrator") || n.Flag("email.sendToSubscriptionCoAdministrators") || len(n.List("email.customEmails")) > 0
}

// autoscaleRules are what one field does not say: what a setting means, what the service can do, and that no other
// setting scales it.
func autoscaleRules(c *Change) []arm.ErrorDetail {
	const path = "targetResourceUri"
	if target := c.New.Text("properties." + path); !serviceID.MatchString(target) {
		return []arm.ErrorDetail{Finding(path, "'%s' is not the ID of a service: other resources are not scaled.", target)}
	}
	s, found := Autoscale(c.New)
	if len(found) > 0 {
		return found
	}
	d, rerr := c.Tree.Get(strings.TrimRight(s.Target, "/"))
	if errors.Is(rerr, store.ErrNotFound) {
		return []arm.ErrorDetail{Finding(path, "There is no service '%s'.", s.Target)}
	}
	service, perr := parseObject(d.Desired)
	if err := errors.Join(rerr, perr); err != nil {
		return []arm.ErrorDetail{{Code: "InternalServerError", Target: path, Message: "The service '" + s.Target + "' cannot be read."}}
	}
	found = s.Check(platform.Tier(service.Text("sku.name")), len(service.Texts("zones")))
	docs, _ := c.Named(AutoscaleSettings, s.Target)
	for _, other := range docs {
		if store.Key(other.ID) != store.Key(c.ID) {
			found = append(found, Finding(path, "The service is scaled by another setting already: %s.", other.ID))
		}
	}
	return found
}

// Autoscale reads what an autoscale setting says, or what is wrong with it.
func Autoscale(o Object) (autoscale.Setting, []arm.ErrorDetail) {
	properties, err := json.Marshal(o["properties"])
	if err != nil {
		return autoscale.Setting{}, []arm.ErrorDetail{Finding("properties", "%s", err)}
	}
	s, found, err := autoscale.Read(properties)
	if err != nil {
		return s, []arm.ErrorDetail{Finding("properties", "%s", err)}
	}
	return s, found
}
