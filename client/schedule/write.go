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

// Save writes and announces the schedule in a transaction: NethServer 8's hash and the
// plan. It keeps fields of NethServer 8's that [Schedule] does not have.
func (s *Schedule) Save(ctx context.Context, p redis.Pipeliner) {
	p.HSet(ctx, catalog.BackupKey(s.ID), s.BackupFields())
	p.HSetNX(ctx, catalog.BackupKey(s.ID), "schedule_hint", "{}")
	p.HSetNX(ctx, catalog.BackupKey(s.ID), "uinstances", "")
	s.SavePlan(ctx, p)
}

// BackupFields returns the fields of the hash catalog.BackupKey, for [Parse].
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

// SavePlan writes and announces only the plan, in a transaction. On NethServer 8, which
// manages the rest, nothing else may be changed.
func (s *Schedule) SavePlan(ctx context.Context, p redis.Pipeliner) {
	p.Del(ctx, catalog.PlanKey(s.ID))
	if fields := s.Fields(); len(fields) > 0 {
		p.HSet(ctx, catalog.PlanKey(s.ID), fields)
	}
	Publish(ctx, p, s.ID)
}

// Remove removes and announces the schedule and its plan in a transaction. The history of
// its runs stays.
func Remove(ctx context.Context, p redis.Pipeliner, id string) {
	p.Del(ctx, catalog.BackupKey(id), catalog.PlanKey(id))
	Publish(ctx, p, id)
}

// Publish announces changed schedules, in a transaction.
func Publish(ctx context.Context, p redis.Pipeliner, ids ...string) {
	text, _ := json.Marshal(map[string][]string{"backup_ids": ids}) // cannot fail
	p.Publish(ctx, catalog.ChannelScheduleChanged, string(text))
}

// Instances returns the modules of a schedule.
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

// Join returns the modules of a schedule plus one; nil if the schedule does not exist.
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

// Leave returns the modules of a schedule minus one.
func Leave(ctx context.Context, tx *redis.Tx, id, module string) (string, error) {
	modules, err := Instances(ctx, tx, id)
	return strings.Join(slices.DeleteFunc(modules, func(m string) bool { return m == module }), " "), err
}
