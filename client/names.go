package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// The kinds of what people name, as errors call them.
const (
	aDestination = "destination"
	aSchedule    = "backup schedule"
	aModule      = "module"
)

// destinationEntries returns all destinations, as people name them.
func destinationEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	return namedHashes(ctx, rdb, catalog.DestinationKey(""), catalog.FieldName)
}

// scheduleEntries returns all backup schedules.
func scheduleEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	entries, err := namedHashes(ctx, rdb, catalog.BackupKey(""), "name")
	slices.SortFunc(entries, func(a, b naming.Entry) int { return compareNumbers(a.ID, b.ID) })
	return entries, err
}

// namedHashes returns the hashes below a prefix, each with the name in its field.
func namedHashes(ctx context.Context, rdb *redis.Client, prefix, field string) ([]naming.Entry, error) {
	ids, err := keysBelow(ctx, rdb, prefix)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	names := make([]*redis.StringCmd, len(ids))
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			names[i] = p.HGet(ctx, prefix+id, field)
		}
		return nil
	})
	if ignoreNil(err) != nil {
		return nil, readError(prefix+"*", err)
	}
	entries := make([]naming.Entry, len(ids))
	for i, id := range ids {
		entries[i] = naming.Entry{ID: id, Name: names[i].Val()}
	}
	return entries, nil
}

// moduleEntries returns all modules. NethServer 8 gives some a name of their own,
// which only administrators may read: it is not used.
func moduleEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	uuids, err := rdb.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return nil, readError(catalog.ModuleUUID, err)
	}
	var entries []naming.Entry
	for id, uuid := range uuids {
		entries = append(entries, naming.Entry{ID: id, UUID: uuid})
	}
	slices.SortFunc(entries, func(a, b naming.Entry) int { return strings.Compare(a.ID, b.ID) })
	return entries, nil
}

// destinationNamed returns the ID of the destination that a word means: an ID, the
// beginning of one, or a name.
func destinationNamed(ctx context.Context, rdb *redis.Client, word string) (string, error) {
	if there, err := exists(ctx, rdb, catalog.DestinationKey(word)); there || err != nil {
		return word, err
	}
	return resolve(ctx, rdb, aDestination, word, "gatewayctl destination list", destinationEntries)
}

// scheduleNamed returns the ID of the backup schedule that a word means.
func scheduleNamed(ctx context.Context, rdb *redis.Client, word string) (string, error) {
	if there, err := exists(ctx, rdb, catalog.BackupKey(word)); there || err != nil {
		return word, err
	}
	return resolve(ctx, rdb, aSchedule, word, "gatewayctl schedule list", scheduleEntries)
}

// moduleNamed returns the module that a word means, an ID or a UUID or the beginning
// of one, with its UUID.
func moduleNamed(ctx context.Context, rdb *redis.Client, word string) (naming.Entry, error) {
	uuid, err := rdb.HGet(ctx, catalog.ModuleUUID, word).Result()
	if err == nil {
		return naming.Entry{ID: word, UUID: uuid}, nil
	}
	if ignoreNil(err) != nil {
		return naming.Entry{}, readError(catalog.ModuleUUID, err)
	}
	entries, err := moduleEntries(ctx, rdb)
	if err != nil {
		return naming.Entry{}, err
	}
	found, err := naming.Resolve(aModule, word, entries)
	return found, namingError(err, "gatewayctl module list")
}

// destinationAsAgent is destinationNamed for a module or whoever else we are.
func destinationAsAgent(ctx context.Context, sys *system, word string) (string, error) {
	rdb, err := sys.redis(ctx, localAgent)
	if err != nil {
		return "", err
	}
	defer func() { _ = rdb.Close() }()
	return destinationNamed(ctx, rdb, word)
}

func exists(ctx context.Context, rdb *redis.Client, key string) (bool, error) {
	n, err := rdb.Exists(ctx, key).Result()
	if err != nil {
		return false, readError(key, err)
	}
	return n > 0, nil
}

func resolve(ctx context.Context, rdb *redis.Client, kind, word, see string,
	list func(context.Context, *redis.Client) ([]naming.Entry, error),
) (string, error) {
	entries, err := list(ctx, rdb)
	if err != nil {
		return "", err
	}
	found, err := naming.Resolve(kind, word, entries)
	return found.ID, namingError(err, see)
}

// namingError gives an error of [naming.Resolve] its exit status; where nothing is
// near, it says what lists them.
func namingError(err error, see string) error {
	if unknown, ok := errors.AsType[*naming.UnknownError](err); ok {
		if len(unknown.Near) == 0 {
			return failf(exitNotFound, "%w: see %s", err, see)
		}
		return withCode(exitNotFound, err)
	}
	return withCode(exitUsage, err)
}

// compareNumbers orders IDs by their value, and puts what is no number last.
func compareNumbers(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a, b))
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

// wronglyNamed makes a destination that does not exist a fault of what names it, a
// schedule or a command line.
func wronglyNamed(err error) error {
	if coded, ok := errors.AsType[*codedError](err); ok && coded.code == exitNotFound {
		return withCode(exitUsage, err)
	}
	return err
}
