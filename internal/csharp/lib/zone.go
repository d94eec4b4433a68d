package lib

import (
	"strings"
	"time"

	"github.com/portico-dev/portico/internal/csharp/clr"
	"github.com/portico-dev/portico/internal/csharp/timezone"
)

// zone is a TimeZoneInfo.
type zone struct {
	id  string
	loc *time.Location
}

// RuntimeType is System.TimeZoneInfo.
func (*zone) RuntimeType() *clr.Type { return named("System.TimeZoneInfo") }

// The zones of every machine: UTC, and its local time, which is UTC as well.
var utcZone, localZone = &zone{"UTC", time.UTC}, &zone{"UTC", time.UTC}

const utcName = "Coordinated Universal Time"

// Text is the display name.
func (z *zone) Text(F) string {
	if z.loc == time.UTC {
		return "(UTC) " + utcName
	}
	return "(UTC" + offsetText(z.base()) + ") " + z.id
}

// name is the name of the zone in winter, or in summer.
func (z *zone) name(summer bool) string {
	switch {
	case z.loc == time.UTC:
		return utcName
	case summer:
		return strings.Replace(z.id, "Standard", "Daylight", 1)
	}
	return z.id
}

// kind is the kind of the DateTimes that are in the zone.
func (z *zone) kind() int {
	switch z {
	case utcZone:
		return 1
	case localZone:
		return 2
	}
	return 0
}

// base is the offset without daylight saving.
func (z *zone) base() int64 {
	y := time.Now().Year()
	_, a := time.Date(y, 1, 1, 0, 0, 0, 0, z.loc).Zone()
	_, b := time.Date(y, 7, 1, 0, 0, 0, 0, z.loc).Zone()
	return int64(min(a, b)) * second
}

func findZone(id string) *zone {
	loc := timezone.Find(id)
	if loc == time.UTC {
		return utcZone
	}
	if loc == nil {
		clr.Throw(clr.ExTimeZone, "The time zone ID '"+id+"' was not found on the local computer.")
	}
	return &zone{id, loc}
}

func zoneOf(v V, param string) *zone {
	z, ok := v.Ref().(*zone)
	if !ok {
		clr.ThrowArgNull(param)
	}
	return z
}

// offsetAt is the offset of a zone at a moment in UTC ticks.
func (z *zone) offsetAt(utc int64) int64 {
	_, n := date{ticks: utc}.time().In(z.loc).Zone()
	return int64(n) * second
}

// offsetOn is the offset that a clock in the zone shows a time with. Times that
// occur twice, and those that are skipped and therefore not valid, are standard
// time.
func (z *zone) offsetOn(clock int64) (offset int64, valid bool) {
	before, after := z.offsetAt(clock-day), z.offsetAt(clock+day)
	isBefore, isAfter := z.offsetAt(clock-before) == before, z.offsetAt(clock-after) == after
	switch {
	case isBefore == isAfter:
		return min(before, after), isBefore
	case isBefore:
		return before, true
	}
	return after, true
}

// daylight reports whether a moment is in daylight saving time.
func (z *zone) daylight(utc int64) bool { return date{ticks: utc}.time().In(z.loc).IsDST() }

// moment is the UTC ticks of a DateTime that is in zone z unless it says UTC or
// local; times that the clock skips count as standard time.
func (z *zone) moment(v V) (utc int64, valid bool) {
	d := dateOf(v)
	if d.kind != 0 {
		return d.ticks, true
	}
	offset, valid := z.offsetOn(d.ticks)
	return d.ticks - offset, valid
}

// convertTime is ConvertTime from one zone to another.
func convertTime(v V, from, to *zone) V {
	d := dateOf(v)
	if d.kind != 0 && d.kind != from.kind() {
		clr.ThrowArg(clr.ExArgument, "The conversion could not be completed because the supplied DateTime did not have the Kind property set correctly.  For example, when the Kind property is DateTimeKind.Local, the source time zone must be TimeZoneInfo.Local.", "sourceTimeZone")
	}
	utc, valid := from.moment(v)
	if !valid {
		clr.ThrowArg(clr.ExArgument, "The supplied DateTime represents an invalid time.  For example, when the clock is adjusted forward, any time in the period that is skipped is invalid.", "dateTime")
	}
	return date{utc + to.offsetAt(utc), to.kind()}.value()
}

// source is the zone of a DateTime by its kind.
func source(v V) *zone {
	if dateOf(v).kind == 1 {
		return utcZone
	}
	return localZone
}

// sourceNamed is the zone with an id, or the one of the DateTime if that is it.
func sourceNamed(v, id V) *zone {
	if z := source(v); dateOf(v).kind != 0 && strings.EqualFold(id.Str(), z.id) {
		return z
	}
	return findZone(text(id, "id"))
}

func zoneDecls() []clr.Decl {
	find := func(v V) *zone { return findZone(text(v, "id")) }
	shift := func(v V, to *zone) V {
		o := dto(v)
		off := to.offsetAt(o.utc())
		return clr.Object(&DateTimeOffset{o.utc() + off, off})
	}
	z := func(a []V) *zone { return a[0].Ref().(*zone) }
	return []clr.Decl{
		D("class System.TimeZone", R("static TimeZone CurrentTimeZone", func(F, []V) V { return clr.Object(localZone) }), R("string StandardName", func(_ F, a []V) V { return clr.String(z(a).name(false)) })),
		D("class System.TimeZoneInfo",
			R("static TimeZoneInfo Utc", func(F, []V) V { return clr.Object(utcZone) }), R("static TimeZoneInfo Local", func(F, []V) V { return clr.Object(localZone) }),
			R("static TimeZoneInfo FindSystemTimeZoneById(string id)", func(_ F, a []V) V { return clr.Object(find(a[0])) }),
			R("string Id", func(_ F, a []V) V { return clr.String(z(a).id) }),
			R("string DisplayName", toStringRow),
			R("string StandardName", func(_ F, a []V) V { return clr.String(z(a).name(false)) }),
			R("string DaylightName", func(_ F, a []V) V { return clr.String(z(a).name(true)) }),
			R("TimeSpan BaseUtcOffset", func(_ F, a []V) V { return span(z(a).base()) }),
			R("bool SupportsDaylightSavingTime", func(_ F, a []V) V {
				now := fromTime(time.Now(), 1).ticks
				return clr.Bool(z(a).offsetAt(now) != z(a).offsetAt(now-182*day))
			}),
			R("TimeSpan GetUtcOffset(DateTime dateTime)", func(_ F, a []V) V {
				if dateOf(a[1]).kind == 0 {
					offset, _ := z(a).offsetOn(ticksOf(a[1]))
					return span(offset)
				}
				return span(z(a).offsetAt(ticksOf(a[1])))
			}),
			R("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", func(_ F, a []V) V { return span(z(a).offsetAt(dto(a[1]).utc())) }),
			R("bool IsDaylightSavingTime(DateTime dateTime)", func(_ F, a []V) V {
				utc, valid := z(a).moment(a[1])
				return clr.Bool(valid && z(a).daylight(utc))
			}),
			R("bool IsDaylightSavingTime(DateTimeOffset dateTimeOffset)", func(_ F, a []V) V { return clr.Bool(z(a).daylight(dto(a[1]).utc())) }),
			R("static DateTime ConvertTimeToUtc(DateTime dateTime)", func(_ F, a []V) V { return convertTime(a[0], source(a[0]), utcZone) }),
			R("static DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone)", func(_ F, a []V) V {
				return convertTime(a[0], zoneOf(a[1], "sourceTimeZone"), utcZone)
			}),
			R("static DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return convertTime(a[0], utcZone, zoneOf(a[1], "destinationTimeZone"))
			}),
			R("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return convertTime(a[0], source(a[0]), zoneOf(a[1], "destinationTimeZone"))
			}),
			R("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return convertTime(a[0], zoneOf(a[1], "sourceTimeZone"), zoneOf(a[2], "destinationTimeZone"))
			}),
			R("static DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V { return shift(a[0], zoneOf(a[1], "destinationTimeZone")) }),
			R("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId)", func(_ F, a []V) V { return convertTime(a[0], source(a[0]), find(a[1])) }),
			R("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string sourceTimeZoneId, string destinationTimeZoneId)", func(_ F, a []V) V {
				return convertTime(a[0], sourceNamed(a[0], a[1]), find(a[2]))
			}),
			R("static DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId)", func(_ F, a []V) V { return shift(a[0], find(a[1])) }),
			R("bool Equals(TimeZoneInfo other)", func(_ F, a []V) V {
				o, ok := a[1].Ref().(*zone)
				return clr.Bool(ok && strings.EqualFold(o.id, z(a).id))
			}),
			R("TimeZoneInfo.AdjustmentRule[] GetAdjustmentRules()", func(f F, a []V) V { return z(a).adjustmentRules(f) }),
			R("string ToString()", toStringRow),
		),
	}
}
