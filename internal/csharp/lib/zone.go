package lib

import (
	"strings"
	"time"
	_ "time/tzdata" // zones do not depend on the host

	"github.com/portico-dev/portico/internal/csharp/clr"
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

// windowsZones maps the ids of Windows to IANA's.
var windowsZones = func() map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(windowsTable, "\n") {
		if w, i, ok := strings.Cut(line, "="); ok {
			m[strings.ToLower(w)] = i
		}
	}
	return m
}()

const windowsTable = `Dateline Standard Time=Etc/GMT+12
UTC-11=Etc/GMT+11
Aleutian Standard Time=America/Adak
Hawaiian Standard Time=Pacific/Honolulu
Marquesas Standard Time=Pacific/Marquesas
Alaskan Standard Time=America/Anchorage
UTC-09=Etc/GMT+9
Pacific Standard Time (Mexico)=America/Tijuana
UTC-08=Etc/GMT+8
Pacific Standard Time=America/Los_Angeles
US Mountain Standard Time=America/Phoenix
Mountain Standard Time (Mexico)=America/Mazatlan
Mountain Standard Time=America/Denver
Yukon Standard Time=America/Whitehorse
Central America Standard Time=America/Guatemala
Central Standard Time=America/Chicago
Easter Island Standard Time=Pacific/Easter
Central Standard Time (Mexico)=America/Mexico_City
Canada Central Standard Time=America/Regina
SA Pacific Standard Time=America/Bogota
Eastern Standard Time (Mexico)=America/Cancun
Eastern Standard Time=America/New_York
Haiti Standard Time=America/Port-au-Prince
Cuba Standard Time=America/Havana
US Eastern Standard Time=America/Indianapolis
Turks And Caicos Standard Time=America/Grand_Turk
Paraguay Standard Time=America/Asuncion
Atlantic Standard Time=America/Halifax
Venezuela Standard Time=America/Caracas
Central Brazilian Standard Time=America/Cuiaba
SA Western Standard Time=America/La_Paz
Pacific SA Standard Time=America/Santiago
Newfoundland Standard Time=America/St_Johns
Tocantins Standard Time=America/Araguaina
E. South America Standard Time=America/Sao_Paulo
SA Eastern Standard Time=America/Cayenne
Argentina Standard Time=America/Buenos_Aires
Greenland Standard Time=America/Godthab
Montevideo Standard Time=America/Montevideo
Magallanes Standard Time=America/Punta_Arenas
Saint Pierre Standard Time=America/Miquelon
Bahia Standard Time=America/Bahia
UTC-02=Etc/GMT+2
Azores Standard Time=Atlantic/Azores
Cape Verde Standard Time=Atlantic/Cape_Verde
UTC=Etc/UTC
GMT Standard Time=Europe/London
Greenwich Standard Time=Atlantic/Reykjavik
Sao Tome Standard Time=Africa/Sao_Tome
Morocco Standard Time=Africa/Casablanca
W. Europe Standard Time=Europe/Berlin
Central Europe Standard Time=Europe/Budapest
Romance Standard Time=Europe/Paris
Central European Standard Time=Europe/Warsaw
W. Central Africa Standard Time=Africa/Lagos
Jordan Standard Time=Asia/Amman
GTB Standard Time=Europe/Bucharest
Middle East Standard Time=Asia/Beirut
Egypt Standard Time=Africa/Cairo
E. Europe Standard Time=Europe/Chisinau
Syria Standard Time=Asia/Damascus
West Bank Standard Time=Asia/Hebron
South Africa Standard Time=Africa/Johannesburg
FLE Standard Time=Europe/Kiev
Israel Standard Time=Asia/Jerusalem
South Sudan Standard Time=Africa/Juba
Kaliningrad Standard Time=Europe/Kaliningrad
Sudan Standard Time=Africa/Khartoum
Libya Standard Time=Africa/Tripoli
Namibia Standard Time=Africa/Windhoek
Arabic Standard Time=Asia/Baghdad
Turkey Standard Time=Europe/Istanbul
Arab Standard Time=Asia/Riyadh
Belarus Standard Time=Europe/Minsk
Russian Standard Time=Europe/Moscow
E. Africa Standard Time=Africa/Nairobi
Volgograd Standard Time=Europe/Volgograd
Iran Standard Time=Asia/Tehran
Arabian Standard Time=Asia/Dubai
Astrakhan Standard Time=Europe/Astrakhan
Azerbaijan Standard Time=Asia/Baku
Russia Time Zone 3=Europe/Samara
Mauritius Standard Time=Indian/Mauritius
Saratov Standard Time=Europe/Saratov
Georgian Standard Time=Asia/Tbilisi
Caucasus Standard Time=Asia/Yerevan
Afghanistan Standard Time=Asia/Kabul
West Asia Standard Time=Asia/Tashkent
Qyzylorda Standard Time=Asia/Qyzylorda
Ekaterinburg Standard Time=Asia/Yekaterinburg
Pakistan Standard Time=Asia/Karachi
India Standard Time=Asia/Kolkata
Sri Lanka Standard Time=Asia/Colombo
Nepal Standard Time=Asia/Kathmandu
Central Asia Standard Time=Asia/Bishkek
Bangladesh Standard Time=Asia/Dhaka
Omsk Standard Time=Asia/Omsk
Myanmar Standard Time=Asia/Yangon
SE Asia Standard Time=Asia/Bangkok
Altai Standard Time=Asia/Barnaul
W. Mongolia Standard Time=Asia/Hovd
North Asia Standard Time=Asia/Krasnoyarsk
N. Central Asia Standard Time=Asia/Novosibirsk
Tomsk Standard Time=Asia/Tomsk
China Standard Time=Asia/Shanghai
North Asia East Standard Time=Asia/Irkutsk
Singapore Standard Time=Asia/Singapore
W. Australia Standard Time=Australia/Perth
Taipei Standard Time=Asia/Taipei
Ulaanbaatar Standard Time=Asia/Ulaanbaatar
Aus Central W. Standard Time=Australia/Eucla
Transbaikal Standard Time=Asia/Chita
Tokyo Standard Time=Asia/Tokyo
North Korea Standard Time=Asia/Pyongyang
Korea Standard Time=Asia/Seoul
Yakutsk Standard Time=Asia/Yakutsk
Cen. Australia Standard Time=Australia/Adelaide
AUS Central Standard Time=Australia/Darwin
E. Australia Standard Time=Australia/Brisbane
AUS Eastern Standard Time=Australia/Sydney
West Pacific Standard Time=Pacific/Port_Moresby
Tasmania Standard Time=Australia/Hobart
Vladivostok Standard Time=Asia/Vladivostok
Lord Howe Standard Time=Australia/Lord_Howe
Bougainville Standard Time=Pacific/Bougainville
Russia Time Zone 10=Asia/Srednekolymsk
Magadan Standard Time=Asia/Magadan
Norfolk Standard Time=Pacific/Norfolk
Sakhalin Standard Time=Asia/Sakhalin
Central Pacific Standard Time=Pacific/Guadalcanal
Russia Time Zone 11=Asia/Kamchatka
New Zealand Standard Time=Pacific/Auckland
UTC+12=Etc/GMT-12
Fiji Standard Time=Pacific/Fiji
Chatham Islands Standard Time=Pacific/Chatham
UTC+13=Etc/GMT-13
Tonga Standard Time=Pacific/Tongatapu
Samoa Standard Time=Pacific/Apia
Line Islands Standard Time=Pacific/Kiritimati`

func findZone(id string) *zone {
	name := id
	if w, ok := windowsZones[strings.ToLower(id)]; ok {
		name = w
	}
	if name == "UTC" || name == "Etc/UTC" {
		return utcZone
	}
	if name == "" || name == "Local" || strings.Contains(name, "..") {
		name = "?"
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
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
