package destinations

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/destination"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// limitFlags are the limits of a destination as people give them.
type limitFlags struct {
	upload, download, operations string
	quota, moduleQuota           string
	quotaOf                      []string
	snapshots, indexes, locks    string
	keepDeleted, giveWay, leases string
	none                         bool
}

// The words that stand for a limit.
const (
	noLimit   = "none"      // it is removed
	unlimited = "unlimited" // for one module, whatever the others have
)

func (f *limitFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.upload, "limit-upload", "", "at most `RATE` to it, of all requests together, such as 10M or 100Mbit (per second); none removes the limit")
	flags.StringVar(&f.download, "limit-download", "", "at most `RATE` from it")
	flags.StringVar(&f.operations, "limit-operations", "", "at most `N` operations at once")
	flags.StringVar(&f.quota, "quota", "", "backups of at most `SIZE` in it, such as 500G or 1.5T")
	flags.StringVar(&f.moduleQuota, "module-quota", "", "backups of at most `SIZE` of each module")
	flags.StringArrayVar(&f.quotaOf, "quota-of", nil, "another quota for one module, `MODULE=SIZE`, by module ID or UUID; MODULE=unlimited exempts it, MODULE=none ends the exception; may be repeated")
	flags.StringVar(&f.snapshots, "module-snapshots", "", "at most `N` snapshots an hour of each module; none restores the default, 240")
	flags.StringVar(&f.indexes, "module-indexes", "", "at most `N` indexes an hour of each module; none restores the default, 3600")
	flags.StringVar(&f.locks, "module-locks", "", "at most `N` locks in each repository, for modules; none restores the default, 1000")
	flags.StringVar(&f.leases, "leases", "", "yes: nodes delete only from repositories of which they hold a lease, as run-backup, forget and restic-wrapper do; no: anybody's restic may, as a node (`yes|no`)")
	flags.StringVar(&f.keepDeleted, "keep-deleted", "", "keep what is deleted for `TIME`, such as 14d or 36h, to bring it back (7d unless set); 0 deletes at once, default is 7d again; what is there already is kept as long as it was to be")
	flags.StringVar(&f.giveWay, "trash-gives-way", "", "`yes|no`: once its storage is full, purge what was deleted first before it expires, but nothing of the last day; no, unless set, refuses uploads then")
	flags.BoolVar(&f.none, "no-limits", false, "remove all limits that no other flag sets")
}

// limitChange is what is to become of a destination's limits. The zero value
// leaves them.
type limitChange struct {
	reset bool             // all others are removed
	set   map[string]int64 // by field of the hash
	drop  []string         // fields
}

func (c limitChange) empty() bool { return !c.reset && len(c.set) == 0 && len(c.drop) == 0 }

// write adds the change to a transaction. Fields that it does not name stay, those
// of later versions too.
func (c limitChange) write(ctx context.Context, p redis.Pipeliner, id string) {
	key := catalog.LimitsKey(id)
	if c.reset {
		p.Del(ctx, key)
	}
	if len(c.drop) > 0 {
		p.HDel(ctx, key, c.drop...)
	}
	for _, field := range slices.Sorted(maps.Keys(c.set)) {
		p.HSet(ctx, key, field, c.set[field])
	}
}

// change returns the change that the flags ask for.
func (d *destinations) change(ctx context.Context, f *limitFlags) (limitChange, error) {
	c := limitChange{reset: f.none, set: map[string]int64{}}
	for _, flag := range []struct {
		name, value, field string
		parse              func(string) (int64, error)
		none               string // the word that removes the limit
	}{
		{"limit-upload", f.upload, catalog.FieldUpload, destination.ParseRate, noLimit},
		{"limit-download", f.download, catalog.FieldDownload, destination.ParseRate, noLimit},
		{"limit-operations", f.operations, catalog.FieldOperations, parseCount, noLimit},
		{"quota", f.quota, catalog.FieldQuota, destination.ParseSize, noLimit},
		{"module-quota", f.moduleQuota, catalog.FieldModuleQuota, destination.ParseSize, noLimit},
		{"module-snapshots", f.snapshots, catalog.FieldModuleSnapshots, parseCount, noLimit},
		{"module-indexes", f.indexes, catalog.FieldModuleIndexes, parseCount, noLimit},
		{"module-locks", f.locks, catalog.FieldModuleLocks, parseCount, noLimit},
		{"keep-deleted", f.keepDeleted, catalog.FieldKeepDeleted, parseKeepSeconds, defaultKeep},
		{"leases", f.leases, catalog.FieldLeases, parseYes, "no"},
		{"trash-gives-way", f.giveWay, catalog.FieldTrashGivesWay, parseYes, "no"},
	} {
		switch flag.value {
		case "":
		case flag.none:
			c.drop = append(c.drop, flag.field)
		default:
			n, err := flag.parse(flag.value)
			if err != nil {
				return c, exit.Failf(exit.Usage, "--%s %q: %w; or give %s", flag.name, flag.value, err, flag.none)
			}
			c.set[flag.field] = n
		}
	}
	for _, pair := range f.quotaOf {
		if err := d.changeQuotaOf(ctx, &c, pair); err != nil {
			return c, err
		}
	}
	return c, nil
}

// changeQuotaOf adds what one --quota-of asks for to the change.
func (d *destinations) changeQuotaOf(ctx context.Context, c *limitChange, pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		return exit.Failf(exit.Usage, "--quota-of %q: give MODULE=SIZE", pair)
	}
	uuid, err := d.moduleUUID(ctx, name)
	if err != nil {
		return err
	}
	field := catalog.FieldModuleQuotaPrefix + uuid
	switch value {
	case noLimit:
		c.drop = append(c.drop, field)
	case unlimited:
		c.set[field] = 0
	default:
		if c.set[field], err = destination.ParseSize(value); err != nil {
			return exit.Failf(exit.Usage, "--quota-of %s: %w; or give %s or %s", pair, err, unlimited, noLimit)
		}
	}
	return nil
}

// defaultKeep is the word for as long as deleted objects are kept unless it is set.
const defaultKeep = "default"

// maxKeep bounds what is taken for how long deleted objects are kept.
const maxKeep = 100 * 365 * 24 * time.Hour

// parseKeep reads how long deleted objects are kept: whole days or weeks, or what Go
// takes for a duration.
func parseKeep(text string) (time.Duration, error) {
	unit := time.Duration(0)
	number := text
	for suffix, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = cut, length
		}
	}
	keep, err := time.ParseDuration(text)
	if unit > 0 {
		var n int64
		n, err = strconv.ParseInt(number, 10, 32)
		keep = time.Duration(min(n, int64(maxKeep/unit)+1)) * unit
	}
	switch {
	case err != nil || keep < 0:
		return 0, errors.New("give a time such as 7d, 2w or 36h, or 0")
	case keep > maxKeep:
		return 0, errors.New("that is longer than a hundred years")
	case keep > 0 && keep < time.Minute:
		return 0, errors.New("give a minute or more, or 0 to keep nothing")
	}
	return keep, nil
}

func parseKeepSeconds(text string) (int64, error) {
	keep, err := parseKeep(text)
	return int64(keep / time.Second), err
}

func parseYes(text string) (int64, error) {
	if text != "yes" {
		return 0, errors.New("give yes")
	}
	return 1, nil
}

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, errors.New("give a whole number of 1 or more")
	}
	return n, nil
}

// moduleUUID returns the UUID of the module with that UUID or ID.
func (d *destinations) moduleUUID(ctx context.Context, name string) (string, error) {
	if account.ValidUUID(name) {
		return name, nil
	}
	m, err := names.ModuleNamed(ctx, d.rdb, name)
	switch {
	case err != nil:
		return "", fmt.Errorf("--quota-of: %w", err)
	case !account.ValidUUID(m.UUID):
		return "", exit.Failf(exit.NotFound, "--quota-of: module %s has no UUID: give the UUID itself", m.ID)
	}
	return m.UUID, nil
}

// requestedLimits reads the limits of an action: whole numbers by the names of the
// hash's fields. What is null, or 0 where that says nothing else, is removed.
func requestedLimits(raw map[string]any) (limitChange, []destination.Problem) {
	c := limitChange{set: map[string]int64{}}
	given, there := raw["limits"]
	if !there {
		return c, nil
	}
	fields, isObject := given.(map[string]any)
	if !isObject {
		return c, []destination.Problem{{Field: "limits", Kind: destination.WrongType}}
	}
	var problems []destination.Problem
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		kind := ""
		number, isNumber := fields[field].(json.Number)
		n, err := number.Int64()
		_, errField := catalog.ParseLimits(map[string]string{field: "0"})
		switch {
		case errField != nil:
			kind = destination.Unexpected
		case fields[field] == nil, err == nil && n == 0 && !zeroSays(field):
			c.drop = append(c.drop, field)
		case !isNumber, err != nil:
			kind = destination.WrongType
		case n < 0, n < destination.MinRate && (field == catalog.FieldUpload || field == catalog.FieldDownload):
			kind = destination.TooSmall
		default:
			c.set[field] = n
		}
		if kind != "" {
			problems = append(problems, destination.Problem{Field: "limits." + field, Kind: kind})
		}
	}
	return c, problems
}

// keepText says how long deleted objects are kept.
func keepText(keep time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case keep == 0:
		return "no"
	case keep%day == 0:
		return strconv.FormatInt(int64(keep/day), 10) + "d"
	}
	return keep.String()
}

// zeroSays reports whether the number 0 in a field of the limits is not the same as no
// such field.
func zeroSays(field string) bool {
	return field == catalog.FieldKeepDeleted || strings.HasPrefix(field, catalog.FieldModuleQuotaPrefix)
}

// limitsFrom reads the fields of the hash as they came from elsewhere.
func limitsFrom(fields map[string]int64) (catalog.Limits, error) {
	texts := make(map[string]string, len(fields))
	for field, value := range fields {
		texts[field] = strconv.FormatInt(value, 10)
	}
	return catalog.ParseLimits(texts)
}

// limitRows tells limits to people. Modules are named by their ID where they have
// one, by UUID.
func limitRows(l *catalog.Limits, modules map[string]string) (rows [][2]string) {
	add := func(name, value string) { rows = append(rows, [2]string{name, value}) }
	for _, rate := range []struct {
		name  string
		value int64
	}{{"limit upload", l.Upload}, {"limit download", l.Download}} {
		if rate.value > 0 {
			add(rate.name, host.FormatBytes(uint64(rate.value))+"/s")
		}
	}
	if l.Operations > 0 {
		add("limit operations", strconv.FormatInt(l.Operations, 10))
	}
	if l.Quota > 0 {
		add("quota", host.FormatBytes(uint64(l.Quota)))
	}
	if l.ModuleQuota > 0 {
		add("module quota", host.FormatBytes(uint64(l.ModuleQuota)))
	}
	for _, count := range []struct {
		name  string
		value int64
	}{
		{"module snapshots an hour", l.ModuleSnapshots}, {"module indexes an hour", l.ModuleIndexes}, {"module locks", l.ModuleLocks},
	} {
		if count.value > 0 {
			add(count.name, strconv.FormatInt(count.value, 10))
		}
	}
	if l.KeepDeleted != 0 {
		add("keep deleted", keepText(l.Keep()))
	}
	if l.TrashGivesWay > 0 {
		add("trash gives way", "yes")
	}
	if l.Leases != 0 {
		add("leases", "yes")
	}
	for _, uuid := range slices.Sorted(maps.Keys(l.ModuleQuotas)) {
		value := unlimited
		if quota := l.ModuleQuotas[uuid]; quota > 0 {
			value = host.FormatBytes(uint64(quota))
		}
		add(fmt.Sprintf("quota of %s", cmp.Or(modules[uuid], uuid)), value)
	}
	return rows
}

// moduleNames returns the IDs of modules by UUID.
func (d *destinations) moduleNames(ctx context.Context) (map[string]string, error) {
	uuids, err := d.rdb.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return nil, d.failed("read "+catalog.ModuleUUID, err)
	}
	names := make(map[string]string, len(uuids))
	for id, uuid := range uuids {
		names[uuid] = id
	}
	return names, nil
}
