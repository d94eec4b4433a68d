package lib

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/portico-dev/portico/internal/csharp/clr"
)

// What can be wrong with the text of a GUID.
const (
	guidUnknown   = "Unrecognized Guid format."
	guidLength    = "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
	guidDashes    = "Dashes are in the wrong position for GUID parsing."
	guidDigits    = "Guid string should only contain hexadecimal characters."
	guidHex       = "Could not find a brace, or the length between the previous token and the brace was zero (i.e., '0x,'etc.)."
	guidBadFormat = "Format string can be only \"D\", \"d\", \"N\", \"n\", \"P\", \"p\", \"B\", \"b\", \"X\" or \"x\"."
)

// guidFormat is the upper-case letter of a format, and throws for others.
func guidFormat(format string) string {
	f := strings.ToUpper(format)
	if len(f) != 1 || !strings.Contains("NDBPX", f) {
		throwGuid(guidBadFormat)
	}
	return f
}

func throwGuid(fault string) {
	if fault != "" {
		clr.Throw(clr.ExFormat, fault)
	}
}

// readGuid reads any of the formats; fault is empty for a GUID.
func readGuid(s string) (g *Guid, fault string) {
	s = strings.TrimFunc(s, isSpace)
	switch {
	case s == "":
		return &Guid{}, guidUnknown
	case s[0] == '(':
		return readGuidAs(s, "P")
	case strings.HasPrefix(s, "{0x") || strings.HasPrefix(s, "{0X"):
		return readGuidAs(s, "X")
	case s[0] == '{':
		return readGuidAs(s, "B")
	case strings.Contains(s, "-"):
		return readGuidAs(s, "D")
	}
	return readGuidAs(s, "N")
}

// readGuidAs reads one format.
func readGuidAs(s, format string) (g *Guid, fault string) {
	s = strings.TrimFunc(s, isSpace)
	open, end := "", ""
	switch format {
	case "X":
		return readGuidHex(s)
	case "B":
		open, end = "{", "}"
	case "P":
		open, end = "(", ")"
	}
	if !strings.HasPrefix(s, open) || !strings.HasSuffix(s, end) || len(s) < len(open)+len(end) {
		return &Guid{}, guidLength
	}
	s = s[len(open) : len(s)-len(end)]
	if format != "N" {
		if len(s) != 36 {
			return &Guid{}, guidLength
		}
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return &Guid{}, guidDashes
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return &Guid{}, guidLength
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return &Guid{}, guidDigits
	}
	return (*Guid)(b), ""
}

// readGuidHex reads {0x…,0x…,0x…,{0x…, eight of them}}.
func readGuidHex(s string) (g *Guid, fault string) {
	s = strings.Map(func(r rune) rune {
		if isSpace(r) {
			return -1
		}
		return r
	}, s)
	inner, ok := strings.CutPrefix(s, "{")
	head, tail, found := strings.Cut(inner, ",{")
	tail, end := strings.CutSuffix(tail, "}}")
	parts := append(strings.Split(head, ","), strings.Split(tail, ",")...)
	if !ok || !found || !end || len(parts) != 11 {
		return &Guid{}, guidHex
	}
	g = &Guid{}
	at := 0
	for i, p := range parts {
		size := 1
		if i < 3 {
			size = []int{4, 2, 2}[i]
		}
		digits, ok := strings.CutPrefix(strings.ToLower(p), "0x")
		n, err := strconv.ParseUint(digits, 16, 8*size)
		if !ok || err != nil {
			return &Guid{}, guidHex
		}
		for k := range size {
			g[at+k] = byte(n >> (8 * (size - 1 - k)))
		}
		at += size
	}
	return g, ""
}

func parseGuid(s string) V {
	g, fault := readGuid(s)
	throwGuid(fault)
	return clr.Object(g)
}

// guidOf makes a GUID of its three numbers and eight bytes.
func guidOf(n []V, tail []byte) *Guid {
	g := &Guid{}
	binary.BigEndian.PutUint32(g[:], uint32(n[0].Int()))
	binary.BigEndian.PutUint16(g[4:], uint16(n[1].Int()))
	binary.BigEndian.PutUint16(g[6:], uint16(n[2].Int()))
	copy(g[8:], tail)
	return g
}
