package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/portico-dev/portico/internal/demo/load"
)

const networks = "2024-03-01"

func (h *host) network(path string) string {
	return h.group() + "/providers/Microsoft.Network/" + path
}

// rule is a rule of a security group that lets through.
func rule(name, from string, priority int, ports ...string) object {
	return object{"name": name, "properties": object{
		"protocol": "Tcp", "sourceAddressPrefix": from, "sourcePortRange": "*", "destinationAddressPrefix": "VirtualNetwork", "destinationPortRanges": ports,
		"access": "Allow", "priority": priority, "direction": "Inbound",
	}}
}

// securityGroup is the body of one that lets in what a service needs, and clients unless it is closed.
func securityGroup(closed bool) object {
	access := rule("clients", "Internet", 200, "80", "443")
	if closed {
		access["properties"].(object)["access"] = "Deny"
	}
	return object{"location": "westeurope", "properties": object{
		"securityRules": []object{access, rule("manage", "ApiManagement", 210, "3443"), rule("probe", "AzureLoadBalancer", 220, "6390")},
	}}
}

// within asks a URL once; what does not connect within a moment is blocked.
func within(client *http.Client, url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body := make([]byte, 100)
	n, _ := resp.Body.Read(body)
	return fmt.Sprint(resp.StatusCode, " ", string(body[:n])), nil
}

func impatient() *http.Client {
	dial := &net.Dialer{Timeout: 500 * time.Millisecond}
	return &http.Client{Transport: &http.Transport{DialContext: dial.DialContext, DisableKeepAlives: true}}
}

// buy asks for a book on a connection of its own.
func buy(client *http.Client, at load.Target) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Addr+at.Path+"/books/1", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Ocp-Apim-Subscription-Key", at.Key)
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
