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
	f, scope, root := policy.Format(in.Format), policy.Scope(in.Scope), "policies"
	if in.Scope == "fragment" { // it may be included in any scope
		scope, root = "", "fragment"
	}
	doc, found := policy.Reader{}.ParseSource(policy.NewSource(in.Text, in.NamedValue), f, root)
	if len(found) == 0 {
		found = doc.Check(policy.CheckOptions{
			Scope: scope, Tier: in.Tier, BackendExists: in.BackendExists, FragmentExists: in.FragmentExists, Parameter: in.Parameter,
			Expression: expression.Check,
		})
	}
	raw = in.Text
	if len(found) == 0 && f != policy.RawXML {
		plain, wrong := policy.Reader{}.ParseSource(policy.NewSource(in.Text, nil), f, root)
		if found = wrong; len(wrong) == 0 {
			raw = plain.Text(policy.RawXML)
		}
	}
	for _, x := range found {
		details = append(details, arm.ErrorDetail{Code: "ValidationError", Target: x.Element, Message: x.Detail()})
	}
	return raw, details
}

// PolicyXML escapes the expressions of a raw policy document or fragment. It is what Options.PolicyXML is when nil.
func PolicyXML(raw string) string {
	for _, parse := range []func(string, policy.Format) (*policy.Document, policy.Findings){policy.Parse, policy.ParseFragment} {
		if doc, found := parse(raw, policy.RawXML); len(found) == 0 {
			return doc.Text(policy.XML)
		}
	}
	return raw
}
