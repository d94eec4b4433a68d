package pipeline

import (
	"strings"

	"github.com/portico-dev/portico/internal/csharp"
	"github.com/portico-dev/portico/internal/csharp/apim"
)

// Variables are those of one request, in the order in which they were first set. There are few: names are compared one
// after the other, without case.
type Variables struct {
	list []variable
	dict apim.VariablesMap
}

type variable struct {
	name  string
	value csharp.Value
}

// Get finds a variable.
func (v *Variables) Get(name string) (csharp.Value, bool) {
	for i := range v.list {
		if strings.EqualFold(v.list[i].name, name) {
			return v.list[i].value, true
		}
	}
	return csharp.Value{}, false
}

// Set sets a variable for the rest of the request.
func (v *Variables) Set(name string, value csharp.Value) {
	for i := range v.list {
		if strings.EqualFold(v.list[i].name, name) {
			v.list[i].value = value
			return
		}
	}
	v.list = append(v.list, variable{name, value})
}

// Len is the number of variables.
func (v *Variables) Len() int { return len(v.list) }

// Each yields the variables.
func (v *Variables) Each(yield func(name string, value csharp.Value) bool) {
	for _, x := range v.list {
		if !yield(x.name, x.value) {
			return
		}
	}
}

// VariablesMap is the dictionary that expressions see, the same one each time.
func (v *Variables) VariablesMap() *apim.VariablesMap {
	v.dict.Vars = v
	return &v.dict
}
