package live

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
)

// giveWayLeast is how much the trash gives way at least: so little would be full again
// at once.
const giveWayLeast = 256 << 20

// giveWayTimeout bounds it: an upload waits for the answer.
const giveWayTimeout = 30 * time.Second

// GiveWay purges early what was deleted first, so that an upload of that size has room
// on a storage that is full, where the destination is set so. Several uploads at once
// find it full: one of them does so, and the others wait for it.
func (m *Mount) GiveWay(ctx context.Context, size int64) (trash.Purged, error) {
	limits := m.Guard.Limits()
	if limits.TrashGivesWay == 0 {
		return trash.Purged{}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveWayTimeout)
	defer cancel()
	kept, err := m.AcquireTrash(ctx)
	if err != nil {
		return trash.Purged{}, err
	}
	defer m.Release()
	if kept == nil {
		return trash.Purged{}, nil
	}
	before := m.gaveWay.bytes.Load()
	m.gaveWay.mu.Lock()
	defer m.gaveWay.mu.Unlock()
	if since := m.gaveWay.bytes.Load() - before; since >= size && since > 0 {
		return trash.Purged{Objects: 1, Bytes: since}, nil
	}
	done, err := kept.GiveWay(ctx, max(2*size, giveWayLeast))
	m.gaveWay.objects.Add(done.Objects)
	m.gaveWay.bytes.Add(done.Bytes)
	return done, err
}

// countTimeout bounds a count that a full storage needs at once.
const countTimeout = 5 * time.Second

// CountTrash counts what the trash holds, unless that is known.
func (m *Mount) CountTrash(ctx context.Context) (held trash.Held, counted bool) {
	if held, counted = m.Trashed(); counted {
		return held, counted
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	kept, err := m.AcquireTrash(ctx)
	if err != nil {
		return held, false
	}
	defer m.Release()
	if kept == nil || kept.Count(ctx) != nil {
		return held, false
	}
	return m.Trashed()
}

// GaveWay returns how much was purged early since the destination was opened first.
func (m *Mount) GaveWay() trash.Purged {
	return trash.Purged{Objects: m.gaveWay.objects.Load(), Bytes: m.gaveWay.bytes.Load()}
}
