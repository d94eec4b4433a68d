package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-dev/portico/internal/arm"
)

// complain prints why a command failed: each finding of a refused request on a line of its own.
func complain(w io.Writer, err error) {
	fmt.Fprintln(w, "portico:", err)
	e, ok := errors.AsType[*arm.Error](err)
	if !ok {
		return
	}
	for _, d := range e.Details {
		if len(e.Details) == 1 && d.Message == e.Message {
			return // it is said already
		}
		if d.Target != "" {
			fmt.Fprintf(w, "  %s: %s\n", d.Target, d.Message)
		} else {
			fmt.Fprintf(w, "  %s\n", d.Message)
		}
	}
}

// self is the program as the user calls it, for commands to try.
func self() string { return os.Args[0] }

// takes wants one argument for each word, as the usage line names them.
func takes(words ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(words):
			return fmt.Errorf("%s is missing; usage: %s", words[len(args)], cmd.UseLine())
		case len(args) > len(words):
			return fmt.Errorf("unexpected argument %q; usage: %s", args[len(words)], cmd.UseLine())
		}
		return nil
	}
}

// group makes a command that only holds others refuse a word that is none of them.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
		}
		return fmt.Errorf("unknown command %q for %q; %s", args[0], cmd.CommandPath(), hint)
	}
	return cmd
}

// flagHint says where the flags of a command are explained.
func flagHint(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
}

// format is the value of --output.
type format string

func (f *format) String() string { return string(*f) }
func (*format) Type() string     { return "format" }

func (f *format) Set(v string) error {
	if v != "table" && v != "json" {
		return errors.New("it is table or json")
	}
	*f = format(v)
	return nil
}

// count puts a number before a noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, plural(noun))
}

// plural is the plural of a noun.
func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "ss"):
		return noun + "es"
	case strings.HasSuffix(noun, "ty"):
		return strings.TrimSuffix(noun, "y") + "ies"
	}
	return noun + "s"
}
