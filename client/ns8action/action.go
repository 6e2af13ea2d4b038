package ns8action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/actioninput"
	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// Flag registers the command as one of NethServer 8's actions.
func Flag(cmd *cobra.Command, value *bool, action string) {
	cmd.Flags().BoolVar(value, "action", false, "be the action "+action+": JSON on stdin, its errors and exit codes")
}

// Unless requires arguments, except when called as an action.
func Unless(action *bool, arguments cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *action {
			return cobra.NoArgs(cmd, args)
		}
		return arguments(cmd, args)
	}
}

// Act runs an action: it reads the request from stdin, and reports faults in the form of
// NethServer 8's agent.
func Act(s *host.System, do func(raw map[string]any) (output any, err error)) error {
	raw, err := readAction(s)
	var output any
	if err == nil {
		output, err = do(raw)
	}
	if f, ok := errors.AsType[*Fault](err); ok {
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
		kind := actioninput.NotJSON
		if len(bytes.TrimSpace(data)) == 0 {
			kind = actioninput.Empty
		}
		return nil, Malformed([]destination.Problem{{Field: actioninput.WholeInput, Kind: kind}})
	}
	return raw, nil
}

// refuseAction reports a fault to the agent.
func refuseAction(s *host.System, f *Fault) error {
	s.Agent().SetStatus("validation-failed")
	fields := make([]actioninput.InvalidField, len(f.Problems))
	for i, p := range f.Problems {
		fields[i] = actioninput.InvalidField{Field: p.Field, Parameter: p.Field, Value: f.Value, Error: p.Kind}
	}
	if err := json.NewEncoder(s.Stdout).Encode(fields); err != nil {
		return fmt.Errorf("write the errors of the input: %w", err)
	}
	return exit.With(f.Action, f)
}
