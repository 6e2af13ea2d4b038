// Package facts is where a module hears of itself: schedules, destinations, passwords.
// Redis says it, or where the host reaches none the gateway does.
package facts

import (
	"context"

	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/keys"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// Source tells a module what it must know. Errors carry their exit code.
type Source interface {
	// Schedule is the one that a word means, of those that list the module at least.
	Schedule(ctx context.Context, word string) (schedule.Schedule, error)
	// Schedules are in the order of their numbers.
	Schedules(ctx context.Context) ([]schedule.Schedule, error)
	Destinations(ctx context.Context) ([]adminapi.ModuleDestination, error)
	// Repository is one with what opens it.
	Repository(ctx context.Context, destination, app, uuid string) (restic.Repository, error)
	// Dumps are those of the module's keys that each backup holds.
	Dumps(ctx context.Context, m host.Module) ([]keys.Dumped, error)
}

// Open returns the source of this host, and what closes it. It waits for it as long as it
// may.
func Open(ctx context.Context, sys *host.System, wait *run.Waiting) (Source, func(), error) {
	if sys.Env.NoRedis() {
		source, err := askGateway(ctx, sys, wait)
		return source, func() {}, err
	}
	rdb, err := wait.Redis(ctx, sys)
	if err != nil {
		return nil, nil, err
	}
	return &overRedis{sys, wait, rdb}, func() { _ = rdb.Close() }, nil
}

// DestinationNamed is the ID of the destination that a word means.
func DestinationNamed(ctx context.Context, source Source, word string) (string, error) {
	destinations, err := source.Destinations(ctx)
	if err != nil {
		return "", err
	}
	entries := make([]naming.Entry, len(destinations))
	for i, d := range destinations {
		entries[i] = naming.Entry{ID: d.ID, Name: d.Name}
	}
	return names.DestinationAmong(entries, word)
}
