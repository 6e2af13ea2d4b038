package host

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
)

// ScanKeys returns the names of the keys that match, sorted, each once.
func ScanKeys(ctx context.Context, rdb *redis.Client, pattern string) ([]string, error) {
	var names []string
	found := rdb.Scan(ctx, 0, pattern, 1000).Iterator()
	for found.Next(ctx) {
		names = append(names, found.Val())
	}
	slices.Sort(names)
	return slices.Compact(names), found.Err()
}

// KeysBelow returns what follows prefix in the names of keys, sorted.
func KeysBelow(ctx context.Context, rdb *redis.Client, prefix string) ([]string, error) {
	names, err := ScanKeys(ctx, rdb, prefix+"*")
	if err != nil {
		return nil, ReadError(prefix+"*", err)
	}
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, prefix)
	}
	return names, nil
}

// ReadError explains why key could not be read.
func ReadError(key string, err error) error {
	if redis.HasErrorPrefix(err, "NOPERM") {
		return exit.Failf(exit.Forbidden, "redis does not let this user read %s", key)
	}
	return exit.Failf(exit.Redis, "read %s from redis: %w", key, err)
}

// IgnoreNil leaves out that there is no such key, or field.
func IgnoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// StreamID is the ID of what was added to a stream at a time, or soon after it.
func StreamID(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
