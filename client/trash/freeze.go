package trash

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

func newFreeze(sys *host.System) *cobra.Command {
	var w which
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "freeze --destination NAME --repository APP/UUID",
		Short: "Let the module of a repository read and not write",
		Long: `Let the module of a repository read and not write, at every gateway of the cluster, until
"repository thaw". Nodes are not kept from anything. That restic locks what it reads is no
write: a module's locks are then its own, in the gateway's memory.

It is for when somebody else may have the module's password: freeze, look at the history,
roll back, change the password with "module passwd", thaw.`,
		Example:     `  gatewayctl repository freeze --destination DESTINATION --repository dokuwiki/UUID`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := w.request(cmd.Context(), sys)
			if err != nil {
				return err
			}
			done, err := gatewayadmin.Freeze(cmd.Context(), sys, req)
			if err != nil || asJSON {
				return printed(sys, done, err)
			}
			what := "frozen"
			if !done.Changed {
				what = "is frozen already"
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s %s: since %s, by %s\n", req.Repository, what, done.Since.Local().Format(time.DateTime), host.Printable(done.By))
			return err
		},
	}
	w.register(sys, cmd).BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newThaw(sys *host.System) *cobra.Command {
	var w which
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "thaw --destination NAME --repository APP/UUID",
		Short: "Let the module of a frozen repository write again",
		Long: `Let the module of a frozen repository write again. Where somebody else may have the
module's password, change it before, with "module passwd".`,
		Example:     `  gatewayctl repository thaw --destination DESTINATION --repository dokuwiki/UUID`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := w.request(cmd.Context(), sys)
			if err != nil {
				return err
			}
			done, err := gatewayadmin.Thaw(cmd.Context(), sys, req)
			if err != nil || asJSON {
				return printed(sys, done, err)
			}
			text := "thawed: it was frozen since " + done.Since.Local().Format(time.DateTime) + ", by " + host.Printable(done.By)
			if !done.Changed {
				text = "is not frozen"
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s %s\n", req.Repository, text)
			return err
		},
	}
	w.register(sys, cmd).BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printed prints a reply as JSON, unless there was an error.
func printed(sys *host.System, reply any, err error) error {
	if err != nil {
		return err
	}
	return sys.PrintJSON(reply)
}
