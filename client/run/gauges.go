package run

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/rclone-gateway/rclone-gateway/internal/atomicfile"
)

// Gauge is a metric with one value.
type Gauge struct {
	Name, Help string
	Value      float64
	// Unknown keeps the file's present value, if there is one.
	Unknown bool
}

// WriteGauges writes a file of gauges that share their labels, given as names and values in
// turn. It replaces the file atomically, for node_exporter's textfile collector, which is
// another user.
func WriteGauges(file string, labels []string, gauges ...Gauge) error {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var ms []metric
	for _, g := range gauges {
		ms = lasting(ms, before, !g.Unknown, metric{g.Name, g.Help, g.Value})
	}
	pairs := make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, label(labels[i], labels[i+1]))
	}
	return atomicfile.Write(file, []byte(formatMetrics(ms, strings.Join(pairs, ","))), 0o644)
}
