package destination

import (
	"fmt"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/naming"
)

// Explain describes problems to people, who give flags rather than parameters.
func (p Provider) Explain(problems []Problem) string {
	texts := make([]string, len(problems))
	for i, problem := range problems {
		texts[i] = p.explain(problem)
	}
	return strings.Join(texts, "; ")
}

func (p Provider) explain(problem Problem) string {
	name, isParameter := strings.CutPrefix(problem.Field, "parameters.")
	if problem.Right != "" {
		return fmt.Sprintf("the bucket stands before the host name in --%s: is it %s?", problem.Field, problem.Right)
	}
	if !isParameter {
		return fmt.Sprintf("--%s must have the form %s", problem.Field, p.URLHint)
	}
	param := p.parameter(name)
	switch problem.Kind {
	case Required:
		return fmt.Sprintf("the %s is needed: %s", param.About, param.flag())
	case Malformed:
		return name + " must be one line without tabs"
	case TooShort:
		return name + " must not be empty"
	case TooLong:
		return name + " is too long"
	case Unexpected:
		if len(p.Parameters) == 0 {
			return fmt.Sprintf("%s takes no parameters, thus no %s", p.Name, name)
		}
		return fmt.Sprintf("%s takes no %s, but %s%s", p.Name, name, strings.Join(p.names(), ", "), naming.DidYouMean(name, p.names()))
	}
	return name + ": " + problem.Kind
}

// parameter returns the parameter of that name; an unknown one has only its name.
func (p Provider) parameter(name string) Parameter {
	for _, param := range p.Parameters {
		if param.Name == name {
			return param
		}
	}
	return Parameter{Name: name, About: name}
}

func (p Provider) names() []string {
	names := make([]string, len(p.Parameters))
	for i, param := range p.Parameters {
		names[i] = param.Name
	}
	return names
}

// flag returns the flag by which people give a parameter.
func (p Parameter) flag() string {
	switch {
	case p.Name == ParamConf:
		return "--conf FILE"
	case p.Secret:
		return "--secret-file " + p.Name + "=FILE"
	}
	return "--set " + p.Name + "=VALUE"
}
