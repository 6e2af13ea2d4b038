package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/local"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// probeTimeout bounds the probe of one destination.
const probeTimeout = 30 * time.Second

// Report is what Check found.
type Report struct {
	Users        int
	Destinations []DestinationReport
	Warnings     []catalog.Warning
}

// DestinationReport is the state of one destination; Err is nil where it works.
type DestinationReport struct {
	ID, Name, Provider, Type string
	Err                      error
}

// Check loads everything from Redis once, opens every destination and asks it
// for an object that is not there. It writes nothing.
func Check(ctx context.Context, opts Options) (*Report, error) {
	snapshot, err := loadOnce(ctx, opts)
	if err != nil {
		return nil, err
	}
	open, done, err := openOnce(opts, snapshot)
	if err != nil {
		return nil, err
	}
	defer done(ctx)

	report := &Report{
		Users:        len(snapshot.Principals),
		Destinations: make([]DestinationReport, 0, len(snapshot.Destinations)),
		Warnings:     snapshot.Warnings,
	}
	for _, d := range snapshot.Destinations {
		report.Destinations = append(report.Destinations, DestinationReport{
			ID: d.ID, Name: d.Name, Provider: d.Provider, Type: d.Type,
		})
	}
	for id, reason := range snapshot.Broken {
		report.Destinations = append(report.Destinations, DestinationReport{ID: id, Err: errors.New(reason)})
	}
	slices.SortFunc(report.Destinations, func(a, b DestinationReport) int { return strings.Compare(a.ID, b.ID) })
	var probes sync.WaitGroup
	for i := range report.Destinations {
		d := &report.Destinations[i]
		if d.Err == nil {
			probes.Go(func() { d.Err = probe(ctx, snapshot.Destinations[d.ID], open) })
		}
	}
	probes.Wait()
	return report, nil
}

// loadOnce reads Redis for a process that does so once.
func loadOnce(ctx context.Context, opts Options) (*catalog.Snapshot, error) {
	rdb, err := opts.Redis.OpenReader()
	if err != nil {
		return nil, err
	}
	defer rdb.Close()
	return catalog.Load(ctx, rdb, opts.Load)
}

// openOnce returns an opener for a process that opens what is in the snapshot and
// ends, with the memory and the tokens of the gateway whose state directory it is
// given. Done writes back what tokens the stores have refreshed.
func openOnce(opts Options, snapshot *catalog.Snapshot) (open opener, done func(context.Context), err error) {
	seen, err := newSightings(opts.StateDir)
	if err != nil {
		return nil, nil, err
	}
	kept, err := openTokens(opts)
	if err != nil {
		return nil, nil, err
	}
	kept.settle(snapshot)
	kept.register(snapshot)
	done = func(ctx context.Context) {
		if kept.changedAny() {
			kept.keep()
			kept.writeAll(context.WithoutCancel(ctx))
		}
		_ = kept.close() // what was to be written is
	}
	return openWith(local.Mark{Memory: seen, Log: opts.Log}, kept), done, nil
}

// probe opens a destination through the code that serves it.
func probe(ctx context.Context, d *catalog.Destination, open opener) (err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	store, closer, err := open(ctx, d)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if closer != nil {
		defer func(c io.Closer) { err = errors.Join(err, c.Close()) }(closer)
	}
	return absent(ctx, store)
}

func absent(ctx context.Context, store storage.Store) error {
	_, err := store.Stat(ctx, probeName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
