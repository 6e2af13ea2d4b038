package client

import "github.com/spf13/cobra"

func newRedisDump(_ *system) *cobra.Command {
	return &cobra.Command{Use: "redis-dump"}
}
