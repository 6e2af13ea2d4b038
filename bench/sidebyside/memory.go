package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/restclient"
	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

const uploadSize = 64 * miB

// runMemory uploads blobs of 64 MiB at once to each contestant, on a local
// directory and on S3, and prints how large it grew.
func runMemory(ctx context.Context, o options, base string, redis *servers.Redis) error {
	all, err := contestants(o, redis)
	if err != nil {
		return err
	}
	fmt.Printf("| %d uploads of 64 MiB at once, to | server | peak RSS MiB of the start | then, all rounds | CPU s/GiB | MiB/s | failed |\n", o.uploads)
	fmt.Println("|---|---|---:|---:|---:|---:|---:|")
	for _, s3 := range []bool{false, true} {
		for _, c := range all {
			if s3 && !c.S3 || !strings.Contains(c.Name, o.only) {
				continue
			}
			if err := memoryRow(ctx, o, base, c, s3); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	return nil
}

// memoryRow measures one contestant in every round, and prints its line.
func memoryRow(ctx context.Context, o options, base string, c servers.Contestant, s3 bool) error {
	var start, ms []measurement
	var peaks strings.Builder
	failed := int64(0)
	for range o.rounds {
		before, m, err := measureMemory(ctx, o, base, c, s3)
		if err != nil {
			return err
		}
		failed += int64(o.uploads) - m.ops
		start, ms = append(start, before), append(ms, m)
		fmt.Fprintf(&peaks, " %.0f", m.peakMiB())
	}
	where := "local directory"
	if s3 {
		where = "S3"
	}
	kind := speedCase{bytes: uploadSize}
	fmt.Printf("| %s | %s | %.0f |%s | %.2f | %.0f | %d |\n", where, c.Name, median(start, measurement.peakMiB), &peaks,
		median(ms, kind.cost), median(ms, measurement.opsPerSecond)*uploadSize/miB, failed)
	return nil
}

// measureMemory starts a contestant on an empty storage and measures it before
// and during the uploads.
func measureMemory(ctx context.Context, o options, base string, c servers.Contestant, s3 bool) (start, busy measurement, err error) {
	dir, err := os.MkdirTemp(base, "memory")
	if err != nil {
		return start, busy, err
	}
	defer os.RemoveAll(dir)
	at := servers.Storage{Dir: filepath.Join(dir, "root")}
	if err := os.Mkdir(at.Dir, 0o700); err != nil {
		return start, busy, err
	}
	if s3 {
		standIn, endpoint, err := servers.StartS3(ctx, o.rclone, at.Dir)
		if err != nil {
			return start, busy, err
		}
		defer standIn.Stop()
		at = servers.Storage{Endpoint: endpoint, Bucket: servers.S3Bucket}
	}
	server, err := c.Start(ctx, at)
	if err != nil {
		return start, busy, err
	}
	defer server.Stop()
	if err := server.Client.Create(ctx); err != nil {
		return start, busy, err
	}
	if start.peak, err = server.Peak(); err != nil {
		return start, busy, err
	}
	if err := server.ResetPeak(); err != nil {
		return start, busy, err
	}
	before, err := server.CPU()
	if err != nil {
		return start, busy, err
	}
	began := time.Now()
	busy.ops = uploadAll(ctx, server.Client, o.uploads)
	busy.wall = time.Since(began)
	after, err1 := server.CPU()
	peak, err2 := server.Peak()
	busy.cpu, busy.peak = after-before, peak
	return start, busy, errors.Join(err1, err2, ctx.Err())
}

// uploadAll returns how many uploads succeeded. One that fails is reported and
// does not end the measurement: under this load the stand-in for S3 sometimes
// answers 500, and not every server tries again.
func uploadAll(ctx context.Context, c *restclient.Client, uploads int) int64 {
	made := restclient.NewBlobs(uploadSize)
	var succeeded atomic.Int64
	var running sync.WaitGroup
	for range uploads {
		running.Go(func() {
			blob, err := made.New()
			if err == nil {
				err = c.Put(ctx, "data/", blob)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			succeeded.Add(1)
		})
	}
	running.Wait()
	return succeeded.Load()
}
