package client

import (
	"encoding/json"
	"fmt"
	"strings"
)

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

// newInvalidField describes what is wrong with one field of an input.
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
