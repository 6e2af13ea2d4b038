package client

import "github.com/spf13/cobra"

func newModuleBackup(_ *system) *cobra.Command {
	return &cobra.Command{Use: "module-backup ID"}
}
