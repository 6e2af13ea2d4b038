package main

import (
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/internal/docgen"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

const program = "rclone-gateway"

// Exit codes.
const (
	exitFailure     = 1 // the server could not run, or requests were cut at its stop
	exitUsage       = 2 // wrong flags or configuration
	exitDestination = 3 // check-config, check-destination: a destination does not work
)

const exitStatus = `
EXIT STATUS
  0  all is well; serve: stopped as asked, every request had finished
  1  failure: an address is in use, Redis cannot be read (check-config), the
     gateway is not ready (health), or requests were still running when the
     shutdown timeout ended
  2  wrong flags, environment or files named there
  3  check-config, check-destination: a destination does not work`

// codedError is an error with an exit code.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

func usageError(err error) error { return codedError{err, exitUsage} }

// newRoot returns the program's root command.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Short:         "Serve restic repositories of NethServer 8 modules from any rclone remote",
		Long:          "Serve restic repositories of NethServer 8 modules from any rclone remote.\n" + exitStatus,
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate(versions())
	envFile := root.PersistentFlags().String("env-file", "", "take variables from `file`, such as \"gatewayctl node add\" writes, before those of the environment")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := envfile.Load(*envFile, setVariable); err != nil {
			return usageError(err)
		}
		return nil
	}
	root.AddCommand(newServe(), newCheckConfig(), newCheckDestination(), newObscure(), newHealth(), newAudit(), newVersion(),
		docgen.NewCompletion(program), docgen.NewMan(manual()))
	for _, command := range root.Commands() {
		completeValues(command)
	}
	return root
}

// setVariable sets a variable in this process's environment; "" clears it.
func setVariable(name, value string) error {
	if value == "" {
		return os.Unsetenv(name)
	}
	return os.Setenv(name, value)
}

// manual is the section of man pages for administrators' commands.
func manual() docgen.Manual {
	return docgen.Manual{Section: 8, Version: version.String(), Date: version.Date()}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and those of rclone and Go that are linked",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), versions()) },
	}
}

// versions returns what a bug report needs: our version, and those of rclone and Go.
func versions() string {
	text := "rclone-gateway " + version.String() + "\n"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/rclone/rclone" {
			text += "rclone " + module.Version + "\n"
		}
	}
	return text + info.GoVersion + "\n"
}
