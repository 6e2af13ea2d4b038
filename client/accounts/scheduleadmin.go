package accounts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/calendar"
)

// NewSchedule returns the command for schedules.
func NewSchedule(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Say which modules are backed up to which destination",
		Long: `Say which modules are backed up to which destination. This is for a Redis of one's
own: NethServer 8 makes its schedules itself. A schedule starts nothing: have cron
or a systemd timer run module-backup. It deletes nothing either: have the node run
restic forget.

` + aboutRedis,
		Example: `  gatewayctl schedule add --destination ID --name nightly myapp1 myapp2
  gatewayctl schedule list
  gatewayctl schedule remove 1`,
		Annotations: accountStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScheduleAdd(sys), newScheduleList(sys), newScheduleRemove(sys))
	return cmd
}

// scheduleOptions describe a new schedule.
type scheduleOptions struct {
	id, destination, name, when string
	retention                   int
	modules                     []string
}

func newScheduleAdd(sys *host.System) *cobra.Command {
	var opts scheduleOptions
	cmd := &cobra.Command{
		Use:   "add --destination NAME [flags] [MODULE ...]",
		Short: "Add a schedule, and print its ID, which module-backup takes",
		Long: `Add a schedule for the modules named, and print its ID, which module-backup takes.
More modules join it with "gatewayctl module add --schedule ID".

With --id the schedule gets that number; where it exists, it becomes what is asked
for here.`,
		Example: `  gatewayctl schedule add --destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8 myapp1
  gatewayctl schedule add --id 1 --destination 14030a59-a4e6-54cc-b8ea-cd5f97fe44c8 myapp1 myapp2`,
		Annotations:       accountStatus(),
		ValidArgsFunction: names.Complete(sys, names.ModuleEntries, names.AnyNumber),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.modules = args
			if err := opts.check(); err != nil {
				return err
			}
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runScheduleAdd(cmd.Context(), opts) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.destination, "destination", "", "`NAME` or ID of the destination")
	names.CompleteFlag(cmd, "destination", names.Complete(sys, names.DestinationEntries, names.AnyNumber))
	flags.StringVar(&opts.name, "name", "", "`NAME` that people see")
	flags.IntVar(&opts.retention, "retention", 3, "`NUMBER` of snapshots to keep of each module, noted for whoever runs restic forget: nothing here does")
	flags.StringVar(&opts.when, "when", "daily", "`TIME` of the backups, in the form of systemd's OnCalendar, for whoever starts them")
	flags.StringVar(&opts.id, "id", "", "`NUMBER` of the schedule (default: the next one)")
	return cmd
}

func (o *scheduleOptions) check() error {
	if o.destination == "" {
		return exit.Failf(exit.Usage, "name a destination with --destination: see gatewayctl destination list")
	}
	if o.retention < 1 {
		return exit.Failf(exit.Usage, "--retention %d: at least 1 snapshot must be kept", o.retention)
	}
	if n, err := strconv.ParseUint(o.id, 10, 31); o.id != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != o.id) {
		return exit.Failf(exit.Usage, "--id %q is not a number from 1 on", o.id)
	}
	if host.Printable(o.name) != o.name {
		return exit.Failf(exit.Usage, "--name %q holds control characters", o.name)
	}
	return checkWhen(o.when, time.Now())
}

// checkWhen refuses what is no time of backups in the form of systemd's OnCalendar, or
// none that is to come.
func checkWhen(text string, now time.Time) error {
	event, err := calendar.Parse(text)
	if err != nil {
		return exit.Failf(exit.Usage, "--when %q is no time in the form of systemd's OnCalendar, such as daily or \"Mon..Fri 02:30\": %w%s",
			host.Printable(text), err, naming.DidYouMean(text, calendar.Words))
	}
	if event.Next(now, time.Local).IsZero() {
		return exit.Failf(exit.Usage, "--when %q never comes", text)
	}
	return nil
}

func (a *accounts) runScheduleAdd(ctx context.Context, opts scheduleOptions) error {
	if _, err := a.ownUsers(ctx); err != nil {
		return err
	}
	if err := resolveSchedule(ctx, a.rdb, &opts); err != nil {
		return err
	}
	// Destinations and modules are watched, so that none goes while it is named.
	watched := []string{catalog.ModuleUUID, catalog.DestinationKey(opts.destination), catalog.BackupSequence}
	id := ""
	err := a.change(ctx, "add the schedule", func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		if err := checkNewSchedule(ctx, tx, opts); err != nil {
			return nil, err
		}
		last, err := tx.Get(ctx, catalog.BackupSequence).Int()
		if host.IgnoreNil(err) != nil {
			return nil, err
		}
		id = cmp.Or(opts.id, strconv.Itoa(last+1))
		number, err := strconv.Atoi(id)
		if err != nil {
			return nil, err
		}
		return func(p redis.Pipeliner) {
			p.Set(ctx, catalog.BackupSequence, max(last, number), 0)
			p.HSet(ctx, catalog.BackupKey(id), "repository", opts.destination, "name", cmp.Or(opts.name, "schedule "+id),
				"retention", opts.retention, "schedule", opts.when, "schedule_hint", "{}", "enabled", "1",
				"instances", strings.Join(opts.modules, " "), "uinstances", "")
			schedule.Publish(ctx, p, id)
		}, nil
	}, watched...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.sys.Stdout, id)
	return err
}

// resolveSchedule replaces by IDs what people call a destination and modules.
func resolveSchedule(ctx context.Context, rdb *redis.Client, opts *scheduleOptions) error {
	var err error
	if opts.destination, err = names.DestinationNamed(ctx, rdb, opts.destination); err != nil {
		return err
	}
	var modules []string
	for _, word := range opts.modules {
		m, err := names.ModuleNamed(ctx, rdb, word)
		if err != nil {
			return err
		}
		if !slices.Contains(modules, m.ID) {
			modules = append(modules, m.ID)
		}
	}
	opts.modules = modules
	return nil
}

// checkNewSchedule refuses a schedule of what does not exist.
func checkNewSchedule(ctx context.Context, tx *redis.Tx, opts scheduleOptions) error {
	n, err := tx.Exists(ctx, catalog.DestinationKey(opts.destination)).Result()
	if err != nil {
		return err
	}
	if n == 0 {
		return exit.Failf(exit.NotFound, "destination %s does not exist: see gatewayctl destination list", opts.destination)
	}
	uuids, err := tx.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return err
	}
	for _, id := range opts.modules {
		if uuids[id] == "" {
			return exit.Failf(exit.NotFound, "module %s does not exist: see gatewayctl module list", id)
		}
	}
	return nil
}

// shownSchedule is a schedule as it may be shown.
type shownSchedule struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Destination string   `json:"destination"`
	When        string   `json:"schedule"`
	Retention   string   `json:"retention"`
	Enabled     bool     `json:"enabled"`
	Modules     []string `json:"modules"`
}

// schedules returns all schedules in the order of their numbers.
func (a *accounts) schedules(ctx context.Context) ([]shownSchedule, error) {
	ids, err := host.KeysBelow(ctx, a.rdb, catalog.BackupKey(""))
	if err != nil {
		return nil, err
	}
	schedules := []shownSchedule{}
	for _, id := range ids {
		f, err := a.rdb.HGetAll(ctx, catalog.BackupKey(id)).Result()
		if err != nil {
			return nil, a.failed("read schedule "+id, err)
		}
		schedules = append(schedules, shownSchedule{
			ID: id, Name: f["name"], Destination: f["repository"], When: f["schedule"], Retention: f["retention"],
			Enabled: f["enabled"] == "1", Modules: slices.Concat([]string{}, strings.Fields(f["instances"])),
		})
	}
	slices.SortFunc(schedules, func(a, b shownSchedule) int { return names.CompareNumbers(a.ID, b.ID) })
	return schedules, nil
}

func newScheduleList(sys *host.System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ls"},
		Short:   "List the schedules",
		Example: `  gatewayctl schedule list
  gatewayctl schedule list --json | jq -r '.[].id'`,
		Annotations: accountStatus(),
		Args:        cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error {
				schedules, err := a.schedules(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return sys.PrintJSON(schedules)
				}
				table := tabwriter.NewWriter(sys.Stdout, 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tNAME\tDESTINATION\tWHEN\tMODULES")
				for _, s := range schedules {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.ID, host.Printable(cmp.Or(s.Name, "-")), host.Printable(cmp.Or(s.Destination, "-")),
						host.Printable(cmp.Or(s.When, "-")), host.OrDash(s.Modules))
				}
				return table.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newScheduleRemove(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a schedule; modules, destination and backups stay",
		Example:           `  gatewayctl schedule remove 1`,
		Annotations:       accountStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), sys, func(a *accounts) error { return a.runScheduleRemove(cmd.Context(), args[0]) })
		},
	}
}

func (a *accounts) runScheduleRemove(ctx context.Context, word string) error {
	if _, err := a.ownUsers(ctx); err != nil {
		return err
	}
	id, err := names.ScheduleNamed(ctx, a.rdb, word)
	if err != nil {
		return err
	}
	return a.change(ctx, "remove schedule "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		if _, err := schedule.Instances(ctx, tx, id); err != nil {
			return nil, err
		}
		return func(p redis.Pipeliner) {
			p.Del(ctx, catalog.BackupKey(id))
			schedule.Publish(ctx, p, id)
		}, nil
	}, catalog.BackupKey(id))
}
