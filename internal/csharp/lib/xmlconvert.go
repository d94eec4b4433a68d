package lib

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// xmlText is the XML form of a simple value, as XmlConvert writes it.
func xmlText(f F, v V) string {
	switch t := v.Tag(); {
	case t == clr.Boolean:
		return strings.ToLower(Text(f, v))
	case t == clr.DateTime:
		return jsonDate(v)
	case t == clr.TimeSpan:
		return durationText(v.Int())
	case t != nil && isFloat(t) && math.IsInf(v.Float(), 0):
		return map[bool]string{true: "INF", false: "-INF"}[v.Float() > 0]
	}
	switch o := v.Ref().(type) {
	case *DateTimeOffset:
		return formatOffset(o, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
	case *Node:
		clr.Throw(clr.ExArgument, "An XObject cannot be used as a value.")
	}
	return Text(f, v)
}

// xmlValue reads the XML form of a value, as XmlConvert does.
func xmlValue(f F, s string, to *clr.Type) V {
	trimmed := strings.Trim(s, " \t\r\n")
	switch {
	case to == clr.StringType:
		return clr.String(s)
	case to == clr.Boolean:
		switch strings.ToLower(trimmed) {
		case "1", "true":
			return clr.Bool(true)
		case "0", "false":
			return clr.Bool(false)
		}
		badXMLValue(strings.ToLower(s), "Boolean")
	case isFloat(to):
		return clr.ConvertNumber(clr.Float(xmlFloat(trimmed)), clr.Double, to, false)
	case to == clr.DecimalT:
		return parseDecimal(clr.String(s), allowLeadingWhite|allowTrailingWhite|allowLeadingSign|allowPoint)
	case to == clr.DateTime:
		if d, ok := roundtripDate(s); ok {
			return d
		}
		return parseDate(s)
	case to == clr.TimeSpan:
		ticks, ok := readDuration(trimmed)
		if !ok {
			badXMLValue(s, "TimeSpan")
		}
		return span(ticks)
	}
	return changeType(f, clr.String(s), to)
}

func badXMLValue(s, t string) {
	clr.Throw(clr.ExFormat, "The string '"+s+"' is not a valid "+t+" value.")
}

func xmlFloat(s string) float64 {
	switch s {
	case "INF":
		return math.Inf(1)
	case "-INF":
		return math.Inf(-1)
	}
	x, ok := readFloatStyle(s, allowLeadingSign|allowPoint|allowExponent)
	if !ok {
		badNumber(s)
	}
	return x
}

// roundtripDate reads a date and keeps what it says of its zone: Z is UTC, an
// offset becomes local time.
func roundtripDate(s string) (V, bool) {
	ticks, offset, zoned, ok := readDate(s)
	switch {
	case !ok:
		return clr.Null, false
	case strings.HasSuffix(strings.TrimSpace(s), "Z"):
		return date{ticks, 1}.value(), true
	case zoned:
		return date{ticks - offset, 2}.value(), true
	}
	return date{ticks: ticks}.value(), true
}

// durationText is a TimeSpan as an xs:duration.
func durationText(ticks int64) string {
	var b strings.Builder
	rest := uint64(ticks)
	if ticks < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	b.WriteByte('P')
	if rest == 0 {
		return "PT0S"
	}
	if days := rest / uint64(day); days > 0 {
		b.WriteString(strconv.FormatUint(days, 10) + "D")
	}
	clock := int64(rest % uint64(day))
	if clock > 0 {
		b.WriteByte('T')
	}
	for _, u := range []struct {
		n    int64
		name string
	}{{clock / hour, "H"}, {clock / minute % 60, "M"}} {
		if u.n > 0 {
			b.WriteString(strconv.FormatInt(u.n, 10) + u.name)
		}
	}
	if clock%minute > 0 {
		b.WriteString(strconv.FormatInt(clock/second%60, 10))
		if frac := clock % second; frac > 0 {
			b.WriteString("." + strings.TrimRight(leftZeros(strconv.FormatInt(frac, 10), 7), "0"))
		}
		b.WriteByte('S')
	}
	return b.String()
}

var durationForm = regexp.MustCompile(`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?$`)

// readDuration reads an xs:duration; a year has 365 days, a month 30.
func readDuration(s string) (ticks int64, ok bool) {
	m := durationForm.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return 0, false
	}
	total := 0.0
	for i, unit := range map[int]int64{2: 365 * day, 3: 30 * day, 4: day, 6: hour, 7: minute, 8: second} {
		n, _ := strconv.ParseInt("0"+m[i], 10, 64)
		ticks += n * unit
		total += float64(n) * float64(unit)
	}
	frac, _ := strconv.ParseInt((m[9] + "0000000")[:7], 10, 64)
	ticks += frac
	if m[1] != "" {
		ticks = -ticks
	}
	return ticks, total < math.MaxInt64
}
