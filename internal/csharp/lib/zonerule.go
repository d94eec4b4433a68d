package lib

import (
	"math/bits"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// zns is what the full names of the types nested in TimeZoneInfo begin with.
const zns = "System.TimeZoneInfo."

// transition is a TimeZoneInfo.TransitionTime: the same day of every year, or
// the week and the day of the week, of which the fifth is the month's last.
type transition struct {
	clock                       int64 // ticks of the time of day
	month, week, day, dayOfWeek int64
	fixed                       bool
}

// RuntimeType is System.TimeZoneInfo.TransitionTime.
func (*transition) RuntimeType() *clr.Type { return named(zns + "TransitionTime") }

// Equal compares all parts.
func (t *transition) Equal(_ F, v V) bool {
	o, ok := v.Ref().(*transition)
	return ok && *t == *o
}

// Key is all parts.
func (t *transition) Key() any { return *t }

func (t *transition) hash() int32 { return int32(t.month ^ t.week<<8) }

func transitionOf(v V) *transition {
	if t, ok := v.Ref().(*transition); ok {
		return t
	}
	return &transition{}
}

// newTransition checks the parts as .NET does.
func newTransition(at V, t transition) V {
	d := dateOf(at)
	if d.kind != 0 {
		clr.ThrowArg(clr.ExArgument, "The supplied DateTime must have the Kind property set to DateTimeKind.Unspecified.", "timeOfDay")
	}
	switch {
	case t.month < 1 || t.month > 12:
		clr.ThrowRange("month", "The Month parameter must be in the range 1 through 12.")
	case t.day < 1 || t.day > 31:
		clr.ThrowRange("day", "The Day parameter must be in the range 1 through 31.")
	case t.week < 1 || t.week > 5:
		clr.ThrowRange("week", "The Week parameter must be in the range 1 through 5.")
	case t.dayOfWeek < 0 || t.dayOfWeek > 6:
		clr.ThrowRange("dayOfWeek", "The DayOfWeek enumeration must be in the range 0 through 6.")
	case d.ticks >= day || d.ticks%millisecond != 0:
		clr.ThrowArg(clr.ExArgument, "The supplied DateTime must have the Year, Month, and Day properties set to 1.  The time cannot be specified more precisely than whole milliseconds.", "timeOfDay")
	}
	t.clock = d.ticks
	return clr.Object(&t)
}

// adjustment is a TimeZoneInfo.AdjustmentRule.
type adjustment struct {
	from, to         date
	delta, baseDelta int64
	start, end       transition
}

// RuntimeType is System.TimeZoneInfo.AdjustmentRule.
func (*adjustment) RuntimeType() *clr.Type { return named(zns + "AdjustmentRule") }

// Equal compares all parts; dates are equal whatever their kind.
func (r *adjustment) Equal(_ F, v V) bool {
	o, ok := v.Ref().(*adjustment)
	return ok && r.Key() == o.Key()
}

// Key is all parts but the kinds of the dates.
func (r *adjustment) Key() any {
	k := *r
	k.from.kind, k.to.kind = 0, 0
	return k
}

func (r *adjustment) hash() int32 { return foldHash(r.from.ticks) }

// newAdjustment checks the parts as .NET does, in its order.
func newAdjustment(r adjustment) V {
	switch {
	case r.from.kind == 2:
		clr.ThrowArg(clr.ExArgument, notLocal, "dateStart")
	case r.to.kind == 2:
		clr.ThrowArg(clr.ExArgument, notLocal, "dateEnd")
	case r.start == r.end:
		clr.ThrowArg(clr.ExArgument, "The DaylightTransitionStart property must not equal the DaylightTransitionEnd property.", "daylightTransitionEnd")
	case r.from.ticks > r.to.ticks:
		clr.ThrowArg(clr.ExArgument, "The DateStart property must come before the DateEnd property.", "dateStart")
	case r.delta < -23*hour || r.delta > 14*hour:
		panic(&clr.Exception{
			Type: clr.ExOutOfRange, Param: "daylightDelta",
			Message: "The TimeSpan parameter must be within plus or minus 14.0 hours. (Parameter 'daylightDelta')\nActual value was " + formatSpan(r.delta, "c") + ".",
		})
	case r.delta%minute != 0:
		clr.ThrowArg(clr.ExArgument, "The TimeSpan parameter cannot be specified more precisely than whole minutes.", "daylightDelta")
	case r.from.kind == 0 && r.from.ticks%day != 0:
		clr.ThrowArg(clr.ExArgument, notWholeDay, "dateStart")
	case r.to.kind == 0 && r.to.ticks%day != 0 && r.to.ticks != maxTicks:
		clr.ThrowArg(clr.ExArgument, notWholeDay, "dateEnd")
	}
	return clr.Object(&r)
}

const (
	notLocal    = "The supplied DateTime must have the Kind property set to DateTimeKind.Unspecified or DateTimeKind.Utc."
	notWholeDay = "The supplied DateTime includes a TimeOfDay setting.   This is not supported."
)

// The years whose transitions make the rules of a zone: Windows knows little of
// those before, and the rule of the last holds for all to come.
const firstRuleYear, lastRuleYear = 2001, 2037

// pattern is a transition whose week is open: in a month with four Sundays the
// last one is the fourth and, as the last, the fifth.
type pattern struct {
	transition
	weeks uint8 // a bit for each that it may be
}

// and is the pattern that both follow.
func (p pattern) and(o pattern) (both pattern, ok bool) {
	same := p.transition == o.transition
	p.weeks &= o.weeks
	return p, same && p.weeks != 0
}

// settled is the transition in the latest week that it may be.
func (p pattern) settled() transition {
	p.week = int64(bits.Len8(p.weeks)) - 1
	return p.transition
}

// fixedPattern is a day of the month; the other parts are those that .NET gives.
func fixedPattern(month, dayN, clock int64) pattern {
	return pattern{transition{clock: clock, month: month, day: dayN, fixed: true}, 1 << 1}
}

// patternOf is the pattern of a transition at a time of the zone's clock.
func patternOf(clock int64) pattern {
	t := date{ticks: clock}.time()
	n := (t.Day() + 6) / 7
	weeks := uint8(1) << n
	if t.Day()+7 > daysIn(t.Year(), int(t.Month())) {
		weeks |= 1 << 5
	}
	return pattern{transition{clock: clock % day, month: int64(t.Month()), day: 1, dayOfWeek: int64(t.Weekday())}, weeks}
}

// yearRule is the daylight time of one year or of several in a row.
type yearRule struct {
	from, to    int // years
	base, delta int64
	start, end  pattern
}

// extend makes the rule hold for the year of o as well, if that follows it.
func (r *yearRule) extend(o *yearRule) bool {
	start, sameStart := r.start.and(o.start)
	end, sameEnd := r.end.and(o.end)
	if !sameStart || !sameEnd || r.to+1 != o.from || r.base != o.base || r.delta != o.delta {
		return false
	}
	r.to, r.start, r.end = o.to, start, end
	return true
}

// yearRule is the rule of one year, nil without daylight time. Summer is where
// the offset is greater; a year that begins or ends in it has its first or last
// moment for the transition that is missing. A break within it is not told.
func (z *zone) yearRule(year int) *yearRule {
	start, end := fixedPattern(1, 1, 0), fixedPattern(12, 31, day-millisecond)
	t := time.Date(year, 1, 1, 0, 0, 0, 0, z.loc)
	_, offset := t.Zone()
	low, high, daylight, rose := offset, offset, t.IsDST(), false
	for {
		_, t = t.ZoneBounds()
		if t.IsZero() || t.Year() > year {
			break
		}
		_, next := t.Zone()
		clock := fromTime(t, 0).ticks + int64(offset)*second
		switch {
		case next > offset && !rose:
			start, rose = patternOf(clock), true
		case next < offset:
			end = patternOf(clock)
		}
		daylight = daylight || t.IsDST()
		low, high, offset = min(low, next), max(high, next), next
	}
	if !daylight || low == high {
		return nil
	}
	return &yearRule{year, year, int64(low) * second, int64(high-low) * second, start, end}
}

// adjustmentRules are the rules of the zone, one for every run of years whose
// daylight time follows the same pattern.
func (z *zone) adjustmentRules(f F) V {
	var rules []*yearRule
	for year := firstRuleYear; year <= lastRuleYear; year++ {
		f.Step(1)
		r := z.yearRule(year)
		if n := len(rules); r != nil && (n == 0 || !rules[n-1].extend(r)) {
			rules = append(rules, r)
		}
	}
	f.Alloc(len(rules) * 200) // about what one takes
	out := make([]V, len(rules))
	for i, r := range rules {
		out[i] = clr.Object(r.adjustment(z.base()))
	}
	return clr.Object(clr.ArrOf(named(zns+"AdjustmentRule"), out))
}

// adjustment is the rule in a zone with a base offset. The rules of the first
// and the last year hold for all before and behind.
func (r *yearRule) adjustment(base int64) *adjustment {
	a := &adjustment{delta: r.delta, baseDelta: r.base - base, start: r.start.settled(), end: r.end.settled()}
	if r.from > firstRuleYear {
		a.from.ticks = makeDate(int64(r.from), 1, 1, 0, 0, 0, 0)
	}
	if r.to == lastRuleYear {
		r.to = 9999
	}
	a.to.ticks = makeDate(int64(r.to), 12, 31, 0, 0, 0, 0)
	return a
}

func zoneRuleDecls() []clr.Decl {
	return []clr.Decl{
		D("struct "+zns+"TransitionTime", transitionRows()...),
		D("class "+zns+"AdjustmentRule", adjustmentRows()...),
	}
}

func transitionRows() []clr.Row {
	const name = "TimeZoneInfo.TransitionTime"
	number := func(part func(*transition) int64) func(F, []V) V {
		return func(_ F, a []V) V { return clr.Int(int(part(transitionOf(a[0])))) }
	}
	return []clr.Row{
		R("static "+name+" CreateFixedDateRule(DateTime timeOfDay, int month, int day)", func(_ F, a []V) V {
			return newTransition(a[0], transition{month: a[1].Int(), week: 1, day: a[2].Int(), fixed: true})
		}),
		R("static "+name+" CreateFloatingDateRule(DateTime timeOfDay, int month, int week, DayOfWeek dayOfWeek)", func(_ F, a []V) V {
			return newTransition(a[0], transition{month: a[1].Int(), week: a[2].Int(), day: 1, dayOfWeek: a[3].Int()})
		}),
		R("DateTime TimeOfDay", func(_ F, a []V) V { return date{ticks: transitionOf(a[0]).clock}.value() }),
		R("int Month", number(func(t *transition) int64 { return t.month })),
		R("int Week", number(func(t *transition) int64 { return t.week })),
		R("int Day", number(func(t *transition) int64 { return t.day })),
		R("DayOfWeek DayOfWeek", func(_ F, a []V) V { return clr.Scalar(named("System.DayOfWeek"), transitionOf(a[0]).dayOfWeek) }),
		R("bool IsFixedDateRule", func(_ F, a []V) V { return clr.Bool(transitionOf(a[0]).fixed) }),
		R("bool Equals("+name+" other)", equalsRow), R("bool Equals(object obj)", equalsRow), R("int GetHashCode()", hashRow),
		R("static bool operator ==("+name+" t1, "+name+" t2)", equalsRow),
		R("static bool operator !=("+name+" t1, "+name+" t2)", func(f F, a []V) V { return clr.Bool(!Equal(f, a[0], a[1])) }),
	}
}

func adjustmentRows() []clr.Row {
	const name, moment = "TimeZoneInfo.AdjustmentRule", "TimeZoneInfo.TransitionTime"
	const params = "DateTime dateStart, DateTime dateEnd, TimeSpan daylightDelta, " + moment + " daylightTransitionStart, " + moment + " daylightTransitionEnd"
	create := func(_ F, a []V) V {
		r := adjustment{from: dateOf(a[0]), to: dateOf(a[1]), delta: a[2].Int(), start: *transitionOf(a[3]), end: *transitionOf(a[4])}
		if len(a) > 5 {
			r.baseDelta = a[5].Int()
		}
		return newAdjustment(r)
	}
	r := func(a []V) *adjustment { return a[0].Ref().(*adjustment) }
	return []clr.Row{
		R("static "+name+" CreateAdjustmentRule("+params+")", create),
		R("static "+name+" CreateAdjustmentRule("+params+", TimeSpan baseUtcOffsetDelta)", create),
		R("DateTime DateStart", func(_ F, a []V) V { return r(a).from.value() }), R("DateTime DateEnd", func(_ F, a []V) V { return r(a).to.value() }),
		R("TimeSpan DaylightDelta", func(_ F, a []V) V { return span(r(a).delta) }), R("TimeSpan BaseUtcOffsetDelta", func(_ F, a []V) V { return span(r(a).baseDelta) }),
		R(moment+" DaylightTransitionStart", func(_ F, a []V) V { t := r(a).start; return clr.Object(&t) }),
		R(moment+" DaylightTransitionEnd", func(_ F, a []V) V { t := r(a).end; return clr.Object(&t) }),
		R("bool Equals("+name+" other)", equalsRow), R("bool Equals(object obj)", equalsRow), R("int GetHashCode()", hashRow),
	}
}
