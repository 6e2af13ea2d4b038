package status

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// RequestRun asks the nodes to run a schedule now, as the user of a node.
func RequestRun(ctx context.Context, rdb redis.UniversalClient, node, schedule, by string, at time.Time) error {
	text, err := json.Marshal(struct {
		At time.Time `json:"at"`
		By string    `json:"by"`
	}{at, by})
	if err != nil {
		return err
	}
	return rdb.HSet(ctx, catalog.RunRequestsKey(node), schedule, text).Err()
}

// Fields of a plan that describe a pause.
const (
	fieldPaused = "paused"
	fieldUntil  = "paused_until"
)

// Pause pauses a schedule between two times; a zero end means until it is resumed. A node's
// user may write plans, except on NethServer 8.
func Pause(ctx context.Context, rdb redis.UniversalClient, schedule string, from, until time.Time) error {
	return changePlan(ctx, rdb, schedule, func(p redis.Pipeliner, key string) {
		p.HSetNX(ctx, key, fieldPaused, from.UTC().Format(time.RFC3339))
		if until.IsZero() {
			p.HDel(ctx, key, fieldUntil)
		} else {
			p.HSet(ctx, key, fieldUntil, until.UTC().Format(time.RFC3339))
		}
	})
}

// Resume ends the pause of a schedule.
func Resume(ctx context.Context, rdb redis.UniversalClient, schedule string) error {
	return changePlan(ctx, rdb, schedule, func(p redis.Pipeliner, key string) { p.HDel(ctx, key, fieldPaused, fieldUntil) })
}

func changePlan(ctx context.Context, rdb redis.UniversalClient, schedule string, change func(p redis.Pipeliner, key string)) error {
	text, err := json.Marshal(map[string][]string{"backup_ids": {schedule}})
	if err != nil {
		return err
	}
	_, err = rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		change(p, catalog.PlanKey(schedule))
		p.Publish(ctx, catalog.ChannelScheduleChanged, text)
		return nil
	})
	return err
}
