// Package facts tells a module about itself: schedules, destinations, passwords. The source
// is Redis or, on hosts without it, the gateway.
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

// Source tells a module what it needs to know. Errors carry their exit code.
type Source interface {
	// Schedule returns the schedule that a word names, among those that list the module.
	Schedule(ctx context.Context, word string) (schedule.Schedule, error)
	// Schedules returns the schedules that list the module, by number.
	Schedules(ctx context.Context) ([]schedule.Schedule, error)
	Destinations(ctx context.Context) ([]adminapi.ModuleDestination, error)
	// Repository returns a repository with its credentials and password.
	Repository(ctx context.Context, destination, app, uuid string) (restic.Repository, error)
	// Dumps returns the module's keys that each backup holds.
	Dumps(ctx context.Context, m host.Module) ([]keys.Dumped, error)
}

// Open returns the source for this host, and a function that closes it. It waits for the
// source as long as wait allows.
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

// DestinationNamed returns the ID of the destination that a word names.
func DestinationNamed(ctx context.Context, source Source, word string) (string, error) {
	entries, err := DestinationEntries(ctx, source)
	if err != nil {
		return "", err
	}
	return names.DestinationAmong(entries, word)
}

// DestinationEntries returns the destinations with their names.
func DestinationEntries(ctx context.Context, source Source) ([]naming.Entry, error) {
	destinations, err := source.Destinations(ctx)
	entries := make([]naming.Entry, len(destinations))
	for i, d := range destinations {
		entries[i] = naming.Entry{ID: d.ID, Name: d.Name}
	}
	return entries, err
}
