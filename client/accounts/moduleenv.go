package accounts

import (
	"context"
	"slices"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
)

// knownModuleVariables returns the environment of an existing module with a new password,
// as far as Redis knows it: the place of its files is not in Redis. Of the values that the
// module can write itself, only the image name is used.
func (a *accounts) knownModuleVariables(ctx context.Context, id, password string) ([]envfile.Variable, error) {
	opts := moduleOptions{id: id}
	pipe := a.Redis.Pipeline()
	uuid, placed := pipe.HGet(ctx, catalog.ModuleUUID, id), pipe.HGet(ctx, catalog.ModuleNode, id)
	image := pipe.HGet(ctx, catalog.ModuleEnvironmentKey(id), catalog.FieldImageURL)
	_, _ = pipe.Exec(ctx) // each command has its error
	for _, read := range []struct {
		what string
		err  error
	}{{"UUID", uuid.Err()}, {"node", placed.Err()}, {"image", image.Err()}} {
		if read.err != nil {
			return nil, exit.Failf(exit.NotFound, "redis has no %s of module %s: add the module again", read.what, id)
		}
	}
	opts.uuid, opts.node = uuid.Val(), placed.Val()
	var err error
	if opts.app, err = host.AppOfImage(image.Val()); err != nil {
		return nil, err
	}
	elsewhere, err := a.Redis.SIsMember(ctx, catalog.ModulesElsewhere, id).Result()
	switch {
	case err != nil:
		return nil, a.Failed("read whether module "+id+" is on a host of its own", err)
	case elsewhere:
		// The existing file has the gateway's address as that host sees it.
		return append(opts.ownVariables(), loginElsewhere(account.ModuleUser(id), password)...), nil
	}
	return a.moduleVariables(opts, password)
}

// warnOfLostDir warns about an environment that lacks the place of the module's files, and
// says how to repair it.
func warnOfLostDir(sys *host.System, id, envFile string, vars []envfile.Variable) {
	if envFile == "" || slices.ContainsFunc(vars, func(v envfile.Variable) bool { return v.Name == "AGENT_STATE_DIR" }) {
		return
	}
	sys.Warnf("%s does not say where the module's files are, without which it is not backed up: \"gatewayctl module add --dir DIR --env-file %[1]s %s\" adds that", envFile, id)
}
