package main

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/rclone-gateway/rclone-gateway/gateway/blobcache"
)

// openCache opens the cache of small objects; nil if disabled. It logs an error instead of
// returning it: the cache only makes things faster.
func (s *settings) openCache() (*blobcache.Cache, error) {
	size, err := strconv.ParseUint(s.cacheSize, 10, 32)
	if err != nil || size == 0 {
		return nil, fmt.Errorf("--cache-size %q: give a whole number of MiB, 1 or more", s.cacheSize)
	}
	if s.cacheDir == "" || s.cacheDir == "none" {
		return nil, nil
	}
	cache, err := blobcache.Open(s.cacheDir, int64(size)<<20, slog.Default())
	if err != nil {
		slog.Warn("serving without a cache of small objects", "err", err,
			"hint", "name a directory that this gateway alone may write to by --cache-dir, or none")
		return nil, nil
	}
	return cache, nil
}

func closeCache(c *blobcache.Cache) {
	if err := c.Close(); err != nil {
		slog.Error("closing the cache of small objects", "err", err, "hint", "nothing was lost")
	}
}
