package trash

import (
	"context"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/trash/ledger"
)

// spared is the age below which nothing gives way, however full the storage is.
const spared = 24 * time.Hour

// GiveWay purges what was deleted first until so many bytes are free, but nothing that
// was deleted less than a day ago, by the clock of the trash too. It takes no pauses.
func (s *Store) GiveWay(ctx context.Context, need int64) (Purged, error) {
	var done Purged
	now := s.opts.Clock.Now()
	if wall := time.Now(); now.After(wall) {
		now = wall
	}
	if now.IsZero() {
		return done, nil // no clock is believed
	}
	oldest, err := s.oldest(ctx, now.Add(-spared))
	if err != nil {
		return done, err
	}
	chosen := make(map[string]bool) // by the name in the trash
	repos := make(map[string]bool)
	for i := range oldest {
		if need <= 0 {
			break
		}
		e := &oldest[i]
		chosen[e.At], repos[e.Repo] = true, true
		need -= e.Size
	}
	for repo := range repos {
		purged, err := s.sweepPaced(ctx, repo, func(e *ledger.Entry) bool { return chosen[e.At] }, nil)
		done.Objects += purged.Objects
		done.Bytes += purged.Bytes
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// oldest returns what was deleted before a time, in all repositories, the oldest first.
func (s *Store) oldest(ctx context.Context, before time.Time) ([]ledger.Entry, error) {
	repos, err := s.ledger.Repos(ctx)
	if err != nil {
		return nil, err
	}
	var oldest []ledger.Entry
	for _, repo := range repos {
		entries, err := s.ledger.Entries(ctx, repo)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if entries[i].Deleted.Before(before) {
				oldest = append(oldest, entries[i])
			}
		}
	}
	ledger.SortByDeletion(oldest)
	return oldest, nil
}
