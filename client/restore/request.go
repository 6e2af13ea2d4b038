package restore

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/client/actioninput"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// restoreRequest is the input of the action restore-module.
type restoreRequest struct {
	Repository  string                     `json:"repository"` // destination ID
	Path        string                     `json:"path"`       // <app>/<UUID> of the saved module
	Snapshot    string                     `json:"snapshot"`   // "" for the latest
	Environment map[string]json.RawMessage `json:"environment"`
	Replace     bool                       `json:"replace"`
}

// app and uuid return the two parts of the repository's path.
func (r restoreRequest) app() string  { app, _, _ := strings.Cut(r.Path, "/"); return app }
func (r restoreRequest) uuid() string { _, uuid, _ := strings.Cut(r.Path, "/"); return uuid }

// requestField says how a field of the request is checked and stored.
type requestField struct {
	name     string
	required bool
	target   func(*restoreRequest) any
	pattern  *regexp.Regexp
}

var (
	snapshotPattern = regexp.MustCompile(`^(latest|[0-9a-f]{4,64}|)$`)
)

var requestFields = []requestField{
	{"repository", true, func(r *restoreRequest) any { return &r.Repository }, host.PathSegment},
	{"path", true, func(r *restoreRequest) any { return &r.Path }, host.RepositoryPath},
	{"snapshot", false, func(r *restoreRequest) any { return &r.Snapshot }, snapshotPattern},
	{"environment", false, func(r *restoreRequest) any { return &r.Environment }, nil},
	{"replace", false, func(r *restoreRequest) any { return &r.Replace }, nil},
}

// parseRestoreRequest parses and checks the action's input. Its error is an
// [InvalidInputError] that lists all mistakes.
func parseRestoreRequest(data []byte) (restoreRequest, error) {
	var request restoreRequest
	fields, err := splitObject(data)
	if err != nil {
		return request, err
	}
	var wrong actioninput.Error
	for _, f := range requestFields {
		raw, given := fields[f.name]
		delete(fields, f.name)
		if kind := f.take(&request, raw, given); kind != "" {
			wrong = append(wrong, actioninput.NewInvalidField(f.name, raw, kind))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		wrong = append(wrong, actioninput.NewInvalidField(name, fields[name], actioninput.FieldUnexpected))
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
		kind = actioninput.Empty
	case wrongType || err == nil && fields == nil:
		kind = actioninput.FieldWrongType
	case err != nil:
		kind = actioninput.NotJSON
	default:
		return fields, nil
	}
	return nil, actioninput.Error{{Field: actioninput.WholeInput, Parameter: actioninput.WholeInput, Error: kind}}
}

// take stores the field's value in r, or returns the mistake in it.
func (f requestField) take(r *restoreRequest, raw json.RawMessage, given bool) string {
	if !given || string(raw) == "null" && !f.required {
		if f.required {
			return actioninput.FieldRequired
		}
		return ""
	}
	target := f.target(r)
	if string(raw) == "null" || json.Unmarshal(raw, target) != nil {
		return actioninput.FieldWrongType
	}
	if text, ok := target.(*string); ok && !f.pattern.MatchString(*text) {
		return actioninput.FieldMalformed
	}
	return ""
}
