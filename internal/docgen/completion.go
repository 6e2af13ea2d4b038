package docgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The shells that completion scripts are made for.
var shells = []string{"bash", "zsh", "fish"}

// WriteCompletion writes the script that lets a shell complete root's commands and
// flags. The commands of alias can be called by their own names, and are completed
// by those, too.
func WriteCompletion(w io.Writer, root *cobra.Command, shell string, alias ...string) error {
	var script bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&script, true)
	case "zsh":
		err = root.GenZshCompletion(&script)
	case "fish":
		err = root.GenFishCompletion(&script, true)
	default:
		err = fmt.Errorf("no completion for the shell %q, only for %s", shell, strings.Join(shells, ", "))
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, alsoFor(script.String(), root.Name(), shell, alias))
	return err
}

// alsoFor makes the script complete the other names: it asks the program by the
// name that was typed.
func alsoFor(script, program, shell string, names []string) string {
	if len(names) == 0 {
		return script
	}
	list := strings.Join(names, " ")
	switch shell {
	case "bash":
		return script + "complete -o default -F __start_" + program + " " + list + "\n"
	case "zsh":
		script = strings.Replace(script, "#compdef "+program, "#compdef "+program+" "+list, 1)
		return strings.Replace(script, "compdef _"+program+" "+program, "compdef _"+program+" "+program+" "+list, 1)
	}
	var more strings.Builder
	for line := range strings.Lines(script) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(line, "complete "); ok {
				if before, after, ok := strings.Cut(rest, "-c "+program+" "); ok {
					more.WriteString("complete " + before + "-c " + name + " " + after)
				}
			}
		}
	}
	return script + more.String()
}

// NewCompletion returns the command that prints a completion script.
func NewCompletion(program string, alias ...string) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that makes a shell complete commands and options",
		Long: `Print the script that makes a shell complete commands and options. SHELL is bash,
zsh or fish. Bash needs its package bash-completion.`,
		Example: fmt.Sprintf(`  source <(%[1]s completion bash)
  %[1]s completion bash > /usr/share/bash-completion/completions/%[1]s
  %[1]s completion zsh > "${fpath[1]}/_%[1]s"
  %[1]s completion fish > ~/.config/fish/completions/%[1]s.fish`, program),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return errors.New("name a shell: bash, zsh or fish")
			}
			return nil
		},
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			return WriteCompletion(cmd.OutOrStdout(), cmd.Root(), args[0], alias...)
		},
	}
}

// NewMan returns the hidden command that writes the manual pages, for those who
// make packages.
func NewMan(m Manual) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages to a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return m.Write(cmd.Root(), args[0]) },
	}
}
