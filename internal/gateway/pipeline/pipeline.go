// Package pipeline runs policies over one request. It holds the transport-neutral Exchange that statements see, the
// compiled form of a policy document, and the order in which the documents of all scopes run: inbound ▸ backend ▸
// outbound, and on-error when anything fails.
//
// Nothing here knows net/http or a socket: an engine fills an Exchange and sends its Response, package backend
// forwards it, package statement holds the statements. Start reading at Run.
package pipeline

import (
	"context"
	"errors"

	"github.com/portico-dev/portico/internal/policy"
)

// Flow is what a statement asks for after it has run.
type Flow uint8

// Next goes on with the next statement; End makes the current response final: nothing runs after it, outbound
// neither. Kept, of inbound, says that the response is one that was kept: outbound goes on after the statement that
// keeps it (Build.Keeps), since what stands before has been done to it.
const (
	Next Flow = iota
	End
	Kept
)

// A Step is a compiled statement. ctx is the exchange itself, or a context derived from it.
type Step func(ctx context.Context, x *Exchange) (Flow, error)

// Compiled is one policy document ready to run. Documents of several scopes are nested when they run, so each is
// compiled once whatever it is combined with.
type Compiled struct {
	ID       string // resource ID of the policy
	Scope    policy.Scope
	sections [4][]item // nil: absent, which means <base/>
}

// item is a statement of a section or of another statement, or <base/> (run is nil).
type item struct {
	run                 Step
	scope               policy.Scope
	statement, id, path string
	keeps               bool // it, or what it holds, keeps the response
}

// A Block is the statements that another statement holds: the branch of a choose, what a retry repeats.
type Block []item

// Run runs the statements one after the other.
func (k Block) Run(ctx context.Context, x *Exchange) (Flow, error) {
	for i := range k {
		if flow, err := k[i].do(ctx, x); err != nil || flow != Next {
			return flow, err
		}
	}
	return Next, nil
}

func (it *item) do(ctx context.Context, x *Exchange) (Flow, error) {
	flow, err := it.run(ctx, x)
	if err != nil {
		err = it.place(x, err)
	}
	return flow, err
}

// A Chain is the documents that concern one request, narrow to broad. Scopes without a document are left out.
type Chain []*Compiled

var sectionIndex = map[policy.Section]int{policy.Inbound: 0, policy.Backend: 1, policy.Outbound: 2, policy.OnError: 3}

// Run takes an exchange through the sections of its chain. Afterwards x.Response is what the client gets.
func Run(x *Exchange, chain Chain) {
	for _, s := range [...]policy.Section{policy.Inbound, policy.Backend, policy.Outbound} {
		flow, err := chain.section(x, s)
		if err == nil && flow == Kept {
			flow, err = End, chain.goOn(x)
		}
		if err != nil {
			Fail(x, chain, err)
			return
		}
		if flow == End {
			return
		}
		if s == policy.Backend && x.Response == nil {
			x.Response = NewResponse(200)
		}
	}
}

// Fail makes err the exchange's LastError, prepares the default answer for it, and runs the on-error sections.
// An error inside on-error ends it and the response as it stands is sent.
func Fail(x *Exchange, chain Chain, err error) {
	x.fail(err)
	if _, err := chain.section(x, policy.OnError); err != nil {
		x.secondary = append(x.secondary, err)
	}
}

func (c Chain) section(x *Exchange, s policy.Section) (Flow, error) {
	x.Section = s
	return c.layer(x, 0, sectionIndex[s])
}

// layer runs the section of one scope; its <base/> runs the next broader one.
func (c Chain) layer(x *Exchange, depth, section int) (Flow, error) {
	for depth < len(c) && c[depth].sections[section] == nil {
		depth++ // an absent section is <base/> alone
	}
	if depth == len(c) {
		return Next, nil
	}
	doc := c[depth]
	for i := range doc.sections[section] {
		it := &doc.sections[section][i]
		var flow Flow
		var err error
		if it.run == nil {
			flow, err = c.layer(x, depth+1, section)
		} else {
			flow, err = it.do(x, x)
		}
		if err != nil || flow != Next {
			return flow, err
		}
	}
	return Next, nil
}

// goOn runs what is left of outbound for a response that was kept: what stands after the statement of the same policy
// that keeps responses, or after that of any. Without one nothing has been done to it.
func (c Chain) goOn(x *Exchange) error {
	x.Section = policy.Outbound
	all := c.flat(nil, 0, sectionIndex[policy.Outbound])
	from := 0
	for i, f := range all {
		if f.keeps && f.doc.ID == x.KeptBy {
			from = i + 1
			break
		}
		if f.keeps && from == 0 {
			from = i + 1
		}
	}
	for _, f := range all[from:] {
		if flow, err := f.do(x, x); err != nil || flow != Next {
			return err
		}
	}
	return nil
}

// placed is a statement with the document that it is of.
type placed struct {
	*item
	doc *Compiled
}

// flat lists the statements of a section in the order in which they run.
func (c Chain) flat(list []placed, depth, section int) []placed {
	for depth < len(c) && c[depth].sections[section] == nil {
		depth++
	}
	if depth == len(c) {
		return list
	}
	for i := range c[depth].sections[section] {
		if it := &c[depth].sections[section][i]; it.run == nil {
			list = c.flat(list, depth+1, section)
		} else {
			list = append(list, placed{it, c[depth]})
		}
	}
	return list
}

// place turns any error of a statement into a Failure that says where it happened; the innermost statement counts.
func (it *item) place(x *Exchange, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Reason: ReasonExpression, Message: err.Error(), Err: err}
	}
	if f.placed {
		return f
	}
	if f.Source == "" {
		f.Source = it.statement
	}
	f.Scope, f.Section = string(it.scope), string(x.Section)
	f.Path, f.PolicyID, f.placed = it.path, it.id, true
	return f
}

// Preflight asks the cors statements that stand directly in the inbound sections, in the order in which they run, for
// the answer to a preflight request. Nothing else is evaluated. It is false when there are none.
func Preflight(x *Exchange, chain Chain) (bool, error) {
	x.Section, x.Preflight = policy.Inbound, true
	any := false
	flow, err := chain.preflight(x, 0, &any)
	if any && err == nil && flow == Next {
		err = x.SetResponse(NewResponse(200))
	}
	return any, err
}

func (c Chain) preflight(x *Exchange, depth int, any *bool) (Flow, error) {
	inbound := sectionIndex[policy.Inbound]
	for depth < len(c) && c[depth].sections[inbound] == nil {
		depth++
	}
	if depth == len(c) {
		return Next, nil
	}
	for i := range c[depth].sections[inbound] {
		it := &c[depth].sections[inbound][i]
		var flow Flow
		var err error
		switch {
		case it.run == nil:
			flow, err = c.preflight(x, depth+1, any)
		case it.statement == "cors":
			*any = true
			flow, err = it.do(x, x)
		}
		if err != nil || flow == End {
			return flow, err
		}
	}
	return Next, nil
}
