package rotate

import (
	"cmp"
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

	shared map[string]string // passwords of the destinations, for a module without its own
	apart  []string          // repositories of modules with a password of their own

	mu      sync.Mutex
	foreign []string // repositories that neither password opens
}

// run performs the steps. Each checks what has been done already.
func (r *rotation) run(ctx context.Context, chosen string, keepOld bool) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	p, current, resumed, err := r.store.begin(ctx, chosen)
	if err != nil {
		return err
	}
	r.begun = true
	if p.Old == "" {
		if r.shared, err = r.store.shared(ctx); err != nil {
			return err
		}
	}
	if resumed {
		r.sys.Notef("going on with the rotation that was begun at %s", p.Begun.Local().Format(time.RFC3339))
	}
	if current != p.New {
		if err := r.each(ctx, p, "add the new key", (*keyring).add); err != nil {
			return err
		}
		if err := r.store.use(ctx, p); err != nil {
			return err
		}
		r.sys.Notef("the new password is in use; the old one still opens the repositories")
	}
	if err := r.store.settle(ctx); err != nil {
		return err
	}
	if keepOld {
		r.sys.Notef("run it again without --keep-old to remove the old keys")
		return r.tell()
	}
	// A repository may have been created with the old password meanwhile.
	if err := r.each(ctx, p, "remove the old key", (*keyring).replace); err != nil {
		return err
	}
	if err := r.store.finish(ctx); err != nil {
		return err
	}
	r.begun = false
	return r.tell()
}

func (r *rotation) prepare(ctx context.Context) (err error) {
	if r.login, err = r.sys.Env.NodeCredentials(); err != nil {
		return err
	}
	r.gateway = inventory.NewGatewayAs(r.sys.Env, r.login)
	r.command, err = locate.Invocation(ctx, r.sys)
	return err
}

// each calls do with both passwords for each repository. All must succeed, except foreign
// ones.
func (r *rotation) each(ctx context.Context, p passwords, what string, do func(*keyring, context.Context, passwords) error) error {
	places, err := r.places(ctx)
	if err != nil {
		return err
	}
	r.foreign = nil
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU()) // each derives keys
	for i, found := range places {
		group.Go(func() error {
			p := p
			p.Old = cmp.Or(p.Old, r.shared[found.destination])
			err := r.leased(ctx, r.keyring(found, i), func(ctx context.Context, k *keyring) error { return do(k, ctx, p) })
			if errors.Is(err, errForeign) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.foreign = append(r.foreign, found.path)
				return nil
			}
			if err != nil {
				return fmt.Errorf("repository %s: %s: %w", found.path, what, err)
			}
			return nil
		})
	}
	err = group.Wait()
	if err == nil {
		r.sys.Notef("%s: %d of %d repositories", what, len(places)-len(r.foreign), len(places))
	}
	return err
}

// leased calls do under a lease of the repository or, if none is available, under restic's
// lock.
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

func (r *rotation) keyring(found place, number int) *keyring {
	path := found.destination + "/" + found.path
	command := r.command
	if command.Name != "" {
		command.Name = fmt.Sprintf("%s-%d", command.Name, number) // several run concurrently
	}
	command.Repository = restic.Repository{URL: r.sys.Env.GatewayURL() + "/" + path, User: r.login.User, Password: r.login.Password}
	return &keyring{sys: r.sys, gateway: r.gateway, path: path, command: command, wait: &run.Waiting{Limit: r.wait.Limit}}
}

// tell lists the repositories that were left out.
func (r *rotation) tell() error {
	slices.Sort(r.apart)
	for _, path := range host.LimitWarnings(r.apart) {
		r.sys.Notef("repository %s: its module has a password of its own, which stays as it is: rotate it with --module", path)
	}
	if len(r.foreign) == 0 {
		return nil
	}
	slices.Sort(r.foreign)
	for _, path := range host.LimitWarnings(r.foreign) {
		r.sys.Warnf("repository %s: %v: it stays as it is", path, errForeign)
	}
	return exit.Failf(exit.Password, "the password was changed, but %d repositories do not open with it, and did not before", len(r.foreign))
}
