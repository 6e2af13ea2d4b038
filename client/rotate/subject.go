package rotate

import (
	"cmp"
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/names"
	"github.com/rclone-gateway/rclone-gateway/client/ownpassword"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// subject says whose password changes: a destination's or a module's.
type subject struct {
	destination string // ID, "" for a module
	uuid        string // of the module
	module      string // ID, "" if it was removed
}

// String returns the subject's name for errors.
func (s subject) String() string {
	if s.destination != "" {
		return "destination " + s.destination
	}
	return "module " + cmp.Or(s.module, s.uuid)
}

// field returns the subject's field in the hashes.
func (s subject) field() string { return cmp.Or(s.destination, s.uuid) }

// passwords returns the key of the passwords in use.
func (s subject) passwords() string {
	if s.destination != "" {
		return catalog.ResticPassword
	}
	return catalog.ModulePassword
}

// rotations returns the key of the rotations in progress, and that of the other kind of
// subject.
func (s subject) rotations() (own, other string) {
	if s.destination != "" {
		return catalog.ResticPasswordRotation, catalog.ModulePasswordRotation
	}
	return catalog.ModulePasswordRotation, catalog.ResticPasswordRotation
}

// subject returns what the command line names.
func (o *options) subject(ctx context.Context, r *registry.Registry) (s subject, err error) {
	if o.module == "" {
		s.destination, err = names.DestinationNamed(ctx, r.Redis, o.destination)
		return s, err
	}
	if _, err = r.OwnUsers(ctx); err != nil {
		return s, err
	}
	if s.module, s.uuid, err = moduleNamed(ctx, r.Redis, o.module); err != nil || s.module != "" {
		return s, err
	}
	own, err := ownpassword.Of(ctx, r.Redis, s.uuid)
	if err == nil && own == "" {
		err = exit.Failf(exit.NotFound, "module %s does not exist, and had no repository password of its own", s.uuid)
	}
	return s, err
}

// moduleNamed returns the module that a word names. A removed module is named by its UUID,
// and has no ID.
func moduleNamed(ctx context.Context, rdb *redis.Client, word string) (id, uuid string, err error) {
	found, err := names.ModuleNamed(ctx, rdb, word)
	if err != nil && exit.CodeOf(ctx, err) == int(exit.NotFound) && account.ValidUUID(word) {
		return "", word, nil
	}
	return found.ID, found.UUID, err
}
