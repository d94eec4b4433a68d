package pace

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// durations are those of ISO 8601 that have one length: no years, no months.
var durations = regexp.MustCompile(`^P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$`)

// ParseDuration reads a duration as ISO 8601 writes it: PT15M, P1DT2H, PT0.5S.
func ParseDuration(s string) (time.Duration, error) {
	m := durations.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return 0, fmt.Errorf("%q is not a duration such as PT15M or P1DT2H", s)
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		n, _ := strconv.ParseInt("0"+m[i+1], 10, 64) // digits, and few enough
		total += time.Duration(n) * unit
	}
	seconds, fraction, _ := strings.Cut(m[4], ".")
	n, _ := strconv.ParseInt("0"+seconds, 10, 64)
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return total + time.Duration(n)*time.Second + time.Duration(nanos), nil
}

// FormatDuration writes a duration, which is not negative, as ISO 8601 does, in days, hours, minutes and seconds.
func FormatDuration(d time.Duration) string {
	var b strings.Builder
	b.WriteByte('P')
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	if days > 0 {
		fmt.Fprintf(&b, "%dD", days)
	}
	if rest > 0 || days == 0 {
		b.WriteByte('T')
	}
	if h := rest / time.Hour; h > 0 {
		fmt.Fprintf(&b, "%dH", h)
	}
	if m := rest % time.Hour / time.Minute; m > 0 {
		fmt.Fprintf(&b, "%dM", m)
	}
	if s := rest % time.Minute; s > 0 || rest == 0 && days == 0 {
		b.WriteString(strconv.FormatFloat(s.Seconds(), 'f', -1, 64) + "S")
	}
	return b.String()
}
