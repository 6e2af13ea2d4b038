package rotate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// passwords are those of a rotation that is under way.
type passwords struct {
	Old   string    `json:"old"`
	New   string    `json:"new"`
	Begun time.Time `json:"begun"`
}

// String keeps both out of every text.
func (passwords) String() string { return "***" }

// store is where the passwords of a destination lie.
type store struct {
	env         *host.Environment
	rdb         *redis.Client
	destination string
}

func (s store) failed(what string, err error) error {
	return host.AdministrationError(s.env, s.rdb, what, err)
}

// errRefused says that nothing was begun.
var errRefused = errors.New("nothing was changed")

// begin returns the rotation that is under way, and the password that is in use. Where
// there is none, one begins with the new password, or with one that is made up.
func (s store) begin(ctx context.Context, chosen string) (p passwords, current string, resumed bool, err error) {
	err = s.rdb.Watch(ctx, func(tx *redis.Tx) error {
		var err error
		current, err = tx.HGet(ctx, catalog.ResticPassword, s.destination).Result()
		if errors.Is(err, redis.Nil) {
			return exit.Failf(exit.NotFound, "destination %s has no password: %w", s.destination, errRefused)
		}
		if err != nil {
			return err
		}
		if p, resumed, err = readRotation(ctx, tx, s.destination); err != nil || resumed {
			return err
		}
		p = passwords{Old: current, New: chosen, Begun: time.Now().UTC().Truncate(time.Second)}
		if p.New == "" {
			p.New = host.NewPassword()
		}
		if p.New == p.Old {
			return exit.Failf(exit.Usage, "that is the password already: %w", errRefused)
		}
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		commands, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.HSet(ctx, catalog.ResticPasswordRotation, s.destination, text)
			return nil
		})
		return host.TransactionError(commands, err)
	}, catalog.ResticPassword, catalog.ResticPasswordRotation)
	if err != nil {
		return p, current, resumed, s.explain("begin to rotate the password of destination "+s.destination, err)
	}
	if resumed && chosen != "" && chosen != p.New {
		return p, current, resumed, exit.Failf(exit.Conflict, "a rotation to another new password was begun at %s: finish it first, without --password-file: %w", p.Begun.Local().Format(time.RFC3339), errRefused)
	}
	return p, current, resumed, nil
}

// explain passes on what has its status already.
func (s store) explain(what string, err error) error {
	if _, ok := errors.AsType[*exit.Error](err); ok {
		return err
	}
	if errors.Is(err, redis.TxFailedErr) {
		return exit.Failf(exit.Conflict, "%s: somebody else changed it at the same moment: try again", what)
	}
	return s.failed(what, err)
}

func readRotation(ctx context.Context, rdb redis.Cmdable, destination string) (p passwords, found bool, err error) {
	text, err := rdb.HGet(ctx, catalog.ResticPasswordRotation, destination).Result()
	if errors.Is(err, redis.Nil) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	if json.Unmarshal([]byte(text), &p) != nil || p.Old == "" || p.New == "" {
		return p, false, exit.Failf(exit.Failed, "%s of destination %s in Redis cannot be read: %w", catalog.ResticPasswordRotation, destination, errRefused)
	}
	return p, true, nil
}

// use makes the new password the one in use, unless somebody has set another one.
func (s store) use(ctx context.Context, sys *host.System, p passwords) error {
	what := "set the new password of destination " + s.destination
	err := s.rdb.Watch(ctx, func(tx *redis.Tx) error {
		current, err := tx.HGet(ctx, catalog.ResticPassword, s.destination).Result()
		if err != nil {
			return err
		}
		if current != p.Old && current != p.New {
			return exit.Failf(exit.Conflict, "%s: somebody else has set another one since the rotation began", what)
		}
		commands, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.HSet(ctx, catalog.ResticPassword, s.destination, p.New)
			pipe.Publish(ctx, catalog.ChannelDestinationChanged, fmt.Sprintf(`{"destination_ids":[%q]}`, s.destination))
			sys.Changed("rotate the password of destination "+s.destination).Write(ctx, pipe)
			return nil
		})
		return host.TransactionError(commands, err)
	}, catalog.ResticPassword)
	return s.explainNil(what, err)
}

// finish forgets the rotation.
func (s store) finish(ctx context.Context) error {
	return s.explainNil("end the rotation", s.rdb.HDel(ctx, catalog.ResticPasswordRotation, s.destination).Err())
}

func (s store) explainNil(what string, err error) error {
	if err == nil {
		return nil
	}
	return s.explain(what, err)
}
