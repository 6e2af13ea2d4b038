package client

import (
	"io/fs"
	"syscall"
	"time"
)

// restored tells by the time of the inode's last change, which no restore of
// times can set back.
func restored(info fs.FileInfo, since time.Time) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && !time.Unix(stat.Ctim.Unix()).Before(since)
}

// clockTolerance is more than a file system's clock may be behind ours.
const clockTolerance = time.Second
