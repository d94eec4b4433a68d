package lib

import (
	"math"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// spanForms are the forms that TimeSpan.Parse tries in turn: days, hours,
// minutes, seconds, fraction. Hours beyond 23 make 24:00:00 twenty-four days.
var spanForms = []string{
	"d", "h:m", "h:m:s", "d.h:m", "h:m:.f", "d:h:m", "h:m:s.f", "d.h:m:s", "d.h:m:.f", "d:h:m:s", "d:h:m:.f", "d.h:m:s.f", "d:h:m:s.f",
}

// spanNumber is a number in the text of a TimeSpan.
type spanNumber struct {
	n     int64
	zeros int // in front of n
}

// parseSpan is TimeSpan.Parse.
func parseSpan(s string) V {
	ticks, ok, over := readSpan(s)
	if over {
		clr.Throw(clr.ExOverflow, "The TimeSpan string '"+s+"' could not be parsed because at least one of the numeric components is out of range or contains too many digits.")
	}
	if !ok {
		clr.Throw(clr.ExFormat, "String '"+s+"' was not recognized as a valid TimeSpan.")
	}
	return span(ticks)
}

// readSpan reads a TimeSpan; over tells a number that is too large from a text
// that is no TimeSpan.
func readSpan(s string) (ticks int64, ok, over bool) {
	s, neg := strings.CutPrefix(strings.TrimFunc(s, isSpace), "-")
	shape, numbers, over := spanShape(s)
	if over {
		return 0, false, true
	}
	for _, form := range spanForms {
		if strings.Map(func(r rune) rune {
			if strings.ContainsRune("dhmsf", r) {
				return 'n'
			}
			return r
		}, form) != shape {
			continue
		}
		if ticks, ok := spanTicks(form, numbers, neg); ok {
			return ticks, true, false
		}
		over = true
	}
	return 0, false, over
}

// spanShape replaces the numbers of a text by n, and gives them apart.
func spanShape(s string) (shape string, numbers []spanNumber, over bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			b.WriteByte(s[i])
			i++
			continue
		}
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		digits := strings.TrimLeft(s[from:i], "0")
		n, err := strconv.ParseInt("0"+digits, 10, 64)
		if err != nil || n > 0xFFFFFFF {
			return "", nil, true
		}
		b.WriteByte('n')
		numbers = append(numbers, spanNumber{n, i - from - len(digits)})
	}
	return b.String(), numbers, false
}

// spanTicks is the span of numbers in the order of a form, if they are in range.
func spanTicks(form string, numbers []spanNumber, neg bool) (int64, bool) {
	units := map[rune]struct{ ticks, most int64 }{'d': {day, 10675199}, 'h': {hour, 23}, 'm': {minute, 59}, 's': {second, 59}}
	var ticks int64
	i := 0
	for _, part := range form {
		unit, isUnit := units[part]
		switch {
		case part == 'f':
			f, ok := numbers[i].fraction()
			if !ok {
				return 0, false
			}
			ticks += f
		case !isUnit:
			continue
		case numbers[i].n > unit.most:
			return 0, false
		default:
			ticks += numbers[i].n * unit.ticks
		}
		i++
	}
	// Only the smallest span has no positive counterpart.
	if ticks < 0 && (!neg || ticks != math.MinInt64) {
		return 0, false
	}
	if neg {
		ticks = -ticks
	}
	return ticks, true
}

// fraction is a number as the digits behind the point of a second, in ticks.
func (x spanNumber) fraction() (int64, bool) {
	digits := len(strconv.FormatInt(x.n, 10)) + x.zeros
	switch {
	case x.n == 0:
		return 0, true
	case x.zeros == 0 && x.n > 9999999:
		return 0, false
	case digits > 7:
		return int64(math.Round(float64(x.n) / math.Pow10(digits-7))), true
	}
	return x.n * int64(math.Pow10(7-digits)), true
}
