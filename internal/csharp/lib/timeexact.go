package lib

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// exactDate is a date that is being read in a given format.
type exactDate struct {
	s                string
	i                int
	year, month, day int64 // 0 until they were read
	h, m, sec, frac  int64
	offset           int64
	half             byte // a or p, 0 until it was read
}

// parseExact reads a date in a given custom or standard format: ticks of the
// clock, and the offset.
func parseExact(s, format string) (ticks, offset int64, ok bool) {
	if len(format) == 1 {
		format = standardDates[format[0]]
	}
	x := &exactDate{s: s}
	for j := 0; j < len(format); {
		n := repeated(format, j)
		used, ok := x.part(format[j:], n)
		if !ok {
			return 0, 0, false
		}
		j += used
	}
	if x.i != len(s) || !x.complete() {
		return 0, 0, false
	}
	return makeDate(x.year, x.month, x.day, x.h, x.m, x.sec, 0) + x.frac, x.offset, true
}

// part reads what the first n letters of a format ask for; used is how much of
// the format that was.
func (x *exactDate) part(format string, n int) (used int, ok bool) {
	switch c := format[0]; c {
	case 'y':
		x.year, ok = x.digits(n)
		if n <= 2 {
			x.year = century(x.year)
		}
		ok = ok && x.year > 0
	case 'M':
		if n >= 3 {
			x.month, ok = x.name(monthNames, n == 3)
		} else {
			x.month, ok = x.digits(n)
		}
		ok = ok && x.month > 0
	case 'd':
		if n >= 3 {
			_, ok = x.name(dayNames, n == 3)
		} else {
			x.day, ok = x.digits(n)
			ok = ok && x.day > 0
		}
	case 'H', 'h':
		x.h, ok = x.digits(min(n, 2))
	case 'm':
		x.m, ok = x.digits(min(n, 2))
	case 's':
		x.sec, ok = x.digits(min(n, 2))
	case 'f', 'F':
		ok = x.fraction(n, c == 'F')
	case 't':
		ok = x.halfDay(min(n, 2))
	case 'z', 'K':
		ok = x.zone(c == 'K')
	case '\'', '"':
		end := strings.IndexByte(format[1:], c)
		if end < 0 {
			return 0, false
		}
		return end + 2, x.literal(format[1 : 1+end])
	case '\\', '%':
		if len(format) < 2 {
			return 0, false
		}
		if c == '\\' {
			return 2, x.literal(format[1:2])
		}
		used, ok = x.part(format[1:2], 1)
		return used + 1, ok
	default:
		ok = x.literal(format[:n])
	}
	return n, ok
}

// century gives a year of two digits its century: the last that ends by 2049.
func century(year int64) int64 {
	if year > 49 {
		return 1900 + year
	}
	return 2000 + year
}

// digits reads n digits; one stands for one or two.
func (x *exactDate) digits(n int) (int64, bool) {
	from, most := x.i, max(n, 1)
	if n == 1 {
		most = 2
	}
	for x.i < len(x.s) && x.i-from < most && x.s[x.i] >= '0' && x.s[x.i] <= '9' {
		x.i++
	}
	v, err := strconv.ParseInt(x.s[from:x.i], 10, 64)
	return v, err == nil && x.i-from >= n
}

// name reads the name of a month or day, whose number begins at one.
func (x *exactDate) name(names []string, short bool) (int64, bool) {
	for k, name := range names {
		if short {
			name = name[:3]
		}
		if len(x.s) >= x.i+len(name) && strings.EqualFold(x.s[x.i:x.i+len(name)], name) {
			x.i += len(name)
			return int64(k + 1), true
		}
	}
	return 0, false
}

// fraction reads n digits of a fraction, or up to n.
func (x *exactDate) fraction(n int, upTo bool) bool {
	from := x.i
	for x.i < len(x.s) && x.i-from < n && x.s[x.i] >= '0' && x.s[x.i] <= '9' {
		x.i++
	}
	x.frac, _ = strconv.ParseInt((x.s[from:x.i] + "0000000")[:7], 10, 64)
	return n <= 7 && (upTo || x.i-from == n)
}

func (x *exactDate) halfDay(n int) bool {
	if len(x.s) < x.i+n {
		return false
	}
	word := strings.ToLower(x.s[x.i : x.i+n])
	x.i += n
	x.half = word[0]
	return word == "am"[:n] || word == "pm"[:n]
}

// zone reads an offset; that of K may be missing, or Z.
func (x *exactDate) zone(optional bool) bool {
	end := x.i
	for end < len(x.s) && strings.IndexByte("+-0123456789:Z", x.s[end]) >= 0 {
		end++
	}
	text := x.s[x.i:end]
	x.i = end
	if optional && (text == "" || text == "Z") {
		return true
	}
	var ok bool
	_, x.offset, ok = cutZone("00:00:00 " + text)
	return ok && text != "Z"
}

func (x *exactDate) literal(text string) bool {
	ok := strings.HasPrefix(x.s[x.i:], text)
	if ok {
		x.i += len(text)
	}
	return ok
}

// complete adds what the text did not tell: the year is this one, months and
// days are the first, and a time alone is today. It reports whether the date
// exists.
func (x *exactDate) complete() bool {
	now := time.Now().UTC()
	if x.year == 0 && x.month == 0 && x.day == 0 {
		x.month, x.day = int64(now.Month()), int64(now.Day())
	}
	x.year, x.month, x.day = cmp.Or(x.year, int64(now.Year())), cmp.Or(x.month, 1), cmp.Or(x.day, 1)
	if x.half != 0 && x.h > 12 {
		return false
	}
	if x.half != 0 {
		x.h %= 12
	}
	if x.half == 'p' {
		x.h += 12
	}
	return x.year <= 9999 && x.month <= 12 && x.day <= int64(daysIn(int(x.year), int(x.month))) && x.h <= 23 && x.m <= 59 && x.sec <= 59
}
