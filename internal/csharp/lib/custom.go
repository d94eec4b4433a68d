package lib

import "strings"

// custom applies a custom numeric format, with its sections for positive,
// negative and zero.
func custom(n number, format string) string {
	secs := sections(format)
	sec := secs[0]
	switch {
	case n.digits == "" && len(secs) > 2:
		sec = secs[2]
	case n.neg && len(secs) > 1 && secs[1] != "":
		sec = secs[1]
		if out, zero := customSection(number{digits: n.digits, point: n.point}, sec); !zero {
			return out
		}
		if len(secs) > 2 {
			sec = secs[2]
		} else {
			sec = secs[0]
		}
	}
	out, zero := customSection(number{digits: n.digits, point: n.point}, sec)
	if zero && n.digits != "" && len(secs) > 2 {
		out, _ = customSection(number{}, secs[2])
		return out
	}
	if n.neg && !zero && (len(secs) == 1 || secs[1] == "") {
		return "-" + out
	}
	return out
}

// sections splits a format at semicolons outside of literals.
func sections(format string) []string {
	var out []string
	start := 0
	for i := 0; i < len(format); i++ {
		switch format[i] {
		case '\\':
			i++
		case '\'', '"':
			if j := strings.IndexByte(format[i+1:], format[i]); j >= 0 {
				i += j + 1
			}
		case ';':
			out = append(out, format[start:i])
			start = i + 1
		}
	}
	return append(out, format[start:])
}

// picture is what a section asks for.
type picture struct {
	toks              []picTok
	zeroFirst         int // digits before the point from the first 0
	whole, frac       int // placeholders
	fracZeros         int // up to the last 0 behind the point
	percent, thousand bool
	scale             int // divisions by thousand
	exp               bool
}

type picTok struct {
	kind byte // 0 # . literal e
	text string
}

func parsePicture(sec string) picture {
	var p picture
	point := false
	pending := 0
	firstZero := -1
	for i := 0; i < len(sec); i++ {
		c := sec[i]
		switch c {
		case '0', '#':
			if point {
				p.frac++
				if c == '0' {
					p.fracZeros = p.frac
				}
			} else {
				if pending > 0 {
					p.thousand = true
					pending = 0
				}
				if c == '0' && firstZero < 0 {
					firstZero = p.whole
				}
				p.whole++
			}
			p.toks = append(p.toks, picTok{kind: c})
		case '.':
			if !point {
				p.scale += pending
				pending = 0
				point = true
				p.toks = append(p.toks, picTok{kind: '.'})
			}
		case ',':
			if p.whole > 0 && !point {
				pending++
			}
		case '%', '\xe2':
			if c == '\xe2' && !strings.HasPrefix(sec[i:], "‰") {
				p.toks = append(p.toks, picTok{kind: 'l', text: sec[i : i+1]})
				break
			}
			if c == '%' {
				p.percent = true
				p.scale0(2)
				p.toks = append(p.toks, picTok{kind: 'l', text: "%"})
			} else {
				p.scale0(3)
				p.toks = append(p.toks, picTok{kind: 'l', text: "‰"})
				i += 2
			}
		case '\\':
			if i+1 < len(sec) {
				i++
				p.toks = append(p.toks, picTok{kind: 'l', text: sec[i : i+1]})
			}
		case '\'', '"':
			j := strings.IndexByte(sec[i+1:], c)
			if j < 0 {
				j = len(sec) - i - 1
			}
			p.toks = append(p.toks, picTok{kind: 'l', text: sec[i+1 : i+1+j]})
			i += j + 1
		case 'e', 'E':
			j := i + 1
			if j < len(sec) && (sec[j] == '+' || sec[j] == '-') {
				j++
			}
			k := j
			for k < len(sec) && sec[k] == '0' {
				k++
			}
			if k > j {
				p.exp = true
				p.toks = append(p.toks, picTok{kind: 'e', text: sec[i:k]})
				i = k - 1
				break
			}
			p.toks = append(p.toks, picTok{kind: 'l', text: string(c)})
		default:
			p.toks = append(p.toks, picTok{kind: 'l', text: sec[i : i+1]})
		}
	}
	p.scale += pending
	if firstZero >= 0 {
		p.zeroFirst = p.whole - firstZero
	}
	return p
}

// scale0 notes a multiplication by ten to the n, kept as negative scale thirds.
func (p *picture) scale0(n int) {
	p.toks = append(p.toks, picTok{kind: 's', text: strings.Repeat("x", n)})
}

// customSection formats without sign; zero tells that all digits came out zero.
func customSection(n number, sec string) (out string, zero bool) {
	p := parsePicture(sec)
	for _, t := range p.toks {
		if t.kind == 's' {
			n.point += len(t.text)
		}
	}
	n.point -= 3 * p.scale
	exp := 0
	if p.exp {
		if n.digits != "" {
			exp = n.point - p.whole
			n.point = p.whole
			r := n.round(p.frac)
			if r.point > p.whole {
				exp++
				r.point--
			}
			n = r
		}
	}
	r := n.round(p.frac)
	whole, frac := r.fixed(p.frac)
	zero = isZero(whole, frac)
	whole = strings.TrimLeft(whole, "0")
	whole = leftZeros(whole, p.zeroFirst)
	for len(frac) > p.fracZeros && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	return p.render(whole, frac, exp), zero
}

// render lays the digits into the placeholders.
func (p *picture) render(whole, frac string, exp int) string {
	var b strings.Builder
	left := p.whole // placeholders before the point yet to come
	digits := whole
	put := func(n int) {
		for range n {
			rest := len(digits)
			b.WriteByte(digits[0])
			digits = digits[1:]
			if p.thousand && rest > 1 && (rest-1)%3 == 0 {
				b.WriteByte(',')
			}
		}
	}
	fi := 0
	for _, t := range p.toks {
		switch t.kind {
		case '0', '#':
			if left > 0 {
				if len(digits) >= left {
					put(len(digits) - left + 1)
				}
				left--
				continue
			}
			if fi < len(frac) {
				b.WriteByte(frac[fi])
				fi++
			}
		case '.':
			if left == 0 && len(digits) > 0 {
				put(len(digits))
			}
			if frac != "" {
				b.WriteByte('.')
			}
		case 'e':
			letter, rest := t.text[:1], t.text[1:]
			plus := strings.HasPrefix(rest, "+")
			zeros := strings.TrimLeft(rest, "+-")
			s := expText(exp, len(zeros))
			if exp >= 0 && !plus {
				s = s[1:]
			}
			b.WriteString(letter + s)
		case 'l':
			b.WriteString(t.text)
		}
	}
	return b.String()
}
