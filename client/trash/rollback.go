package trash

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatewayadmin"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// rollbackFlags are those of a rollback.
type rollbackFlags struct {
	destination, repository, to string
	keys, dryRun, asJSON        bool
}

// NewRollback returns the command repository rollback.
func NewRollback(sys *host.System) *cobra.Command {
	var f rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback [flags] --destination NAME --repository APP/UUID --to TIME",
		Short: "Make a repository what it was at a time",
		Long: `Make a repository what it was at a time, to the second: what the storage received since
goes to the trash, what was deleted since comes back, locks are removed. Keys and config
stay as they are, unless --keys takes them along. It needs no password of the repository.

Before, keep the module from writing: stop its backups, and if somebody else may have
its password, change that with "module passwd". A time before something that was purged
is refused. Another rollback, to a time before the first, undoes it. --dry-run only shows
what would be done.`,
		Example: `  gatewayctl repository rollback --destination DESTINATION --repository dokuwiki/UUID --to 2h --dry-run
  gatewayctl repository rollback --destination DESTINATION --repository dokuwiki/UUID --to 1s`,
		Annotations: status(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), sys)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.destination, "destination", "", "`name` or ID of the destination")
	flags.StringVar(&f.repository, "repository", "", "the repository, `APP/UUID`")
	flags.StringVar(&f.to, "to", "", "`time` to go back to: as in RFC 3339, such as 2026-11-29T20:00:00Z, or how long ago, such as 2h")
	flags.BoolVar(&f.keys, "keys", false, "take keys and config along")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	completeDestination(sys, cmd)
	return cmd
}

func (f *rollbackFlags) run(ctx context.Context, sys *host.System) error {
	switch {
	case f.destination == "":
		return exit.Failf(exit.Usage, "--destination is missing")
	case strings.Count(f.repository, "/") != 1:
		return exit.Failf(exit.Usage, "--repository %q: give APP/UUID", f.repository)
	case f.to == "":
		return exit.Failf(exit.Usage, "--to is missing")
	}
	to, err := parseTime("--to", f.to)
	if err != nil {
		return err
	}
	req := adminapi.RollbackRequest{Repository: f.repository, To: to.Truncate(time.Second), Keys: f.keys, DryRun: f.dryRun}
	if req.Destination, err = destinationID(ctx, sys, f.destination); err != nil {
		return err
	}
	done, err := gatewayadmin.Rollback(ctx, sys, req)
	if err != nil {
		return err
	}
	if !done.Horizon.IsZero() {
		return exit.Failf(exit.Failed, "something that was there at %s was purged; the earliest time is %s",
			req.To.UTC().Format(time.RFC3339), done.Horizon.UTC().Format(time.RFC3339))
	}
	if f.asJSON {
		return sys.PrintJSON(done)
	}
	format := "moved to the trash: %s\nbrought back: %s\nremoved: %d locks\n"
	if f.dryRun {
		format = "would move to the trash: %s\nwould bring back: %s\nwould remove: %d locks\n"
	}
	_, err = fmt.Fprintf(sys.Stdout, format, counts(done.Leaving), counts(done.Returning), done.Locks)
	return err
}

// counts says how many objects there are of each kind.
func counts(byKind map[string]int) string {
	var parts []string
	for _, kind := range kinds {
		if n := byKind[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}
