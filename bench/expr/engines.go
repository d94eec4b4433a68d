package main

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/dop251/goja"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

// prepared is a compiled case: run is what is timed, once gives its result as Go
// has it.
type prepared struct {
	run  func() error
	once func() (any, error)
}

func (p *prepared) text(c *sample) (string, error) {
	v, err := p.once()
	if err != nil {
		return "", err
	}
	return c.same(v)
}

type engine struct {
	name    string
	compile func(src string) error
	prepare func(c *sample) (*prepared, error)
}

// engines are in the order of the table: Portico first, plain Go last.
var engines = []engine{
	{"PORTICO", compilePortico, preparePortico},
	{"EXPR-LANG", compileExpr, prepareExpr},
	{"CEL-GO", compileCEL, prepareCEL},
	{"GOJA", compileGoja, prepareGoja},
	{"GO", nil, preparePlain},
}

func portico(src string) (*csharp.Program, error) {
	p, errs := csharp.Compile(src, csharp.Options{Types: apim.Universe(), Context: apim.ContextType()})
	if errs != nil {
		return nil, errs
	}
	return p, nil
}

func compilePortico(src string) error { _, err := portico(src); return err }

// preparePortico uses one frame for all runs, as a request does.
func preparePortico(c *sample) (*prepared, error) {
	p, err := portico(c.csharp)
	if err != nil {
		return nil, err
	}
	f := csharp.NewFrame(context.Background(), newHost())
	var sink csharp.Value
	run := func() (err error) { sink, err = p.Run(f); return err }
	return &prepared{run, func() (any, error) {
		if err := run(); err != nil {
			return nil, err
		}
		if sink.Tag() == clr.Boolean {
			return sink.Bool(), nil
		}
		return f.Text(p, sink)
	}}, nil
}

// environment is what expr-lang reads: fields of a struct are its fastest way.
type environment struct {
	Headers   map[string]string
	Variables map[string]any
	Numbers   []int
}

func compileExpr(src string) error {
	_, err := expr.Compile(src, expr.Env(environment{}))
	return err
}

func prepareExpr(c *sample) (*prepared, error) {
	p, err := expr.Compile(c.expr, expr.Env(environment{}))
	if err != nil {
		return nil, err
	}
	env := environment{headers, variables, numbers}
	var machine vm.VM
	var sink any
	run := func() (err error) { sink, err = machine.Run(p, env); return err }
	return &prepared{run, func() (any, error) { err := run(); return sink, err }}, nil
}

func celEnv() (*cel.Env, error) {
	text := cel.MapType(cel.StringType, cel.StringType)
	return cel.NewEnv(
		cel.Variable("headers", text), cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("numbers", cel.ListType(cel.IntType)),
		cel.Function("sum", cel.Overload("sum_ints", []*cel.Type{cel.ListType(cel.IntType)}, cel.IntType, cel.UnaryBinding(celSum))),
		cel.Function("json", cel.Overload("json_any", []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(celJSON))),
	)
}

func celSum(list ref.Val) ref.Val {
	sum := types.Int(0)
	for it := list.(traits.Lister).Iterator(); it.HasNext() == types.True; {
		sum += it.Next().(types.Int)
	}
	return sum
}

func celJSON(v ref.Val) ref.Val {
	s, err := celNative(v)
	if err != nil {
		return types.NewErr("%v", err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return types.NewErr("%v", err)
	}
	return types.String(data)
}

func celNative(v ref.Val) (any, error) {
	s, err := v.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, err
	}
	return s.(*structpb.Value).AsInterface(), nil
}

func compileCEL(src string) error {
	_, err := celProgram(src)
	return err
}

var celShared = func() *cel.Env {
	env, err := celEnv()
	if err != nil {
		panic(err)
	}
	return env
}()

func celProgram(src string) (cel.Program, error) {
	ast, iss := celShared.Compile(src)
	if iss.Err() != nil {
		return nil, iss.Err()
	}
	return celShared.Program(ast, cel.EvalOptions(cel.OptOptimize))
}

func prepareCEL(c *sample) (*prepared, error) {
	p, err := celProgram(c.cel)
	if err != nil {
		return nil, err
	}
	in, err := cel.NewActivation(map[string]any{
		"headers": headers, "numbers": numbers,
		"variables": map[string]any{"a": "hello", "jwt": map[string]any{"issuer": token.Issuer, "claims": token.Claims}},
	})
	if err != nil {
		return nil, err
	}
	var sink ref.Val
	run := func() (err error) { sink, _, err = p.Eval(in); return err }
	return &prepared{run, func() (any, error) {
		if err := run(); err != nil {
			return nil, err
		}
		if c.isJSON {
			if _, ok := sink.(types.String); !ok {
				return celNative(sink)
			}
		}
		return sink.Value(), nil
	}}, nil
}

// scene gives JavaScript objects of its own; Go's maps would be slower there.
const scene = `var headers = {"X-A": "a"}, numbers = Array.from({length: 100}, (_, i) => i),
	variables = {a: "hello", jwt: {issuer: "me", claims: {sub: "123", iss: "me"}}};`

func compileGoja(src string) error {
	_, err := goja.Compile("", src, true)
	return err
}

func prepareGoja(c *sample) (*prepared, error) {
	machine := goja.New()
	if _, err := machine.RunString(scene); err != nil {
		return nil, err
	}
	v, err := machine.RunString("(function() { 'use strict'; return " + c.goja + "; })")
	if err != nil {
		return nil, err
	}
	fn, ok := goja.AssertFunction(v)
	if !ok {
		return nil, errors.New("no function")
	}
	var sink goja.Value
	run := func() (err error) { sink, err = fn(goja.Undefined()); return err }
	return &prepared{run, func() (any, error) { err := run(); return sink.Export(), err }}, nil
}

func preparePlain(c *sample) (*prepared, error) {
	var sink any
	run := func() error { sink = c.plain(); return nil }
	return &prepared{run, func() (any, error) { err := run(); return sink, err }}, nil
}
