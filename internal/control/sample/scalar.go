package sample

import (
	"encoding/json"
	"math"
	"strings"
)

// formats are the texts of each format of a string.
var formats = map[string]string{
	"date-time": "2019-08-24T14:15:22Z", "date": "2019-08-24", "time": "14:15:22Z", "duration": "P3D",
	"uuid": "497f6eca-6276-4993-bfeb-53cbbbba6f08", "email": "user@example.com", "password": "pa$$word",
	"uri": "http://example.com", "url": "http://example.com", "uri-reference": "../dictionary", "hostname": "example.com",
	"ipv4": "192.168.0.1", "ipv6": "2001:db8:85a3::8a2e:370:7334", "byte": "c3RyaW5n",
}

func text(m map[string]any) string {
	format, _ := m["format"].(string)
	if s, ok := formats[format]; ok {
		return s
	}
	s := "string"
	if least := min(whole(m["minLength"], 0), maxString); least > len(s) {
		s = strings.Repeat(s, least/len(s)+1)[:least]
	}
	if most := whole(m["maxLength"], len(s)); most >= 0 && most < len(s) {
		s = s[:most]
	}
	return s
}

// number is 0, or the nearest value that the bounds allow.
func number(m map[string]any) any {
	least, hasLeast := float(m["minimum"])
	most, hasMost := float(m["maximum"])
	if x, ok := float(m["exclusiveMinimum"]); ok { // a number since OpenAPI 3.1
		least, hasLeast = x+1, true
	} else if m["exclusiveMinimum"] == true {
		least++
	}
	if x, ok := float(m["exclusiveMaximum"]); ok {
		most, hasMost = x-1, true
	} else if m["exclusiveMaximum"] == true {
		most--
	}
	v := 0.0
	switch {
	case hasLeast && least > 0:
		v = least
	case hasMost && most < 0:
		v = most
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

func float(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

func whole(v any, fallback int) int {
	f, ok := float(v)
	if !ok || f < 0 || f > math.MaxInt32 {
		return fallback
	}
	return int(f)
}
