package importer

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// A jsonParser builds nodes out of the tokens of encoding/json and keeps track of the place of each.
type jsonParser struct {
	text      string
	dec       *json.Decoder
	pos       int // offset up to which line and col are counted
	line, col int
	nodes     int
}

func parseJSON(text string) (*node, *finding) {
	p := &jsonParser{text: text, dec: json.NewDecoder(strings.NewReader(text)), line: 1, col: 1}
	p.dec.UseNumber()
	root, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, end := p.dec.Token(); !errors.Is(end, io.EOF) {
		p.place(int(p.dec.InputOffset()))
		return nil, p.errorf("there is more text after the end of the document")
	}
	return root, nil
}

// value reads one value. encoding/json checks the syntax; the depth is ours to bound.
func (p *jsonParser) value(depth int) (*node, *finding) {
	p.toToken()
	n := &node{line: p.line, col: p.col, size: 1}
	if p.nodes++; depth > maxDepth || p.nodes > maxNodes {
		return nil, p.errorf("the document is nested too deeply or has too many values")
	}
	tok, err := p.dec.Token()
	if err != nil {
		return nil, p.syntax(err)
	}
	switch t := tok.(type) {
	case json.Delim:
		return p.compound(n, t, depth)
	case string:
		n.kind, n.text = stringKind, t
	case json.Number:
		n.kind, n.text = numberKind, t.String()
	case bool:
		n.kind, n.text = boolKind, "false"
		if t {
			n.text = "true"
		}
	}
	return n, nil
}

func (p *jsonParser) compound(n *node, open json.Delim, depth int) (*node, *finding) {
	n.kind = listKind
	if open == '{' {
		n.kind = objectKind
	}
	for p.dec.More() {
		key := ""
		if n.kind == objectKind {
			p.toToken()
			tok, err := p.dec.Token()
			if err != nil {
				return nil, p.syntax(err)
			}
			key, _ = tok.(string) // the decoder accepts nothing else here
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.grow(v)
		if n.kind == listKind {
			n.items = append(n.items, v)
		} else if !n.add(key, v) {
			return nil, &finding{"the key '" + key + "' is there twice", v.line, v.col}
		}
	}
	if _, err := p.dec.Token(); err != nil {
		return nil, p.syntax(err)
	}
	return n, nil
}

// toToken moves the place to where the next token begins.
func (p *jsonParser) toToken() {
	at := int(p.dec.InputOffset())
	for at < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[at]) >= 0 {
		at++
	}
	p.place(at)
}

func (p *jsonParser) place(at int) {
	for ; p.pos < at && p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '\n':
			p.line, p.col = p.line+1, 1
		case c < 0x80 || c >= 0xC0: // columns count characters
			p.col++
		}
	}
}

func (p *jsonParser) syntax(err error) *finding {
	if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
		p.place(int(s.Offset) - 1)
		return p.errorf(s.Error())
	}
	p.place(len(p.text))
	return p.errorf("the document ends too early")
}

func (p *jsonParser) errorf(text string) *finding { return &finding{text, p.line, p.col} }
