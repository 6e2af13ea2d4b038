package envfile

import (
	"bytes"
	"fmt"
	"slices"
)

// Variable is a line of an environment file.
type Variable struct{ Name, Value string }

// Format is KEY=VALUE lines without quotes, which every reader of such files takes
// alike.
func Format(vars []Variable) string {
	var text bytes.Buffer
	for _, v := range vars {
		fmt.Fprintf(&text, "%s=%s\n", v.Name, v.Value)
	}
	return text.String()
}

// Renew is what an environment file is to hold that held those names, in that order:
// the variables, and in their places those that it held already and that the new ones do not
// set. What somebody added, or what only an earlier command line said, stays.
func Renew(names []string, values map[string]string, vars []Variable) []Variable {
	fresh := map[string]string{}
	for _, v := range vars {
		fresh[v.Name] = v.Value
	}
	var all []Variable
	for _, name := range names {
		value, set := fresh[name]
		if !set {
			value = values[name]
		}
		all = append(all, Variable{name, value})
	}
	for _, v := range vars {
		if !slices.Contains(names, v.Name) {
			all = append(all, v)
		}
	}
	return all
}
