package conformance_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/conformance"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestRecorderPassesAGoodStore(t *testing.T) {
	t.Parallel()
	r := conformance.NewRecorder(t.Context())
	conformance.Run(r, func(conformance.T) storage.Store { return storetest.NewMem() })
	if len(r.Results()) < 20 {
		t.Errorf("%d results", len(r.Results()))
	}
	for _, result := range r.Results() {
		if len(result.Failures) > 0 || result.Skipped {
			t.Errorf("%s: skipped: %t, %q", result.Name, result.Skipped, result.Failures)
		}
	}
}

// shortened stores one byte less than it was given.
type shortened struct{ *storetest.Mem }

func (s shortened) Put(ctx context.Context, name string, size int64, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil || len(data) == 0 {
		return s.Mem.Put(ctx, name, size, bytes.NewReader(data))
	}
	return s.Mem.Put(ctx, name, int64(len(data)-1), bytes.NewReader(data[1:]))
}

func TestRecorderKeepsFailuresAndGoesOn(t *testing.T) {
	t.Parallel()
	r := conformance.NewRecorder(t.Context())
	conformance.Run(r, func(conformance.T) storage.Store { return shortened{storetest.NewMem()} }, conformance.OverHTTP())
	failed, passed, skipped := 0, 0, 0
	for _, result := range r.Results() {
		switch {
		case result.Skipped:
			skipped++
		case len(result.Failures) > 0:
			failed++
		default:
			passed++
		}
	}
	if failed < 5 || passed < 3 || skipped < 3 {
		t.Errorf("%d failed, %d passed and %d were skipped", failed, passed, skipped)
	}
}

func TestRecorderStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := conformance.NewRecorder(ctx)
	conformance.Run(r, func(conformance.T) storage.Store { cancel(); return storetest.NewMem() })
	if len(r.Results()) != 1 {
		t.Errorf("%d tests ran after the end of the context", len(r.Results())-1)
	}
}

func TestRecorderTurnsAPanicIntoAFailure(t *testing.T) {
	t.Parallel()
	r := conformance.NewRecorder(t.Context())
	r.Run("panics", func(conformance.T) { panic("defect") })
	if results := r.Results(); len(results) != 1 || !strings.Contains(results[0].Failures[0], "panic: defect") {
		t.Errorf("results %v", results)
	}
}
