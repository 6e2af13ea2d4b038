package trash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// rollbackFlags are the flags of rollback.
type rollbackFlags struct {
	which

	to                            string
	keys, dryRun, asJSON, noCheck bool
}

func newRollback(sys *host.System) *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback [flags] --destination NAME --repository APP/UUID --to TIME",
		Short: "Freeze a repository and make it what it was at a time",
		Long: `Freeze a repository and make it what it was at a time, to the second: what the storage
received since goes to the trash, what was deleted since comes back, locks are removed. Keys
and config stay as they are, unless --keys takes them along. That needs neither a lock nor
the password of the repository. A time before something that was purged is refused.
--dry-run only shows what would be done.

Then restic checks the result, where it is here and Redis has the password; --no-check
leaves that out. The repository stays frozen: if somebody else may have the module's
password, change it with "module passwd", and then use "repository thaw".

Another rollback, to a time before the first, undoes it.`,
		Example: `  gatewayctl repository rollback --destination DESTINATION --repository dokuwiki/UUID --to 2h --dry-run
  gatewayctl repository rollback --destination DESTINATION --repository dokuwiki/UUID --to 1s`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), sys)
		},
	}
	flags := f.register(sys, cmd)
	flags.StringVar(&f.to, "to", "", "`time` to go back to: as in RFC 3339, such as 2026-11-29T20:00:00Z, or how long ago, such as 2h")
	flags.BoolVar(&f.keys, "keys", false, "take keys and config along")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done")
	flags.BoolVar(&f.noCheck, "no-check", false, "do not have restic check the result")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *rollbackFlags) run(ctx context.Context, sys *host.System) error {
	named, err := f.request(ctx, sys)
	if err != nil {
		return err
	}
	if f.to == "" {
		return exit.Failf(exit.Usage, "--to is missing")
	}
	to, err := run.ParseTime("--to", f.to)
	if err != nil {
		return err
	}
	if to.After(time.Now()) {
		return exit.Failf(exit.Usage, "--to %s: that time is not over yet", f.to)
	}
	req := adminapi.RollbackRequest{
		Destination: named.Destination, Repository: named.Repository, To: to.Truncate(time.Second), Keys: f.keys, DryRun: f.dryRun,
	}
	done, err := gatewayadmin.Rollback(ctx, sys, req)
	if coded, ok := errors.AsType[*exit.Error](err); ok && coded.Code == exit.NotFound {
		return exit.Failf(exit.NotFound, "there is no repository %s at the destination: see gatewayctl repository list", req.Repository)
	}
	if err != nil {
		return err
	}
	if !done.Horizon.IsZero() {
		return exit.Failf(exit.Failed, "something that was there at %s was purged, or vanished; the earliest time is %s",
			req.To.UTC().Format(time.RFC3339), done.Horizon.UTC().Format(time.RFC3339))
	}
	if err := f.report(sys, done); err != nil || f.dryRun {
		return err
	}
	sys.Notef("the repository is frozen: change the module's password if somebody else may have it, then run gatewayctl repository thaw --destination %s --repository %s", named.Destination, named.Repository)
	if f.noCheck {
		return nil
	}
	return checkResult(ctx, sys, named)
}

func (f *rollbackFlags) report(sys *host.System, done adminapi.RollbackReply) error {
	if f.asJSON {
		return sys.PrintJSON(done)
	}
	format := "moved to the trash: %s\nbrought back: %s\nremoved: %d locks\n"
	if f.dryRun {
		format = "would move to the trash: %s\nwould bring back: %s\nwould remove: %d locks\n"
	}
	_, err := fmt.Fprintf(sys.Stdout, format, counts(done.Leaving), counts(done.Returning), done.Locks)
	return err
}

// checkResult lets restic check a repository, if restic is installed here. Its output goes
// to stderr.
func checkResult(ctx context.Context, sys *host.System, req adminapi.RepositoryRequest) error {
	command, err := resticOn(ctx, sys, req)
	if err == nil {
		err = command.With("check").Run(ctx, restic.Streams{Stdout: sys.Stderr, Stderr: sys.Stderr})
	}
	failure, ran := errors.AsType[*restic.Failure](err)
	switch {
	case err == nil:
		return nil
	case ran && failure.Reason != restic.NoRuntime:
		return fmt.Errorf("everything was moved, and restic is not content with the result; a time before it may be better: %w", run.ResticError(command.Repository, err))
	case ctx.Err() != nil:
		return err
	}
	sys.Warnf("restic could not be asked to check the result: %v", err)
	return nil
}

// counts formats the number of objects of each kind.
func counts(byKind map[string]int) string {
	var parts []string
	for _, kind := range kinds {
		if n := byKind[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}
