// Command rclone-gateway serves restic repositories of NethServer 8 modules
// from any rclone remote.
package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/gateway/remote/command"
	"github.com/rclone-gateway/rclone-gateway/internal/footprint/programfile"
)

func main() {
	_ = programfile.Started() // without it the process only needs more memory
	if command.Called() {
		command.Main()
		return
	}
	root := newRoot()
	// Cobra's own errors come before a command begins: usage errors.
	began := false
	prepare := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		began = true
		return prepare(cmd, args)
	}
	if err := root.Execute(); err != nil {
		lastWord(os.Stderr, err)
		if coded, ok := errors.AsType[codedError](err); ok {
			os.Exit(coded.code)
		}
		if !began {
			os.Exit(exitUsage)
		}
		os.Exit(exitFailure)
	}
}
