package xpath

import (
	"math"
	"strings"
	"unicode/utf16"
)

// function is a row of the core function library.
type function struct {
	name        string
	ret         typ
	least, most int
	nodes       bool // takes a node-set
	position    bool // looks at the position in the context
}

const many = 1 << 20

var functions = func() map[string]*function {
	m := map[string]*function{}
	for _, f := range []function{
		{name: "last", ret: numberType, position: true},
		{name: "position", ret: numberType, position: true},
		{name: "count", ret: numberType, least: 1, most: 1, nodes: true},
		{name: "id", ret: nodeSet, least: 1, most: 1},
		{name: "local-name", ret: stringType, most: 1, nodes: true},
		{name: "namespace-uri", ret: stringType, most: 1, nodes: true},
		{name: "name", ret: stringType, most: 1, nodes: true},
		{name: "string", ret: stringType, most: 1},
		{name: "concat", ret: stringType, least: 2, most: many},
		{name: "starts-with", ret: boolType, least: 2, most: 2},
		{name: "contains", ret: boolType, least: 2, most: 2},
		{name: "substring-before", ret: stringType, least: 2, most: 2},
		{name: "substring-after", ret: stringType, least: 2, most: 2},
		{name: "substring", ret: stringType, least: 2, most: 3},
		{name: "string-length", ret: numberType, most: 1},
		{name: "normalize-space", ret: stringType, most: 1},
		{name: "translate", ret: stringType, least: 3, most: 3},
		{name: "boolean", ret: boolType, least: 1, most: 1},
		{name: "not", ret: boolType, least: 1, most: 1},
		{name: "true", ret: boolType},
		{name: "false", ret: boolType},
		{name: "lang", ret: boolType, least: 1, most: 1},
		{name: "number", ret: numberType, most: 1},
		{name: "sum", ret: numberType, least: 1, most: 1, nodes: true},
		{name: "floor", ret: numberType, least: 1, most: 1},
		{name: "ceiling", ret: numberType, least: 1, most: 1},
		{name: "round", ret: numberType, least: 1, most: 1},
	} {
		m[f.name] = &f
	}
	return m
}()

func callFunction[N comparable](ev *evaluator[N], x *call, c context[N]) any {
	arg := func(i int) any { return ev.eval(x.args[i], c) }
	str := func(i int) string { return ev.text(arg(i)) }
	num := func(i int) float64 { return ev.number(arg(i)) }
	// Functions without an argument take the context node.
	own := func() any {
		if len(x.args) > 0 {
			return arg(0)
		}
		return []N{c.node}
	}
	switch x.fn.name {
	case "last":
		return float64(c.size)
	case "position":
		return float64(c.pos)
	case "count":
		return float64(len(ev.nodes(x.args[0], c)))
	case "id":
		return []N(nil) // only a DTD says which attributes are IDs
	case "local-name", "namespace-uri", "name":
		nodes, _ := own().([]N)
		return ev.nameOf(x.fn.name, nodes)
	case "string":
		return ev.text(own())
	case "concat":
		var b strings.Builder
		for i := range x.args {
			b.WriteString(str(i))
			ev.tree.Step(b.Len() >> 6)
		}
		return b.String()
	case "starts-with":
		return strings.HasPrefix(str(0), str(1))
	case "contains":
		return strings.Contains(str(0), str(1))
	case "substring-before":
		before, _, found := strings.Cut(str(0), str(1))
		if !found {
			return ""
		}
		return before
	case "substring-after":
		_, after, _ := strings.Cut(str(0), str(1))
		return after
	case "substring":
		length := math.Inf(1)
		if len(x.args) > 2 {
			length = num(2)
		}
		return substring(str(0), num(1), length, len(x.args) > 2)
	case "string-length":
		return float64(len(utf16.Encode([]rune(ev.text(own())))))
	case "normalize-space":
		return strings.Join(strings.FieldsFunc(ev.text(own()), func(r rune) bool { return strings.ContainsRune(blanks, r) }), " ")
	case "translate":
		return translate(str(0), str(1), str(2))
	case "boolean":
		return truth[N](arg(0))
	case "not":
		return !truth[N](arg(0))
	case "true", "false":
		return x.fn.name == "true"
	case "lang":
		return ev.lang(c.node, str(0))
	case "number":
		return ev.number(own())
	case "sum":
		sum := 0.0
		for _, n := range ev.nodes(x.args[0], c) {
			sum += parseNumber(ev.value(n))
		}
		return sum
	case "floor":
		return math.Floor(num(0))
	case "ceiling":
		return math.Ceil(num(0))
	}
	return round(num(0))
}

func (ev *evaluator[N]) nameOf(which string, nodes []N) string {
	if len(nodes) == 0 {
		return ""
	}
	prefix, local, space := ev.tree.Name(nodes[0])
	switch {
	case which == "local-name":
		return local
	case which == "namespace-uri":
		return space
	case prefix != "":
		return prefix + ":" + local
	}
	return local
}

// round goes to the nearest integer, halves up.
func round(n float64) float64 {
	r := math.RoundToEven(n)
	if n-r == 0.5 {
		r++
	}
	return r
}

// substring takes the units whose places, from 1, are at least from and below
// from + length, all of them rounded.
func substring(s string, from, length float64, bounded bool) string {
	u := utf16.Encode([]rune(s))
	first, last := round(from), math.Inf(1)
	if bounded {
		last = first + round(length)
	}
	if math.IsNaN(first) || math.IsNaN(last) {
		return ""
	}
	lo, hi := math.Max(first, 1), math.Min(last, float64(len(u)+1))
	if lo >= hi {
		return ""
	}
	return string(utf16.Decode(u[int(lo)-1 : int(hi)-1]))
}

// translate replaces characters by those at the same place, or drops them.
func translate(s, from, to string) string {
	old, by := []rune(from), []rune(to)
	m := map[rune]rune{}
	for i, r := range old {
		if _, ok := m[r]; ok {
			continue
		}
		m[r] = -1
		if i < len(by) {
			m[r] = by[i]
		}
	}
	return strings.Map(func(r rune) rune {
		if x, ok := m[r]; ok {
			return x
		}
		return r
	}, s)
}

// lang reports whether the nearest xml:lang is a language or a part of it.
func (ev *evaluator[N]) lang(n N, want string) bool {
	for ok := true; ok; n, ok = ev.tree.Parent(n) {
		for _, a := range ev.tree.Attributes(n) {
			if prefix, local, _ := ev.tree.Name(a); prefix == "xml" && local == "lang" {
				have := strings.ToLower(ev.value(a))
				want = strings.ToLower(want)
				return have == want || strings.HasPrefix(have, want+"-")
			}
		}
	}
	return false
}
