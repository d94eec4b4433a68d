package main

import (
	"encoding/json"
	"fmt"
)

// sample is one piece of logic in every engine's words. An empty source means
// that the engine has no means for it.
type sample struct {
	name   string
	csharp string
	expr   string
	cel    string
	goja   string
	plain  func() any
	most   float64 // ns that Portico may take at most; it must not allocate then
	simple bool    // at most five times plain Go
	isJSON bool    // the result is JSON text, in which spaces and order do not matter
	why    string  // what explains a miss
}

// The values that every engine reads: in the shape that it is fastest with.
var (
	headers   = map[string]string{"X-A": "a"}
	token     = &jwt{Issuer: "me", Claims: map[string]string{"sub": "123", "iss": "me"}}
	variables = map[string]any{"a": "hello", "jwt": token}
	numbers   = func() []int {
		out := make([]int, 100)
		for i := range out {
			out[i] = i
		}
		return out
	}()
)

type jwt struct {
	Issuer string
	Claims map[string]string
}

// fields are all constant but for one: CEL would make the object while compiling.
const fields = `"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": "x", "g": "y", "h": true, "i": 1.5, "j": `

const newObject = `new JObject(new JProperty("a", 1), new JProperty("b", 2), new JProperty("c", 3), new JProperty("d", 4), new JProperty("e", 5), ` +
	`new JProperty("f", "x"), new JProperty("g", "y"), new JProperty("h", true), new JProperty("i", 1.5), new JProperty("j", context.Variables.GetValueOrDefault<string>("a")))`

func plainObject() map[string]any {
	return map[string]any{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": "x", "g": "y", "h": true, "i": 1.5, "j": variables["a"]}
}

var cases = []sample{
	{
		name:   "header equals text",
		csharp: `context.Request.Headers.GetValueOrDefault("X-A","") == "a"`,
		expr:   `(Headers["X-A"] ?? "") == "a"`,
		cel:    `"X-A" in headers && headers["X-A"] == "a"`,
		goja:   `(headers["X-A"] ?? "") === "a"`,
		plain:  func() any { return headers["X-A"] == "a" },
		most:   120, simple: true,
	},
	{
		name:   "variable as string",
		csharp: `context.Variables.GetValueOrDefault<string>("a")`,
		expr:   `Variables["a"]`,
		cel:    `variables["a"]`,
		goja:   `variables["a"]`,
		plain:  func() any { s, _ := variables["a"].(string); return s },
		most:   60, simple: true,
	},
	{
		name:   "claim and issuer of a JWT",
		csharp: `((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("sub", "") == "123" && ((Jwt)context.Variables["jwt"]).Issuer == "me"`,
		expr:   `Variables["jwt"].Claims["sub"] == "123" && Variables["jwt"].Issuer == "me"`,
		cel:    `variables["jwt"].claims["sub"] == "123" && variables["jwt"].issuer == "me"`,
		goja:   `variables["jwt"].claims["sub"] === "123" && variables["jwt"].issuer === "me"`,
		plain: func() any {
			return variables["jwt"].(*jwt).Claims["sub"] == "123" && variables["jwt"].(*jwt).Issuer == "me"
		},
		simple: true,
	},
	{
		name:   "object of 10 properties",
		csharp: newObject,
		expr:   `{` + fields + `Variables["a"]}`,
		cel:    `{` + fields + `variables["a"]}`,
		goja:   `({` + fields + `variables["a"]})`,
		plain:  func() any { return plainObject() },
		isJSON: true,
		why:    "each JProperty and its value are nodes that know their parent and may be changed, the others fill a map",
	},
	{
		name:   "the same as JSON text",
		csharp: newObject + `.ToString(Newtonsoft.Json.Formatting.None)`,
		expr:   `toJSON({` + fields + `Variables["a"]})`,
		cel:    `json({` + fields + `variables["a"]})`,
		goja:   `JSON.stringify({` + fields + `variables["a"]})`,
		plain:  func() any { out, _ := json.Marshal(plainObject()); return string(out) },
		isJSON: true,
	},
	{
		name:   "LINQ over 100 items",
		csharp: `((int[])context.Variables["numbers"]).Where(x => x % 2 == 0).Select(x => x * 3).Sum()`,
		expr:   `sum(map(filter(Numbers, # % 2 == 0), # * 3))`,
		cel:    `sum(numbers.filter(x, x % 2 == 0).map(x, x * 3))`,
		goja:   `numbers.filter(x => x % 2 === 0).map(x => x * 3).reduce((a, b) => a + b, 0)`,
		plain: func() any {
			s := 0
			for _, x := range numbers {
				if x%2 == 0 {
					s += x * 3
				}
			}
			return s
		},
	},
}

// same makes results of different engines comparable.
func (c *sample) same(v any) (string, error) {
	if c.isJSON {
		text, ok := v.(string)
		if !ok {
			data, err := json.Marshal(v)
			if err != nil {
				return "", err
			}
			text = string(data)
		}
		var parsed any
		if err := json.Unmarshal([]byte(text), &parsed); err != nil {
			return "", fmt.Errorf("%q: %w", text, err)
		}
		data, err := json.Marshal(parsed)
		return string(data), err
	}
	return fmt.Sprint(v), nil
}
