package client

import "github.com/spf13/cobra"

func newRestoreModule(_ *system) *cobra.Command {
	return &cobra.Command{Use: "restore-module"}
}
