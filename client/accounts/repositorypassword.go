package accounts

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// repositoryPassword is the password for the repositories of a new module.
type repositoryPassword struct {
	own   string // "" if they use the password of each destination
	isNew bool   // own must be saved
	// doubtful is true if the UUID may have backups whose password is unknown.
	doubtful bool
}

// readRepositoryPassword reads the password that existing repositories of the module have.
func (o *moduleOptions) readRepositoryPassword(ctx context.Context, sys *host.System) (err error) {
	if o.repositoryPasswordFile != "" {
		o.repositoryPassword, err = ownpassword.FromFile(ctx, sys, "--repository-password-file", o.repositoryPasswordFile, "password of the repositories")
	}
	return err
}

// settleRepositoryPassword determines the password. An existing one is kept; one is
// generated only if there cannot be any backups yet.
func settleRepositoryPassword(ctx context.Context, tx *redis.Tx, opts moduleOptions) (repositoryPassword, error) {
	own, err := ownpassword.Of(ctx, tx, opts.uuid)
	if err != nil {
		return repositoryPassword{}, err
	}
	known, err := tx.HExists(ctx, catalog.ModuleUUID, opts.id).Result()
	if err != nil {
		return repositoryPassword{}, err
	}
	given := opts.repositoryPassword
	switch {
	case given != "" && (own != "" && own != given || own == "" && known):
		return repositoryPassword{}, exit.Failf(exit.Conflict, "the repositories of module %s have another password than --repository-password-file: change it with gatewayctl repository password rotate --module %[1]s", opts.id)
	case own != "":
		return repositoryPassword{own: own}, nil
	case given != "":
		return repositoryPassword{own: given, isNew: true}, nil
	case opts.fresh:
		return repositoryPassword{own: host.NewPassword(), isNew: true}, nil
	}
	return repositoryPassword{doubtful: !known}, nil
}

// write saves the password in a transaction.
func (r *repositoryPassword) write(ctx context.Context, p redis.Pipeliner, uuid string) {
	if r.isNew {
		p.HSetNX(ctx, catalog.ModulePassword, uuid, r.own)
	}
}

// rules returns the ACL rules of the module's user.
func (r *repositoryPassword) rules(id string, v account.Version) []string {
	if r.own != "" {
		return account.ModuleRules(id, v)
	}
	return account.SharingModuleRules(id, v)
}

// tell prints what an administrator must know about the password.
func (r *repositoryPassword) tell(sys *host.System, id string) {
	switch {
	case r.isNew:
		sys.Notef("the repositories of module %s have a password of their own, in Redis alone: keep it elsewhere too, with gatewayctl destination export --with-secrets", id)
	case r.doubtful:
		sys.Warnf("the repositories of module %s have the password of each destination, as there may be backups under its UUID: if they had one of their own, remove the module and add it with --repository-password-file; else give it one, with gatewayctl repository password rotate --module %[1]s", id)
	}
}
