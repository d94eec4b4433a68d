package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// A Program is a compiled expression.
type Program func(x *Exchange) (any, error)

// A Value is an attribute or a text of a statement: a literal, or an expression that is evaluated per request.
// A literal costs nothing when it is used.
type Value struct {
	text    string
	program Program
}

// Literal makes a value that is always text.
func Literal(text string) Value { return Value{text: text} }

// Evaluated makes a value that runs p for each request.
func Evaluated(p Program) Value { return Value{program: p} }

// Fixed is the text of a literal; ok is false for an expression.
func (v Value) Fixed() (text string, ok bool) { return v.text, v.program == nil }

// Any evaluates to whatever the expression gives; literals give a string.
func (v Value) Any(x *Exchange) (any, error) {
	if v.program == nil {
		return v.text, nil
	}
	return v.program(x)
}

// String evaluates to text; null is "" and ok false.
func (v Value) String(x *Exchange) (text string, ok bool, err error) {
	if v.program == nil {
		return v.text, true, nil
	}
	a, err := v.program(x)
	if err != nil || a == nil {
		return "", false, err
	}
	switch a := a.(type) {
	case string:
		return a, true, nil
	case bool:
		if a {
			return "True", true, nil // as .NET prints it
		}
		return "False", true, nil
	default:
		return fmt.Sprint(a), true, nil
	}
}

// Int evaluates to a whole number.
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
