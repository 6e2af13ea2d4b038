package client

import "github.com/spf13/cobra"

func newResticWrapper(_ *system) *cobra.Command {
	return &cobra.Command{Use: "restic-wrapper"}
}
