package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

const (
	// sampleInterval is the time between samples of a destination, samplesFor how long they
	// are kept.
	sampleInterval = time.Hour
	samplesFor     = 30 * 24 * time.Hour
	// trendSpan is how long a destination must be watched before its trend is extrapolated.
	trendSpan = 24 * time.Hour
	// trendsFile is in the state directory.
	trendsFile = "space.json"
)

// Trends stores how full destinations were, to predict when they will be full. Nil has no
// data.
type Trends struct {
	file string

	mu      sync.Mutex
	samples map[string][]sample
}

// sample is how full a destination was at a time.
type sample struct {
	At   int64 `json:"at"` // Unix time
	Used int64 `json:"used"`
}

// OpenTrends reads the samples in the state directory; with "" they are kept in memory
// only. A malformed file is started again.
func OpenTrends(stateDir string) (*Trends, error) {
	t := &Trends{samples: map[string][]sample{}}
	if stateDir == "" {
		return t, nil
	}
	t.file = filepath.Join(stateDir, trendsFile)
	content, err := os.ReadFile(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &t.samples)
	}
	if err != nil || t.samples == nil {
		t.samples = map[string][]sample{}
	}
	if err != nil {
		return t, fmt.Errorf("how full destinations were: %w", err)
	}
	return t, nil
}

// Run takes samples until ctx ends; failed is called with errors of storing them.
func (t *Trends) Run(ctx context.Context, latest func() *live.View, failed func(error)) {
	ticks := time.NewTicker(sampleInterval / 4)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if err := t.Look(latest(), time.Now()); err != nil {
				failed(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Look takes a sample of each destination that is due.
func (t *Trends) Look(v *live.View, now time.Time) error {
	if v == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := false
	for id, mount := range v.Mounts {
		if space, known := mount.LastSpace(); known && space.Used >= 0 {
			changed = t.add(id, sample{now.Unix(), space.Used}) || changed
		}
	}
	for id := range t.samples {
		if v.Mounts[id] == nil {
			delete(t.samples, id)
			changed = true
		}
	}
	if !changed || t.file == "" {
		return nil
	}
	content, err := json.Marshal(t.samples)
	if err != nil {
		return err
	}
	return atomicfile.Write(t.file, append(content, '\n'), 0o600)
}

// add stores a sample, unless the last one is recent.
func (t *Trends) add(id string, s sample) bool {
	known := t.samples[id]
	if n := len(known); n > 0 && s.At-known[n-1].At < int64(sampleInterval/time.Second) && s.At >= known[n-1].At {
		return false
	}
	kept := []sample{}
	for _, old := range known {
		if old.At < s.At && s.At-old.At < int64(samplesFor/time.Second) {
			kept = append(kept, old)
		}
	}
	t.samples[id] = append(kept, s)
	return true
}

// Daily returns the daily growth of a destination in bytes: the slope of the best-fitting
// line through the samples.
func (t *Trends) Daily(id string) (bytes int64, known bool) {
	if t == nil {
		return 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	samples := t.samples[id]
	n := float64(len(samples))
	if len(samples) < 3 || samples[len(samples)-1].At-samples[0].At < int64(trendSpan/time.Second) {
		return 0, false
	}
	var sumX, sumY, sumXX, sumXY float64
	for _, s := range samples {
		x := float64(s.At-samples[0].At) / (24 * 3600)
		y := float64(s.Used - samples[0].Used)
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	return int64((n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)), true
}
