// Package actioninput says what is wrong with the input of an action, in the words and the
// form of NethServer 8's agent. It reads no input.
package actioninput

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// InvalidField is an error of the input as NS8's agent tells it.
type InvalidField struct {
	Field     string `json:"field"`
	Parameter string `json:"parameter"`
	Value     any    `json:"value"`
	Error     string `json:"error"`
}

// Error are all errors of an input.
type Error []InvalidField

func (e Error) Error() string {
	if e[0].Error == Empty {
		return "there is no request on stdin: give one, or name a destination with --destination"
	}
	texts := make([]string, len(e))
	for i, f := range e {
		texts[i] = fmt.Sprintf("%s: %s", f.Parameter, f.Error)
	}
	return "the request is not valid: " + strings.Join(texts, ", ")
}

// WholeInput stands for the input itself among the names of its fields.
const WholeInput = "(root)"

// NewInvalidField describes what is wrong with one field of an input.
func NewInvalidField(name string, raw json.RawMessage, kind string) InvalidField {
	f := InvalidField{Field: name, Parameter: name, Error: kind}
	if kind == FieldRequired {
		f.Field = WholeInput
	}
	// What cannot be decoded has been found not to be JSON before.
	_ = json.Unmarshal(raw, &f.Value)
	return f
}

// Refuse tells the agent what is wrong with an action's input, in its form.
func Refuse(sys *host.System, input Error) error {
	sys.Agent().SetStatus("validation-failed")
	if err := json.NewEncoder(sys.Stdout).Encode(input); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return exit.With(exit.Invalid, input)
}

// The kinds of errors, in the words of the JSON schema library that NS8's agent
// uses, and two for what never gets as far as the schema.
const (
	Empty           = "empty_input"
	NotJSON         = "invalid_json"
	FieldRequired   = "required"
	FieldWrongType  = "invalid_type"
	FieldMalformed  = "pattern"
	FieldUnexpected = "additional_property_not_allowed"
)
