package schedules

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/client/units"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// admin is an administrator's access to the schedules in Redis.
type admin struct{ *registry.Registry }

// withAdmin calls do with an administrator's connection.
func withAdmin(ctx context.Context, sys *host.System, do func(*admin) error) error {
	return registry.With(ctx, sys, func(r *registry.Registry) error { return do(&admin{r}) })
}

// NewCommand returns the command schedule.
func NewCommand(sys *host.System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Say what is backed up where, when, and how long it is kept",
		Long: `Say what is backed up where, when, and how long it is kept. Then "gatewayctl scheduler",
or the timers that "gatewayctl schedule install" makes, run it.

NethServer 8 makes its schedules itself and runs them by its own timers: they are shown,
and what NethServer 8 does not know can be set, such as when repositories are checked.

` + registry.About,
		Example: `  gatewayctl schedule add --destination ID --name nightly --when "Mon..Fri 02:30" --all
  gatewayctl schedule show nightly
  gatewayctl schedule alter nightly --when "every 6h" --keep-daily 7 --keep-weekly 4
  gatewayctl schedule pause nightly --until 36h
  gatewayctl schedule remove nightly`,
		Annotations: registry.ExitStatus(),
		Args:        cobra.NoArgs,
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAdd(sys), newAlter(sys), newList(sys), newShow(sys),
		newRun(sys), newPause(sys), newResume(sys), newRemove(sys), units.NewInstall(sys))
	return cmd
}

func newRemove(sys *host.System) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Aliases:           []string{"rm"},
		Short:             "Remove a schedule; modules, destination, backups and history stay",
		Example:           `  gatewayctl schedule remove 1`,
		Annotations:       registry.ExitStatus(),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: names.Complete(sys, names.ScheduleEntries, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAdmin(cmd.Context(), sys, func(a *admin) error { return a.runRemove(cmd.Context(), args[0]) })
		},
	}
}

func (a *admin) runRemove(ctx context.Context, word string) error {
	if _, err := a.OwnUsers(ctx); err != nil {
		return err
	}
	id, err := names.ScheduleNamed(ctx, a.Redis, word)
	if err != nil {
		return err
	}
	return a.Change(ctx, "remove schedule "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		if _, err := schedule.Instances(ctx, tx, id); err != nil {
			return nil, err
		}
		return func(p redis.Pipeliner) { schedule.Remove(ctx, p, id) }, nil
	}, catalog.BackupKey(id))
}

// changeSchedule changes the schedule that a word names, and returns it as saved. On
// NethServer 8 the change may only touch the plan.
func (a *admin) changeSchedule(ctx context.Context, what, word string, dryRun bool, alter func(tx *redis.Tx, s *schedule.Schedule) error) (*schedule.Schedule, error) {
	list, err := a.Users(ctx)
	if err != nil {
		return nil, err
	}
	id, err := names.ScheduleNamed(ctx, a.Redis, word)
	if err != nil {
		return nil, err
	}
	var saved *schedule.Schedule
	err = a.Change(ctx, what+" "+id, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		s, err := schedule.ReadID(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if s.Destination == "" {
			return nil, exit.Failf(exit.NotFound, "schedule %s does not exist: see gatewayctl schedule list", id)
		}
		before := s.BackupFields()
		if err := alter(tx, &s); err != nil {
			return nil, err
		}
		saved = &s
		if dryRun {
			return nil, nil
		}
		if !list.OfNS8() {
			return func(p redis.Pipeliner) { s.Save(ctx, p) }, nil
		}
		if name := differs(before, s.BackupFields()); name != "" {
			return nil, exit.Failf(exit.Conflict, "schedule %s is one of NethServer 8, which keeps its %s itself: change it there", id, name)
		}
		return func(p redis.Pipeliner) { s.SavePlan(ctx, p) }, nil
	}, catalog.BackupKey(id), catalog.PlanKey(id), catalog.ModuleUUID, catalog.ModuleNode)
	return saved, err
}

// differs returns the name of a field that differs.
func differs(before, after map[string]string) string {
	for _, name := range []string{catalog.FieldRepository, "name", "schedule", "retention", catalog.FieldInstances, catalog.FieldEnabled} {
		if before[name] != after[name] {
			return name
		}
	}
	return ""
}
