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

// Problem is something wrong with one field of a request. Kind is a word of JSON
// schema, or one of NethServer 8's named errors.
type Problem struct {
	Field, Kind string
	// Right is what may have been meant, where that is known.
	Right string
}

// Problems are an error that names each of them.
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

// The kinds of problems, in the words of the JSON schema library that NethServer
// 8's agent uses.
const (
	Required   = "required"
	WrongType  = "invalid_type"
	Malformed  = "pattern"
	TooLong    = "string_lte"
	TooShort   = "string_gte"
	TooSmall   = "number_gte"
	Unexpected = "additional_property_not_allowed"
	NotOneOf   = "enum"
	// ConfError is the named error of a section that cannot be used.
	ConfError = "rclone_conf_error"
)

const (
	maxConf     = 100_000 // characters
	maxBasePath = 512     // characters
)

var (
	oneLine = regexp.MustCompile(`^[^\n\r\t]*$`)
	// confLines is a header that may be missing, and "key = value" lines.
	confLines = regexp.MustCompile(`^(\[[^\]]+\]\n)?(\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*[^\n]*(\n|$))*$`)
)

// Parameters are those of a request, by name; nil stands for null.
type Parameters map[string]*string

// text returns a parameter, or "" where it is null or missing.
func (p Parameters) text(name string) string {
	if v := p[name]; v != nil {
		return *v
	}
	return ""
}

// CheckURL says what is wrong with the URL of a destination of that provider.
func (p Provider) CheckURL(url string) []Problem {
	if p.url != nil && (!p.url.MatchString(url) || !oneLine.MatchString(url)) {
		return []Problem{{Field: "url", Kind: Malformed}}
	}
	if right, found := rightURL(url); p.Type == "s3" && found {
		return []Problem{{Field: "url", Kind: Malformed, Right: right}}
	}
	return nil
}

// CheckParameters says what is wrong with the parameters of a request. With
// partial, those may be missing that an existing destination has.
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

// conf returns the text of the section that the parameters of provider rclone hold.
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
