package importer

import (
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s+)?(?:line (\d+): )?`)

func parseYAML(text string) (*node, *finding) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		m := yamlErrorLine.FindStringSubmatch(err.Error())
		f := &finding{text: strings.TrimPrefix(err.Error(), "yaml: ")}
		if m != nil && m[1] != "" {
			f.text = err.Error()[len(m[0]):]
			f.line, _ = strconv.Atoi(m[1])
			f.col = 1 // the parser tells the line only
		}
		return nil, f
	}
	if len(doc.Content) != 1 {
		return nil, &finding{text: "the document is empty"}
	}
	return (&yamlConverter{anchors: map[*yaml.Node]*node{}}).convert(doc.Content[0], 0)
}

// A yamlConverter turns YAML nodes into ours. An alias shares the node of its anchor, so that conversion takes time
// in proportion to the text; what it would take to walk the result is counted in node.size and bounded.
type yamlConverter struct {
	anchors map[*yaml.Node]*node // nil while the anchored node is being converted
}

func (c *yamlConverter) convert(y *yaml.Node, depth int) (*node, *finding) {
	if y.Kind == yaml.AliasNode {
		n, known := c.anchors[y.Alias]
		if !known || n == nil {
			return nil, &finding{"the alias '*" + y.Value + "' refers to a value that contains it", y.Line, y.Column}
		}
		return n, nil
	}
	if depth > maxDepth {
		return nil, &finding{"the document is nested too deeply", y.Line, y.Column}
	}
	if y.Anchor != "" {
		c.anchors[y] = nil
	}
	n := &node{line: y.Line, col: y.Column, size: 1}
	var err *finding
	switch y.Kind {
	case yaml.MappingNode:
		err = c.mapping(n, y, depth)
	case yaml.SequenceNode:
		err = c.sequence(n, y, depth)
	default:
		scalar(n, y)
	}
	if err == nil && (n.size > maxNodes || n.height > maxDepth) {
		err = &finding{"the document is nested too deeply or has too many values, or its aliases make it so", y.Line, y.Column}
	}
	if err != nil {
		return nil, err
	}
	if y.Anchor != "" {
		c.anchors[y] = n
	}
	return n, nil
}

func (c *yamlConverter) sequence(n *node, y *yaml.Node, depth int) *finding {
	n.kind = listKind
	for _, item := range y.Content {
		v, err := c.convert(item, depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
		n.grow(v)
	}
	return nil
}

func (c *yamlConverter) mapping(n *node, y *yaml.Node, depth int) *finding {
	n.kind = objectKind
	var merged []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		v, err := c.convert(y.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		n.grow(v)
		switch {
		case k.Tag == "!!merge":
			merged = append(merged, v)
		case k.Kind != yaml.ScalarNode:
			return &finding{"a key must be a word", k.Line, k.Column}
		case !n.add(k.Value, v):
			return &finding{"the key '" + k.Value + "' is there twice", k.Line, k.Column}
		}
	}
	for _, m := range merged { // keys that are written win over merged ones, wherever they stand
		for _, src := range append([]*node{m}, m.list()...) {
			for _, f := range src.object() {
				if n.add(f.key, f.value) {
					n.grow(f.value)
				}
			}
		}
	}
	return nil
}

func scalar(n *node, y *yaml.Node) {
	n.text = y.Value
	switch y.ShortTag() {
	case "!!null":
		n.kind, n.text = nullKind, ""
	case "!!bool":
		n.kind, n.text = boolKind, strings.ToLower(y.Value)
	case "!!int", "!!float":
		n.kind = numberKind
	default: // dates too: no description means a point in time
		n.kind = stringKind
	}
}
