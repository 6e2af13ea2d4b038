package lease

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

// situation is the content of Redis about a repository's leases, by node.
type situation struct {
	records map[string]Record
	lives   map[string]string // live tokens
	left    map[string]time.Duration
	counter int64 // the highest of all nodes
}

// read reads the keys of all nodes.
func (k *Keeper) read(ctx context.Context, rdb redis.Cmdable, repo Repository) (*situation, error) {
	nodes := k.all()
	type answers struct {
		record, live, count *redis.StringCmd
		left                *redis.DurationCmd
	}
	asked := make([]answers, len(nodes))
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, node := range nodes {
			keys := k.keysOf(node, repo)
			asked[i] = answers{p.Get(ctx, keys[0]), p.Get(ctx, keys[1]), p.Get(ctx, keys[2]), p.PTTL(ctx, keys[1])}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	s := &situation{records: map[string]Record{}, lives: map[string]string{}, left: map[string]time.Duration{}}
	for i, node := range nodes {
		a := asked[i]
		for _, err := range []error{a.record.Err(), a.live.Err(), a.count.Err(), a.left.Err()} {
			if err != nil && !errors.Is(err, redis.Nil) {
				return nil, err
			}
		}
		var r Record
		if json.Unmarshal([]byte(a.record.Val()), &r) == nil { // a malformed record counts as none
			s.records[node] = r
		}
		if token := a.live.Val(); token != "" {
			s.lives[node], s.left[node] = token, max(0, a.left.Val())
		}
		count, _ := a.count.Int64() // a missing counter is 0
		s.counter = max(s.counter, count, r.Counter)
	}
	return s, nil
}

// live returns the token of the live lease, and the node of its gateway; "" if there is
// none. If a lease moved between gateways, it returns the last one.
func (s *situation) live() (token, node string) {
	var highest int64 = -1
	for at, t := range s.lives {
		if r := s.records[at]; r.Counter > highest {
			token, node, highest = t, at, r.Counter
		}
	}
	// The lease was released at another gateway.
	if last := s.last(); token != "" && last.Released && last.Token == token {
		return "", ""
	}
	return token, node
}

// last returns the record with the highest counter.
func (s *situation) last() Record {
	last := Record{Released: true}
	for _, r := range s.records {
		if r.Counter > last.Counter {
			last = r
		}
	}
	return last
}

func (s *situation) nextCounter() int64 { return s.counter + 1 }

// write writes a record, and a live token, below this node's keys.
func (k *Keeper) write(ctx context.Context, tx *redis.Tx, repo Repository, r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, catalog.LeaseKey(k.node, repo.Destination, repo.Path), text, recordTTL)
		if r.Released {
			p.Del(ctx, catalog.LiveLeaseKey(k.node, repo.Destination, repo.Path))
		} else {
			p.Set(ctx, catalog.LiveLeaseKey(k.node, repo.Destination, repo.Path), r.Token, TTL)
		}
		p.Set(ctx, catalog.LeaseCountKey(k.node), r.Counter, 0)
		return nil
	})
	return err
}
