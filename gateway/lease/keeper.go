package lease

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
)

const (
	// TTL is the lifetime of a lease that is not renewed.
	TTL = time.Minute
	// recordTTL is how long the lockers of a run are remembered: longer than restic
	// respects a lock.
	recordTTL = 90 * 24 * time.Hour
	// maxLockers bounds the lockers that are handed on.
	maxLockers = 64
	// maxTries bounds the retries of a grant that conflicts with others.
	maxTries = 50
	// timeout bounds each exchange with Redis.
	timeout = 10 * time.Second
)

// ErrLost says that a lease belongs to another user by now, or was never granted.
var ErrLost = errors.New("the lease is lost")

// HeldError says that another user holds a lease of the repository.
type HeldError struct {
	Record Record
	Left   time.Duration // until it ends without a renewal
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s holds a lease of the repository, for %s", e.Record.Holder, e.Record.Purpose)
}

// Repository identifies the repository of a lease.
type Repository struct{ Destination, Path string }

// Record describes the last lease of a repository.
type Record struct {
	Token   string    `json:"token"`
	Counter int64     `json:"counter"`
	Holder  string    `json:"holder"` // the user
	Purpose string    `json:"for"`
	Since   time.Time `json:"since"`
	// Lockers are what the locks of this run name: a host name; for a native restic, a
	// space and its process ID follow.
	Lockers []string `json:"lockers,omitempty"`
	// Dead are the lockers of earlier runs that did not release their lease.
	Dead     []string `json:"dead,omitempty"`
	Released bool     `json:"released,omitempty"`
}

// Lease is a granted lease.
type Lease struct {
	Token   string
	Counter int64
	// Dead are the lockers of dead runs.
	Dead []string
}

// Keeper grants leases for the gateway of a node. It is safe for concurrent use.
type Keeper struct {
	node  string
	redis *redis.Client
	nodes func() []string // returns the IDs of all nodes
	held  holders
}

// New returns the keeper of a node's gateway. rdb is the main server, as the node.
func New(node string, rdb *redis.Client, nodes func() []string) *Keeper {
	return &Keeper{node: node, redis: rdb, nodes: nodes}
}

// Close closes the connection to Redis.
func (k *Keeper) Close() error { return k.redis.Close() }

// Grant grants a lease, or returns a [HeldError] if another user holds one.
func (k *Keeper) Grant(ctx context.Context, repo Repository, holder, purpose string, lockers []string) (Lease, error) {
	var granted Lease
	err := k.change(ctx, repo, func(s *situation) (Record, error) {
		if token, node := s.live(); token != "" {
			return Record{}, &HeldError{s.records[node], s.left[node]}
		}
		last := s.last()
		r := Record{
			Token: newToken(), Counter: s.nextCounter(), Holder: holder, Purpose: purpose, Since: time.Now().UTC(),
			Lockers: bounded(lockers), Dead: bounded(last.handedOn()),
		}
		granted = Lease{r.Token, r.Counter, r.Dead}
		return r, nil
	})
	if err != nil {
		return Lease{}, err
	}
	k.held.note(repo, holder)
	return granted, nil
}

// Renew extends a lease, and adds lockers to it. It works for leases that another gateway
// granted, and for expired ones if no other lease was granted since. The error is ErrLost
// if the lease is no longer the holder's.
func (k *Keeper) Renew(ctx context.Context, repo Repository, holder, token string, lockers []string) (Lease, error) {
	var renewed Lease
	err := k.change(ctx, repo, func(s *situation) (Record, error) {
		r := s.last()
		live, _ := s.live()
		if r.Token != token || r.Holder != holder || r.Released || live != "" && live != token {
			return Record{}, ErrLost
		}
		if s.lives[k.node] != token {
			r.Counter = s.nextCounter() // granted elsewhere, or expired
		}
		r.Lockers = union(r.Lockers, lockers)
		renewed = Lease{r.Token, r.Counter, r.Dead}
		return r, nil
	})
	if err != nil {
		if errors.Is(err, ErrLost) {
			k.held.forget(repo, holder)
		}
		return Lease{}, err
	}
	k.held.note(repo, holder)
	return renewed, nil
}

// Release ends a lease. clean says that the repository holds no locks of dead runs. A lease
// that is no longer the holder's stays unchanged.
func (k *Keeper) Release(ctx context.Context, repo Repository, holder, token string, clean bool) error {
	k.held.forget(repo, holder)
	err := k.change(ctx, repo, func(s *situation) (Record, error) {
		r := s.last()
		if r.Token != token || r.Holder != holder || r.Released {
			return Record{}, ErrLost
		}
		r.Counter = s.nextCounter()
		r.Released = true
		r.Lockers = nil
		if clean {
			r.Dead = nil
		}
		return r, nil
	})
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// Holds reports whether a user holds a live lease of a repository. An error says that Redis
// does not answer.
func (k *Keeper) Holds(ctx context.Context, repo Repository, holder string) (bool, error) {
	if k.held.knows(repo, holder) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := k.read(ctx, k.redis, repo)
	if err != nil {
		return false, err
	}
	token, node := s.live()
	if token == "" || s.records[node].Holder != holder {
		return false, nil
	}
	k.held.noteUntil(repo, holder, min(s.left[node], trust))
	return true, nil
}

// change reads the situation of a repository, and writes what decide returns for it. After
// a conflict it starts again.
func (k *Keeper) change(ctx context.Context, repo Repository, decide func(*situation) (Record, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var err error
	for range maxTries {
		err = k.redis.Watch(ctx, func(tx *redis.Tx) error {
			s, err := k.read(ctx, tx, repo)
			if err != nil {
				return err
			}
			r, err := decide(s)
			if err != nil {
				return err
			}
			return k.write(ctx, tx, repo, r)
		}, k.watched(repo)...)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
		select {
		case <-time.After(time.Duration(rand.IntN(20)+1) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// newToken returns an unguessable token.
func newToken() string {
	var random [16]byte
	_, _ = cryptorand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

// handedOn returns the lockers of dead runs, including the previous lease's if it was not
// released.
func (r *Record) handedOn() []string {
	if r.Released {
		return r.Dead
	}
	return union(r.Dead, r.Lockers)
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) && ValidLocker(s) {
			all = append(all, s)
		}
	}
	return bounded(all)
}

// bounded keeps the last ones.
func bounded(lockers []string) []string {
	lockers = slices.DeleteFunc(slices.Clone(lockers), func(s string) bool { return !ValidLocker(s) })
	return lockers[max(0, len(lockers)-maxLockers):]
}

// ValidLocker reports whether a text can be a locker: a host name, optionally with a space
// and a process ID.
func ValidLocker(text string) bool {
	const longest = 300
	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// watched returns the keys that a change depends on.
func (k *Keeper) watched(repo Repository) []string {
	var keys []string
	for _, node := range k.all() {
		keys = append(keys, k.keysOf(node, repo)...)
	}
	return keys
}

// keysOf returns a node's keys for a repository: the record, the live token, the counter.
func (k *Keeper) keysOf(node string, repo Repository) []string {
	return []string{
		catalog.LeaseKey(node, repo.Destination, repo.Path),
		catalog.LiveLeaseKey(node, repo.Destination, repo.Path),
		catalog.LeaseCountKey(node),
	}
}

// all returns all nodes, including this one.
func (k *Keeper) all() []string {
	nodes := k.nodes()
	if !slices.Contains(nodes, k.node) {
		nodes = append(slices.Clone(nodes), k.node)
	}
	return nodes
}
