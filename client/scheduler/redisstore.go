package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/history"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/client/schedule"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// aliveFor is how long a scheduler counts as alive after a heartbeat.
const aliveFor = 4 * refresh

// RedisStore stores states in the keys of a node.
type RedisStore struct {
	Sys  *host.System
	Node string
	Now  func() time.Time

	rdb *redis.Client
}

// connect connects at the first call.
func (s *RedisStore) connect(ctx context.Context) (*redis.Client, error) {
	if s.rdb != nil {
		return s.rdb, nil
	}
	rdb, err := s.Sys.Redis(ctx, host.LeaderAgent)
	if err == nil {
		s.rdb = rdb
	}
	return rdb, err
}

// Close closes the connection.
func (s *RedisStore) Close() {
	if s.rdb != nil {
		_ = s.rdb.Close()
	}
}

// Load implements [Store].
func (s *RedisStore) Load(ctx context.Context) ([]Planned, map[string]State, error) {
	rdb, err := s.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	planned, err := schedule.OfNode(ctx, rdb, s.Node)
	if err != nil || len(planned) == 0 {
		return nil, nil, err
	}
	texts := make([]*redis.StringCmd, len(planned))
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range planned {
			texts[i] = p.Get(ctx, catalog.SchedulerKey(s.Node, planned[i].ID))
		}
		return nil
	})
	if host.IgnoreNil(err) != nil {
		return nil, nil, host.ReadError(catalog.SchedulerKey(s.Node, "*"), err)
	}
	states := map[string]State{}
	for i := range planned {
		if state, known := parseState(texts[i].Val()); known {
			states[planned[i].ID] = state
		}
	}
	return planned, states, nil
}

// parseState parses a state; a malformed one is the zero State.
func parseState(text string) (State, bool) {
	var state State
	if text == "" || json.Unmarshal([]byte(text), &state) != nil {
		return State{}, false
	}
	return state, true
}

// Claim implements [Store].
func (s *RedisStore) Claim(ctx context.Context, id string, state State) (current State, claimed bool, err error) {
	err = s.change(ctx, id, func(tx *redis.Tx, now State) (bool, error) {
		current, claimed = now, false
		if now.Going() && now.Owner != state.Owner && now.Owner != "" {
			n, err := tx.Exists(ctx, catalog.SchedulerAliveKey(s.Node, now.Owner)).Result()
			if err != nil || n > 0 {
				return false, err
			}
		}
		claimed = !now.Beyond(state.Planned, s.Now()) || state.Begins(now)
		return claimed, nil
	}, state)
	return current, claimed && err == nil, err
}

// Save implements [Store].
func (s *RedisStore) Save(ctx context.Context, id string, state State) error {
	return s.change(ctx, id, func(_ *redis.Tx, now State) (bool, error) {
		return !now.Planned.After(state.Planned) || now.Planned.After(s.Now().Add(clockSlack)), nil
	}, state)
}

// attempts bounds the retries of a change that conflicts with another one.
const attempts = 10

// change sets the schedule's state if decide accepts the present one.
func (s *RedisStore) change(ctx context.Context, id string, decide func(tx *redis.Tx, now State) (bool, error), state State) error {
	rdb, err := s.connect(ctx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	key := catalog.SchedulerKey(s.Node, id)
	for range attempts {
		err = rdb.Watch(ctx, func(tx *redis.Tx) error {
			found, err := tx.Get(ctx, key).Result()
			if host.IgnoreNil(err) != nil {
				return err
			}
			now, _ := parseState(found)
			do, err := decide(tx, now)
			if err != nil || !do {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, text, 0); return nil })
			return err
		}, key)
		if !errors.Is(err, redis.TxFailedErr) {
			break
		}
	}
	if err != nil {
		return host.ReadError(key, err)
	}
	return nil
}

// Beat implements [Store].
func (s *RedisStore) Beat(ctx context.Context, owner string) error {
	rdb, err := s.connect(ctx)
	if err != nil {
		return err
	}
	key := catalog.SchedulerAliveKey(s.Node, owner)
	if err := rdb.Set(ctx, key, s.Now().UTC().Format(time.RFC3339), aliveFor).Err(); err != nil {
		return host.ReadError(key, err)
	}
	return nil
}

// Recorded implements [Store].
func (s *RedisStore) Recorded(ctx context.Context, p Planned, planned time.Time) (bool, error) {
	rdb, err := s.connect(ctx)
	if err != nil {
		return false, err
	}
	latest, err := history.Latest(ctx, rdb, p.ID)
	if err != nil {
		return false, err
	}
	for _, module := range p.Here {
		last := latest[[2]string{p.ID, module}]
		if last == nil || !last.Run[history.Backup].Planned.Equal(planned.Truncate(time.Second)) {
			return false, nil
		}
	}
	return true, nil
}

// Alive implements [Store].
func (s *RedisStore) Alive(ctx context.Context, owners []string) (map[string]bool, error) {
	rdb, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(owners)
	alive := map[string]bool{}
	for _, owner := range owners {
		n, err := rdb.Exists(ctx, catalog.SchedulerAliveKey(s.Node, owner)).Result()
		if err != nil {
			return nil, host.ReadError(catalog.SchedulerAliveKey(s.Node, owner), err)
		}
		alive[owner] = n > 0
	}
	return alive, nil
}
