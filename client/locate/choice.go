package locate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/naming"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// Choice is how a command line selects a repository: that of a module, on the destination
// of a schedule, or any repository by its path.
type Choice struct {
	Module      string // ID, UUID or its beginning; "" for the module that we run as
	Backup      string // schedule whose destination it is on
	Destination string // instead of a schedule's
	Repopath    string // APP/UUID, instead of a module's
}

// AddPlaceFlags adds --backup and --destination, which select the destination.
func (c *Choice) AddPlaceFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.Backup, "backup", "", "the schedule whose destination it is, by `NAME` or ID (default: the one with the lowest number that lists the module)")
	flags.StringVar(&c.Destination, "destination", "", "the destination, by `NAME` or ID, in place of a schedule's")
}

// Name selects by one word: a module, or APP/UUID. Without an option for the destination,
// there must be only one destination.
func (c *Choice) Name(ctx context.Context, rdb *redis.Client, word string) error {
	if !strings.Contains(word, "/") {
		c.Module = word
		return nil
	}
	c.Repopath = word
	if c.Destination != "" || c.Backup != "" {
		return nil
	}
	all, err := names.DestinationEntries(ctx, rdb)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return exit.Failf(exit.Usage, "%s is on which destination? Name it with --destination (there are %d)", word, len(all))
	}
	c.Destination = all[0].ID
	return nil
}

// Place is the location of a repository.
type Place struct {
	Destination, App, UUID string
	Module                 string // ID, "" if it is not known
	Elsewhere              string // see [restic.Repository]
}

// Path returns the repository's path on its destination.
func (p Place) Path() string { return p.App + "/" + p.UUID }

// Repository returns the selected repository, with its credentials and password.
func (c *Choice) Repository(ctx context.Context, sys *host.System, wait *run.Waiting) (restic.Repository, error) {
	if sys.Env.NoRedis() {
		return c.throughGateway(ctx, sys, wait)
	}
	rdb, err := wait.Redis(ctx, sys)
	if err != nil {
		return restic.Repository{}, err
	}
	defer func() { _ = rdb.Close() }()
	place, err := c.Place(ctx, sys, rdb)
	if err != nil {
		return restic.Repository{}, err
	}
	return place.Open(ctx, sys, rdb)
}

// Open returns the repository, with its credentials and password.
func (p Place) Open(ctx context.Context, sys *host.System, rdb *redis.Client) (restic.Repository, error) {
	repository, err := run.OpenRepository(ctx, sys, rdb, p.Destination, p.App, p.UUID)
	repository.Elsewhere = p.Elsewhere
	return repository, err
}

// Place returns the location of the selected repository.
func (c *Choice) Place(ctx context.Context, sys *host.System, rdb *redis.Client) (p Place, err error) {
	if p.Module, err = c.moduleID(ctx, sys, rdb); err != nil {
		return p, err
	}
	if p.App, p.UUID, err = c.path(ctx, sys, rdb, p.Module); err != nil {
		return p, err
	}
	p.Destination, p.Elsewhere, err = c.where(ctx, rdb, p.Module)
	return p, err
}

// moduleID returns the ID of the selected module, "" if none is needed. A module that is
// not installed may still be in schedules.
func (c *Choice) moduleID(ctx context.Context, sys *host.System, rdb *redis.Client) (string, error) {
	id := c.Module
	if id == "" {
		id, _ = sys.Env.ModuleID()
	} else if c.Repopath == "" {
		m, err := names.ModuleNamed(ctx, rdb, id)
		if unknown, ok := errors.AsType[*naming.UnknownError](err); ok && len(unknown.Near) == 0 && host.ModuleIDPattern.MatchString(id) {
			return id, nil
		}
		return m.ID, err
	}
	switch {
	case id != "" && !host.ModuleIDPattern.MatchString(id):
		return "", exit.Failf(exit.Usage, "%q is not a module ID", id)
	case id == "" && (c.Repopath == "" || c.Backup == "" && c.Destination == ""):
		return "", exit.Failf(exit.Usage, "name a repository: --module, or --destination and --repopath (see --show)")
	}
	return id, nil
}

// path returns the repository's path on the destination.
func (c *Choice) path(ctx context.Context, sys *host.System, rdb *redis.Client, moduleID string) (app, uuid string, err error) {
	if c.Repopath != "" {
		return c.givenPath()
	}
	if own, err := sys.Env.Module(); err == nil && own.ID == moduleID {
		return own.App, own.UUID, nil
	}
	return Installed(ctx, rdb, moduleID)
}

// givenPath returns the path that was given explicitly.
func (c *Choice) givenPath() (app, uuid string, err error) {
	if !host.RepositoryPath.MatchString(c.Repopath) {
		return "", "", exit.Failf(exit.Usage, "--repopath %q is not of the form APP/UUID", c.Repopath)
	}
	app, uuid, _ = strings.Cut(c.Repopath, "/")
	return app, uuid, nil
}

// Installed returns the path of an installed module's repository.
func Installed(ctx context.Context, rdb *redis.Client, moduleID string) (app, uuid string, err error) {
	uuid, err = rdb.HGet(ctx, catalog.ModuleUUID, moduleID).Result()
	if errors.Is(err, redis.Nil) {
		return "", "", exit.Failf(exit.Usage, "module %s is not installed: name its repository with --repopath", moduleID)
	}
	if err != nil {
		return "", "", host.ReadError(catalog.ModuleUUID, err)
	}
	image, err := rdb.HGet(ctx, catalog.ModuleEnvironmentKey(moduleID), catalog.FieldImageURL).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", "", host.ReadError(catalog.ModuleEnvironmentKey(moduleID), err)
	}
	app, err = host.AppOfImage(image)
	return app, uuid, err
}

// where returns the ID of the destination, and the names of others if no option selects one.
func (c *Choice) where(ctx context.Context, rdb *redis.Client, moduleID string) (id, elsewhere string, err error) {
	if c.Destination != "" {
		id, err = names.DestinationNamed(ctx, rdb, c.Destination)
		return id, "", err
	}
	if c.Backup != "" {
		s, err := schedule.Read(ctx, rdb, c.Backup)
		return s.Destination, "", err
	}
	schedules, err := schedule.All(ctx, rdb)
	if err != nil {
		return "", "", err
	}
	return scheduled(schedules, moduleID, func() ([]naming.Entry, error) { return names.DestinationEntries(ctx, rdb) })
}

// scheduled returns the destination of the first schedule that lists a module, and the names
// of those of the other schedules.
func scheduled(schedules []schedule.Schedule, moduleID string, known func() ([]naming.Entry, error)) (id, elsewhere string, err error) {
	var all []string
	for _, s := range schedules {
		if s.Lists(moduleID) && s.Destination != "" && !slices.Contains(all, s.Destination) {
			all = append(all, s.Destination)
		}
	}
	switch len(all) {
	case 0:
		return "", "", exit.Failf(exit.Usage, "no backup schedule lists module %s: name a destination with --destination (see --show)", moduleID)
	case 1:
		return all[0], "", nil
	}
	entries, err := known()
	if err != nil {
		return "", "", err
	}
	others := slices.Clone(all[1:])
	for _, e := range entries {
		if i := slices.Index(others, e.ID); i >= 0 && e.Name != "" {
			others[i] = naming.Printable(e.Name)
		}
	}
	return all[0], strings.Join(others, ", "), nil
}
