// Package expression compiles the expressions of policy documents against the context object: control to refuse bad
// ones when a document is saved, gateways to run them. What an expression means is the business of csharp; which type
// each place of a document wants is that of the catalogue in policy.
package expression

import (
	"fmt"
	"strings"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/policy"
)

// Compile compiles an expression for a place that wants a type. Findings name the places in the submitted text; the
// program is nil when there are any.
func Compile(e *policy.Expression, want policy.Type) (*csharp.Program, policy.Findings) {
	opt := csharp.Options{Types: apim.Universe(), Context: apim.ContextType()}
	if want == policy.Bool {
		opt.Result = opt.Types.Lookup("System.Boolean", 0)
	}
	p, errs := csharp.CompileMarked(e.Source, opt)
	if errs != nil {
		return nil, findings(e, errs)
	}
	if !accepts(want, p.Type()) {
		message := fmt.Sprintf("Cannot implicitly convert type '%s' to '%s'", p.Type(), want)
		return nil, policy.Findings{e.Finding("", 0, message)}
	}
	return p, nil
}

// Check is Compile for those that only want the findings.
func Check(e *policy.Expression, want policy.Type) policy.Findings {
	_, findings := Compile(e, want)
	return findings
}

func findings(e *policy.Expression, errs csharp.Errors) policy.Findings {
	out := make(policy.Findings, len(errs))
	for i, err := range errs {
		out[i] = e.Finding("", err.Offset, e.Conceal(err.Offset, err.Message))
	}
	return out
}

// texts are the types that become text where a document wants text, numbers or times, besides numbers and enums. The
// list is that of the service's rules for results.
var texts = map[string]bool{
	"System.Object": true, "System.String": true, "System.Char": true, "System.Boolean": true, "System.Guid": true,
	"System.DateTime": true, "System.TimeSpan": true, "System.Uri": true, "System.Decimal": true,
	"Gateway.IResponse": true, "Gateway.Jwt": true,
}

// accepts says whether a result can stand where a type is wanted. Whether its text is, say, a number shows when it
// runs.
func accepts(want policy.Type, have *csharp.Type) bool {
	t := have.Underlying()
	switch {
	case t.Kind == clr.Void || t.Kind == clr.Delegate:
		return false
	case want == policy.Any || want == policy.Bool || t.Kind == clr.NullKind || t.Kind == clr.Enum || t.IsNumeric():
		return true
	case want == policy.Bytes:
		return isBytes(t) || t == clr.ObjectType
	}
	return texts[t.FullName()] || isBytes(t) || strings.HasPrefix(t.FullName(), "Newtonsoft.Json.Linq.J")
}

func isBytes(t *csharp.Type) bool { return t.Kind == clr.Array && t.Elem == clr.Byte }
