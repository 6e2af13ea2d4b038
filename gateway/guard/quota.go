package guard

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// smallObject bounds what is accepted over quota. Restic's keys, locks and config have a
// few hundred bytes.
const smallObject = 1 << 20

// quotas is a store that refuses uploads beyond the quotas of the destination and its
// modules.
type quotas struct {
	storage.Store

	// beneath is the store to list, without the limits.
	beneath storage.Store
	limits  *limits
	usage   *usage
	// kept returns the size of the trash, which counts for the destination but for no
	// module.
	kept func() int64
}

var (
	_ storage.Store   = (*quotas)(nil)
	_ storage.Creator = (*quotas)(nil)
)

// Create implements [storage.Creator].
func (q *quotas) Create(ctx context.Context, dir string) error {
	return storage.Create(ctx, q.Store, dir)
}

// Put implements [storage.Store]. Over quota it returns ENOSPC, except for keys, locks and
// the config: they are small, and needed to unlock and to prune a full store.
func (q *quotas) Put(ctx context.Context, name string, size int64, body io.Reader) (err error) {
	for _, claim := range q.claims(name, size) {
		if err := q.take(ctx, claim, size); err != nil {
			return fmt.Errorf("put %s: %w", name, err)
		}
		defer func() { q.usage.settle(claim.tally, size, err) }() //nolint:gocritic // at most two claims
	}
	return q.Store.Put(ctx, name, size, body)
}

// Remove implements [storage.Store].
func (q *quotas) Remove(ctx context.Context, name string) error {
	err := q.Store.Remove(ctx, name)
	if err == nil {
		for _, claim := range q.claims(name, 0) {
			q.usage.removed(claim.tally)
		}
	}
	return err
}

// claim is a quota that applies to an upload.
type claim struct {
	tally  *tally
	dir    string
	quota  int64
	exempt bool
	whose  string
}

// claims returns the quotas that apply to an object of that name and size.
func (q *quotas) claims(name string, size int64) []claim {
	now := q.limits.current.Load()
	if now.Quota == 0 && now.ModuleQuota == 0 && len(now.ModuleQuotas) == 0 {
		return nil
	}
	repo, uuid, kind := storage.SplitName(name)
	exempt := size <= smallObject && kind != "data" && kind != "index" && kind != "snapshots"
	var claims []claim
	if now.Quota > 0 {
		claims = append(claims, claim{q.usage.tally("", "."), ".", now.Quota, exempt, "the destination"})
	}
	if quota := now.QuotaOf(uuid); quota > 0 && uuid != "" {
		claims = append(claims, claim{q.usage.tally(uuid, repo), repo, quota, exempt, "the module"})
	}
	return claims
}

// take reserves size bytes of a quota, or says why it cannot.
func (q *quotas) take(ctx context.Context, c claim, size int64) error {
	u := q.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	fits := func() bool { return c.exempt || c.tally.sum()+size <= c.quota }
	if !c.exempt && size > c.quota {
		return overQuota(c, size)
	}
	if !c.exempt && !c.tally.dirs[c.dir] {
		// If the count takes too long, existing data counts as nothing.
		if err := q.count(ctx, c.tally); err != nil {
			return err
		}
	}
	if !fits() && (c.tally.stale || time.Since(c.tally.ended) > countExpires) {
		if err := q.count(ctx, c.tally); err != nil {
			return err
		}
		if !fits() && c.tally.stale {
			return fmt.Errorf("%w: checking whether the quota of %s is exhausted", storage.ErrUnavailable, c.whose)
		}
	}
	if !fits() {
		return overQuota(c, c.tally.sum()+size)
	}
	c.tally.pending += size
	return nil
}

func overQuota(c claim, wanted int64) error {
	return fmt.Errorf("%w: %s would hold %d bytes, its quota is %d", refusal.ErrQuota, c.whose, wanted, c.quota)
}
