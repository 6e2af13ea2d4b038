package destinations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// actionFlag makes the command one of NethServer 8's actions.
func actionFlag(cmd *cobra.Command, value *bool, action string) {
	cmd.Flags().BoolVar(value, "action", false, "be the action "+action+": JSON on stdin, its errors and exit codes")
}

// unlessAction wants arguments, except from an action.
func unlessAction(action *bool, arguments cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *action {
			return cobra.NoArgs(cmd, args)
		}
		return arguments(cmd, args)
	}
}

// oneID wants what means a destination.
func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("give the name or the ID of one destination, as gatewayctl destination list shows it")
	}
	return nil
}

// act runs an action: it reads the request from stdin, and tells faults in the
// form of NethServer 8's agent.
func act(s *host.System, do func(raw map[string]any) (output any, err error)) error {
	raw, err := readAction(s)
	var output any
	if err == nil {
		output, err = do(raw)
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return refuseAction(s, f)
	}
	if err != nil || output == nil {
		return err
	}
	if err := json.NewEncoder(s.Stdout).Encode(output); err != nil {
		return fmt.Errorf("write the action's output: %w", err)
	}
	return nil
}

func readAction(s *host.System) (map[string]any, error) {
	data, err := io.ReadAll(io.LimitReader(s.Stdin, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read the action's input: %w", err)
	}
	var raw map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&raw); err != nil || raw == nil {
		kind := host.InputNotJSON
		if len(bytes.TrimSpace(data)) == 0 {
			kind = host.InputEmpty
		}
		return nil, malformed([]destination.Problem{{Field: host.WholeInput, Kind: kind}})
	}
	return raw, nil
}

// refuseAction tells the agent about a fault.
func refuseAction(s *host.System, f *fault) error {
	s.Agent().SetStatus("validation-failed")
	fields := make([]host.InvalidField, len(f.problems))
	for i, p := range f.problems {
		fields[i] = host.InvalidField{Field: p.Field, Parameter: p.Field, Value: f.value, Error: p.Kind}
	}
	if err := json.NewEncoder(s.Stdout).Encode(fields); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return exit.With(f.action, f)
}

// forPeople gives a fault the exit status and the words that people's form of a
// command has.
func forPeople(err error) error {
	if f, ok := errors.AsType[*fault](err); ok {
		if f.told != "" {
			return exit.With(f.code, errors.New(f.told))
		}
		return exit.With(f.code, f)
	}
	return err
}

// actionRequest reads the fields of a request to add or alter a destination.
func actionRequest(raw map[string]any, required ...string) (*destinationRequest, error) {
	r := &destinationRequest{raw: raw, params: destination.Parameters{}}
	var problems []destination.Problem
	take := func(name string) *string {
		value, given := raw[name]
		s, isText := value.(string)
		switch {
		case given && !isText:
			problems = append(problems, destination.Problem{Field: name, Kind: destination.WrongType})
		case given:
			return &s
		case slices.Contains(required, name):
			problems = append(problems, destination.Problem{Field: name, Kind: destination.Required})
		}
		return nil
	}
	r.id, r.provider, r.password = text(take("id")), text(take("provider")), text(take("password"))
	r.name, r.url = take("name"), take("url")
	given, isObject := raw["parameters"].(map[string]any)
	switch _, there := raw["parameters"]; {
	case there && !isObject:
		problems = append(problems, destination.Problem{Field: "parameters", Kind: destination.WrongType})
	case !there && slices.Contains(required, "parameters"):
		problems = append(problems, destination.Problem{Field: "parameters", Kind: destination.Required})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		s, isText := value.(string)
		switch {
		case isText:
			r.params[name] = &s
		case value == nil:
			r.params[name] = nil
		default:
			problems = append(problems, destination.Problem{Field: "parameters." + name, Kind: destination.WrongType})
		}
	}
	return r, malformed(problems)
}
