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

// Text is the display name.
func (z *zone) Text(F) string {
	if z.loc == time.UTC {
		return "(UTC) Coordinated Universal Time"
	}
	return "(UTC" + offsetText(z.base()) + ") " + z.id
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
	for _, line := range strings.Split(windowsTable, "\n") {
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
		return &zone{"UTC", time.UTC}
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

// toUTC turns clock ticks in the zone into UTC; times that do not exist throw.
func (z *zone) toUTC(clock int64) int64 {
	t := date{ticks: clock}.time()
	x := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, z.loc)
	_, n := x.Zone()
	utc := clock - int64(n)*second
	if utc+z.offsetAt(utc) != clock {
		clr.ThrowArg(clr.ExArgument, "The supplied DateTime represents an invalid time.  For example, when the clock is adjusted forward, any time in the period that is skipped is invalid.", "dateTime")
	}
	// Ambiguous times are standard time.
	if later := utc + hour; later+z.offsetAt(later) == clock {
		utc = later
	}
	return utc
}

func zoneDecls() []clr.Decl {
	utc := clr.Object(&zone{"UTC", time.UTC})
	find := func(v V) *zone { return findZone(text(v, "id")) }
	fromUTC := func(ticks int64, z *zone) V {
		kind := 0
		if z.loc == time.UTC {
			kind = 1
		}
		return date{ticks + z.offsetAt(ticks), kind}.value()
	}
	// in gives the UTC ticks of a DateTime that is in zone z unless it says UTC.
	in := func(v V, z *zone) int64 {
		if d := dateOf(v); d.kind != 0 {
			return d.ticks
		}
		return z.toUTC(ticksOf(v))
	}
	shift := func(v V, z *zone) V {
		o := dto(v)
		off := z.offsetAt(o.utc())
		return clr.Object(&DateTimeOffset{o.utc() + off, off})
	}
	local := &zone{"UTC", time.UTC}
	return []clr.Decl{
		D("class System.TimeZone", R("static TimeZone CurrentTimeZone", func(F, []V) V { return utc }), R("string StandardName", func(F, []V) V { return clr.String("Coordinated Universal Time") })),
		D("class System.TimeZoneInfo",
			R("static TimeZoneInfo Utc", utc), R("static TimeZoneInfo Local", utc),
			R("static TimeZoneInfo FindSystemTimeZoneById(string id)", func(_ F, a []V) V { return clr.Object(find(a[0])) }),
			R("string Id", func(_ F, a []V) V { return clr.String(a[0].Ref().(*zone).id) }),
			R("string DisplayName", func(f F, a []V) V { return clr.String(a[0].Ref().(*zone).Text(f)) }),
			R("string StandardName", func(_ F, a []V) V { return clr.String(a[0].Ref().(*zone).id) }),
			R("string DaylightName", func(_ F, a []V) V {
				return clr.String(strings.Replace(a[0].Ref().(*zone).id, "Standard", "Daylight", 1))
			}),
			R("TimeSpan BaseUtcOffset", func(_ F, a []V) V { return span(a[0].Ref().(*zone).base()) }),
			R("bool SupportsDaylightSavingTime", func(_ F, a []V) V {
				z := a[0].Ref().(*zone)
				now := fromTime(time.Now(), 1).ticks
				return clr.Bool(z.offsetAt(now) != z.offsetAt(now-182*day))
			}),
			R("TimeSpan GetUtcOffset(DateTime dateTime)", func(_ F, a []V) V { z := a[0].Ref().(*zone); return span(z.offsetAt(in(a[1], z))) }),
			R("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", func(_ F, a []V) V { return span(a[0].Ref().(*zone).offsetAt(dto(a[1]).utc())) }),
			R("bool IsDaylightSavingTime(DateTime dateTime)", func(_ F, a []V) V {
				z := a[0].Ref().(*zone)
				return clr.Bool(date{ticks: in(a[1], z)}.time().In(z.loc).IsDST())
			}),
			R("bool IsDaylightSavingTime(DateTimeOffset dateTimeOffset)", func(_ F, a []V) V {
				z := a[0].Ref().(*zone)
				return clr.Bool(date{ticks: dto(a[1]).utc()}.time().In(z.loc).IsDST())
			}),
			R("static DateTime ConvertTimeToUtc(DateTime dateTime)", func(_ F, a []V) V { return date{ticksOf(a[0]), 1}.value() }),
			R("static DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone)", func(_ F, a []V) V {
				z := zoneOf(a[1], "sourceTimeZone")
				if k := dateOf(a[0]).kind; k == 1 && z.loc != time.UTC || k == 2 && z.loc != time.UTC {
					clr.ThrowArg(clr.ExArgument, "The conversion could not be completed because the supplied DateTime did not have the Kind property set correctly.  For example, when the Kind property is DateTimeKind.Local, the source time zone must be TimeZoneInfo.Local.", "sourceTimeZone")
				}
				return date{in(a[0], z), 1}.value()
			}),
			R("static DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return fromUTC(ticksOf(a[0]), zoneOf(a[1], "destinationTimeZone"))
			}),
			R("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return fromUTC(in(a[0], local), zoneOf(a[1], "destinationTimeZone"))
			}),
			R("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V {
				return fromUTC(in(a[0], zoneOf(a[1], "sourceTimeZone")), zoneOf(a[2], "destinationTimeZone"))
			}),
			R("static DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone)", func(_ F, a []V) V { return shift(a[0], zoneOf(a[1], "destinationTimeZone")) }),
			R("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId)", func(_ F, a []V) V { return fromUTC(in(a[0], local), find(a[1])) }),
			R("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string sourceTimeZoneId, string destinationTimeZoneId)", func(_ F, a []V) V {
				return fromUTC(in(a[0], find(a[1])), find(a[2]))
			}),
			R("static DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId)", func(_ F, a []V) V { return shift(a[0], find(a[1])) }),
			R("bool Equals(TimeZoneInfo other)", func(_ F, a []V) V { o, ok := a[1].Ref().(*zone); return clr.Bool(ok && o.id == a[0].Ref().(*zone).id) }),
			R("string ToString()", toStringRow),
		),
	}
}
