package state

import (
	"io/fs"
	"syscall"
	"time"
)

// ChangedSince compares the inode's change time, which restoring times cannot set back.
func ChangedSince(info fs.FileInfo, since time.Time) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && !time.Unix(stat.Ctim.Unix()).Before(since)
}

// ClockTolerance is more than a file system's clock may be behind ours.
const ClockTolerance = time.Second
