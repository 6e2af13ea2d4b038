package client

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
)

// printHelp prints the help of cmd to stdout. It uses no template: text/template would keep
// the linker from dropping unused code.
func printHelp(cmd *cobra.Command, _ []string) {
	var text strings.Builder
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(&text, "\n%s\n%s\n", title, strings.TrimRight(body, "\n"))
		}
	}
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	text.WriteString(strings.TrimSpace(about) + "\n")
	usage, commands := "  "+cmd.UseLine(), ""
	if cmd.HasAvailableSubCommands() {
		usage = "  " + cmd.CommandPath() + " COMMAND [argument ...]"
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			commands += fmt.Sprintf("  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
	section("USAGE", usage)
	section("ALIASES", aliases(cmd))
	section("COMMANDS", commands)
	section("OPTIONS", cmd.LocalFlags().FlagUsages())
	section("EXAMPLES", cmd.Example)
	section("EXIT STATUS", cmd.Annotations[docgen.ExitStatusAnnotation])
	fmt.Fprint(cmd.OutOrStdout(), text.String())
}

// aliases returns the other names of a command.
func aliases(cmd *cobra.Command) string {
	if len(cmd.Aliases) == 0 {
		return ""
	}
	return "  " + strings.Join(cmd.Aliases, ", ")
}
