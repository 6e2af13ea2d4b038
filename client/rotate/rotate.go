package rotate

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/inventory"
	"github.com/rclone-gateway/rclone-gateway/client/lease"
	"github.com/rclone-gateway/rclone-gateway/client/locate"
	"github.com/rclone-gateway/rclone-gateway/client/restic"
	"github.com/rclone-gateway/rclone-gateway/client/run"
)

// rotation is one run of the command.
type rotation struct {
	sys   *host.System
	wait  *run.Waiting
	store store
	begun bool

	gateway inventory.Gateway
	login   host.Credentials
	command restic.Invocation

	mu      sync.Mutex
	foreign []string // repositories that neither password opens
}

// run goes through the steps, of which each finds out what was done already.
func (r *rotation) run(ctx context.Context, chosen string, keepOld bool) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	p, current, resumed, err := r.store.begin(ctx, chosen)
	if err != nil {
		return err
	}
	r.begun = true
	if resumed {
		r.sys.Notef("going on with the rotation that was begun at %s", p.Begun.Local().Format(time.RFC3339))
	}
	if current != p.New {
		if err := r.each(ctx, "add the new key", func(ctx context.Context, k *keyring) error { return k.add(ctx, p) }); err != nil {
			return err
		}
		if err := r.store.use(ctx, r.sys, p); err != nil {
			return err
		}
		r.sys.Notef("the new password is in use; the old one still opens the repositories")
	}
	if keepOld {
		r.sys.Notef("run it again without --keep-old to remove the old keys")
		return r.tellForeign()
	}
	// Somebody may have made a repository with the old password meanwhile.
	err = r.each(ctx, "remove the old key", func(ctx context.Context, k *keyring) error {
		if err := k.add(ctx, p); err != nil {
			return err
		}
		return k.remove(ctx, p)
	})
	if err != nil {
		return err
	}
	if err := r.store.finish(ctx); err != nil {
		return err
	}
	r.begun = false
	return r.tellForeign()
}

func (r *rotation) prepare(ctx context.Context) (err error) {
	if r.login, err = r.sys.Env.NodeCredentials(); err != nil {
		return err
	}
	r.gateway = inventory.NewGatewayAs(r.sys.Env, r.login)
	r.command, err = locate.Invocation(ctx, r.sys)
	return err
}

// each does something to each repository of the destination. All must succeed, but for
// those that are not ours.
func (r *rotation) each(ctx context.Context, what string, do func(context.Context, *keyring) error) error {
	const questions = 16
	holding, err := r.gateway.Survey(ctx, r.store.destination, inventory.NewLimit(questions))
	if err != nil {
		return fmt.Errorf("list the repositories: %w", err)
	}
	r.foreign = nil
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU()) // each derives keys
	for i, found := range holding.Repositories {
		group.Go(func() error {
			err := r.leased(ctx, r.keyring(found, i), do)
			if errors.Is(err, errForeign) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.foreign = append(r.foreign, found.Path())
				return nil
			}
			if err != nil {
				return fmt.Errorf("repository %s: %s: %w", found.Path(), what, err)
			}
			return nil
		})
	}
	err = group.Wait()
	if err == nil {
		r.sys.Notef("%s: %d of %d repositories", what, len(holding.Repositories)-len(r.foreign), len(holding.Repositories))
	}
	return err
}

// leased does something under the lease of a repository, or, where none can be had, under
// restic's lock.
func (r *rotation) leased(ctx context.Context, k *keyring, do func(context.Context, *keyring) error) error {
	var held *lease.Lease
	err := k.wait.Retry(ctx, r.sys, func() (err error) {
		held, err = lease.Get(ctx, r.sys, k.command.Repository, "rotate the password")
		return err
	})
	if none, _ := lease.IsNone(err); err != nil && !none {
		return err
	}
	defer held.Release(ctx, false)
	return do(held.Context(ctx), k)
}

func (r *rotation) keyring(found inventory.Repository, number int) *keyring {
	path := r.store.destination + "/" + found.Path()
	command := r.command
	if command.Name != "" {
		command.Name = fmt.Sprintf("%s-%d", command.Name, number) // several run at the same time
	}
	command.Repository = restic.Repository{URL: r.sys.Env.GatewayURL() + "/" + path, User: r.login.User, Password: r.login.Password}
	return &keyring{sys: r.sys, gateway: r.gateway, path: path, command: command, wait: &run.Waiting{Limit: r.wait.Limit}}
}

// tellForeign names the repositories that did not take part.
func (r *rotation) tellForeign() error {
	if len(r.foreign) == 0 {
		return nil
	}
	slices.Sort(r.foreign)
	for _, path := range host.LimitWarnings(r.foreign) {
		r.sys.Warnf("repository %s: %v: it stays as it is", path, errForeign)
	}
	return exit.Failf(exit.Password, "the password was changed, but %d repositories do not open with it, and did not before", len(r.foreign))
}
