package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// resolveModule replaces the names of a schedule and a module by their IDs.
func resolveModule(ctx context.Context, rdb *redis.Client, opts *moduleOptions) error {
	var err error
	if opts.schedule != "" {
		if opts.schedule, err = names.ScheduleNamed(ctx, rdb, opts.schedule); err != nil {
			return err
		}
	}
	if opts.restoreFrom == "" || account.ValidUUID(opts.restoreFrom) {
		return nil
	}
	from, err := names.ModuleNamed(ctx, rdb, opts.restoreFrom)
	if err != nil {
		return fmt.Errorf("--restore-from: %w; of a module that was removed, give the whole UUID", err)
	}
	opts.restoreFrom = from.UUID
	return nil
}

// checkRestoreFrom refuses a source whose backups the gateway would not show to the new
// module.
func checkRestoreFrom(ctx context.Context, rdb *redis.Client, opts moduleOptions) error {
	if opts.restoreFrom == "" {
		return nil
	}
	if opts.restoreFrom == opts.uuid {
		return exit.Failf(exit.Usage, "--restore-from is the module's own UUID, whose backups it may read anyway")
	}
	app, err := appOfModule(ctx, rdb, opts.restoreFrom)
	if err != nil || app == "" || app == opts.app {
		return err
	}
	return exit.Failf(exit.Usage, "--restore-from %s is a module of type %s, and %s is to be of type %s: a module reads only backups of its own type; add it with --type %[2]s",
		opts.restoreFrom, app, opts.id, opts.app)
}

// appOfModule returns the type of the module with that UUID, "" if there is none.
func appOfModule(ctx context.Context, rdb *redis.Client, uuid string) (string, error) {
	modules, err := names.ModuleEntries(ctx, rdb)
	if err != nil {
		return "", err
	}
	for _, m := range modules {
		if m.UUID != uuid {
			continue
		}
		image, err := rdb.HGet(ctx, catalog.ModuleEnvironmentKey(m.ID), catalog.FieldImageURL).Result()
		if host.IgnoreNil(err) != nil {
			return "", host.ReadError(catalog.ModuleEnvironmentKey(m.ID), err)
		}
		app, _ := host.AppOfImage(image) // a module without an image has no known type yet
		return app, nil
	}
	return "", nil
}

// settleModule determines the UUID and the node: as given, as before, or a default.
func (a *accounts) settleModule(ctx context.Context, opts *moduleOptions, earlier earlierEnv) error {
	list, err := a.OwnUsers(ctx)
	if err != nil {
		return err
	}
	pipe := a.Redis.Pipeline()
	uuid := pipe.HGet(ctx, catalog.ModuleUUID, opts.id)
	placed := pipe.HGet(ctx, catalog.ModuleNode, opts.id)
	image := pipe.HGet(ctx, catalog.ModuleEnvironmentKey(opts.id), catalog.FieldImageURL)
	_, _ = pipe.Exec(ctx) // each command has its error
	if err := errors.Join(host.IgnoreNil(uuid.Err()), host.IgnoreNil(placed.Err()), host.IgnoreNil(image.Err())); err != nil {
		return a.Failed("read module "+opts.id, err)
	}
	if app, err := host.AppOfImage(image.Val()); err == nil && !opts.typed && uuid.Val() != "" {
		opts.app = app
	}
	if opts.uuid = cmp.Or(opts.uuid, uuid.Val(), earlier.values["MODULE_UUID"]); opts.uuid == "" {
		opts.uuid, opts.fresh = account.NewUUID(), true
	}
	if !account.ValidUUID(opts.uuid) {
		return exit.Failf(exit.Conflict, "module %s has %q instead of a UUID: remove it first", opts.id, opts.uuid)
	}
	opts.node = cmp.Or(opts.node, placed.Val())
	nodes := list.Nodes()
	switch {
	case len(nodes) == 0:
		return exit.Failf(exit.NotFound, "there is no node that the module could be on: make one first, with gatewayctl node add")
	case opts.node == "" && len(nodes) > 1:
		return exit.Failf(exit.Usage, "there are the nodes %s: say with --node where the module is", strings.Join(slices.Sorted(slices.Values(nodes)), ", "))
	case opts.node == "":
		opts.node = nodes[0]
	case !slices.Contains(nodes, opts.node):
		return exit.Failf(exit.NotFound, "node %s does not exist: see gatewayctl node list", opts.node)
	}
	return nil
}

// checkNewModule refuses an ID or a UUID that another module has.
func checkNewModule(ctx context.Context, tx *redis.Tx, opts moduleOptions, password string, chosen bool) error {
	user := account.ModuleUser(opts.id)
	list, err := tx.ACLList(ctx).Result()
	if err != nil {
		return err
	}
	if users := account.List(list); users.Has(user) && !opts.host.pair && (!chosen || !users.Accepts(user, password)) {
		return existsWithOther(user)
	}
	uuids, err := tx.HGetAll(ctx, catalog.ModuleUUID).Result()
	if err != nil {
		return err
	}
	placed, err := tx.HGet(ctx, catalog.ModuleNode, opts.id).Result()
	if host.IgnoreNil(err) != nil {
		return err
	}
	image, err := tx.HGet(ctx, catalog.ModuleEnvironmentKey(opts.id), catalog.FieldImageURL).Result()
	if host.IgnoreNil(err) != nil {
		return err
	}
	for _, field := range []struct{ name, old, new string }{
		{"UUID", uuids[opts.id], opts.uuid}, {"node", placed, opts.node}, {"image", image, opts.image()},
	} {
		if field.old != "" && field.old != field.new {
			return exit.Failf(exit.Conflict, "module %s exists already with the %s %s: remove it first", opts.id, field.name, field.old)
		}
	}
	for other, uuid := range uuids {
		if other != opts.id && uuid == opts.uuid {
			return exit.Failf(exit.Conflict, "module %s has that UUID: two modules would share one repository; to restore its backups use --restore-from", other)
		}
	}
	return nil
}
