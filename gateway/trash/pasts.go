package trash

import (
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/lastused"
)

const (
	// pastsKept is how many repositories as they were a destination remembers what it
	// knows of. Each holds some 50 bytes of an object.
	pastsKept = 16
	// pastsExpire is how long one is remembered that nobody asks for.
	pastsExpire = 10 * time.Minute
)

// pastKey is a repository and a second.
type pastKey struct {
	repo string
	at   int64
}

// Past returns a repository as it stood at the end of that second. Whether that time can
// be had shows when it is used.
func (s *Store) Past(repo string, at time.Time) *Past {
	return s.pasts.Get(pastKey{repo, at.Unix()}, lastused.Limits{Most: pastsKept, Unused: pastsExpire}, func() *Past {
		return newPast(s, repo, at)
	})
}
