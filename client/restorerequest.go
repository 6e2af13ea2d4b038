package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// restoreRequest is the input of the action restore-module.
type restoreRequest struct {
	Repository  string                     `json:"repository"` // the destination's ID
	Path        string                     `json:"path"`       // <app>/<UUID> of the module that was saved
	Snapshot    string                     `json:"snapshot"`   // "": the latest one
	Environment map[string]json.RawMessage `json:"environment"`
	Replace     bool                       `json:"replace"`
}

// app and uuid are the two levels of the repository's path.
func (r restoreRequest) app() string  { app, _, _ := strings.Cut(r.Path, "/"); return app }
func (r restoreRequest) uuid() string { _, uuid, _ := strings.Cut(r.Path, "/"); return uuid }

// invalidField is an error of the input as NS8's agent tells it.
type invalidField struct {
	Field     string `json:"field"`
	Parameter string `json:"parameter"`
	Value     any    `json:"value"`
	Error     string `json:"error"`
}

// invalidInputError are all errors of an input.
type invalidInputError []invalidField

func (e invalidInputError) Error() string {
	if e[0].Error == inputEmpty {
		return "there is no request on stdin: give one, or name a destination with --destination"
	}
	texts := make([]string, len(e))
	for i, f := range e {
		texts[i] = fmt.Sprintf("%s: %s", f.Parameter, f.Error)
	}
	return "the request is not valid: " + strings.Join(texts, ", ")
}

// wholeInput stands for the input itself among the names of its fields.
const wholeInput = "(root)"

// The kinds of errors, in the words of the JSON schema library that NS8's agent
// uses, and two for what never gets as far as the schema.
const (
	inputEmpty      = "empty_input"
	inputNotJSON    = "invalid_json"
	fieldRequired   = "required"
	fieldWrongType  = "invalid_type"
	fieldMalformed  = "pattern"
	fieldUnexpected = "additional_property_not_allowed"
)

// requestField is how one field of the request is checked and taken over.
type requestField struct {
	name     string
	required bool
	target   func(*restoreRequest) any
	pattern  *regexp.Regexp
}

var (
	repositoryPath  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
	snapshotPattern = regexp.MustCompile(`^(latest|[0-9a-f]{4,64}|)$`)
)

var requestFields = []requestField{
	{"repository", true, func(r *restoreRequest) any { return &r.Repository }, pathSegment},
	{"path", true, func(r *restoreRequest) any { return &r.Path }, repositoryPath},
	{"snapshot", false, func(r *restoreRequest) any { return &r.Snapshot }, snapshotPattern},
	{"environment", false, func(r *restoreRequest) any { return &r.Environment }, nil},
	{"replace", false, func(r *restoreRequest) any { return &r.Replace }, nil},
}

// parseRestoreRequest reads and checks the action's input. Its error is an
// [invalidInputError] with everything that is wrong.
func parseRestoreRequest(data []byte) (restoreRequest, error) {
	var request restoreRequest
	fields, err := splitObject(data)
	if err != nil {
		return request, err
	}
	var wrong invalidInputError
	for _, f := range requestFields {
		raw, given := fields[f.name]
		delete(fields, f.name)
		if kind := f.take(&request, raw, given); kind != "" {
			wrong = append(wrong, newInvalidField(f.name, raw, kind))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		wrong = append(wrong, newInvalidField(name, fields[name], fieldUnexpected))
	}
	if len(wrong) > 0 {
		return restoreRequest{}, wrong
	}
	return request, nil
}

func splitObject(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(data, &fields)
	_, wrongType := errors.AsType[*json.UnmarshalTypeError](err)
	var kind string
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		kind = inputEmpty
	case wrongType || err == nil && fields == nil:
		kind = fieldWrongType
	case err != nil:
		kind = inputNotJSON
	default:
		return fields, nil
	}
	return nil, invalidInputError{{Field: wholeInput, Parameter: wholeInput, Error: kind}}
}

// take stores the field's value in r, or returns what is wrong with it.
func (f requestField) take(r *restoreRequest, raw json.RawMessage, given bool) string {
	if !given || string(raw) == "null" && !f.required {
		if f.required {
			return fieldRequired
		}
		return ""
	}
	target := f.target(r)
	if string(raw) == "null" || json.Unmarshal(raw, target) != nil {
		return fieldWrongType
	}
	if text, ok := target.(*string); ok && !f.pattern.MatchString(*text) {
		return fieldMalformed
	}
	return ""
}

func newInvalidField(name string, raw json.RawMessage, kind string) invalidField {
	f := invalidField{Field: name, Parameter: name, Error: kind}
	if kind == fieldRequired {
		f.Field = wholeInput
	}
	// What cannot be decoded has been found not to be JSON before.
	_ = json.Unmarshal(raw, &f.Value)
	return f
}

// refuse tells the agent what is wrong with an action's input, in its form.
func (s *system) refuse(input invalidInputError) error {
	s.agent().setStatus("validation-failed")
	if err := json.NewEncoder(s.stdout).Encode(input); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return withCode(exitInvalid, input)
}
