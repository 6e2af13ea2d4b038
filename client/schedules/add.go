package schedules

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

func newAdd(sys *host.System) *cobra.Command {
	opts := newOptions()
	cmd := &cobra.Command{
		Use:   "add --destination NAME [flags] [MODULE ...]",
		Short: "Add a schedule, and print its ID, which module-backup takes",
		Long: `Add a schedule for the modules named, or for all of them with --all, and print its ID.
When it runs is shown on stderr, before it is saved; with --dry-run it is not saved.
More modules join it with "gatewayctl module add --schedule ID", and with --all by
themselves.

--prune, --check and --drill are times as well: what is due by then is done with the run
that follows, so that it needs no time of its own.

With --id the schedule gets that number; where it exists, it becomes what is asked
for here.`,
		Example: `  gatewayctl schedule add --destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8 myapp1
  gatewayctl schedule add --destination ID --when "Mon..Fri 02:30" --keep-daily 7 --keep-weekly 4 --all --except mail1
  gatewayctl schedule add --id 1 --destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8 --when "every 6h" myapp1 myapp2`,
		Annotations:       registry.ExitStatus(),
		ValidArgsFunction: names.Complete(sys, names.ModuleEntries, names.AnyNumber),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.given.Modules = args
			if err := opts.checkNew(); err != nil {
				return err
			}
			return withAdmin(cmd.Context(), sys, func(a *admin) error { return a.runAdd(cmd.Context(), opts) })
		},
	}
	opts.register(cmd, sys)
	cmd.Flags().StringVar(&opts.id, "id", "", "`NUMBER` of the schedule (default: the next one)")
	return cmd
}

func (o *options) checkNew() error {
	if o.given.Destination == "" {
		return exit.Failf(exit.Usage, "name a destination with --destination: see gatewayctl destination list")
	}
	if n, err := strconv.ParseUint(o.id, 10, 31); o.id != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != o.id) {
		return exit.Failf(exit.Usage, "--id %q is not a number from 1 on", o.id)
	}
	if err := o.finish(); err != nil {
		return err
	}
	return checkAll(&o.given, len(o.given.Modules) > 0)
}

// checkAll refuses contradictions about which modules are meant.
func checkAll(s *schedule.Schedule, named bool) error {
	switch {
	case s.All && named:
		return exit.Failf(exit.Usage, "name modules or take --all, not both: --except leaves modules out")
	case !s.All && (s.Node != "" || len(s.Except) > 0):
		return exit.Failf(exit.Usage, "--node and --except need --all")
	}
	return nil
}

func (a *admin) runAdd(ctx context.Context, opts *options) error {
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	s := &opts.given
	if err := resolveSchedule(ctx, a.Redis, s); err != nil {
		return err
	}
	if s.Node != "" && !slices.Contains(list.Nodes(), s.Node) {
		return exit.Failf(exit.NotFound, "node %s does not exist: see gatewayctl node list", s.Node)
	}
	if err := checkTimes(s, time.Now()); err != nil {
		return err
	}
	described := false
	// Watching destinations and modules ensures that those named still exist.
	watched := []string{catalog.ModuleUUID, catalog.ModuleNode, catalog.DestinationKey(s.Destination), catalog.BackupSequence}
	err = a.Change(ctx, "add the schedule", func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		if err := checkNamed(ctx, tx, s); err != nil {
			return nil, err
		}
		last, err := tx.Get(ctx, catalog.BackupSequence).Int()
		if host.IgnoreNil(err) != nil {
			return nil, err
		}
		s.ID = cmp.Or(opts.id, strconv.Itoa(last+1))
		number, err := strconv.Atoi(s.ID)
		if err != nil {
			return nil, err
		}
		if !described {
			a.describe(s, time.Now())
			described = true
		}
		if opts.dryRun {
			return nil, nil
		}
		return func(p redis.Pipeliner) {
			p.Set(ctx, catalog.BackupSequence, max(last, number), 0)
			s.Save(ctx, p)
		}, nil
	}, watched...)
	if err != nil || opts.dryRun {
		return err
	}
	_, err = fmt.Fprintln(a.Sys.Stdout, s.ID)
	return err
}

// resolveSchedule replaces the names of the destination and the modules by their IDs.
func resolveSchedule(ctx context.Context, rdb *redis.Client, s *schedule.Schedule) error {
	var err error
	if s.Destination, err = names.DestinationNamed(ctx, rdb, s.Destination); err != nil {
		return err
	}
	if s.Modules, err = resolveModules(ctx, rdb, s.Modules); err != nil {
		return err
	}
	s.Except, err = resolveModules(ctx, rdb, s.Except)
	return err
}

// resolveModules returns the IDs of named modules, without duplicates.
func resolveModules(ctx context.Context, rdb *redis.Client, words []string) ([]string, error) {
	var modules []string
	for _, word := range words {
		m, err := names.ModuleNamed(ctx, rdb, word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(modules, m.ID) {
			modules = append(modules, m.ID)
		}
	}
	return modules, nil
}

// checkNamed refuses a schedule that names something that does not exist, and fills in the
// modules of a schedule for all.
func checkNamed(ctx context.Context, tx *redis.Tx, s *schedule.Schedule) error {
	n, err := tx.Exists(ctx, catalog.DestinationKey(s.Destination)).Result()
	if err != nil {
		return err
	}
	if n == 0 {
		return exit.Failf(exit.NotFound, "destination %s does not exist: see gatewayctl destination list", s.Destination)
	}
	uuids, err := tx.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return err
	}
	for _, id := range s.Modules {
		if uuids[id] == "" {
			return exit.Failf(exit.NotFound, "module %s does not exist: see gatewayctl module list", id)
		}
	}
	return takeAll(ctx, tx, s)
}

// takeAll fills in the modules of a schedule for all.
func takeAll(ctx context.Context, tx *redis.Tx, s *schedule.Schedule) error {
	if !s.All {
		return nil
	}
	places, err := tx.HGetAll(ctx, catalog.ModuleNode).Result()
	if err != nil {
		return err
	}
	s.Modules = nil
	for _, id := range slices.Sorted(maps.Keys(places)) {
		if s.Takes(id, places[id]) {
			s.Modules = append(s.Modules, id)
		}
	}
	return nil
}
