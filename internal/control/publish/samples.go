package publish

import (
	"encoding/json"
	"strings"

	"github.com/portico-dev/portico/internal/control/sample"
)

// Bounds of the bodies that are made of schemas: of one, and of all of an API.
const (
	maxSample  = 64 << 10
	maxSamples = 4 << 20
)

const typeSchema = typeAPI + "/schemas"

// A sampler makes bodies of the schemas of one API. The schemas are read when one is needed.
type sampler struct {
	b       *builder
	api     string
	schemas map[string]sample.Types // by lower-case name; nil until read
	size    int                     // of the bodies made
}

type schemaDocument struct {
	Properties struct {
		Document struct {
			Definitions sample.Types `json:"definitions"`
			Components  struct {
				Schemas sample.Types `json:"schemas"`
			} `json:"components"`
		} `json:"document"`
	} `json:"properties"`
}

// body is the body of a media type that a named schema describes; empty for none.
func (s *sampler) body(mediaType, schemaID, typeName string) (string, error) {
	if schemaID == "" || typeName == "" {
		return "", nil
	}
	if s.schemas == nil {
		if err := s.read(); err != nil {
			return "", err
		}
	}
	text, ok := s.schemas[strings.ToLower(lastSegment(schemaID))].Body(mediaType, typeName)
	if !ok || len(text) > maxSample || s.size+len(text) > maxSamples {
		return "", nil
	}
	s.size += len(text)
	return text, nil
}

func (s *sampler) read() error {
	docs, err := s.b.list(typeSchema, s.api)
	if err != nil {
		return err
	}
	s.schemas = map[string]sample.Types{}
	for _, doc := range docs {
		var desired schemaDocument
		if err := json.Unmarshal(doc.Desired, &desired); err != nil {
			continue // no object of the kind that bodies are made of
		}
		types := desired.Properties.Document.Components.Schemas
		if types == nil {
			types = desired.Properties.Document.Definitions
		}
		s.schemas[strings.ToLower(lastSegment(doc.ID))] = types
	}
	return nil
}
