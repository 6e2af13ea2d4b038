package names

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// The kinds of named things, for errors.
const (
	aDestination = "destination"
	aSchedule    = "backup schedule"
	aModule      = "module"
)

// DestinationEntries returns all destinations.
func DestinationEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	return namedHashes(ctx, rdb, catalog.DestinationKey(""), catalog.FieldName)
}

// ScheduleEntries returns all backup schedules.
func ScheduleEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	entries, err := namedHashes(ctx, rdb, catalog.BackupKey(""), "name")
	slices.SortFunc(entries, func(a, b naming.Entry) int { return CompareNumbers(a.ID, b.ID) })
	return entries, err
}

// namedHashes returns the hashes below a prefix, each with the name in its field.
func namedHashes(ctx context.Context, rdb *redis.Client, prefix, field string) ([]naming.Entry, error) {
	ids, err := host.KeysBelow(ctx, rdb, prefix)
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
	if host.IgnoreNil(err) != nil {
		return nil, host.ReadError(prefix+"*", err)
	}
	entries := make([]naming.Entry, len(ids))
	for i, id := range ids {
		entries[i] = naming.Entry{ID: id, Name: names[i].Val()}
	}
	return entries, nil
}

// ModuleEntries returns all modules. It ignores the names that NethServer 8 gives modules,
// which only administrators may read.
func ModuleEntries(ctx context.Context, rdb *redis.Client) ([]naming.Entry, error) {
	uuids, err := rdb.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return nil, host.ReadError(catalog.ModuleUUID, err)
	}
	var entries []naming.Entry
	for id, uuid := range uuids {
		entries = append(entries, naming.Entry{ID: id, UUID: uuid})
	}
	slices.SortFunc(entries, func(a, b naming.Entry) int { return strings.Compare(a.ID, b.ID) })
	return entries, nil
}

// DestinationNamed returns the ID of the destination that a word names: an ID, its
// beginning, or a name.
func DestinationNamed(ctx context.Context, rdb *redis.Client, word string) (string, error) {
	if there, err := exists(ctx, rdb, catalog.DestinationKey(word)); there || err != nil {
		return word, err
	}
	return resolve(ctx, rdb, aDestination, word, "gatewayctl destination list", DestinationEntries)
}

// ScheduleNamed returns the ID of the backup schedule that a word names.
func ScheduleNamed(ctx context.Context, rdb *redis.Client, word string) (string, error) {
	if there, err := exists(ctx, rdb, catalog.BackupKey(word)); there || err != nil {
		return word, err
	}
	return resolve(ctx, rdb, aSchedule, word, "gatewayctl schedule list", ScheduleEntries)
}

// ModuleNamed returns the module, with its UUID, that a word names: an ID, a UUID, or its
// beginning.
func ModuleNamed(ctx context.Context, rdb *redis.Client, word string) (naming.Entry, error) {
	uuid, err := rdb.HGet(ctx, catalog.ModuleUUID, word).Result()
	if err == nil {
		return naming.Entry{ID: word, UUID: uuid}, nil
	}
	if host.IgnoreNil(err) != nil {
		return naming.Entry{}, host.ReadError(catalog.ModuleUUID, err)
	}
	entries, err := ModuleEntries(ctx, rdb)
	if err != nil {
		return naming.Entry{}, err
	}
	found, err := naming.Resolve(aModule, word, entries)
	return found, namingError(err, "gatewayctl module list")
}

// DestinationAsAgent is DestinationNamed with the credentials of a module, a node or
// whoever we are.
func DestinationAsAgent(ctx context.Context, sys *host.System, word string) (string, error) {
	rdb, err := sys.Redis(ctx, host.LocalAgent)
	if err != nil {
		return "", err
	}
	defer func() { _ = rdb.Close() }()
	return DestinationNamed(ctx, rdb, word)
}

func exists(ctx context.Context, rdb *redis.Client, key string) (bool, error) {
	n, err := rdb.Exists(ctx, key).Result()
	if err != nil {
		return false, host.ReadError(key, err)
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
	return among(entries, kind, word, see)
}

func among(entries []naming.Entry, kind, word, see string) (string, error) {
	found, err := naming.Resolve(kind, word, entries)
	return found.ID, namingError(err, see)
}

// DestinationAmong returns the ID of the destination that a word names, among the given
// ones.
func DestinationAmong(entries []naming.Entry, word string) (string, error) {
	return among(entries, aDestination, word, "restic-wrapper --show")
}

// ScheduleAmong returns the ID of the schedule that a word names, among the given ones.
func ScheduleAmong(entries []naming.Entry, word string) (string, error) {
	return among(entries, aSchedule, word, "restic-wrapper --show")
}

// namingError adds the exit status to an error of [naming.Resolve]; without suggestions it
// names the command that lists the entries.
func namingError(err error, see string) error {
	if unknown, ok := errors.AsType[*naming.UnknownError](err); ok {
		if len(unknown.Near) == 0 {
			return exit.Failf(exit.NotFound, "%w: see %s", err, see)
		}
		return exit.With(exit.NotFound, err)
	}
	return exit.With(exit.Usage, err)
}

// CompareNumbers compares IDs by number; other IDs come last.
func CompareNumbers(a, b string) int {
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

// WronglyNamed turns "destination does not exist" into an error of what names it, a
// schedule or a command line.
func WronglyNamed(err error) error {
	if coded, ok := errors.AsType[*exit.Error](err); ok && coded.Code == exit.NotFound {
		return exit.With(exit.Usage, err)
	}
	return err
}
