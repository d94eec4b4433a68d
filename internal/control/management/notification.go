package management

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/autoscale"
	"github.com/portico-dev/portico/internal/control/webhook"
)

// A notification is what a webhook of an autoscale setting gets, as Azure Monitor sends it:
// https://learn.microsoft.com/azure/azure-monitor/autoscale/autoscale-webhook-email
type notification struct {
	Version    string              `json:"version"`
	Status     string              `json:"status"`
	Operation  string              `json:"operation"`
	Context    notificationContext `json:"context"`
	Properties map[string]string   `json:"properties"`
}

type notificationContext struct {
	Timestamp         string `json:"timestamp"` // by the clock of the platform
	ID                string `json:"id"`        // of the setting
	Name              string `json:"name"`
	Details           string `json:"details"`
	SubscriptionID    string `json:"subscriptionId"`
	ResourceGroupName string `json:"resourceGroupName"`
	ResourceName      string `json:"resourceName"`
	ResourceType      string `json:"resourceType"`
	ResourceID        string `json:"resourceId"`
	PortalLink        string `json:"portalLink"` // empty: there is no portal
	ResourceRegion    string `json:"resourceRegion"`
	OldCapacity       string `json:"oldCapacity"`
	NewCapacity       string `json:"newCapacity"`
}

// notify tells the webhooks of a setting what it has asked for.
func (a autoscaler) notify(s scaled, d autoscale.Decision) {
	if len(s.rules.Webhooks) == 0 {
		return
	}
	service, err := arm.ParsePath(s.service.ID)
	if err != nil {
		return // it is stored
	}
	n := notification{Version: "1.0", Status: "Activated", Operation: "Scale In", Context: notificationContext{
		Timestamp: a.opt.Clock.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"),
		ID:        s.setting.ID, Name: lastSegment(s.setting.ID),
		SubscriptionID: service.Subscription, ResourceGroupName: service.ResourceGroup,
		ResourceName: lastSegment(s.service.ID), ResourceType: strings.ToLower(service.Type()), ResourceID: s.service.ID,
		ResourceRegion: s.compute.Name, OldCapacity: strconv.Itoa(s.compute.Wish.Units), NewCapacity: strconv.Itoa(d.Units),
	}}
	if d.Units > s.compute.Wish.Units {
		n.Operation = "Scale Out"
	}
	if l, ok := a.env.Location(s.compute.Name); ok {
		n.Context.ResourceRegion = l.Display
	}
	n.Context.Details = fmt.Sprintf("Autoscale successfully started scale operation for resource '%s' from capacity '%s' to capacity '%s'",
		n.Context.ResourceName, n.Context.OldCapacity, n.Context.NewCapacity)
	for _, w := range s.rules.Webhooks {
		if n.Properties = w.Properties; n.Properties == nil {
			n.Properties = map[string]string{}
		}
		body, err := json.Marshal(n)
		if err != nil {
			a.log.Error("notification not written", slog.String("setting", s.setting.ID), slog.Any("error", err))
			return
		}
		a.opt.Webhooks.Send(webhook.Message{About: s.setting.ID, To: w.URI, Body: body})
	}
}
