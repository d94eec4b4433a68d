package lib

import (
	"strconv"
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

var (
	dayNames   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// standardDates are the standard formats of the invariant culture.
var standardDates = map[byte]string{
	'd': "MM/dd/yyyy", 'D': "dddd, dd MMMM yyyy", 'f': "dddd, dd MMMM yyyy HH:mm", 'F': "dddd, dd MMMM yyyy HH:mm:ss", 'g': "MM/dd/yyyy HH:mm",
	'G': "MM/dd/yyyy HH:mm:ss", 'M': "MMMM dd", 'm': "MMMM dd", 'o': "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK", 'O': "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
	'r': "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", 'R': "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", 's': "yyyy'-'MM'-'dd'T'HH':'mm':'ss", 't': "HH:mm", 'T': "HH:mm:ss",
	'u': "yyyy'-'MM'-'dd HH':'mm':'ss'Z'", 'U': "dddd, dd MMMM yyyy HH:mm:ss", 'y': "yyyy MMMM", 'Y': "yyyy MMMM",
}

func badDateFormat() { clr.Throw(clr.ExFormat, "Input string was not in a correct format.") }

// repeated counts how often the letter at i stands there.
func repeated(format string, i int) int {
	n := 1
	for i+n < len(format) && format[i+n] == format[i] {
		n++
	}
	return n
}

func formatDate(d date, format string) string {
	if format == "" {
		format = "G"
	}
	if len(format) == 1 {
		f, ok := standardDates[format[0]]
		if !ok {
			badDateFormat()
		}
		format = f
	}
	zone := ""
	switch d.kind {
	case 1:
		zone = "Z"
	case 2:
		zone = "+00:00"
	}
	return customDate(d.time(), d.ticks, format, zone, 0)
}

func formatOffset(o *DateTimeOffset, format string) string {
	switch {
	case format == "":
		format = "MM/dd/yyyy HH:mm:ss zzz"
	case len(format) == 1:
		f, ok := standardDates[format[0]]
		if !ok || format == "U" {
			badDateFormat()
		}
		if strings.Contains("rRu", format) {
			u := date{ticks: o.utc()}
			return customDate(u.time(), u.ticks, f, "", 0)
		}
		format = f
	}
	return customDate(date{ticks: o.ticks}.time(), o.ticks, format, offsetText(o.offset), o.offset)
}

func offsetText(ticks int64) string {
	sign := "+"
	if ticks < 0 {
		sign, ticks = "-", -ticks
	}
	return sign + two(ticks/hour) + ":" + two(ticks/minute%60)
}

func two(n int64) string { return leftZeros(strconv.FormatInt(n, 10), 2) }

// customDate applies a custom format. zone is what K gives.
func customDate(t time.Time, ticks int64, format, zone string, offset int64) string {
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		n := repeated(format, i)
		switch c {
		case 'y':
			switch {
			case n <= 2:
				b.WriteString(leftZeros(strconv.Itoa(t.Year()%100), n))
			default:
				b.WriteString(leftZeros(strconv.Itoa(t.Year()), n))
			}
		case 'M':
			b.WriteString(nameOr(n, int(t.Month()), monthNames, int(t.Month())-1))
		case 'd':
			b.WriteString(nameOr(n, t.Day(), dayNames, int(t.Weekday())))
		case 'H':
			b.WriteString(leftZeros(strconv.Itoa(t.Hour()), min(n, 2)))
		case 'h':
			b.WriteString(leftZeros(strconv.Itoa((t.Hour()+11)%12+1), min(n, 2)))
		case 'm':
			b.WriteString(leftZeros(strconv.Itoa(t.Minute()), min(n, 2)))
		case 's':
			b.WriteString(leftZeros(strconv.Itoa(t.Second()), min(n, 2)))
		case 'f', 'F':
			if n > 7 {
				badDateFormat()
			}
			frac := leftZeros(strconv.FormatInt(ticks%second, 10), 7)[:n]
			if c == 'F' {
				frac = strings.TrimRight(frac, "0")
				if s := b.String(); frac == "" && strings.HasSuffix(s, ".") {
					b.Reset()
					b.WriteString(s[:len(s)-1])
				}
			}
			b.WriteString(frac)
		case 't':
			half := "AM"
			if t.Hour() >= 12 {
				half = "PM"
			}
			b.WriteString(half[:min(n, 2)])
		case 'z':
			s := offsetText(offset)
			switch n {
			case 1:
				b.WriteString(s[:1] + strings.TrimPrefix(s[1:3], "0"))
			case 2:
				b.WriteString(s[:3])
			default:
				b.WriteString(s)
			}
		case 'K':
			n = 1
			b.WriteString(zone)
		case 'g':
			b.WriteString("A.D.")
		case '\'', '"':
			j := strings.IndexByte(format[i+1:], c)
			if j < 0 {
				badDateFormat()
			}
			b.WriteString(format[i+1 : i+1+j])
			n = j + 2
		case '\\':
			n = 2
			if i+1 >= len(format) {
				badDateFormat()
			}
			b.WriteByte(format[i+1])
		case '%':
			n = 1
			if i+1 >= len(format) || format[i+1] == '%' {
				badDateFormat()
			}
		default:
			b.WriteString(format[i : i+n])
		}
		i += n
	}
	return b.String()
}

// nameOr gives a number for one or two letters, a short name for three and the
// name for more.
func nameOr(n, number int, names []string, i int) string {
	switch {
	case n <= 2:
		return leftZeros(strconv.Itoa(number), n)
	case n == 3:
		return names[i][:3]
	}
	return names[i]
}

// formatSpan formats a TimeSpan.
func formatSpan(ticks int64, format string) string {
	sign := ""
	t := uint64(ticks)
	if ticks < 0 {
		sign, t = "-", uint64(-ticks)
	}
	days, rest := int64(t/uint64(day)), int64(t%uint64(day))
	h, m, s, frac := rest/hour, rest/minute%60, rest/second%60, rest%second
	switch format {
	case "", "c", "t", "T":
		out := two(h) + ":" + two(m) + ":" + two(s)
		if days != 0 {
			out = strconv.FormatInt(days, 10) + "." + out
		}
		if frac != 0 {
			out += "." + leftZeros(strconv.FormatInt(frac, 10), 7)
		}
		return sign + out
	case "g":
		out := strconv.FormatInt(h, 10) + ":" + two(m) + ":" + two(s)
		if days != 0 {
			out = strconv.FormatInt(days, 10) + ":" + out
		}
		if frac != 0 {
			out += "." + strings.TrimRight(leftZeros(strconv.FormatInt(frac, 10), 7), "0")
		}
		return sign + out
	case "G":
		return sign + strconv.FormatInt(days, 10) + ":" + two(h) + ":" + two(m) + ":" + two(s) + "." + leftZeros(strconv.FormatInt(frac, 10), 7)
	}
	if len(format) == 1 {
		badDateFormat()
	}
	return customSpan(days, h, m, s, frac, format)
}

func customSpan(days, h, m, s, frac int64, format string) string {
	var b strings.Builder
	bad := badDateFormat
	for i := 0; i < len(format); {
		c := format[i]
		n := repeated(format, i)
		num := func(v int64, most int) {
			if n > most {
				bad()
			}
			b.WriteString(leftZeros(strconv.FormatInt(v, 10), n))
		}
		switch c {
		case 'd':
			num(days, 8)
		case 'h':
			num(h, 2)
		case 'm':
			num(m, 2)
		case 's':
			num(s, 2)
		case 'f', 'F':
			if n > 7 {
				bad()
			}
			x := leftZeros(strconv.FormatInt(frac, 10), 7)[:n]
			if c == 'F' {
				x = strings.TrimRight(x, "0")
			}
			b.WriteString(x)
		case '\'', '"':
			j := strings.IndexByte(format[i+1:], c)
			if j < 0 {
				bad()
			}
			b.WriteString(format[i+1 : i+1+j])
			n = j + 2
		case '\\':
			if i+1 >= len(format) {
				bad()
			}
			b.WriteByte(format[i+1])
			n = 2
		case '%':
			if i+1 >= len(format) || format[i+1] == '%' {
				bad()
			}
			b.WriteString(customSpan(days, h, m, s, frac, format[i+1:i+2]))
			n = 2
		default:
			bad()
		}
		i += n
	}
	return b.String()
}

// parseDate is DateTime.Parse: a time with an offset becomes local time, which
// is UTC here.
func parseDate(s string) V {
	t, off, zoned, ok := readDate(s)
	if !ok {
		clr.Throw(clr.ExFormat, "String '"+s+"' was not recognized as a valid DateTime.")
	}
	if zoned {
		return date{t - off, 2}.value()
	}
	return date{ticks: t}.value()
}

func parseOffset(s string) *DateTimeOffset {
	t, off, _, ok := readDate(s)
	if !ok {
		clr.Throw(clr.ExFormat, "String '"+s+"' was not recognized as a valid DateTime.")
	}
	return &DateTimeOffset{t, off}
}

// parseISO reads what Newtonsoft takes for a date: Z keeps UTC, an offset
// becomes local.
func parseISO(s string) (V, bool) {
	t, off, zoned, ok := readDate(s)
	switch {
	case !ok || strings.ContainsAny(s, " ,"):
		return clr.Null, false
	case strings.HasSuffix(s, "Z"):
		return date{t, 1}.value(), true
	case zoned:
		return date{t - off, 2}.value(), true
	}
	return date{ticks: t}.value(), true
}

// dateLayouts are the forms that the invariant culture reads, in Go's notation.
var dateLayouts = []string{
	"2006-1-2", "2006/1/2", "1/2/2006", "1-2-2006", "1.2.2006", "2 Jan 2006", "2 January 2006", "Jan 2, 2006", "January 2, 2006", "Jan 2 2006", "January 2 2006", "Monday, 2 January 2006",
	"Monday, January 2, 2006", "Mon, 2 Jan 2006", "2-Jan-2006", "2006-1", "January 2006", "Jan 2006", "1/2/06", "20060102",
}

var timeLayouts = []string{"", "15:4:5", "15:4", "3:4:5 PM", "3:4 PM", "3 PM", "3:4:5PM", "3:4PM"}

// readDate reads a date and time: ticks of the clock, offset, and whether an
// offset was given.
func readDate(s string) (ticks, offset int64, zoned, ok bool) {
	s = strings.TrimFunc(s, isSpace)
	if s == "" || len(s) > 80 {
		return 0, 0, false, false
	}
	s, offset, zoned = cutZone(s)
	s, frac, fracOK := cutFraction(s)
	if !fracOK {
		return 0, 0, false, false
	}
	if len(s) > 10 && s[10] == 'T' && s[4] == '-' {
		s = s[:10] + " " + s[11:]
	}
	for _, d := range dateLayouts {
		for _, t := range timeLayouts {
			layout := strings.TrimSpace(d + " " + t)
			if x, err := time.Parse(layout, s); err == nil && x.Year() > 0 {
				return fromTime(x, 0).ticks + frac, offset, zoned, true
			}
		}
	}
	for _, t := range timeLayouts[1:] {
		if x, err := time.Parse(t, s); err == nil {
			now := time.Now().UTC()
			today := time.Date(now.Year(), now.Month(), now.Day(), x.Hour(), x.Minute(), x.Second(), 0, time.UTC)
			return fromTime(today, 0).ticks + frac, offset, zoned, true
		}
	}
	return 0, 0, false, false
}

// cutZone takes Z, GMT or an offset from the end.
func cutZone(s string) (rest string, offset int64, zoned bool) {
	if r, ok := strings.CutSuffix(s, "Z"); ok && len(r) > 8 {
		return strings.TrimSpace(r), 0, true
	}
	for _, z := range []string{" GMT", " UTC"} {
		if r, ok := strings.CutSuffix(s, z); ok {
			return r, 0, true
		}
	}
	i := strings.LastIndexAny(s, "+-")
	colon := strings.IndexByte(s, ':')
	if i < 8 || colon < 0 || i < colon {
		return s, 0, false
	}
	z := strings.ReplaceAll(s[i+1:], ":", "")
	if !isDigits(z) || len(z) > 4 {
		return s, 0, false
	}
	if len(z) <= 2 {
		z = leftZeros(z, 2) + "00"
	}
	z = leftZeros(z, 4)
	h, _ := strconv.ParseInt(z[:2], 10, 64)
	m, _ := strconv.ParseInt(z[2:], 10, 64)
	offset = h*hour + m*minute
	if h > 14 || m > 59 {
		return s, 0, false
	}
	if s[i] == '-' {
		offset = -offset
	}
	return strings.TrimSpace(s[:i]), offset, true
}

// cutFraction takes the fraction of seconds from a time.
func cutFraction(s string) (rest string, ticks int64, ok bool) {
	colon := strings.LastIndexByte(s, ':')
	dot := strings.LastIndexByte(s, '.')
	if colon < 0 || dot < colon {
		return s, 0, true
	}
	end := dot + 1
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	digits := s[dot+1 : end]
	if digits == "" {
		return s, 0, false
	}
	n, _ := strconv.ParseInt((digits + "0000000")[:7], 10, 64)
	return s[:dot] + s[end:], n, true
}
