package trash

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

func newFreeze(sys *host.System) *cobra.Command {
	return newFreezing(sys, &cobra.Command{
		Use:   "freeze --destination NAME --repository APP/UUID",
		Short: "Let the module of a repository read and not write",
		Long: `Let the module of a repository read and not write, at every gateway of the cluster, until
"repository thaw". Nodes are not kept from anything. That restic locks what it reads is no
write: a module's locks are then its own, in the gateway's memory.

It is for when somebody else may have the module's password: freeze, look at the history,
roll back, change the password with "module passwd", thaw.`,
		Example: `  gatewayctl repository freeze --destination DESTINATION --repository dokuwiki/UUID`,
	}, gatewayadmin.Freeze, func(done adminapi.FreezeReply) string {
		what := "frozen"
		if !done.Changed {
			what = "is frozen already"
		}
		return what + ": since " + frozenBy(done)
	})
}

func newThaw(sys *host.System) *cobra.Command {
	return newFreezing(sys, &cobra.Command{
		Use:   "thaw --destination NAME --repository APP/UUID",
		Short: "Let the module of a frozen repository write again",
		Long: `Let the module of a frozen repository write again. Where somebody else may have the
module's password, change it before, with "module passwd".`,
		Example: `  gatewayctl repository thaw --destination DESTINATION --repository dokuwiki/UUID`,
	}, gatewayadmin.Thaw, func(done adminapi.FreezeReply) string {
		if !done.Changed {
			return "is not frozen"
		}
		return "thawed: it was frozen since " + frozenBy(done)
	})
}

// freezing is a request to freeze or to thaw.
type freezing func(context.Context, *host.System, adminapi.RepositoryRequest) (adminapi.FreezeReply, error)

// newFreezing completes a command that freezes or thaws a repository; say describes the
// result.
func newFreezing(sys *host.System, cmd *cobra.Command, do freezing, say func(adminapi.FreezeReply) string) *cobra.Command {
	var w which
	var asJSON bool
	cmd.Annotations, cmd.Args = status(), cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := w.request(cmd.Context(), sys)
		if err != nil {
			return err
		}
		done, err := do(cmd.Context(), sys, req)
		if err != nil || asJSON {
			return printed(sys, done, err)
		}
		_, err = fmt.Fprintf(sys.Stdout, "%s %s\n", req.Repository, say(done))
		return err
	}
	w.register(sys, cmd).BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// frozenBy says since when a repository is or was frozen, and by whom.
func frozenBy(done adminapi.FreezeReply) string {
	return done.Since.Local().Format(time.DateTime) + ", by " + host.Printable(done.By)
}

// printed prints a reply as JSON, unless there was an error.
func printed(sys *host.System, reply any, err error) error {
	if err != nil {
		return err
	}
	return sys.PrintJSON(reply)
}
