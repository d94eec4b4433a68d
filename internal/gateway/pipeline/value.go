package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// A Value is an attribute or a text of a statement: a literal, or an expression that is evaluated per request.
// A literal costs nothing when it is used.
type Value struct {
	text    string
	program *csharp.Program
}

// Literal makes a value that is always text.
func Literal(text string) Value { return Value{text: text} }

// Evaluated makes a value that runs p for each request.
func Evaluated(p *csharp.Program) Value { return Value{program: p} }

// Fixed is the text of a literal; ok is false for an expression.
func (v Value) Fixed() (text string, ok bool) { return v.text, v.program == nil }

// Any evaluates to whatever the expression gives; literals give a string.
func (v Value) Any(x *Exchange) (csharp.Value, error) {
	if v.program == nil {
		return clr.String(v.text), nil
	}
	f := x.frame()
	defer f.Release()
	a, err := v.run(x, f)
	return a, evaluation(err)
}

// String evaluates to text, as ToString gives it; null is "" and ok false.
func (v Value) String(x *Exchange) (text string, ok bool, err error) {
	if v.program == nil {
		return v.text, true, nil
	}
	f := x.frame()
	defer f.Release()
	a, err := v.run(x, f)
	switch {
	case err != nil:
		return "", false, evaluation(err)
	case a.IsString():
		return a.Str(), true, nil
	case a.IsNull():
		return "", false, nil
	}
	text, err = f.Text(v.program, a)
	return text, true, evaluation(err)
}

// Bytes evaluates to the content of a body: bytes as they are, anything else as its text in UTF-8.
func (v Value) Bytes(x *Exchange) ([]byte, error) {
	if v.program == nil {
		return []byte(v.text), nil
	}
	f := x.frame()
	defer f.Release()
	a, err := v.run(x, f)
	if err != nil || a.IsNull() {
		return nil, evaluation(err)
	}
	if b, ok := a.Bytes(); ok {
		return b, nil
	}
	text, err := f.Text(v.program, a)
	return []byte(text), evaluation(err)
}

// run evaluates the expression when it is the service's turn.
func (v Value) run(x *Exchange, f *csharp.Frame) (csharp.Value, error) {
	if x.Share != nil {
		give, err := x.Share.Take(x)
		if err != nil {
			return clr.Null, err
		}
		defer give()
		f.Context = x.Share.polite(f.Context)
	}
	return v.program.Run(f)
}

// Int evaluates to a whole number; a text that is one will do.
func (v Value) Int(x *Exchange) (int64, error) {
	s, _, err := v.String(x)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	return n, nil
}

// Bool evaluates to true or false.
func (v Value) Bool(x *Exchange) (bool, error) {
	if v.program != nil && v.program.Type() == clr.Boolean {
		a, err := v.Any(x)
		return a.Bool(), err
	}
	s, _, err := v.String(x)
	if err != nil {
		return false, err
	}
	return ParseBool(s)
}

// ParseBool reads the booleans of policy documents: true, false, 1, 0, without case.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

// evaluation is the failure of an expression, in the words that context.LastError has for it.
func evaluation(err error) error {
	if err == nil {
		return nil
	}
	message := err.Error()
	if thrown, ok := errors.AsType[*csharp.Exception](err); ok {
		message = thrown.Message
	}
	return &Failure{Reason: ReasonExpression, Message: "Expression evaluation failed. " + message, Err: err}
}
