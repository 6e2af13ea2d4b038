package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// record is a destination as Redis holds it.
type record struct {
	id, name, provider, url, basePath string
	password                          string
	conf                              string // the text of the rclone section
	limits                            catalog.Limits
	badLimits                         error // names those that cannot be read
}

// section parses the record's rclone section; a broken one is nil.
func (r record) section() map[string]string {
	_, section, err := catalog.ParseSection(r.conf)
	if err != nil {
		return nil
	}
	return section
}

// all returns every destination, sorted by name.
func (d *destinations) all(ctx context.Context) ([]record, error) {
	var keys []string
	found := d.rdb.Scan(ctx, 0, catalog.DestinationKey("*"), 1000).Iterator()
	for found.Next(ctx) {
		keys = append(keys, found.Val())
	}
	if err := found.Err(); err != nil {
		return nil, d.failed("read the destinations", err)
	}
	records := make([]record, 0, len(keys))
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		r, err := d.get(ctx, strings.TrimPrefix(key, catalog.DestinationKey("")))
		if _, gone := errors.AsType[*fault](err); gone {
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b record) int {
		return strings.Compare(a.name+"\x00"+a.id, b.name+"\x00"+b.id)
	})
	return records, nil
}

// get returns one destination, or a [fault] where there is none.
func (d *destinations) get(ctx context.Context, id string) (record, error) {
	if !pathSegment.MatchString(id) {
		return record{}, notFound(id)
	}
	pipe := d.rdb.Pipeline()
	fields := pipe.HGetAll(ctx, catalog.DestinationKey(id))
	conf := pipe.HGet(ctx, catalog.RcloneConf, id)
	password := pipe.HGet(ctx, catalog.ResticPassword, id)
	limits := pipe.HGetAll(ctx, catalog.LimitsKey(id))
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(fields.Err(), ignoreNil(conf.Err()), ignoreNil(password.Err())); err != nil {
		return record{}, d.failed("read destination "+id, err)
	}
	f := fields.Val()
	if len(f) == 0 {
		return record{}, notFound(id)
	}
	r := record{
		id: id, name: f[catalog.FieldName], provider: f[catalog.FieldProvider], url: f[catalog.FieldURL],
		basePath: f[catalog.FieldBasePath], conf: conf.Val(), password: password.Val(),
	}
	r.limits, r.badLimits = catalog.ParseLimits(limits.Val())
	r.badLimits = errors.Join(limits.Err(), r.badLimits)
	return r, nil
}

func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// create saves new destinations, with the limits they have, in one transaction.
// Where one exists, nothing is written.
func (d *destinations) create(ctx context.Context, records ...record) error {
	ids := make([]string, len(records))
	keys := make([]string, len(records))
	for i, r := range records {
		ids[i], keys[i] = r.id, catalog.DestinationKey(r.id)
	}
	err := d.rdb.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.Exists(ctx, keys...).Result()
		if err != nil {
			return err
		}
		if n > 0 {
			return errExists
		}
		commands, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, r := range records {
				r.write(ctx, p)
				limitChange{reset: true, set: r.limits.Fields()}.write(ctx, p, r.id)
			}
			return announce(ctx, p, ids...)
		})
		return transactionError(commands, err)
	}, keys...)
	if errors.Is(err, errExists) || errors.Is(err, redis.TxFailedErr) {
		return errExists
	}
	return d.failed("save destination "+strings.Join(ids, ", "), err)
}

// errChanged says that somebody else changed a destination meanwhile.
var errChanged = errors.New("changed by somebody else at the same moment: try again")

// update saves what has changed of a destination since before, and its limits, in
// one transaction. It fails where somebody else has changed it too.
func (d *destinations) update(ctx context.Context, before, after record, limits limitChange) error {
	write := func(tx *redis.Tx) error {
		now, err := d.get(ctx, after.id)
		if err != nil {
			return err
		}
		if !now.same(before) {
			return errChanged
		}
		commands, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			after.writeChanges(ctx, p, before)
			limits.write(ctx, p, after.id)
			return announce(ctx, p, after.id)
		})
		return transactionError(commands, err)
	}
	// The gateways write to that hash as well, for other destinations.
	const attempts = 5
	var err error
	for range attempts {
		if err = d.rdb.Watch(ctx, write, catalog.DestinationKey(after.id), catalog.RcloneConf); !errors.Is(err, redis.TxFailedErr) {
			break
		}
	}
	_, gone := errors.AsType[*fault](err)
	switch {
	case gone:
		return err
	case errors.Is(err, errChanged), errors.Is(err, redis.TxFailedErr):
		return failf(exitConflict, "destination %s was %w", after.id, errChanged)
	}
	return d.failed("save destination "+after.id, err)
}

// same tells whether both are the same but for their limits and, where a section
// was pasted, which is replaced as a whole, but for the tokens in it.
func (r record) same(other record) bool {
	return r.id == other.id && r.name == other.name && r.provider == other.provider && r.url == other.url &&
		r.basePath == other.basePath && (r.conf == other.conf || r.provider == destination.Rclone)
}

// write adds all keys of a destination but its limits to a transaction.
func (r record) write(ctx context.Context, p redis.Pipeliner) {
	r.writeChanges(ctx, p, record{})
}

// writeChanges is write for a destination that was saved as before.
func (r record) writeChanges(ctx context.Context, p redis.Pipeliner, before record) {
	p.HSet(ctx, catalog.DestinationKey(r.id), catalog.FieldURL, r.url, catalog.FieldName, r.name,
		catalog.FieldProvider, r.provider, catalog.FieldBasePath, r.basePath)
	if r.conf != before.conf {
		p.HSet(ctx, catalog.RcloneConf, r.id, r.conf)
	}
	if r.password != before.password {
		p.HSet(ctx, catalog.ResticPassword, r.id, r.password)
	}
}

// announce tells the gateways of changed destinations, as the end of a transaction.
func announce(ctx context.Context, p redis.Pipeliner, ids ...string) error {
	text, err := json.Marshal(map[string][]string{"destination_ids": ids})
	if err != nil {
		return err
	}
	p.Publish(ctx, catalog.ChannelDestinationChanged, string(text))
	return nil
}

var errExists = newFault("", "backup_repository_exists", "", actionRefused, exitConflict, "this destination exists already")

// schedules returns the names of the schedules that use a destination, by ID.
func (d *destinations) schedules(ctx context.Context, id string) (map[string]string, error) {
	all, err := d.allSchedules(ctx)
	return all[id], err
}

// allSchedules returns the schedules' names by destination and schedule ID.
func (d *destinations) allSchedules(ctx context.Context) (map[string]map[string]string, error) {
	used := map[string]map[string]string{}
	found := d.rdb.Scan(ctx, 0, catalog.BackupKey("*"), 1000).Iterator()
	for found.Next(ctx) {
		values, err := d.rdb.HMGet(ctx, found.Val(), "repository", "name").Result()
		if err != nil {
			return nil, d.failed("read the schedules", err)
		}
		id, _ := values[0].(string)
		name, _ := values[1].(string)
		if used[id] == nil {
			used[id] = map[string]string{}
		}
		used[id][strings.TrimPrefix(found.Val(), catalog.BackupKey(""))] = name
	}
	return used, d.failed("read the schedules", found.Err())
}

// remove deletes a destination and the schedules in one transaction.
func (d *destinations) remove(ctx context.Context, id string, schedules map[string]string) error {
	commands, err := d.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		dropped := slices.Sorted(maps.Keys(schedules))
		for _, schedule := range dropped {
			p.Del(ctx, catalog.BackupKey(schedule))
		}
		if len(dropped) > 0 {
			announcement, err := json.Marshal(map[string][]string{"backup_ids": dropped})
			if err != nil {
				return err
			}
			p.Publish(ctx, catalog.ChannelScheduleChanged, string(announcement))
		}
		p.Del(ctx, catalog.DestinationKey(id))
		p.HDel(ctx, catalog.RcloneConf, id)
		p.HDel(ctx, catalog.ResticPassword, id)
		p.Del(ctx, catalog.LimitsKey(id))
		return announce(ctx, p, id)
	})
	return d.failed("remove destination "+id, transactionError(commands, err))
}

// failed explains an error of Redis's; nil stays nil.
func (d *destinations) failed(what string, err error) error {
	return administrationError(d.rdb, what, err)
}
