package csharp_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

const (
	ticksMax   = 3155378975999999999
	ticksEpoch = 621355968000000000
	ticksDay   = 864000000000
)

// goTime is the moment that .NET's ticks count to.
func goTime(ticks int64) time.Time {
	return time.Unix(ticks/10_000_000-ticksEpoch/10_000_000, ticks%10_000_000*100).UTC()
}

func ticksOf(t time.Time) int64 {
	return (t.Unix()+ticksEpoch/10_000_000)*10_000_000 + int64(t.Nanosecond())/100
}

// drawTicks invents dates of all times, often near today and often whole.
func drawTicks(t *rapid.T, label string) int64 {
	n := rapid.Int64Range(0, ticksMax).Draw(t, label)
	switch rapid.IntRange(0, 3).Draw(t, label+" kind") {
	case 0:
		n = ticksEpoch + rapid.Int64Range(0, 2<<30).Draw(t, label+" second")*10_000_000
	case 1:
		n -= n % ticksDay
	}
	return n
}

// fraction is the part of a second in ticks as n digits.
func fraction(ticks int64, n int) string {
	return fmt.Sprintf("%07d", ticks%10_000_000)[:n]
}

func TestProperty_DateParts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawTicks(t, "ticks")
		g := goTime(n)
		values, decls := in{"n": clr.Long(n)}, "{ "+take("long n")+"var d = new DateTime(n); "
		for expr, want := range map[string]any{
			"d.Year": g.Year(), "d.Month": int(g.Month()), "d.Day": g.Day(), "d.Hour": g.Hour(), "d.Minute": g.Minute(), "d.Second": g.Second(),
			"d.Millisecond": g.Nanosecond() / 1_000_000, "d.DayOfYear": g.YearDay(), "d.DayOfWeek": g.Weekday(), "(int)d.DayOfWeek": int(g.Weekday()),
			"d.Ticks": n, "d.TimeOfDay.Ticks": n % ticksDay, "d.Date.Ticks": n - n%ticksDay, "DateTime.DaysInMonth(d.Year, d.Month)": time.Date(g.Year(), g.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day(),
			"new DateTime(d.Year, d.Month, d.Day, d.Hour, d.Minute, d.Second, d.Millisecond).Ticks": n - n%10_000,
			"(d - new DateTime(1970, 1, 1)).Ticks":                                                  n - ticksEpoch, "new DateTimeOffset(d, TimeSpan.Zero).ToUnixTimeSeconds()": g.Unix(), "new DateTimeOffset(d, TimeSpan.Zero).ToUnixTimeMilliseconds()": g.UnixMilli(),
			"DateTimeOffset.FromUnixTimeMilliseconds(new DateTimeOffset(d, TimeSpan.Zero).ToUnixTimeMilliseconds()).Ticks": n - n%10_000,
		} {
			same(t, decls+"return "+expr+"; }", values, fmt.Sprint(want))
		}
	})
}

func TestProperty_DateFormats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawTicks(t, "ticks")
		g := goTime(n)
		utc := rapid.Bool().Draw(t, "utc")
		kind, zone := "", ""
		if utc {
			kind, zone = ", DateTimeKind.Utc", "Z"
		}
		values, decls := in{"n": clr.Long(n)}, "{ "+take("long n")+"var d = new DateTime(n"+kind+"); "
		short := strings.TrimRight("."+fraction(n, 7), "0")
		short = strings.TrimSuffix(short, ".")
		for format, want := range map[string]string{
			"d": g.Format("01/02/2006"), "D": g.Format("Monday, 02 January 2006"), "t": g.Format("15:04"), "T": g.Format("15:04:05"),
			"f": g.Format("Monday, 02 January 2006 15:04"), "F": g.Format("Monday, 02 January 2006 15:04:05"), "g": g.Format("01/02/2006 15:04"), "G": g.Format("01/02/2006 15:04:05"),
			"M": g.Format("January 02"), "m": g.Format("January 02"), "Y": g.Format("2006 January"), "y": g.Format("2006 January"),
			"R": g.Format("Mon, 02 Jan 2006 15:04:05 GMT"), "r": g.Format("Mon, 02 Jan 2006 15:04:05 GMT"), "s": g.Format("2006-01-02T15:04:05"), "u": g.Format("2006-01-02 15:04:05Z"),
			"o": g.Format("2006-01-02T15:04:05.") + fraction(n, 7) + zone, "O": g.Format("2006-01-02T15:04:05.") + fraction(n, 7) + zone,
			"yyyy-MM-ddTHH:mm:ssZ": g.Format("2006-01-02T15:04:05Z"), "yyyyMMddHHmmssfff": g.Format("20060102150405") + fraction(n, 3), "dd.MM.yy H:m:s": g.Format("02.01.06 ") + fmt.Sprintf("%d:%d:%d", g.Hour(), g.Minute(), g.Second()),
			"hh:mm tt": g.Format("03:04 PM"), "%h": g.Format("3"), "ddd, d MMM yyyy": g.Format("Mon, 2 Jan 2006"), "dddd MMMM": g.Format("Monday January"), "HH:mm:ss.FFFFFFF": g.Format("15:04:05") + short,
			"HH:mm:ss.fffffff": g.Format("15:04:05.") + fraction(n, 7), "'at' HH \\h": "at " + g.Format("15") + " h", "yyyy-MM-dd'T'HH:mm:ss.fff'Z'": g.Format("2006-01-02T15:04:05.") + fraction(n, 3) + "Z",
			"HH:mm:ssK": g.Format("15:04:05") + zone, "\"day\" d": fmt.Sprint("day ", g.Day()), "%d": fmt.Sprint(g.Day()), "": g.Format("01/02/2006 15:04:05"),
		} {
			values["f"] = str(format)
			same(t, decls+take("string f")+"return d.ToString(f); }", values, want)
			same(t, decls+take("string f")+"return string.Format(\"{0:\" + f.Replace(\"{\", \"\") + \"}\", d); }", values, want)
		}
		same(t, decls+"return $\"{d}\" + d; }", values, g.Format("01/02/2006 15:04:0501/02/2006 15:04:05"))
		for format, unit := range map[string]int64{"o": 1, "s": 10_000_000, "G": 10_000_000, "u": 10_000_000, "r": 10_000_000, "F": 10_000_000, "yyyy-MM-dd HH:mm:ss.fff": 10_000, "d": ticksDay, "yyyy/MM/dd": ticksDay, "g": 600_000_000, "MMMM d, yyyy": ticksDay, "d MMM yyyy h:mm:ss tt": 10_000_000} {
			values["f"] = str(format)
			same(t, decls+take("string f")+"return DateTime.Parse(d.ToString(f)).Ticks; }", values, fmt.Sprint(n-n%unit))
			same(t, decls+take("string f")+"return Convert.ToDateTime(d.ToString(f)).Ticks; }", values, fmt.Sprint(n-n%unit))
		}
	})
}

func TestProperty_DateArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, m := drawTicks(t, "n"), drawTicks(t, "m")
		k := rapid.Int32().Draw(t, "k")
		if rapid.Bool().Draw(t, "small") {
			k %= 1000
		}
		values, decls := in{"n": clr.Long(n), "m": clr.Long(m), "k": clr.Int(int(k))}, "{ "+take("long n", "long m", "int k")+"DateTime d = new DateTime(n), e = new DateTime(m); "
		check := func(expr string, want int64, unrepresentable bool) {
			t.Helper()
			text := fmt.Sprint(want)
			if unrepresentable || want < 0 || want > ticksMax {
				text = "ArgumentOutOfRangeException"
			}
			if got := kindOf(run(t, decls+"return "+expr+".Ticks; }", values)); got != text {
				t.Fatalf("%s with %s gave %s, want %s", expr, values, got, text)
			}
		}
		for name, unit := range map[string]int64{"Days": ticksDay, "Hours": ticksDay / 24, "Minutes": 600_000_000, "Seconds": 10_000_000, "Milliseconds": 10_000, "Ticks": 1} {
			check("d.Add"+name+"(k)", n+int64(k)*unit, math.Abs(float64(k)*float64(unit)) > ticksMax)
		}
		check("d.AddMonths(k)", addMonths(n, int64(k)), k < -120000 || k > 120000)
		check("d.AddYears(k)", addMonths(n, int64(k)*12), k < -10000 || k > 10000)
		check("d.Add(TimeSpan.FromSeconds(k))", n+int64(k)*10_000_000, false)
		check("(d + TimeSpan.FromMinutes(k))", n+int64(k)*600_000_000, false)
		check("(d - TimeSpan.FromTicks(k))", n-int64(k), false)
		check("d.Date.AddDays(1).AddTicks(-1)", n-n%ticksDay+ticksDay-1, n-n%ticksDay+ticksDay > ticksMax)
		same(t, decls+"return (d - e).Ticks + d.Subtract(e).Ticks; }", values, fmt.Sprint(2*(n-m)))
		for op, want := range map[string]bool{"<": n < m, "<=": n <= m, ">": n > m, ">=": n >= m, "==": n == m, "!=": n != m} {
			same(t, decls+"return d "+op+" e; }", values, boolText(want))
		}
		same(t, decls+"return new[] { d, e }.Min().Ticks + \",\" + new[] { d, e }.OrderByDescending(x => x).First().Ticks; }", values, fmt.Sprintf("%d,%d", min(n, m), max(n, m)))
	})
}

// addMonths moves a date by months and keeps the day where the month has it.
func addMonths(ticks, months int64) int64 {
	g := goTime(ticks)
	total := int64(g.Year())*12 + int64(g.Month()) - 1 + months
	year, month := int(total/12), time.Month(total%12+1)
	if total < 12 || year > 9999 {
		return -1
	}
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return ticksOf(time.Date(year, month, min(g.Day(), last), 0, 0, 0, 0, time.UTC)) + ticks%ticksDay
}

// spanText is a TimeSpan in the constant format.
func spanText(n int64) string {
	sign := ""
	u := uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	s := fmt.Sprintf("%02d:%02d:%02d", u/36_000_000_000%24, u/600_000_000%60, u/10_000_000%60)
	if d := u / ticksDay; d > 0 {
		s = fmt.Sprintf("%d.%s", d, s)
	}
	if f := u % 10_000_000; f > 0 {
		s += fmt.Sprintf(".%07d", f)
	}
	return sign + s
}

func TestProperty_TimeSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) int64 {
			n := rapid.Int64().Draw(t, label)
			if rapid.Bool().Draw(t, label+" short") {
				n = n % (10 * ticksDay)
			}
			return n
		}
		n, m := draw("n"), draw("m")
		values, decls := in{"n": clr.Long(n), "m": clr.Long(m)}, "{ "+take("long n", "long m")+"TimeSpan a = TimeSpan.FromTicks(n), b = new TimeSpan(m); "
		text := spanText(n)
		digits := strings.TrimPrefix(text, "-")
		sign := text[:len(text)-len(digits)]
		abs := uint64(n)
		if n < 0 {
			abs = -abs
		}
		short := strings.TrimRight(fmt.Sprintf(".%07d", abs%10_000_000), "0")
		short = strings.TrimSuffix(short, ".")
		days := ""
		if d := abs / ticksDay; d > 0 {
			days = fmt.Sprintf("%d:", d)
		}
		for expr, want := range map[string]any{
			"a": text, "a.ToString()": text, "a.ToString(\"c\")": text, "$\"{a:t}{a:T}\"": text + text,
			"a.ToString(\"g\")":                  fmt.Sprintf("%s%s%d:%02d:%02d%s", sign, days, abs/36_000_000_000%24, abs/600_000_000%60, abs/10_000_000%60, short),
			"a.ToString(\"G\")":                  fmt.Sprintf("%s%d:%02d:%02d:%02d.%07d", sign, abs/ticksDay, abs/36_000_000_000%24, abs/600_000_000%60, abs/10_000_000%60, abs%10_000_000),
			"a.ToString(@\"hh\\:mm\\:ss\")":      fmt.Sprintf("%02d:%02d:%02d", abs/36_000_000_000%24, abs/600_000_000%60, abs/10_000_000%60),
			"TimeSpan.Parse(a.ToString()).Ticks": n, "TimeSpan.Parse(a.ToString(\"G\")).Ticks": n, "TimeSpan.Parse(a.ToString(\"g\")).Ticks": n,
			"a.Days": n / ticksDay, "a.Hours": n / 36_000_000_000 % 24, "a.Minutes": n / 600_000_000 % 60, "a.Seconds": n / 10_000_000 % 60, "a.Milliseconds": n / 10_000 % 1000, "a.Ticks": n,
			"a.TotalMinutes": roundTrip(float64(n)/600_000_000, 64), "a.TotalDays": roundTrip(float64(n)/ticksDay, 64), "a.CompareTo(b)": compareInts(n, m), "a.Equals(b)": boolText(n == m), "a == b": boolText(n == m), "a < b": boolText(n < m),
		} {
			same(t, decls+"return "+expr+"; }", values, fmt.Sprint(want))
		}
		check := func(expr string, want int64, overflow bool) {
			t.Helper()
			text := fmt.Sprint(want)
			if overflow {
				text = "OverflowException"
			}
			if got := kindOf(run(t, decls+"return ("+expr+").Ticks; }", values)); got != text {
				t.Fatalf("%s with %s gave %s, want %s", expr, values, got, text)
			}
		}
		sum, diff := n+m, n-m
		check("a + b", sum, (n > 0) == (m > 0) && m != 0 && n != 0 && (sum > 0) != (n > 0))
		check("a - b", diff, (n >= 0) != (m >= 0) && (diff >= 0) != (n >= 0))
		check("-a", -n, n == math.MinInt64)
		check("a.Negate()", -n, n == math.MinInt64)
		check("a.Duration()", max(n, -n), n == math.MinInt64)
	})
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestProperty_DateTimeOffsets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := drawTicks(t, "ticks")
		offset := rapid.Int64Range(-14*60, 14*60).Draw(t, "offset minutes")
		other := rapid.Int64Range(-14*60, 14*60).Draw(t, "other offset")
		const minute = 600_000_000
		if u := n - offset*minute; u < 0 || u > ticksMax || u+other*minute < 0 || u+other*minute > ticksMax {
			return
		}
		g := goTime(n)
		zone := fmt.Sprintf("%+03d:%02d", offset/60, max(offset%60, -offset%60))
		if offset < 0 && offset > -60 {
			zone = "-" + zone[1:]
		}
		utc := goTime(n - offset*minute)
		values := in{"n": clr.Long(n), "o": clr.Int(int(offset)), "p": clr.Int(int(other))}
		decls := "{ " + take("long n", "int o", "int p") + "var d = new DateTimeOffset(n, TimeSpan.FromMinutes(o)); "
		for expr, want := range map[string]any{
			"d": g.Format("01/02/2006 15:04:05 ") + zone, "d.ToString(\"o\")": g.Format("2006-01-02T15:04:05.") + fraction(n, 7) + zone, "d.ToString(\"u\")": utc.Format("2006-01-02 15:04:05Z"),
			"d.ToString(\"r\")": utc.Format("Mon, 02 Jan 2006 15:04:05 GMT"), "d.ToString(\"s\")": g.Format("2006-01-02T15:04:05"), "d.ToString(\"yyyy-MM-dd HH:mm zzz\")": g.Format("2006-01-02 15:04 ") + zone,
			"DateTimeOffset.Parse(d.ToString(\"o\")).EqualsExact(d)": "True", "DateTimeOffset.ParseExact(d.ToString(\"o\"), \"o\", null).EqualsExact(d)": "True", "DateTimeOffset.Parse(d.ToString()).UtcTicks": n - offset*minute - n%10_000_000,
			"DateTimeOffset.Parse(d.ToString(\"r\")).UtcTicks": ticksOf(utc) - ticksOf(utc)%10_000_000, "d.ToOffset(TimeSpan.FromMinutes(p)).UtcTicks": n - offset*minute, "d.ToOffset(TimeSpan.FromMinutes(p)) == d": "True",
			"d.ToOffset(TimeSpan.FromMinutes(p)).Ticks": n - offset*minute + other*minute, "d.UtcDateTime.Ticks": n - offset*minute, "d.DateTime.Ticks": n, "d.ToUnixTimeSeconds()": utc.Unix(), "d.ToUnixTimeMilliseconds()": utc.UnixMilli(),
			"(d - DateTimeOffset.UnixEpoch).Ticks": n - offset*minute - ticksEpoch, "d.Offset.TotalMinutes": offset, "d.GetHashCode() == d.ToOffset(TimeSpan.Zero).GetHashCode()": "True",
			"d.CompareTo(d.ToOffset(TimeSpan.FromMinutes(p)))": 0, "d.EqualsExact(d.ToOffset(TimeSpan.FromMinutes(p)))": boolText(offset == other), "DateTime.Parse(d.ToString(\"o\")).Ticks": n - offset*minute,
		} {
			same(t, decls+"return "+expr+"; }", values, fmt.Sprint(want))
		}
	})
}

func TestProperty_TimeZones(t *testing.T) {
	t.Parallel()
	zones := map[string]string{
		"Europe/Berlin": "Europe/Berlin", "W. Europe Standard Time": "Europe/Berlin", "Central European Standard Time": "Europe/Warsaw", "America/New_York": "America/New_York", "Eastern Standard Time": "America/New_York",
		"Asia/Kolkata": "Asia/Kolkata", "India Standard Time": "Asia/Kolkata", "Australia/Sydney": "Australia/Sydney", "UTC": "UTC", "GMT Standard Time": "Europe/London", "Tokyo Standard Time": "Asia/Tokyo", "Pacific Standard Time": "America/Los_Angeles",
	}
	var names []string
	for name := range zones {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(names).Draw(t, "zone")
		loc, err := time.LoadLocation(zones[id])
		if err != nil {
			t.Fatal(err)
		}
		sec := rapid.Int64Range(946684800, 2145916800).Draw(t, "second") // 2000 to 2037
		g := time.Unix(sec, 0)
		_, offset := g.In(loc).Zone()
		local := ticksOf(g) + int64(offset)*10_000_000
		values, decls := in{"z": str(id), "n": clr.Long(ticksOf(g))}, "{ "+take("string z", "long n")+"var zone = TimeZoneInfo.FindSystemTimeZoneById(z); var d = new DateTime(n, DateTimeKind.Utc); "
		same(t, decls+"return TimeZoneInfo.ConvertTimeFromUtc(d, zone).Ticks; }", values, fmt.Sprint(local))
		same(t, decls+"return TimeZoneInfo.ConvertTime(new DateTimeOffset(d), zone).ToString(\"o\"); }", values, g.In(loc).Format("2006-01-02T15:04:05.0000000-07:00"))
		same(t, decls+"return zone.GetUtcOffset(d).TotalSeconds; }", values, fmt.Sprint(offset))
		same(t, decls+"return zone.IsDaylightSavingTime(d); }", values, boolText(g.In(loc).IsDST()))
		// An hour that comes twice means standard time when it is given as a clock's.
		back := g.Unix()
		for _, o := range []int64{-3600, 3600} {
			twin := time.Unix(sec+o, 0)
			if _, other := twin.In(loc).Zone(); int64(other) == int64(offset)-o && !twin.In(loc).IsDST() {
				back = twin.Unix()
			}
		}
		same(t, decls+"return TimeZoneInfo.ConvertTimeToUtc(TimeZoneInfo.ConvertTimeFromUtc(d, zone), zone).Ticks; }", values, fmt.Sprint(ticksOf(time.Unix(back, 0))))
	})
}

func TestProperty_Guids(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		hex := fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8:10], b[10:])
		plain := strings.ReplaceAll(hex, "-", "")
		values, decls := in{"b": clr.Bytes(b)}, "{ var b = (byte[])context.Variables[\"b\"]; var g = new Guid(b); "
		for expr, want := range map[string]string{
			"g": hex, "g.ToString(\"D\")": hex, "g.ToString(\"N\")": plain, "g.ToString(\"B\")": "{" + hex + "}", "g.ToString(\"P\")": "(" + hex + ")",
			"g.ToByteArray().SequenceEqual(b)": "True", "Guid.Parse(hex) == g && Guid.Parse(hex.Replace(\"-\", \"\")) == g && new Guid(hex.ToUpper()).Equals(g)": "True",
			"new[] { \"N\", \"D\", \"B\", \"P\", \"X\" }.All(f => Guid.Parse(g.ToString(f)) == g && Guid.ParseExact(g.ToString(f), f) == g)": "True",
			"g.GetHashCode() == Guid.Parse(hex).GetHashCode()": "True", "Guid.TryParse(hex + \"0\", out var x)": "False",
		} {
			same(t, decls+"var hex = g.ToString(); return "+expr+"; }", values, want)
		}
	})
}
