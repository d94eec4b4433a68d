package lib

import (
	"cmp"
	"math"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// Ticks are units of 100 ns.
const (
	tick        = int64(1)
	millisecond = 10_000 * tick
	second      = 1000 * millisecond
	minute      = 60 * second
	hour        = 60 * minute
	day         = 24 * hour
	maxTicks    = 3155378975999999999
	unixTicks   = 621355968000000000
	tickMask    = 1<<62 - 1
)

// A DateTime keeps its ticks in the lower 62 bits of its bits and its kind
// (0 unspecified, 1 UTC, 2 local) in the upper two, as .NET does.
type date struct {
	ticks int64
	kind  int
}

func dateOf(v V) date { return date{int64(v.Bits() & tickMask), int(v.Bits() >> 62)} }

func ticksOf(v V) int64 { return int64(v.Bits() & tickMask) }

func (d date) value() V {
	checkTicks(d.ticks, "value")
	return clr.Scalar(clr.DateTime, int64(uint64(d.kind)<<62|uint64(d.ticks)))
}

// checkTicks throws when the result of adding param is no DateTime.
func checkTicks(ticks int64, param string) {
	if ticks < 0 || ticks > maxTicks {
		clr.ThrowRange(param, "The added or subtracted value results in an un-representable DateTime.")
	}
}

func (d date) time() time.Time {
	sec := d.ticks/second - unixTicks/second
	return time.Unix(sec, d.ticks%second*100).UTC()
}

func fromTime(t time.Time, kind int) date {
	return date{t.Unix()*second + int64(t.Nanosecond())/100 + unixTicks, kind}
}

// DateTime makes a System.DateTime in UTC.
func DateTime(t time.Time) V { return fromTime(t, 1).value() }

// TimeSpan makes a System.TimeSpan.
func TimeSpan(d time.Duration) V { return clr.Scalar(clr.TimeSpan, int64(d)/100) }

func span(ticks int64) V { return clr.Scalar(clr.TimeSpan, ticks) }

// DateTimeOffset is a moment with the offset it was given in.
type DateTimeOffset struct {
	ticks  int64 // of the clock
	offset int64 // ticks
}

// RuntimeType is System.DateTimeOffset.
func (*DateTimeOffset) RuntimeType() *clr.Type { return named("System.DateTimeOffset") }

func (o *DateTimeOffset) utc() int64 { return o.ticks - o.offset }

func (o *DateTimeOffset) utcDate() V { return date{o.utc(), 1}.value() }

// Text is MM/dd/yyyy HH:mm:ss zzz.
func (o *DateTimeOffset) Text(F) string { return formatOffset(o, "") }

// FormatAs applies a date format.
func (o *DateTimeOffset) FormatAs(_ F, format string) string { return formatOffset(o, format) }

// Equal compares moments.
func (o *DateTimeOffset) Equal(_ F, v V) bool {
	p, ok := v.Ref().(*DateTimeOffset)
	return ok && o.utc() == p.utc()
}

// Key is the moment.
func (o *DateTimeOffset) Key() any { return o.utc() }

// Compare orders moments.
func (o *DateTimeOffset) Compare(v V) int { return cmp.Compare(o.utc(), dto(v).utc()) }

func dto(v V) *DateTimeOffset {
	if o, ok := v.Ref().(*DateTimeOffset); ok {
		return o
	}
	return &DateTimeOffset{}
}

func offsetOf(v V) V { return clr.Object(&DateTimeOffset{ticks: ticksOf(v)}) }

func makeDate(year, month, dayN, h, m, s, ms int64) int64 {
	switch {
	case year < 1 || year > 9999 || month < 1 || month > 12 || dayN < 1 || dayN > int64(daysIn(int(year), int(month))):
		clr.ThrowRangePlain("Year, Month, and Day parameters describe an un-representable DateTime.")
	case h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59:
		clr.ThrowRangePlain("Hour, Minute, and Second parameters describe an un-representable DateTime.")
	case ms < 0 || ms > 999:
		clr.ThrowRange("millisecond", "Valid values are between 0 and 999, inclusive.")
	}
	t := time.Date(int(year), time.Month(month), int(dayN), int(h), int(m), int(s), int(ms)*1_000_000, time.UTC)
	return fromTime(t, 0).ticks
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// addMonths keeps the day where the month has it; param is what was added.
func addMonths(ticks, months int64, param string) int64 {
	t := date{ticks: ticks}.time()
	n := int64(t.Year())*12 + int64(t.Month()) - 1 + months
	y, m := n/12, n%12+1
	if y < 1 || y > 9999 {
		checkTicks(-1, param)
	}
	d := min(t.Day(), daysIn(int(y), int(m)))
	return makeDate(y, m, int64(d), 0, 0, 0, 0) + ticks%day
}

// addedTicks is a double number of units for the Add methods, which take the
// whole units and the fraction apart.
func addedTicks(x float64, unit int64) int64 {
	whole := math.Trunc(x)
	return int64(whole)*unit + int64((x-whole)*float64(unit))
}

// floatSpan is a TimeSpan of a double number of ticks.
func floatSpan(ticks float64) V {
	switch {
	case math.IsNaN(ticks):
		clr.Throw(clr.ExArgument, "TimeSpan does not accept floating point Not-a-Number values.")
	case ticks > math.MaxInt64 || ticks < math.MinInt64:
		longSpan()
	case ticks == math.MaxInt64:
		return span(math.MaxInt64)
	}
	return span(int64(ticks))
}

func longSpan() { clr.Throw(clr.ExOverflow, "TimeSpan overflowed because the duration is too long.") }

func timeDecls() []clr.Decl {
	return []clr.Decl{
		D("enum System.DayOfWeek { Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday }"),
		{Sig: "enum System.DateTimeKind { Unspecified, Utc, Local }", Access: clr.AccessAll},
		{Sig: "struct System.DateTime", Rows: dateRows(), Access: clr.AccessListed, Refused: "Kind ToLocalTime ToUniversalTime ToFileTime ToFileTimeUtc ToOADate ToBinary FromBinary FromOADate FromFileTime FromFileTimeUtc ParseExact TryParse TryParseExact SpecifyKind ToShortDateString ToLongDateString ToShortTimeString ToLongTimeString GetDateTimeFormats Compare CompareTo Equals GetHashCode GetTypeCode UnixEpoch"},
		{Sig: "struct System.TimeSpan", Rows: spanRows()},
		D("struct System.DateTimeOffset : IFormattable", offsetRows()...),
	}
}

// clockRows are the parts that DateTime and DateTimeOffset share.
func clockRows(ticks func(V) int64) []clr.Row {
	part := func(fn func(t time.Time) int) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Int(fn(date{ticks: ticks(a[0])}.time())) }
	}
	return []clr.Row{
		P("int Year", part(time.Time.Year)), P("int Month", part(func(t time.Time) int { return int(t.Month()) })), P("int Day", part(time.Time.Day)),
		P("int Hour", part(time.Time.Hour)), P("int Minute", part(time.Time.Minute)), P("int Second", part(time.Time.Second)),
		P("int Millisecond", part(func(t time.Time) int { return t.Nanosecond() / 1_000_000 })), P("int DayOfYear", part(time.Time.YearDay)),
		P("DayOfWeek DayOfWeek", func(_ F, a []V) V { return clr.Scalar(named("System.DayOfWeek"), (ticks(a[0])/day+1)%7) }),
		P("long Ticks", func(_ F, a []V) V { return clr.Long(ticks(a[0])) }),
		P("TimeSpan TimeOfDay", func(_ F, a []V) V { return span(ticks(a[0]) % day) }),
	}
}

// adders are the Add methods over a function that moves a value by ticks.
func adders(owner string, ticks func(V) int64, move func(v V, to int64) V) []clr.Row {
	shift := func(v V, to int64) V { checkTicks(to, "t"); return move(v, to) }
	rows := []clr.Row{
		P(owner+" AddMonths(int months)", func(_ F, a []V) V {
			if a[1].Int() < -120000 || a[1].Int() > 120000 {
				clr.ThrowRange("months", "Months value must be between +/-120000.")
			}
			return move(a[0], addMonths(ticks(a[0]), a[1].Int(), "months"))
		}),
		P(owner+" AddYears(int value)", func(_ F, a []V) V {
			if a[1].Int() < -10000 || a[1].Int() > 10000 {
				clr.ThrowRange("years", "Years value must be between +/-10000.")
			}
			return move(a[0], addMonths(ticks(a[0]), a[1].Int()*12, "value"))
		}),
		P(owner+" AddTicks(long value)", func(_ F, a []V) V { return move(a[0], ticks(a[0])+a[1].Int()) }),
		P(owner+" Add(TimeSpan value)", func(_ F, a []V) V { return move(a[0], ticks(a[0])+a[1].Int()) }),
		P(owner+" Subtract(TimeSpan value)", func(_ F, a []V) V { return move(a[0], ticks(a[0])-a[1].Int()) }),
		P("static "+owner+" operator +("+owner+" d, TimeSpan t)", func(_ F, a []V) V { return shift(a[0], ticks(a[0])+a[1].Int()) }),
		P("static "+owner+" operator -("+owner+" d, TimeSpan t)", func(_ F, a []V) V { return shift(a[0], ticks(a[0])-a[1].Int()) }),
	}
	for _, u := range []struct {
		name string
		n    int64
	}{{"Days", day}, {"Hours", hour}, {"Minutes", minute}, {"Seconds", second}, {"Milliseconds", millisecond}} {
		rows = append(rows, P(owner+" Add"+u.name+"(double value)", func(_ F, a []V) V {
			x := a[1].Float()
			if math.Abs(x) > float64(maxTicks/u.n) {
				clr.ThrowRange("value", "Value to add was out of range.")
			}
			return move(a[0], ticks(a[0])+addedTicks(x, u.n))
		}))
	}
	return rows
}

func comparisons(t string, order func(a, b V) int) []clr.Row {
	var rows []clr.Row
	for _, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
		rows = append(rows, P("static bool operator "+op+"("+t+" a, "+t+" b)", func(_ F, a []V) V {
			return clr.Arith(op, clr.Int32, clr.Int(order(a[0], a[1])), clr.Int(0), false)
		}))
	}
	return rows
}

func checkYear(v V) int {
	if v.Int() < 1 || v.Int() > 9999 {
		clr.ThrowRange("year", "Year must be between 1 and 9999.")
	}
	return int(v.Int())
}

// ofTicks is a DateTime of ticks and a kind that were given.
func ofTicks(ticks, kind int64) V {
	if ticks < 0 || ticks > maxTicks {
		clr.ThrowRange("ticks", "Ticks must be between DateTime.MinValue.Ticks and DateTime.MaxValue.Ticks.")
	}
	if kind < 0 || kind > 2 {
		clr.ThrowArg(clr.ExArgument, "Invalid DateTimeKind value.", "kind")
	}
	return date{ticks, int(kind)}.value()
}

func dateRows() []clr.Row {
	move := func(v V, to int64) V { return date{to, dateOf(v).kind}.value() }
	make := func(kindAt int) func(F, []V) V {
		return func(_ F, a []V) V {
			var n [8]int64
			for i := range a {
				if i != kindAt {
					n[i] = a[i].Int()
				}
			}
			d := date{ticks: makeDate(n[0], n[1], n[2], n[3], n[4], n[5], n[6])}
			if kindAt >= 0 {
				return ofTicks(d.ticks, a[kindAt].Int())
			}
			return d.value()
		}
	}
	now := func(kind int, whole bool) func(F, []V) V {
		return func(F, []V) V {
			d := fromTime(time.Now(), kind)
			if whole {
				d.ticks -= d.ticks % day
			}
			return d.value()
		}
	}
	rows := append(clockRows(ticksOf), adders("DateTime", ticksOf, move)...)
	rows = append(rows, comparisons("DateTime", func(a, b V) int { return cmp.Compare(ticksOf(a), ticksOf(b)) })...)
	return append(rows,
		P("new(long ticks)", func(_ F, a []V) V { return ofTicks(a[0].Int(), 0) }),
		P("new(long ticks, DateTimeKind kind)", func(_ F, a []V) V { return ofTicks(a[0].Int(), a[1].Int()) }),
		P("new(int year, int month, int day)", make(-1)), P("new(int year, int month, int day, int hour, int minute, int second)", make(-1)),
		P("new(int year, int month, int day, int hour, int minute, int second, int millisecond)", make(-1)),
		P("new(int year, int month, int day, int hour, int minute, int second, DateTimeKind kind)", make(6)),
		P("new(int year, int month, int day, int hour, int minute, int second, int millisecond, DateTimeKind kind)", make(7)),
		R("static DateTime Now", now(2, false)), R("static DateTime UtcNow", now(1, false)), R("static DateTime Today", now(2, true)),
		R("static DateTime MinValue", date{}.value()), R("static DateTime MaxValue", date{ticks: maxTicks}.value()),
		P("DateTime Date", func(_ F, a []V) V { return move(a[0], ticksOf(a[0])-ticksOf(a[0])%day) }),
		P("TimeSpan Subtract(DateTime value)", func(_ F, a []V) V { return span(ticksOf(a[0]) - ticksOf(a[1])) }),
		P("static TimeSpan operator -(DateTime d1, DateTime d2)", func(_ F, a []V) V { return span(ticksOf(a[0]) - ticksOf(a[1])) }),
		P("bool IsDaylightSavingTime()", func(F, []V) V { return clr.Bool(false) }),
		P("static bool IsLeapYear(int year)", func(_ F, a []V) V { return clr.Bool(daysIn(checkYear(a[0]), 2) == 29) }),
		P("static int DaysInMonth(int year, int month)", func(_ F, a []V) V {
			if a[1].Int() < 1 || a[1].Int() > 12 {
				clr.ThrowRange("month", "Month must be between one and twelve.")
			}
			return clr.Int(daysIn(checkYear(a[0]), int(a[1].Int())))
		}),
		R("static DateTime Parse(string s)", func(_ F, a []V) V { return parseDate(text(a[0], "s")) }),
		R("static DateTime Parse(string s, IFormatProvider provider)", func(_ F, a []V) V { return parseDate(text(a[0], "s")) }),
		P("string ToString()", toStringRow), P("string ToString(string format)", formatRow),
		R("string ToString(IFormatProvider provider)", toStringRow), R("string ToString(string format, IFormatProvider provider)", formatRow),
	)
}

func spanRows() []clr.Row {
	n := func(v V) int64 { return v.Int() }
	checked := func(x int64, over bool) V {
		if over {
			longSpan()
		}
		return span(x)
	}
	add := func(_ F, a []V) V {
		r := n(a[0]) + n(a[1])
		return checked(r, (n(a[0]) > 0) == (n(a[1]) > 0) && (r > 0) != (n(a[0]) > 0) && n(a[0]) != 0 && n(a[1]) != 0)
	}
	sub := func(_ F, a []V) V {
		x, y := n(a[0]), n(a[1])
		return checked(x-y, (x < 0) != (y < 0) && (x-y < 0) != (x < 0))
	}
	neg := func(_ F, a []V) V {
		if n(a[0]) == math.MinInt64 {
			clr.Throw(clr.ExOverflow, "Negating the minimum value of a twos complement number is invalid.")
		}
		return span(-n(a[0]))
	}
	make := func(_ F, a []V) V {
		if len(a) == 1 {
			return span(n(a[0]))
		}
		units := []int64{day, hour, minute, second, millisecond}
		if len(a) == 3 {
			units = units[1:]
		}
		total, rough := int64(0), 0.0
		for i := range a {
			total += n(a[i]) * units[i]
			rough += float64(n(a[i])) * float64(units[i])
		}
		if math.Abs(rough) >= math.MaxInt64 {
			clr.ThrowRangePlain("TimeSpan overflowed because the duration is too long.")
		}
		return span(total)
	}
	rows := []clr.Row{
		R("static TimeSpan Zero", span(0)), R("static TimeSpan MinValue", span(math.MinInt64)), R("static TimeSpan MaxValue", span(math.MaxInt64)),
		R("static long TicksPerDay", clr.Long(day)), R("static long TicksPerHour", clr.Long(hour)), R("static long TicksPerMinute", clr.Long(minute)),
		R("static long TicksPerSecond", clr.Long(second)), R("static long TicksPerMillisecond", clr.Long(millisecond)),
		P("new(long ticks)", make), P("new(int hours, int minutes, int seconds)", make), P("new(int days, int hours, int minutes, int seconds)", make),
		P("new(int days, int hours, int minutes, int seconds, int milliseconds)", make),
		P("long Ticks", func(_ F, a []V) V { return clr.Long(n(a[0])) }),
		P("TimeSpan Add(TimeSpan ts)", add), P("TimeSpan Subtract(TimeSpan ts)", sub), P("TimeSpan Negate()", neg),
		P("TimeSpan Duration()", func(f F, a []V) V {
			if n(a[0]) == math.MinInt64 {
				clr.Throw(clr.ExOverflow, "The duration cannot be returned for TimeSpan.MinValue because the absolute value of TimeSpan.MinValue exceeds the value of TimeSpan.MaxValue.")
			}
			if n(a[0]) < 0 {
				return neg(f, a)
			}
			return a[0]
		}),
		P("static TimeSpan operator +(TimeSpan t1, TimeSpan t2)", add), P("static TimeSpan operator -(TimeSpan t1, TimeSpan t2)", sub), P("static TimeSpan operator -(TimeSpan t)", neg),
		P("static TimeSpan operator +(TimeSpan t)", func(_ F, a []V) V { return a[0] }),
		P("static TimeSpan operator *(TimeSpan timeSpan, double factor)", func(_ F, a []V) V { return times(n(a[0]), a[1].Float(), "factor") }),
		P("static TimeSpan operator *(double factor, TimeSpan timeSpan)", func(_ F, a []V) V { return times(n(a[1]), a[0].Float(), "factor") }),
		P("static TimeSpan operator /(TimeSpan timeSpan, double divisor)", func(_ F, a []V) V {
			notNaN(a[1].Float(), "divisor")
			return floatSpan(math.RoundToEven(float64(n(a[0])) / a[1].Float()))
		}),
		P("static double operator /(TimeSpan t1, TimeSpan t2)", func(_ F, a []V) V { return clr.Float(float64(n(a[0])) / float64(n(a[1]))) }),
		P("static int Compare(TimeSpan t1, TimeSpan t2)", func(_ F, a []V) V { return clr.Int(cmp.Compare(n(a[0]), n(a[1]))) }),
		P("int CompareTo(TimeSpan value)", compareRow), P("bool Equals(TimeSpan obj)", equalsRow), R("bool Equals(object value)", equalsRow),
		P("static bool Equals(TimeSpan t1, TimeSpan t2)", equalsRow), P("int GetHashCode()", hashRow),
		P("string ToString()", toStringRow), P("string ToString(string format)", formatRow), R("string ToString(string format, IFormatProvider formatProvider)", formatRow),
		P("static TimeSpan FromTicks(long value)", make),
		R("static TimeSpan Parse(string s)", func(_ F, a []V) V { return parseSpan(text(a[0], "input")) }),
		R("static TimeSpan Parse(string input, IFormatProvider formatProvider)", func(_ F, a []V) V { return parseSpan(text(a[0], "input")) }),
		R("static bool TryParse(string s, out TimeSpan result)", func(_ F, a []V) V {
			x, ok, _ := readSpan(a[0].Str())
			setOut(a[1], span(x))
			return clr.Bool(ok)
		}),
	}
	for _, u := range []struct {
		name string
		n, m int64
	}{{"Days", day, 1 << 60}, {"Hours", hour, 24}, {"Minutes", minute, 60}, {"Seconds", second, 60}, {"Milliseconds", millisecond, 1000}} {
		rows = append(rows,
			P("int "+u.name, func(_ F, a []V) V { return clr.Int(int(n(a[0]) / u.n % u.m)) }),
			P("double Total"+u.name, func(_ F, a []V) V { return clr.Float(float64(n(a[0])) / float64(u.n)) }),
			P("static TimeSpan From"+u.name+"(double value)", func(_ F, a []V) V { return floatSpan(a[0].Float() * float64(u.n)) }))
	}
	return append(rows, comparisons("TimeSpan", func(a, b V) int { return cmp.Compare(n(a), n(b)) })...)
}

func notNaN(x float64, param string) {
	if math.IsNaN(x) {
		clr.ThrowArg(clr.ExArgument, "TimeSpan does not accept floating point Not-a-Number values.", param)
	}
}

// times multiplies a TimeSpan.
func times(ticks int64, factor float64, param string) V {
	notNaN(factor, param)
	return floatSpan(math.RoundToEven(float64(ticks) * factor))
}

func offsetRows() []clr.Row {
	clock := func(v V) int64 { return dto(v).ticks }
	make := func(ticks, offset int64) V {
		if offset%minute != 0 {
			clr.ThrowArg(clr.ExArgument, "Offset must be specified in whole minutes.", "offset")
		}
		if offset < -14*hour || offset > 14*hour {
			clr.ThrowRange("offset", "Offset must be within plus or minus 14 hours.")
		}
		if u := ticks - offset; u < 0 || u > maxTicks {
			clr.ThrowRange("offset", "The UTC time represented when the offset is applied must be between year 0 and 10,000.")
		}
		return clr.Object(&DateTimeOffset{ticks, offset})
	}
	move := func(v V, to int64) V {
		checkTicks(to, "value")
		return clr.Object(&DateTimeOffset{to, dto(v).offset})
	}
	now := func(F, []V) V { return clr.Object(&DateTimeOffset{ticks: fromTime(time.Now(), 1).ticks}) }
	unix := func(unit int64, name string, lo, hi string) func(F, []V) V {
		return func(_ F, a []V) V {
			n := a[0].Int()
			if n < -unixTicks/unit || n > (maxTicks-unixTicks)/unit {
				clr.ThrowRange(name, "Valid values are between "+lo+" and "+hi+", inclusive.")
			}
			return clr.Object(&DateTimeOffset{ticks: unixTicks + n*unit})
		}
	}
	floorDiv := func(a, b int64) int64 {
		q := a / b
		if a%b < 0 {
			q--
		}
		return q
	}
	date0 := func(ticks int64, kind int) V { return date{ticks, kind}.value() }
	sub := func(_ F, a []V) V { return span(dto(a[0]).utc() - dto(a[1]).utc()) }
	rows := append(clockRows(clock), adders("DateTimeOffset", clock, move)...)
	rows = append(rows, comparisons("DateTimeOffset", func(a, b V) int { return dto(a).Compare(b) })...)
	return append(rows,
		R("new(DateTime dateTime)", func(_ F, a []V) V { return make(ticksOf(a[0]), 0) }),
		R("new(DateTime dateTime, TimeSpan offset)", func(_ F, a []V) V {
			switch kind := dateOf(a[0]).kind; {
			case kind == 1 && a[1].Int() != 0:
				clr.ThrowArg(clr.ExArgument, "The UTC Offset for Utc DateTime instances must be 0.", "offset")
			case kind == 2 && a[1].Int() != 0:
				clr.ThrowArg(clr.ExArgument, "The UTC Offset of the local dateTime parameter does not match the offset argument.", "offset")
			}
			return make(ticksOf(a[0]), a[1].Int())
		}),
		R("new(long ticks, TimeSpan offset)", func(_ F, a []V) V { return make(a[0].Int(), a[1].Int()) }),
		R("new(int year, int month, int day, int hour, int minute, int second, TimeSpan offset)", func(_ F, a []V) V {
			return make(makeDate(a[0].Int(), a[1].Int(), a[2].Int(), a[3].Int(), a[4].Int(), a[5].Int(), 0), a[6].Int())
		}),
		R("new(int year, int month, int day, int hour, int minute, int second, int millisecond, TimeSpan offset)", func(_ F, a []V) V {
			return make(makeDate(a[0].Int(), a[1].Int(), a[2].Int(), a[3].Int(), a[4].Int(), a[5].Int(), a[6].Int()), a[7].Int())
		}),
		R("static implicit operator DateTimeOffset(DateTime dateTime)", func(_ F, a []V) V { return offsetOf(a[0]) }),
		R("static DateTimeOffset Now", now), R("static DateTimeOffset UtcNow", now),
		R("static DateTimeOffset MinValue", clr.Object(&DateTimeOffset{})), R("static DateTimeOffset MaxValue", clr.Object(&DateTimeOffset{ticks: maxTicks})),
		R("static DateTimeOffset UnixEpoch", clr.Object(&DateTimeOffset{ticks: unixTicks})),
		R("static DateTimeOffset FromUnixTimeSeconds(long seconds)", unix(second, "seconds", "-62135596800", "253402300799")),
		R("static DateTimeOffset FromUnixTimeMilliseconds(long milliseconds)", unix(millisecond, "milliseconds", "-62135596800000", "253402300799999")),
		R("long ToUnixTimeSeconds()", func(_ F, a []V) V { return clr.Long(floorDiv(dto(a[0]).utc()-unixTicks, second)) }),
		R("long ToUnixTimeMilliseconds()", func(_ F, a []V) V { return clr.Long(floorDiv(dto(a[0]).utc()-unixTicks, millisecond)) }),
		R("DateTime DateTime", func(_ F, a []V) V { return date0(clock(a[0]), 0) }), R("DateTime UtcDateTime", func(_ F, a []V) V { return dto(a[0]).utcDate() }),
		R("DateTime LocalDateTime", func(_ F, a []V) V { return date0(dto(a[0]).utc(), 2) }), R("DateTime Date", func(_ F, a []V) V { return date0(clock(a[0])-clock(a[0])%day, 0) }),
		R("TimeSpan Offset", func(_ F, a []V) V { return span(dto(a[0]).offset) }), R("long UtcTicks", func(_ F, a []V) V { return clr.Long(dto(a[0]).utc()) }),
		R("DateTimeOffset ToOffset(TimeSpan offset)", func(_ F, a []V) V { return make(dto(a[0]).utc()+a[1].Int(), a[1].Int()) }),
		R("DateTimeOffset ToUniversalTime()", func(_ F, a []V) V { return make(dto(a[0]).utc(), 0) }), R("DateTimeOffset ToLocalTime()", func(_ F, a []V) V { return make(dto(a[0]).utc(), 0) }),
		R("TimeSpan Subtract(DateTimeOffset value)", sub), R("static TimeSpan operator -(DateTimeOffset left, DateTimeOffset right)", sub),
		R("static DateTimeOffset Parse(string input)", func(_ F, a []V) V { return clr.Object(parseOffset(text(a[0], "input"))) }),
		R("static bool TryParse(string input, out DateTimeOffset result)", func(_ F, a []V) V {
			t, off, _, ok := readDate(a[0].Str())
			setOut(a[1], clr.Object(&DateTimeOffset{t, off}))
			return clr.Bool(ok)
		}),
		R("static DateTimeOffset ParseExact(string input, string format, IFormatProvider formatProvider)", func(_ F, a []V) V {
			t, off, ok := parseExact(text(a[0], "input"), text(a[1], "format"))
			if !ok {
				clr.Throw(clr.ExFormat, "String '"+a[0].Str()+"' was not recognized as a valid DateTime.")
			}
			return clr.Object(&DateTimeOffset{t, off})
		}),
		R("static int Compare(DateTimeOffset first, DateTimeOffset second)", func(_ F, a []V) V { return clr.Int(dto(a[0]).Compare(a[1])) }),
		R("int CompareTo(DateTimeOffset other)", compareRow), R("bool Equals(DateTimeOffset other)", equalsRow), R("bool EqualsExact(DateTimeOffset other)", func(_ F, a []V) V { return clr.Bool(*dto(a[0]) == *dto(a[1])) }),
		R("string ToString()", toStringRow), R("string ToString(string format)", formatRow), R("string ToString(string format, IFormatProvider formatProvider)", formatRow),
	)
}
