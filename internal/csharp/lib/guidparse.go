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
	guidBrace     = "Expected {0xdddddddd, etc}."
	guidPrefix    = "Expected 0x prefix."
	guidComma     = "Could not find a comma, or the length between the previous token and the comma was zero (i.e., '0x,'etc.)."
	guidLast      = "Could not find a brace, or the length between the previous token and the brace was zero (i.e., '0x,'etc.)."
	guidEndBrace  = "Could not find the ending brace."
	guidJunk      = "Additional non-parsable characters are at the end of the string."
	guidByte      = "Value was either too large or too small for an unsigned byte."
	guidOverflow  = "Value was either too large or too small for a UInt32."
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
	switch fault {
	case "":
	case guidOverflow:
		clr.Throw(clr.ExOverflow, fault)
	default:
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
	case s[0] == '{' && strings.Contains(s, "-"):
		return readGuidAs(s, "B")
	case s[0] == '{':
		return readGuidAs(s, "X")
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
	rest, ok := strings.CutPrefix(strings.Join(strings.FieldsFunc(s, isSpace), ""), "{")
	if !ok {
		return &Guid{}, guidBrace
	}
	var b []byte
	for i := range 11 {
		if i == 3 {
			if rest, ok = strings.CutPrefix(rest, "{"); !ok {
				return &Guid{}, guidBrace
			}
		}
		var n uint32
		if n, rest, fault = guidPart(rest, i == 10); fault != "" {
			return &Guid{}, fault
		}
		switch {
		case i == 0:
			b = binary.BigEndian.AppendUint32(b, n)
		case i < 3:
			b = binary.BigEndian.AppendUint16(b, uint16(n))
		case n > 0xFF:
			return &Guid{}, guidByte
		default:
			b = append(b, byte(n))
		}
	}
	switch {
	case rest == "}":
		return (*Guid)(b), ""
	case strings.HasPrefix(rest, "}"):
		return &Guid{}, guidJunk
	}
	return &Guid{}, guidEndBrace
}

// guidPart reads a number and what ends it: a comma, or a brace behind the last.
func guidPart(s string, last bool) (n uint32, rest, fault string) {
	if len(s) < 2 || s[0] != '0' || s[1]|0x20 != 'x' {
		return 0, "", guidPrefix
	}
	end, missing := ",", guidComma
	if last {
		end, missing = "}", guidLast
	}
	digits, rest, ok := strings.Cut(s[2:], end)
	if !ok || digits == "" {
		return 0, "", missing
	}
	n, fault = guidNumber(digits)
	return n, rest, fault
}

// guidNumber reads digits, which may have a plus sign and a prefix of their own.
func guidNumber(s string) (n uint32, fault string) {
	s = strings.ToLower(strings.TrimPrefix(s, "+"))
	s = strings.TrimLeft(strings.TrimPrefix(s, "0x"), "0")
	bad := strings.IndexFunc(s, func(r rune) bool { return hexValue(int64(r)) < 0 })
	switch {
	case bad > 8 || bad < 0 && len(s) > 8:
		return 0, guidOverflow
	case bad >= 0:
		return 0, guidDigits
	}
	x, _ := strconv.ParseUint("0"+s, 16, 32)
	return uint32(x), ""
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
