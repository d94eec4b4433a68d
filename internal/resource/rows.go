package resource

import (
	"regexp"

	"github.com/portico-dev/portico/internal/arm"
)

// The first api-versions that the rows speak of.
const (
	v2017    arm.Version = "2017-03-01"
	v2019    arm.Version = "2019-01-01"
	v2019dec arm.Version = "2019-12-01"
	v2020pre arm.Version = "2020-06-01-preview"
	v2021jan arm.Version = "2021-01-01-preview"
	v2021apr arm.Version = "2021-04-01-preview"
	v2021dec arm.Version = "2021-12-01-preview"
	v2022apr arm.Version = "2022-04-01-preview"
	v2022sep arm.Version = "2022-09-01-preview"
	v2023mar arm.Version = "2023-03-01-preview"
	v2023may arm.Version = "2023-05-01-preview"
	v2024jun arm.Version = "2024-06-01-preview"
)

// APIM is the namespace of API Management.
const APIM = "Microsoft.ApiManagement"

var (
	plainName   = regexp.MustCompile(`^[^*#&+:<>?]+$`)
	serviceName = regexp.MustCompile(`^[a-zA-Z](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$`)
	networkName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9_])?$`)
	groupName   = regexp.MustCompile(`^[-\pL\pN_().]*[-\pL\pN_()]$`)
)

// All is the table of resource types.
func All() []*Row {
	return append([]*Row{
		resourceGroups(), publicIPAddresses(), virtualNetworks(), subnets(), peerings(), securityGroups(), securityRules(), routeTables(), routes(), natGateways(), privateEndpoints(),
		userAssignedIdentities(), autoscaleSettings(), service(), endpointConnections(), deletedServices(),
		apis(), operations(), apiSchemas(), serviceSchemas(), apiVersionSets(), releases(),
		policies("service", "global"), policies("service/apis", "api"), policies("service/apis/operations", "operation"),
		policies("service/products", "product"), policyFragments(),
		products(), productAPIs(), productGroups(), subscriptions(), users(), groups(), groupUsers(), namedValues(), backends(), certificates(),
		loggers(), diagnostics("service"), diagnostics("service/apis"), tags(), tagsOn("service/apis"), tagsOn("service/apis/operations"), tagsOn("service/products"),
	}, linkRows()...)
}

// words is an enumeration known from the start; newer adds words of later versions.
func words(names ...string) []Value { return newer(nil, "", names...) }

func newer(enum []Value, from arm.Version, names ...string) []Value {
	for _, n := range names {
		enum = append(enum, Value{Name: n, From: from})
	}
	return enum
}

// from bounds fields that came with an api-version.
func from(v arm.Version, fields ...Field) []Field {
	for i := range fields {
		if fields[i].From.Before(v) {
			fields[i].From = v
		}
	}
	return fields
}

// below puts fields into an object.
func below(path string, fields ...Field) []Field {
	out := make([]Field, len(fields))
	for i, f := range fields {
		f.Path = path + "." + f.Path
		out[i] = f
	}
	return out
}
