package destination

import (
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is an error in one field of a request. Kind is a word of JSON schema, or a named
// error of NethServer 8.
type Problem struct {
	Field, Kind string
	// Right is a suggestion for the value, if there is one.
	Right string
}

// Problems is an error that lists each problem.
type Problems []Problem

func (all Problems) Error() string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.Kind
		if p.Field != "" {
			texts[i] = p.Field + ": " + p.Kind
		}
	}
	return strings.Join(texts, ", ")
}

// The kinds of problems, as NethServer 8's JSON schema library names them.
const (
	Required   = "required"
	WrongType  = "invalid_type"
	Malformed  = "pattern"
	TooLong    = "string_lte"
	TooShort   = "string_gte"
	TooSmall   = "number_gte"
	Unexpected = "additional_property_not_allowed"
	NotOneOf   = "enum"
	// ConfError is the named error for an unusable section.
	ConfError = "rclone_conf_error"
)

const (
	maxConf     = 100_000 // characters
	maxBasePath = 512     // characters
)

var (
	oneLine = regexp.MustCompile(`^[^\n\r\t]*$`)
	// confLines matches an optional header and "key = value" lines.
	confLines = regexp.MustCompile(`^(\[[^\]]+\]\n)?(\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*[^\n]*(\n|$))*$`)
)

// Parameters are the parameters of a request by name; nil stands for null.
type Parameters map[string]*string

// text returns a parameter, "" if it is null or missing.
func (p Parameters) text(name string) string {
	if v := p[name]; v != nil {
		return *v
	}
	return ""
}

// CheckURL checks the URL of a destination of that provider.
func (p Provider) CheckURL(url string) []Problem {
	if p.url != nil && (!p.url.MatchString(url) || !oneLine.MatchString(url)) {
		return []Problem{{Field: "url", Kind: Malformed}}
	}
	if right, found := rightURL(url); p.Type == "s3" && found {
		return []Problem{{Field: "url", Kind: Malformed, Right: right}}
	}
	return nil
}

// CheckParameters checks the parameters of a request. With partial, parameters that an
// existing destination has may be missing.
func (p Provider) CheckParameters(params Parameters, partial bool) []Problem {
	var problems []Problem
	add := func(name, kind string) { problems = append(problems, Problem{Field: "parameters." + name, Kind: kind}) }
	known := map[string]bool{}
	for _, param := range p.Parameters {
		known[param.Name] = true
		value, given := params[param.Name]
		switch {
		case !given:
			if !param.Optional && !partial {
				add(param.Name, Required)
			}
		case value == nil:
			if param.Name != ParamConf {
				add(param.Name, WrongType)
			}
		case p.Name == Rclone:
			if kind := checkRclone(param.Name, *value); kind != "" {
				add(param.Name, kind)
			}
		case !oneLine.MatchString(*value):
			add(param.Name, Malformed)
		case param.NotEmpty && *value == "":
			add(param.Name, TooShort)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !known[name] {
			add(name, Unexpected)
		}
	}
	return problems
}

func checkRclone(name, value string) (kind string) {
	limit := maxConf
	if name == ParamBasePath {
		limit = maxBasePath
	}
	switch {
	case utf8.RuneCountInString(value) > limit:
		return TooLong
	case name == ParamConf && !confLines.MatchString(value), name == ParamBasePath && !oneLine.MatchString(value):
		return Malformed
	}
	return ""
}

// conf returns the section's text from the parameters of provider rclone.
func (p Parameters) conf() (string, error) {
	if text, given := p[ParamConf]; given && text != nil {
		return *text, nil
	}
	data, err := base64.StdEncoding.DecodeString(p.text(ParamConfB64))
	if err != nil || !utf8.Valid(data) {
		return "", errors.New(ParamConfB64 + " is not Base64 of a text")
	}
	return string(data), nil
}
