package live

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash"
)

// giveWayLeast is the least amount to purge: with less, the storage would be full again at
// once.
const giveWayLeast = 256 << 20

// giveWayTimeout bounds the purge: an upload is waiting.
const giveWayTimeout = 30 * time.Second

// GiveWay purges the oldest objects of the trash, so that an upload of that size fits on a
// full storage, if the destination allows that. Of several concurrent uploads, one purges
// and the others wait for it.
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

// countTimeout bounds the count of the trash of a full storage.
const countTimeout = 5 * time.Second

// CountTrash counts the content of the trash, unless that is known.
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

// GaveWay returns how much was purged early since the destination was first opened.
func (m *Mount) GaveWay() trash.Purged {
	return trash.Purged{Objects: m.gaveWay.objects.Load(), Bytes: m.gaveWay.bytes.Load()}
}
