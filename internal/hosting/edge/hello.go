package edge

import (
	"encoding/binary"
	"strings"
)

// Numbers of TLS (RFC 8446).
const (
	recordAlert     = 21
	recordHandshake = 22
	clientHello     = 1
	extServerName   = 0
	nameTypeHost    = 0
	maxRecord       = 1 << 14

	alertDecodeError      = 50
	alertInternalError    = 80
	alertUnrecognizedName = 112
)

// alert is one fatal alert in a record of its own, readable by every version of TLS before keys are agreed on.
func alert(description byte) []byte {
	return []byte{recordAlert, 3, 3, 0, 2, 2, description}
}

// helloHost finds the server name in the ClientHello that a TLS connection begins with. Without one it is the empty
// host, which no set serves.
func helloHost(b []byte) (string, error) {
	hello, err := handshake(b)
	if err != nil {
		return "", err
	}
	r := &reader{b: hello}
	r.take(2 + 32)     // legacy version, random
	r.take(r.uint8())  // session
	r.take(r.uint16()) // cipher suites
	r.take(r.uint8())  // compression
	if r.done() {
		return "", nil // a hello without extensions, as old clients send it
	}
	exts := &reader{b: r.take(r.uint16())}
	if !r.done() {
		return "", errBad
	}
	for !exts.done() {
		kind := exts.uint16()
		body := exts.take(exts.uint16())
		if exts.bad {
			return "", errBad
		}
		if kind == extServerName {
			return serverName(&reader{b: body})
		}
	}
	return "", nil
}

// handshake joins the records of the first handshake message and returns the body of the ClientHello in it.
func handshake(b []byte) ([]byte, error) {
	var msg []byte
	for {
		if len(msg) >= 4 {
			if msg[0] != clientHello {
				return nil, errBad
			}
			n := int(msg[1])<<16 | int(msg[2])<<8 | int(msg[3])
			if n > maxRecord {
				return nil, errLarge
			}
			if len(msg) >= 4+n {
				return msg[4 : 4+n], nil
			}
		}
		if len(b) > 0 && b[0] != recordHandshake || len(b) > 1 && b[1] != 3 {
			return nil, errBad
		}
		if len(b) < 5 {
			return nil, errMore
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 || n > maxRecord {
			return nil, errBad
		}
		if len(b) < 5+n {
			return nil, errMore
		}
		msg = append(msg, b[5:5+n]...)
		b = b[5+n:]
	}
}

// serverName reads the extension's list, which has at most one host name (RFC 6066, section 3).
func serverName(body *reader) (string, error) {
	list := &reader{b: body.take(body.uint16())}
	if !body.done() {
		return "", errBad
	}
	for !list.done() {
		kind := list.uint8()
		name := list.take(list.uint16())
		if list.bad {
			return "", errBad
		}
		if kind == nameTypeHost {
			if !isName(string(name)) {
				return "", errBad
			}
			return strings.ToLower(strings.TrimSuffix(string(name), ".")), nil
		}
	}
	return "", nil
}

// reader takes bytes off a message. Asking for more than there is makes it bad, and everything after that is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) uint8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

// done reports that everything was read and nothing was missing.
func (r *reader) done() bool { return !r.bad && len(r.b) == 0 }
