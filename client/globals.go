package client

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/flagenv"
	"github.com/rclone-gateway/rclone-gateway/internal/redisconn"
)

// addGlobals adds the options of every command: a file of variables, and the connection to
// Redis. Before a command begins they become environment variables, so that child processes
// get them too. A command that is called by its own name shows the options of Redis only in
// the program's help.
func addGlobals(sys *host.System, root *cobra.Command) {
	flags := root.PersistentFlags()
	var envFile string
	flags.StringVar(&envFile, "env-file", "", "take variables from `FILE`, such as \"module add\" and \"node add\" write; before the command's name where that has an --env-file of its own")
	connection := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(redisconn.Settings).Register(connection)
	connection.VisitAll(func(f *pflag.Flag) {
		f.Hidden = root.Name() != program
		flags.AddFlag(f)
	})
	root.TraverseChildren = true
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if err := sys.Env.LoadFile(envFile); err != nil {
			return err
		}
		var err error
		connection.VisitAll(func(f *pflag.Flag) {
			if f.Changed && err == nil {
				err = sys.Env.Set(flagenv.Variable(f), flagText(f))
			}
		})
		return err
	}
}

// flagText formats a flag's value for its environment variable.
func flagText(f *pflag.Flag) string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	return f.Value.String()
}
