package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
	"github.com/portico-dev/portico/internal/csharp/apim/fixed"
	"github.com/portico-dev/portico/internal/csharp/clr"
)

func exprCommand() *cobra.Command {
	var contextFile, check, run string
	var explain bool
	cmd := &cobra.Command{
		Use:   "expr ['CODE']",
		Short: "evaluate, explain or check a policy expression",
		Long: `Evaluates a policy expression: C# with the context object of a request. The code
may be written with its mark, @(…) or @{…}, or without. What the context holds
can be given as JSON.`,
		Example: `  portico expr '1 + 2'
  portico expr '@(context.Request.Headers.GetValueOrDefault("X-A", "none"))' --context request.json
  portico expr --explain 'context.Request'
  portico expr --check - < expressions.jsonl`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&contextFile, "context", "", "file with the content of the context object, as JSON")
	cmd.Flags().BoolVar(&explain, "explain", false, "do not evaluate; say what type the result has and what members it offers")
	cmd.Flags().StringVar(&check, "check", "", "check the JSON lines {id, source} of a file, - for standard input")
	cmd.Flags().StringVar(&run, "run", "", "evaluate the JSON lines {id, source, context} of a file, - for standard input")
	cmd.MarkFlagsMutuallyExclusive("check", "run", "explain")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case check != "" || run != "":
			if len(args) > 0 {
				return errors.New("--check and --run read their expressions from a file")
			}
			return exprLines(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), check+run, run != "")
		case len(args) == 0:
			return cmd.Help()
		case explain:
			return exprExplain(cmd.OutOrStdout(), args[0])
		}
		return exprOne(cmd.Context(), cmd.OutOrStdout(), args[0], contextFile)
	}
	return cmd
}

// compileExpr compiles a source with or without its mark.
func compileExpr(source string) (*csharp.Program, csharp.Errors) {
	opt := csharp.Options{Types: apim.Universe(), Context: apim.ContextType()}
	if strings.HasPrefix(strings.TrimSpace(source), "@") {
		return csharp.CompileMarked(source, opt)
	}
	return csharp.Compile(source, opt)
}

// told prints findings, each with its line and a caret.
func told(errs csharp.Errors) error {
	for _, e := range errs {
		fmt.Fprintf(os.Stderr, "%s\n  %s\n  %s^\n", e.Error(), e.Snippet, strings.Repeat(" ", max(e.Caret-1, 0)))
	}
	return errSaid
}

func exprOne(ctx context.Context, out io.Writer, source, contextFile string) error {
	p, errs := compileExpr(source)
	if errs != nil {
		return told(errs)
	}
	var data []byte
	if contextFile != "" {
		var err error
		if data, err = os.ReadFile(contextFile); err != nil {
			return err
		}
	}
	text, err := evaluate(ctx, p, data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// exprTime bounds one evaluation, besides its budget of steps and memory.
const exprTime = 10 * time.Second

func evaluate(ctx context.Context, p *csharp.Program, contextJSON []byte) (string, error) {
	var spec fixed.Spec
	var err error
	if len(contextJSON) > 0 {
		if spec, err = fixed.Parse(contextJSON); err != nil {
			return "", err
		}
	}
	host, err := fixed.New(spec)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, exprTime)
	defer cancel()
	f := csharp.NewFrame(ctx, host)
	defer f.Release()
	v, err := p.Run(f)
	if err != nil {
		return "", err
	}
	return f.Text(p, v)
}

// exprExplain prints the type of a source and the members that the sandbox allows on it.
func exprExplain(out io.Writer, source string) error {
	p, errs := compileExpr(source)
	if errs != nil {
		return told(errs)
	}
	fmt.Fprintf(out, "type: %s\n", p.Type())
	if v, ok := p.Constant(); ok {
		f := csharp.NewFrame(context.Background(), nil)
		defer f.Release()
		text, err := f.Text(p, v)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "constant: %s\n", text)
	}
	types := append([]*clr.Type{p.Type()}, p.Type().Interfaces()...)
	for base := p.Type().BaseOf(); base != nil; base = base.BaseOf() {
		types = append(types, base)
	}
	var lines []string
	for _, t := range types {
		for _, m := range apim.Universe().All(t) {
			if !m.Refused && m.Kind != clr.Constructor && m.Kind != clr.Operator && m.Kind != clr.Conversion {
				lines = append(lines, "  "+m.Sig)
			}
		}
	}
	slices.Sort(lines)
	if len(lines) > 0 {
		fmt.Fprintf(out, "members:\n%s\n", strings.Join(slices.Compact(lines), "\n"))
	}
	return nil
}

// An exprLine is one line of input.
type exprLine struct {
	ID      json.RawMessage `json:"id"`
	Source  string          `json:"source"`
	Context json.RawMessage `json:"context"`
}

// An exprResult is one line of output.
type exprResult struct {
	ID        json.RawMessage `json:"id"`
	OK        bool            `json:"ok"`
	Type      string          `json:"type,omitempty"`
	Errors    []exprFinding   `json:"errors,omitempty"`
	Value     *string         `json:"value,omitempty"`
	Exception *exprException  `json:"exception,omitempty"`
}

type exprFinding struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type exprException struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

const maxExprLine = 16 << 20 // bytes of one line of input

// exprLines answers each line of input with a line of output, in order.
func exprLines(ctx context.Context, stdin io.Reader, out io.Writer, file string, run bool) error {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 1<<16), maxExprLine)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for n := 1; scan.Scan(); n++ {
		if strings.TrimSpace(scan.Text()) == "" {
			continue
		}
		var line exprLine
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		res, err := answerLine(ctx, line, run)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := enc.Encode(res); err != nil {
			return err
		}
	}
	return scan.Err()
}

func answerLine(ctx context.Context, line exprLine, run bool) (exprResult, error) {
	res := exprResult{ID: line.ID}
	p, errs := compileExpr(line.Source)
	for _, e := range errs {
		res.Errors = append(res.Errors, exprFinding{e.Line, e.Col, e.Code, e.Message})
	}
	if errs != nil {
		return res, nil //nolint:nilerr // they are the answer
	}
	res.OK, res.Type = true, p.Type().String()
	if !run {
		return res, nil
	}
	text, err := evaluate(ctx, p, line.Context)
	var thrown *csharp.Exception
	var stopped *csharp.Stop
	switch {
	case err == nil:
		res.Value = &text
	case errors.As(err, &thrown):
		res.Exception = &exprException{thrown.Type.FullName(), thrown.Message}
	case errors.As(err, &stopped):
		res.Exception = &exprException{"Stop", stopped.Error()}
	default:
		return res, err
	}
	return res, nil
}
