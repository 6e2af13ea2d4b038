package schedule

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Planned is a schedule that concerns a node.
type Planned struct {
	Schedule
	// Here are its modules on the node, including those that no longer exist anywhere.
	Here []string
}

// OfNode returns the schedules with modules on a node. A module that no longer exists
// counts as on the node, whose run reports it.
func OfNode(ctx context.Context, rdb *redis.Client, node string) ([]Planned, error) {
	all, err := All(ctx, rdb)
	if err != nil {
		return nil, err
	}
	places, err := rdb.HGetAll(ctx, catalog.ModuleNode).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModuleNode, err)
	}
	var planned []Planned
	for _, s := range all {
		p := Planned{Schedule: s}
		for _, module := range s.Modules {
			if place, placed := places[module]; !placed || place == node {
				p.Here = append(p.Here, module)
			}
		}
		if len(p.Here) > 0 {
			planned = append(planned, p)
		}
	}
	return planned, nil
}
