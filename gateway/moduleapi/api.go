package moduleapi

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/adminapi"
)

// timeout bounds each exchange with Redis.
const timeout = 10 * time.Second

// API answers modules for the gateway of a node. It is safe for concurrent use.
type API struct {
	node           string
	reader, writer *redis.Client

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // of posts, by module
}

// New returns the API of a node's gateway; without a node it records nothing. It makes no
// connection yet.
func New(node string, server catalog.Redis) (*API, error) {
	reader, err := server.OpenReader()
	if err != nil {
		return nil, err
	}
	writer, err := server.Open()
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return &API{node: node, reader: reader, writer: writer, limiters: map[string]*rate.Limiter{}}, nil
}

// Close closes the connections to Redis.
func (a *API) Close() error { return errors.Join(a.reader.Close(), a.writer.Close()) }

// unready returns the error for a failing Redis.
func unready(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", refusal.ErrUnready, what, err)
}

// Password returns the password of a repository, APP/UUID on a destination: the own one of
// the module with that UUID, or else the destination's. It asks the main server, since a
// replica may not have a new password yet.
func (a *API) Password(ctx context.Context, destination, repo string) (adminapi.ModulePassword, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := a.writer.Pipeline()
	own := p.HGet(ctx, catalog.ModulePassword, path.Base(repo))
	shared := p.HGet(ctx, catalog.ResticPassword, destination)
	_, _ = p.Exec(ctx) // each command has its own error
	for _, found := range []*redis.StringCmd{own, shared} {
		switch err := found.Err(); {
		case err == nil:
			return adminapi.ModulePassword{Password: found.Val(), Own: found == own}, nil
		case !errors.Is(err, redis.Nil):
			return adminapi.ModulePassword{}, unready("the password of a repository", err)
		}
	}
	return adminapi.ModulePassword{}, fmt.Errorf("%w: destination %s has no password", refusal.ErrNotFound, destination)
}

// Dumps returns the keys of a module that each backup holds.
func (a *API) Dumps(ctx context.Context, module string) (dumps adminapi.ModuleDumps, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := a.reader.Pipeline()
	name, note := p.Dump(ctx, catalog.ModuleUINameKey(module)), p.Dump(ctx, catalog.ModuleUINoteKey(module))
	_, _ = p.Exec(ctx)
	for _, key := range []struct {
		dump *redis.StringCmd
		into *[]byte
	}{{name, &dumps.UIName}, {note, &dumps.UINote}} {
		text, err := key.dump.Bytes()
		if err != nil && !errors.Is(err, redis.Nil) {
			return dumps, unready("the label and the note of a module", err)
		}
		*key.into = text
	}
	return dumps, nil
}
