package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/naming"
)

// onlyCommands accepts no argument: an argument of a command with subcommands is the name
// of an unknown subcommand.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	names := commandNames(cmd)
	if usual := otherWords[args[0]]; slices.Contains(names, usual) {
		return fmt.Errorf("unknown command %q for %s: did you mean %s?", args[0], cmd.CommandPath(), usual)
	}
	return fmt.Errorf("unknown command %q for %s%s", naming.Printable(args[0]), cmd.CommandPath(), naming.DidYouMean(args[0], names))
}

// otherWords maps words for commands in other programs to ours.
var otherWords = map[string]string{
	"delete": "remove", "del": "remove", "create": "add", "new": "add", "edit": "alter", "modify": "alter",
	"update": "alter", "set": "alter", "test": "check", "get": "show",
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		names = append(names, sub.Name())
		names = append(names, sub.Aliases...)
	}
	return names
}

// suggestFlag adds a suggestion to an error about an unknown flag.
func suggestFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := naming.Near(unknown.GetSpecifiedName(), names)
	for i, name := range near {
		near[i] = "--" + name
	}
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w: did you mean %s?", err, strings.Join(near, " or "))
}
