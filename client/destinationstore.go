package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// record is a destination as Redis holds it.
type record struct {
	id, name, provider, url, basePath string
	password                          string
	conf                              string // the text of the rclone section
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
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return record{}, d.failed("read destination "+id, err)
	}
	if err := errors.Join(fields.Err(), ignoreNil(conf.Err()), ignoreNil(password.Err())); err != nil {
		return record{}, d.failed("read destination "+id, err)
	}
	f := fields.Val()
	if len(f) == 0 {
		return record{}, notFound(id)
	}
	return record{
		id: id, name: f[catalog.FieldName], provider: f[catalog.FieldProvider], url: f[catalog.FieldURL],
		basePath: f[catalog.FieldBasePath], conf: conf.Val(), password: password.Val(),
	}, nil
}

func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// save writes all keys of the records in one transaction and announces them. New
// ones must not exist yet: where one does, nothing is written.
func (d *destinations) save(ctx context.Context, isNew bool, records ...record) error {
	ids := make([]string, len(records))
	keys := make([]string, len(records))
	for i, r := range records {
		ids[i], keys[i] = r.id, catalog.DestinationKey(r.id)
	}
	announcement, err := json.Marshal(map[string][]string{"destination_ids": ids})
	if err != nil {
		return err
	}
	write := func(p redis.Pipeliner) {
		for _, r := range records {
			p.Del(ctx, catalog.DestinationKey(r.id))
			p.HSet(ctx, catalog.DestinationKey(r.id), catalog.FieldURL, r.url, catalog.FieldName, r.name,
				catalog.FieldProvider, r.provider, catalog.FieldBasePath, r.basePath)
			if r.conf != "" {
				p.HSet(ctx, catalog.RcloneConf, r.id, r.conf)
			}
			if r.password != "" {
				p.HSet(ctx, catalog.ResticPassword, r.id, r.password)
			}
		}
		p.Publish(ctx, catalog.ChannelDestinationChanged, string(announcement))
	}
	err = d.rdb.Watch(ctx, func(tx *redis.Tx) error {
		if isNew {
			n, err := tx.Exists(ctx, keys...).Result()
			if err != nil {
				return err
			}
			if n > 0 {
				return errExists
			}
		}
		commands, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { write(p); return nil })
		return transactionError(commands, err)
	}, keys...)
	switch {
	case errors.Is(err, errExists), errors.Is(err, redis.TxFailedErr) && isNew:
		return errExists
	case errors.Is(err, redis.TxFailedErr):
		return failf(exitConflict, "destination %s was changed by somebody else at the same moment: try again", strings.Join(ids, ", "))
	}
	return d.failed("save destination "+strings.Join(ids, ", "), err)
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
		destination, _ := values[0].(string)
		name, _ := values[1].(string)
		if used[destination] == nil {
			used[destination] = map[string]string{}
		}
		used[destination][strings.TrimPrefix(found.Val(), catalog.BackupKey(""))] = name
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
		p.Publish(ctx, catalog.ChannelDestinationChanged, fmt.Sprintf(`{"destination_ids":[%q]}`, id))
		return nil
	})
	return d.failed("remove destination "+id, transactionError(commands, err))
}

// failed explains an error of Redis's; nil stays nil.
func (d *destinations) failed(what string, err error) error {
	return administrationError(d.rdb, what, err)
}
