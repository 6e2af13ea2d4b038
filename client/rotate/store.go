package rotate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/registry"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// passwords are the two passwords of a rotation in progress.
type passwords struct {
	Old   string    `json:"old"` // "" for a module that used the password of each destination
	New   string    `json:"new"`
	Begun time.Time `json:"begun"`
}

// String keeps both passwords out of every text.
func (passwords) String() string { return "***" }

// store reads and writes the passwords of a subject in Redis.
type store struct {
	*registry.Registry
	subject subject
}

// errRefused says that the rotation was not started.
var errRefused = errors.New("nothing was changed")

// begin returns the rotation in progress, and the password in use. If there is no rotation,
// it starts one with the new password, or with a generated one.
func (s store) begin(ctx context.Context, chosen string) (p passwords, current string, resumed bool, err error) {
	rotations, others := s.subject.rotations()
	what := "begin to rotate the password of " + s.subject.String()
	err = s.Transact(ctx, what, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		var err error
		if current, err = s.current(ctx, tx); err != nil {
			return nil, err
		}
		if p, resumed, err = s.read(ctx, tx); err != nil || resumed {
			return nil, err
		}
		p = passwords{Old: current, New: cmp.Or(chosen, host.NewPassword()), Begun: time.Now().UTC().Truncate(time.Second)}
		if err := s.check(ctx, tx, p); err != nil {
			return nil, err
		}
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		return func(pipe redis.Pipeliner) { pipe.HSet(ctx, rotations, s.subject.field(), text) }, nil
	}, catalog.ResticPassword, catalog.ModulePassword, rotations, others)
	if err == nil && resumed && chosen != "" && chosen != p.New {
		err = exit.Failf(exit.Conflict, "a rotation to another new password was begun at %s: finish it first, without --password-file: %w", p.Begun.Local().Format(time.RFC3339), errRefused)
	}
	return p, current, resumed, err
}

// current returns the password in use. A module may have none of its own.
func (s store) current(ctx context.Context, rdb redis.Cmdable) (string, error) {
	current, err := rdb.HGet(ctx, s.subject.passwords(), s.subject.field()).Result()
	if errors.Is(err, redis.Nil) && s.subject.destination != "" {
		return "", exit.Failf(exit.NotFound, "%s has no password: %w", s.subject, errRefused)
	}
	return current, host.IgnoreNil(err)
}

// check refuses a rotation that must not start.
func (s store) check(ctx context.Context, tx *redis.Tx, p passwords) error {
	if p.New == p.Old {
		return exit.Failf(exit.Usage, "that is the password already: %w", errRefused)
	}
	_, others := s.subject.rotations()
	busy, err := tx.HKeys(ctx, others).Result()
	if err != nil {
		return err
	}
	if len(busy) > 0 {
		option := map[string]string{catalog.ResticPasswordRotation: "--destination", catalog.ModulePasswordRotation: "--module"}[others]
		return exit.Failf(exit.Conflict, "another rotation is under way: finish it first, with gatewayctl repository password rotate %s %s: %w", option, strings.Join(busy, ", "), errRefused)
	}
	if s.subject.destination != "" {
		return nil
	}
	shared, errShared := tx.HVals(ctx, catalog.ResticPassword).Result()
	own, errOwn := tx.HVals(ctx, catalog.ModulePassword).Result()
	if err := errors.Join(errShared, errOwn); err != nil {
		return err
	}
	if slices.Contains(shared, p.New) || slices.Contains(own, p.New) {
		return exit.Failf(exit.Usage, "that is the password of other repositories already: %w", errRefused)
	}
	return nil
}

// read returns the rotation in progress.
func (s store) read(ctx context.Context, rdb redis.Cmdable) (p passwords, found bool, err error) {
	rotations, _ := s.subject.rotations()
	text, err := rdb.HGet(ctx, rotations, s.subject.field()).Result()
	if errors.Is(err, redis.Nil) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	if json.Unmarshal([]byte(text), &p) != nil || p.New == "" || p.Old == "" && s.subject.destination != "" {
		return p, false, exit.Failf(exit.Failed, "%s of %s in Redis cannot be read: %w", rotations, s.subject, errRefused)
	}
	return p, true, nil
}

// use sets the new password, unless another one was set meanwhile. In the same transaction
// a module's user loses access to the passwords of destinations.
func (s store) use(ctx context.Context, p passwords) error {
	what := "rotate the password of " + s.subject.String()
	return s.Change(ctx, what, func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		current, err := s.current(ctx, tx)
		if err != nil {
			return nil, err
		}
		if current != p.Old && current != p.New {
			return nil, exit.Failf(exit.Conflict, "%s: somebody else has set another one since the rotation began", what)
		}
		users, err := s.users(ctx, tx)
		if err != nil {
			return nil, err
		}
		return func(pipe redis.Pipeliner) {
			pipe.HSet(ctx, s.subject.passwords(), s.subject.field(), p.New)
			if s.subject.destination != "" {
				pipe.Publish(ctx, catalog.ChannelDestinationChanged, fmt.Sprintf(`{"destination_ids":[%q]}`, s.subject.destination))
			}
			if user := account.ModuleUser(s.subject.module); users.Has(user) {
				registry.SetUser(ctx, pipe, user, account.ModuleRules(s.subject.module, s.Version)...)
			}
		}, nil
	}, s.subject.passwords(), catalog.ACLs)
}

// users returns the affected users, if the subject is a module.
func (s store) users(ctx context.Context, tx *redis.Tx) (account.List, error) {
	if s.subject.module == "" {
		return nil, nil
	}
	return tx.ACLList(ctx).Result()
}

// settle changes the module's user after everything else.
func (s store) settle(ctx context.Context) error {
	if s.subject.module == "" {
		return nil
	}
	return s.Announce(ctx)
}

// shared returns the passwords of destinations, which open the repositories of a module
// that had no password of its own.
func (s store) shared(ctx context.Context) (map[string]string, error) {
	all, err := s.Redis.HGetAll(ctx, catalog.ResticPassword).Result()
	return all, s.Failed("read the passwords of the destinations", err)
}

// finish deletes the record of the rotation.
func (s store) finish(ctx context.Context) error {
	rotations, _ := s.subject.rotations()
	return s.Failed("end the rotation", s.Redis.HDel(ctx, rotations, s.subject.field()).Err())
}
