package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// scanKeys returns the names of the keys that match, sorted, each once.
func scanKeys(ctx context.Context, rdb *redis.Client, pattern string) ([]string, error) {
	var names []string
	found := rdb.Scan(ctx, 0, pattern, 1000).Iterator()
	for found.Next(ctx) {
		names = append(names, found.Val())
	}
	slices.Sort(names)
	return slices.Compact(names), found.Err()
}

// keysBelow returns what follows prefix in the names of keys, sorted.
func keysBelow(ctx context.Context, rdb *redis.Client, prefix string) ([]string, error) {
	names, err := scanKeys(ctx, rdb, prefix+"*")
	if err != nil {
		return nil, readError(prefix+"*", err)
	}
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, prefix)
	}
	return names, nil
}

// readError explains why key could not be read.
func readError(key string, err error) error {
	if redis.HasErrorPrefix(err, "NOPERM") {
		return failf(exitForbidden, "redis does not let this user read %s", key)
	}
	return failf(exitRedis, "read %s from redis: %w", key, err)
}

// ignoreNil leaves out that there is no such key, or field.
func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}
