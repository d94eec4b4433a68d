package statement

import (
	"context"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/policy"
)

// branch is a <when>, or the <otherwise>, whose condition is always true.
type branch struct {
	condition pipeline.Value
	block     pipeline.Block
}

// choose builds <choose>: the first branch whose condition is true runs; later conditions are not evaluated.
func choose(b *pipeline.Build, s *policy.Statement) (pipeline.Step, error) {
	var branches []branch
	for _, c := range s.Children {
		condition, err := pipeline.Literal("true"), error(nil)
		if c.Name == "when" {
			condition, err = b.Required(c, "condition")
		}
		if err != nil {
			return nil, err
		}
		block, err := b.Block(c)
		if err != nil {
			return nil, err
		}
		branches = append(branches, branch{condition, block})
	}
	return func(ctx context.Context, x *pipeline.Exchange) (pipeline.Flow, error) {
		for i := range branches {
			yes, err := branches[i].condition.Bool(x)
			if err != nil {
				return pipeline.Next, err
			}
			if yes {
				return branches[i].block.Run(ctx, x)
			}
		}
		return pipeline.Next, nil
	}, nil
}
