package lib

import "strings"

// punycode is a label of a host name as DNS has it (RFC 3492).
func punycode(label string) string {
	runes := []rune(label)
	var out strings.Builder
	for _, r := range runes {
		if r < 0x80 {
			out.WriteRune(r)
		}
	}
	basic := out.Len()
	if basic == len(label) {
		return label
	}
	if basic > 0 {
		out.WriteByte('-')
	}
	bias, delta, done := 72, 0, basic
	for n := rune(0x80); done < len(runes); n++ {
		next := rune(1 << 30)
		for _, r := range runes {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			punyNumber(&out, delta, bias)
			bias = punyBias(delta, done+1, done == basic)
			delta, done = 0, done+1
		}
		delta++
	}
	return "xn--" + out.String()
}

// punyNumber writes a number of digits whose weights depend on the bias.
func punyNumber(out *strings.Builder, n, bias int) {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := 36; ; k += 36 {
		t := min(max(k-bias, 1), 26)
		if n < t {
			out.WriteByte(digits[n])
			return
		}
		out.WriteByte(digits[t+(n-t)%(36-t)])
		n = (n - t) / (36 - t)
	}
}

func punyBias(delta, points int, first bool) int {
	if first {
		delta /= 700
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for delta > 455 {
		delta /= 35
		k += 36
	}
	return k + 36*delta/(delta+38)
}
