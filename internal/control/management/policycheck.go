package management

import (
	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/expression"
	"github.com/portico-dev/portico/internal/policy"
	"github.com/portico-dev/portico/internal/resource"
)

// CheckPolicy reads a policy document with its named values put in and compares it with the catalogue. The raw form
// it returns still refers to named values by name. It is what Options.CheckPolicy is when nil.
func CheckPolicy(in resource.PolicyInput) (raw string, details []arm.ErrorDetail) {
	f := policy.Format(in.Format)
	doc, found := policy.ParseSource(policy.NewSource(in.Text, in.NamedValue), f)
	if len(found) == 0 {
		found = doc.Check(policy.CheckOptions{
			Scope: policy.Scope(in.Scope), Tier: in.Tier, BackendExists: in.BackendExists, Parameter: in.Parameter,
			Expression: expression.Check,
		})
	}
	raw = in.Text
	if len(found) == 0 && f != policy.RawXML {
		plain, wrong := policy.Parse(in.Text, f)
		if found = wrong; len(wrong) == 0 {
			raw = plain.Text(policy.RawXML)
		}
	}
	for _, x := range found {
		details = append(details, arm.ErrorDetail{Code: "ValidationError", Target: x.Element, Message: x.Detail()})
	}
	return raw, details
}

// PolicyXML escapes the expressions of a raw policy document. It is what Options.PolicyXML is when nil.
func PolicyXML(raw string) string {
	doc, found := policy.Parse(raw, policy.RawXML)
	if len(found) > 0 {
		return raw
	}
	return doc.Text(policy.XML)
}
