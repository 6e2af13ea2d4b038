// Package actioninput reports errors in the input of an action, in the words and the form
// of NethServer 8's agent.
package actioninput

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// InvalidField is one error of the input, as NethServer 8's agent reports it.
type InvalidField struct {
	Field     string `json:"field"`
	Parameter string `json:"parameter"`
	Value     any    `json:"value"`
	Error     string `json:"error"`
}

// Error lists all errors of an input.
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

// WholeInput takes the place of a field's name for errors of the input as a whole.
const WholeInput = "(root)"

// NewInvalidField returns the error for one field of an input.
func NewInvalidField(name string, raw json.RawMessage, kind string) InvalidField {
	f := InvalidField{Field: name, Parameter: name, Error: kind}
	if kind == FieldRequired {
		f.Field = WholeInput
	}
	// Input that cannot be decoded was refused as invalid JSON before.
	_ = json.Unmarshal(raw, &f.Value)
	return f
}

// Refuse reports an action's invalid input to the agent.
func Refuse(sys *host.System, input Error) error {
	sys.Agent().SetStatus("validation-failed")
	if err := json.NewEncoder(sys.Stdout).Encode(input); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return exit.With(exit.Invalid, input)
}

// The kinds of errors: the names that NethServer 8's JSON schema library uses, and two for
// input that the schema never sees.
const (
	Empty           = "empty_input"
	NotJSON         = "invalid_json"
	FieldRequired   = "required"
	FieldWrongType  = "invalid_type"
	FieldMalformed  = "pattern"
	FieldUnexpected = "additional_property_not_allowed"
)
