package publish

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
)

// Temporary names say when they were given, by the clock of the gateway that gave
// them: "upload-20260102T150405Z-" and 26 random characters, then one of two
// suffixes. No object of restic is called so.
const (
	temporaryPrefix = "upload-"
	temporaryTime   = "20060102T150405Z"
	// partialSuffix is that of an upload that is under way, or was cut off by the
	// end of its gateway.
	partialSuffix = ".partial"
	// replacedSuffix is that of an object which was moved aside. It may hold the
	// last copy of something, and is never swept.
	replacedSuffix = ".replaced"
)

// TemporaryName is a new name of an upload, which counts as cut off a day later.
func TemporaryName() string { return temporaryName(partialSuffix) }

func temporaryName(suffix string) string {
	return temporaryPrefix + time.Now().UTC().Format(temporaryTime) + "-" + rand.Text() + suffix
}

// IsTemporary reports whether base is a temporary name.
func IsTemporary(base string) bool {
	return strings.HasPrefix(base, temporaryPrefix) &&
		(strings.HasSuffix(base, partialSuffix) || strings.HasSuffix(base, replacedSuffix))
}

// startedBefore reports whether base is the name of an upload that began before then.
func startedBefore(base string, then time.Time) bool {
	rest, ok := strings.CutPrefix(base, temporaryPrefix)
	stamp, _, dashed := strings.Cut(rest, "-")
	if !ok || !dashed || !strings.HasSuffix(base, partialSuffix) {
		return false
	}
	started, err := time.Parse(temporaryTime, stamp)
	return err == nil && started.Before(then)
}

const (
	// uploadExpires is the age from which on an upload counts as cut off. One that
	// makes no progress is ended by its gateway within minutes.
	uploadExpires = 24 * time.Hour
	// sweptPerList bounds what one list removes.
	sweptPerList = 16
)

// Sweeper collects, from a list, uploads that were cut off by the end of their
// gateway. Two clocks must agree that one is old: that of the gateway that wrote it,
// by its name, and the remote's, by its time of modification. So neither of them
// alone, being wrong, costs an upload that is under way. One that is removed
// anyway fails, since there is nothing to move.
type Sweeper struct {
	expired time.Time
	found   []fs.Object
}

// NewSweeper returns one that has seen nothing yet.
func NewSweeper() *Sweeper { return &Sweeper{expired: time.Now().Add(-uploadExpires)} }

// See looks at an object with a temporary name; it is not safe for concurrent use.
func (s *Sweeper) See(o fs.Object) {
	if len(s.found) < sweptPerList && startedBefore(path.Base(o.Remote()), s.expired) {
		s.found = append(s.found, o)
	}
}

// Sweep removes what was found on a destination. No request asked for it: a failure is
// only logged, as describe has it, and ends it.
func (s *Sweeper) Sweep(ctx context.Context, dest string, describe func(ctx context.Context, op, name string, err error) error) {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	for _, o := range s.found {
		// This takes a request on remotes that do not list it.
		if !o.ModTime(ctx).Before(s.expired) {
			continue
		}
		if err := o.Remove(ctx); err != nil {
			slog.Warn("cannot remove an upload that was cut off", "dest", dest, "err", describe(ctx, "remove", o.Remote(), err),
				"hint", "it is tried again later, and nobody takes the rest for an object; the key or user must be allowed to delete")
			return
		}
		slog.Info("removed an upload that was cut off", "dest", dest, "obj", o.Remote())
	}
}
