package destinations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ns8action"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/rcloneconf"
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
	_, section, err := rcloneconf.Parse(r.conf)
	if err != nil {
		return nil
	}
	return section
}

// all returns every destination, sorted by name.
func (d *destinations) all(ctx context.Context) ([]record, error) {
	keys, err := host.ScanKeys(ctx, d.rdb, catalog.DestinationKey("*"))
	if err != nil {
		return nil, d.failed("read the destinations", err)
	}
	records := make([]record, 0, len(keys))
	for _, key := range keys {
		r, err := d.get(ctx, strings.TrimPrefix(key, catalog.DestinationKey("")))
		if _, gone := errors.AsType[*ns8action.Fault](err); gone {
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

// get returns one destination, or a [ns8action.Fault] where there is none.
func (d *destinations) get(ctx context.Context, id string) (record, error) {
	if !host.PathSegment.MatchString(id) {
		return record{}, notFound(id)
	}
	pipe := d.rdb.Pipeline()
	fields := pipe.HGetAll(ctx, catalog.DestinationKey(id))
	conf := pipe.HGet(ctx, catalog.RcloneConf, id)
	password := pipe.HGet(ctx, catalog.ResticPassword, id)
	limits := pipe.HGetAll(ctx, catalog.LimitsKey(id))
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(fields.Err(), host.IgnoreNil(conf.Err()), host.IgnoreNil(password.Err())); err != nil {
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
			publishDestinations(ctx, p, ids...)
			d.sys.Changed("add destination "+strings.Join(ids, ", ")).Write(ctx, p)
			return nil
		})
		return host.TransactionError(commands, err)
	}, keys...)
	if errors.Is(err, errExists) || errors.Is(err, redis.TxFailedErr) {
		return errExists
	}
	return d.failed("save destination "+strings.Join(ids, ", "), err)
}

// errChanged says that somebody else changed a destination meanwhile.
var errChanged = errors.New("changed by somebody else at the same moment: try again")

// Update saves what has changed of a destination since before, and its limits, in
// one transaction. It fails where somebody else has changed it too.
func (d *destinations) Update(ctx context.Context, before, after record, limits limitChange) error {
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
			publishDestinations(ctx, p, after.id)
			d.sys.Changed(describe(before, after, limits)).Write(ctx, p)
			return nil
		})
		return host.TransactionError(commands, err)
	}
	// The gateways write to that hash as well, for other destinations.
	const tries = 5
	var err error
	for range tries {
		if err = d.rdb.Watch(ctx, write, catalog.DestinationKey(after.id), catalog.RcloneConf); !errors.Is(err, redis.TxFailedErr) {
			break
		}
	}
	_, gone := errors.AsType[*ns8action.Fault](err)
	switch {
	case gone:
		return err
	case errors.Is(err, errChanged), errors.Is(err, redis.TxFailedErr):
		return exit.Failf(exit.Conflict, "destination %s was %w", after.id, errChanged)
	}
	return d.failed("save destination "+after.id, err)
}

// describe says what changes of a destination, and no secret.
func describe(before, after record, limits limitChange) string {
	var parts []string
	for _, field := range []struct{ name, before, after string }{
		{"name", before.name, after.name}, {"url", before.url, after.url}, {"base path", before.basePath, after.basePath},
	} {
		if field.before != field.after {
			parts = append(parts, field.name)
		}
	}
	if before.conf != after.conf {
		parts = append(parts, "section")
	}
	if limits.reset {
		parts = append(parts, "all limits reset")
	}
	for _, field := range slices.Sorted(maps.Keys(limits.set)) {
		parts = append(parts, fmt.Sprintf("%s=%d", field, limits.set[field]))
	}
	for _, field := range limits.drop {
		parts = append(parts, field+"=none")
	}
	return "alter destination " + after.id + ": " + strings.Join(parts, ", ")
}

// same reports whether both are the same but for their limits and, where a section
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

// publishDestinations tells the gateways of changed destinations, in a transaction.
func publishDestinations(ctx context.Context, p redis.Pipeliner, ids ...string) {
	text, _ := json.Marshal(map[string][]string{"destination_ids": ids}) // of texts it cannot fail
	p.Publish(ctx, catalog.ChannelDestinationChanged, string(text))
}

var errExists = ns8action.NewFault("", "backup_repository_exists", "", actionRefused, exit.Conflict, "this destination exists already")

// schedules returns the names of the schedules that use a destination, by ID.
func (d *destinations) schedules(ctx context.Context, id string) (map[string]string, error) {
	all, err := d.allSchedules(ctx)
	return all[id], err
}

// All returns the schedules' names by destination and schedule ID.
func (d *destinations) allSchedules(ctx context.Context) (map[string]map[string]string, error) {
	used := map[string]map[string]string{}
	keys, err := host.ScanKeys(ctx, d.rdb, catalog.BackupKey("*"))
	if err != nil {
		return nil, d.failed("read the schedules", err)
	}
	for _, key := range keys {
		values, err := d.rdb.HMGet(ctx, key, "repository", "name").Result()
		if err != nil {
			return nil, d.failed("read the schedules", err)
		}
		id, _ := values[0].(string)
		name, _ := values[1].(string)
		if used[id] == nil {
			used[id] = map[string]string{}
		}
		used[id][strings.TrimPrefix(key, catalog.BackupKey(""))] = name
	}
	return used, nil
}

// remove deletes a destination and the schedules in one transaction.
func (d *destinations) remove(ctx context.Context, id string, schedules map[string]string) error {
	commands, err := d.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		dropped := slices.Sorted(maps.Keys(schedules))
		for _, schedule := range dropped {
			p.Del(ctx, catalog.BackupKey(schedule))
		}
		if len(dropped) > 0 {
			schedule.Publish(ctx, p, dropped...)
		}
		p.Del(ctx, catalog.DestinationKey(id))
		p.HDel(ctx, catalog.RcloneConf, id)
		p.HDel(ctx, catalog.ResticPassword, id)
		p.HDel(ctx, catalog.ResticPasswordRotation, id)
		p.Del(ctx, catalog.LimitsKey(id))
		publishDestinations(ctx, p, id)
		d.sys.Changed("remove destination "+id).Write(ctx, p)
		return nil
	})
	return d.failed("remove destination "+id, host.TransactionError(commands, err))
}

// failed explains an error of Redis's; nil stays nil.
func (d *destinations) failed(what string, err error) error {
	return host.AdministrationError(d.sys.Env, d.rdb, what, err)
}
