package client

import "github.com/spf13/cobra"

func newRedisRestore(_ *system) *cobra.Command {
	return &cobra.Command{Use: "redis-restore"}
}
