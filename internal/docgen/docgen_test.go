package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPages_AreFreshAndProven fails when a page differs from the tables, or a row names a test that does not exist.
func TestPages_AreFreshAndProven(t *testing.T) {
	t.Parallel()
	if err := run(filepath.Join("..", ".."), "docs/reference", true); err != nil {
		t.Error(err)
	}
}

func TestRender_RowWithoutTestIsAnError(t *testing.T) {
	t.Parallel()
	_, err := render("", map[string][]string{})
	if err == nil || !strings.Contains(err.Error(), `--data: its test "TestUp_FirstRunMakesTheFolder" does not exist`) {
		t.Errorf("got %v", err)
	}
}
