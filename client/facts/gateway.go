package facts

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/moduleapi"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// overGateway asks the gateway.
type overGateway struct {
	sys  *host.System
	wait *run.Waiting
	told adminapi.ModuleFacts
}

func askGateway(ctx context.Context, sys *host.System, wait *run.Waiting) (*overGateway, error) {
	s := &overGateway{sys: sys, wait: wait}
	err := wait.Retry(ctx, sys, func() (err error) {
		s.told, err = moduleapi.Facts(ctx, sys.Env)
		return err
	})
	return s, err
}

func (s *overGateway) Schedule(ctx context.Context, word string) (schedule.Schedule, error) {
	schedules, err := s.Schedules(ctx)
	if err != nil {
		return schedule.Schedule{}, err
	}
	entries := make([]naming.Entry, len(schedules))
	for i, one := range schedules {
		entries[i] = naming.Entry{ID: one.ID, Name: one.Name}
	}
	id, err := names.ScheduleAmong(entries, word)
	if err != nil {
		return schedule.Schedule{}, exit.Failf(exit.Usage, "of the schedules that list module %s: %w", s.told.ID, err)
	}
	for i := range schedules {
		if schedules[i].ID == id {
			return schedules[i], nil
		}
	}
	return schedule.Schedule{}, exit.Failf(exit.Usage, "backup schedule %s does not list module %s", word, s.told.ID)
}

func (s *overGateway) Schedules(context.Context) ([]schedule.Schedule, error) {
	var schedules []schedule.Schedule
	for _, told := range s.told.Schedules {
		schedules = append(schedules, schedule.Schedule{
			ID: told.ID, Name: told.Name, Destination: told.Destination, Enabled: told.Enabled, When: told.Calendar, Modules: []string{s.told.ID},
		})
	}
	return schedules, nil
}

func (s *overGateway) Destinations(context.Context) ([]adminapi.ModuleDestination, error) {
	return s.told.Destinations, nil
}

func (s *overGateway) Repository(ctx context.Context, destination, app, uuid string) (restic.Repository, error) {
	var told adminapi.ModulePassword
	err := s.wait.Retry(ctx, s.sys, func() (err error) {
		told, err = moduleapi.Password(ctx, s.sys.Env, destination, app, uuid)
		return err
	})
	if err != nil {
		return restic.Repository{}, err
	}
	return run.RepositoryAt(s.sys, destination, app, uuid, told.Password)
}

func (s *overGateway) Dumps(ctx context.Context, _ host.Module) ([]keys.Dumped, error) {
	told, err := moduleapi.Dumps(ctx, s.sys.Env)
	if err != nil {
		return nil, err
	}
	return keys.NewDumped(told.UIName, told.UINote), nil
}
