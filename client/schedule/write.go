package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Save writes the schedule in a transaction, and announces it: what NethServer 8 has in
// its words, and the plan. Fields of NethServer 8's that are not in [Schedule] stay.
func (s *Schedule) Save(ctx context.Context, p redis.Pipeliner) {
	p.HSet(ctx, catalog.BackupKey(s.ID), s.BackupFields())
	p.HSetNX(ctx, catalog.BackupKey(s.ID), "schedule_hint", "{}")
	p.HSetNX(ctx, catalog.BackupKey(s.ID), "uinstances", "")
	s.SavePlan(ctx, p)
}

// BackupFields are those of the hash catalog.BackupKey, as [Parse] reads them.
func (s *Schedule) BackupFields() map[string]string {
	enabled := ""
	if s.Enabled {
		enabled = "1"
	}
	return map[string]string{
		catalog.FieldRepository: s.Destination, "name": s.Title(), "retention": strconv.Itoa(s.Retention),
		"schedule": s.When, catalog.FieldEnabled: enabled, catalog.FieldInstances: strings.Join(s.Modules, " "),
	}
}

// SavePlan writes the plan alone, in a transaction, and announces it. With NethServer 8,
// which keeps the rest, it is all that may be changed here.
func (s *Schedule) SavePlan(ctx context.Context, p redis.Pipeliner) {
	p.Del(ctx, catalog.PlanKey(s.ID))
	if fields := s.Fields(); len(fields) > 0 {
		p.HSet(ctx, catalog.PlanKey(s.ID), fields)
	}
	Publish(ctx, p, s.ID)
}

// Remove removes the schedule and its plan in a transaction, and announces it. The
// history of its runs stays.
func Remove(ctx context.Context, p redis.Pipeliner, id string) {
	p.Del(ctx, catalog.BackupKey(id), catalog.PlanKey(id))
	Publish(ctx, p, id)
}

// Publish announces that schedules changed, in a transaction.
func Publish(ctx context.Context, p redis.Pipeliner, ids ...string) {
	text, _ := json.Marshal(map[string][]string{"backup_ids": ids}) // of texts it cannot fail
	p.Publish(ctx, catalog.ChannelScheduleChanged, string(text))
}

// Instances are the modules of a schedule.
func Instances(ctx context.Context, tx *redis.Tx, id string) ([]string, error) {
	n, err := tx.Exists(ctx, catalog.BackupKey(id)).Result()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, exit.Failf(exit.NotFound, "schedule %s does not exist: see gatewayctl schedule list", id)
	}
	text, err := tx.HGet(ctx, catalog.BackupKey(id), "instances").Result()
	return strings.Fields(text), host.IgnoreNil(err)
}

// Join returns the modules of a schedule with one more; nothing without a
// schedule.
func Join(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	if id == "" {
		return "", nil
	}
	modules, err := Instances(ctx, tx, id)
	if !slices.Contains(modules, module) {
		modules = append(modules, module)
	}
	return strings.Join(modules, " "), err
}

// Leave returns the modules of a schedule without one.
func Leave(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	modules, err := Instances(ctx, tx, id)
	return strings.Join(slices.DeleteFunc(modules, func(m string) bool { return m == module }), " "), err
}
