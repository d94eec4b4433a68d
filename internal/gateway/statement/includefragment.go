package statement

import (
	"context"
	"strings"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// includeFragment builds <include-fragment>: the statements of a policy fragment stand in its place.
func includeFragment(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	name := s.Attr("fragment-id")
	fragment := b.Fragments[strings.ToLower(name)]
	if fragment == nil {
		return nil, b.Errorf(s, "Policy fragment '%s' was not found.", name)
	}
	block, err := b.Block(fragment)
	if err != nil {
		return nil, b.Errorf(s, "Policy fragment '%s': %s", name, err)
	}
	return func(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) { return block.Run(ctx, x) }, nil
}
