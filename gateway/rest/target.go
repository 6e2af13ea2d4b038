package rest

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/rest/object"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// Target is what an authorised request is about.
type Target struct {
	// Store is where the repository lives.
	Store storage.Store
	// Destination and Repo, "<app type>/<module UUID>", identify the repository
	// across reloads, when the Store may be another one.
	Destination, Repo string
	Type              object.Type
	// Name is the object's 64 lowercase hex digits; empty for Root, Config and
	// for the list of a type.
	Name string
	// Operation is what is asked, by [OperationOf].
	Operation operation.Operation
	// ReplaceConfig lets a POST replace a config of other content. Only nodes
	// may (restic migrate upgrade_repo_v2 does).
	ReplaceConfig bool
	// AddKey lets a POST add a key to a repository that was begun, and lets a config be
	// saved and a key of an unfinished init be removed whatever else is there.
	AddKey bool
	// Trash, where set, knows what was deleted from the repository and is kept.
	Trash Trash
	// Meter, where set, limits what the caller saves.
	Meter Meter
}

// Trash is what is kept of what was deleted.
type Trash interface {
	// Holds reports whether anything of a repository is kept. An error says that this
	// is not known.
	Holds(ctx context.Context, repo string) (bool, error)
}

// Meter limits what one principal saves at one destination.
type Meter interface {
	// Take uses up one save of that type. Where the limit is reached ok is false and
	// wait is when to ask again; giveBack undoes it.
	Take(typ object.Type) (giveBack func(), wait time.Duration, ok bool)
	// MaxLocks is how many locks a repository may have; 0 is any number.
	MaxLocks() int
}

// objectKey names one object of the process, across reloads.
type objectKey struct {
	destination, repo string
	typ               object.Type
	name              string
}

func (t *Target) key() objectKey {
	return objectKey{destination: t.Destination, repo: t.Repo, typ: t.Type, name: t.Name}
}

// path is where the target lies in its Store.
func (t *Target) path() string { return object.StoredName(t.Repo, t.Type, t.Name) }

// config is where the repository's config lies.
func (t *Target) config() string { return object.StoredName(t.Repo, object.Config, "") }
