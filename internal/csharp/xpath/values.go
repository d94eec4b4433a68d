package xpath

import (
	"math"
	"strconv"
	"strings"
)

// truth is boolean().
func truth[N comparable](v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	case []N:
		return len(v) > 0
	}
	return false
}

// number is number().
func (ev *evaluator[N]) number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	}
	return parseNumber(ev.text(v))
}

// text is string().
func (ev *evaluator[N]) text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return formatNumber(v)
	case []N:
		if len(v) > 0 {
			return ev.value(v[0])
		}
	}
	return ""
}

func (ev *evaluator[N]) value(n N) string {
	s := ev.tree.Value(n)
	ev.tree.Step(len(s) >> 6)
	return s
}

const blanks = " \t\r\n"

// parseNumber reads digits with a point and a minus; all else is not a number.
func parseNumber(s string) float64 {
	s = strings.Trim(s, blanks)
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits == "." || strings.Trim(digits, "0123456789.") != "" {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(n, 0) {
		return n
	}
	if err != nil {
		return math.NaN()
	}
	return n
}

// formatNumber is Double.ToString("R"), as .NET has it here, exponents included.
func formatNumber(n float64) string {
	switch {
	case math.IsNaN(n):
		return "NaN"
	case math.IsInf(n, 1):
		return "Infinity"
	case math.IsInf(n, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(n, 'e', -1, 64)
	mant, exp, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exp)
	digits := len(mant) - strings.Count(mant, "-") - strings.Count(mant, ".")
	if e >= -5+1 && e < max(15, digits) {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	sign := "+"
	if e < 0 {
		sign, e = "-", -e
	}
	if e < 10 {
		sign += "0"
	}
	return mant + "E" + sign + strconv.Itoa(e)
}

// compare applies = != < <= > >=. A node-set compares if one of its nodes does.
func (ev *evaluator[N]) compare(op string, a, b any) bool {
	x, xs := a.([]N)
	y, ys := b.([]N)
	switch {
	case xs && ys:
		return ev.compareSets(op, x, y)
	case xs:
		return ev.compareSet(x, b, func(v any) bool { return ev.compareValues(op, v, b) })
	case ys:
		return ev.compareSet(y, a, func(v any) bool { return ev.compareValues(op, a, v) })
	}
	return ev.compareValues(op, a, b)
}

func (ev *evaluator[N]) compareSet(set []N, other any, holds func(any) bool) bool {
	if _, ok := other.(bool); ok {
		return holds(len(set) > 0)
	}
	for _, n := range set {
		ev.tree.Step(1)
		if holds(ev.value(n)) {
			return true
		}
	}
	return false
}

func (ev *evaluator[N]) compareSets(op string, x, y []N) bool {
	texts := make([]string, len(y))
	for i, n := range y {
		texts[i] = ev.value(n)
	}
	for _, n := range x {
		s := ev.value(n)
		ev.tree.Step(len(texts))
		for _, t := range texts {
			if ev.compareValues(op, s, t) {
				return true
			}
		}
	}
	return false
}

// compareValues compares values that are no node-sets.
func (ev *evaluator[N]) compareValues(op string, a, b any) bool {
	if op == "=" || op == "!=" {
		return ev.equal(a, b) == (op == "=")
	}
	x, y := ev.number(a), ev.number(b)
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

func (ev *evaluator[N]) equal(a, b any) bool {
	_, boolA := a.(bool)
	_, boolB := b.(bool)
	_, numA := a.(float64)
	_, numB := b.(float64)
	switch {
	case boolA || boolB:
		return truth[N](a) == truth[N](b)
	case numA || numB:
		return ev.number(a) == ev.number(b)
	}
	return ev.text(a) == ev.text(b)
}
