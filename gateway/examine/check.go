package examine

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
	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

const (
	// probeTimeout bounds the probe of one destination.
	probeTimeout = 30 * time.Second
	// absentName is an object that no destination has: NethServer 8's health checks request
	// it, and expect not to find it.
	absentName = "_probe_rest_404"
)

// Report is the result of Check.
type Report struct {
	Users        int
	Destinations []DestinationReport
	Warnings     []catalog.Warning
}

// DestinationReport is the state of one destination; Err is nil if it works.
type DestinationReport struct {
	ID, Name, Provider, Type string
	Err                      error
}

// Check loads everything from Redis, opens every destination and asks it for an absent
// object. It writes nothing.
func Check(ctx context.Context, src live.Source) (*Report, error) {
	snapshot, open, done, err := live.Once(ctx, src)
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

// probe opens a destination through the code that serves it.
func probe(ctx context.Context, d *catalog.Destination, open live.Opener) (err error) {
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
	_, err := store.Stat(ctx, absentName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
