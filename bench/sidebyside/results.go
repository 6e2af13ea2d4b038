package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rclone-gateway/rclone-gateway/bench/sidebyside/servers"
)

const (
	kiB = 1 << 10
	miB = 1 << 20
	giB = 1 << 30
)

// results are the measurements of each case and contestant, in order of rounds.
type results struct {
	names  []string
	rounds map[string]map[string][]measurement
}

func newResults(all []servers.Contestant) *results {
	r := &results{rounds: map[string]map[string][]measurement{}}
	for _, c := range all {
		r.names = append(r.names, c.Name)
	}
	return r
}

func (r *results) add(kind, name string, m measurement) {
	if r.rounds[kind] == nil {
		r.rounds[kind] = map[string][]measurement{}
	}
	r.rounds[kind][name] = append(r.rounds[kind][name], m)
}

// print writes a table of medians. The first contestant is the one compared: its
// ratio to a peer is the median of the ratios of the rounds, below 1 where it
// needs less CPU.
func (r *results) print(w io.Writer, cases []speedCase) {
	fmt.Fprintln(w, "| case | server | ops/s | MiB/s | server CPU | all rounds | CPU ratio | peak RSS MiB |")
	fmt.Fprintln(w, "|---|---|---:|---:|---:|---:|---:|---:|")
	for _, c := range cases {
		own := r.rounds[c.name][r.names[0]]
		for i, name := range r.names {
			ms := r.rounds[c.name][name]
			ratio := ""
			if i > 0 {
				ratio = fmt.Sprintf("%s is at %.2f×", r.names[0], medianRatio(own, ms))
			}
			throughput := "-"
			if c.bytes > 0 {
				throughput = fmt.Sprintf("%.0f", median(ms, measurement.opsPerSecond)*float64(c.bytes)/miB)
			}
			fmt.Fprintf(w, "| %s | %s | %.1f | %s | %.3f %s | %s | %s | %.0f |\n",
				c.name, name, median(ms, measurement.opsPerSecond), throughput,
				median(ms, c.cost), c.unit(), c.costs(ms), ratio, median(ms, measurement.peakMiB))
		}
	}
}

// cost is the CPU of one unit of a case.
func (c speedCase) cost(m measurement) float64 {
	per := m.cpu.Seconds() / float64(max(m.ops, 1))
	if c.bytes > 0 {
		return per * giB / float64(c.bytes)
	}
	return per * 1000
}

func (c speedCase) unit() string {
	if c.bytes > 0 {
		return "s/GiB"
	}
	return "s/1000"
}

func (c speedCase) costs(ms []measurement) string {
	var all []string
	for _, m := range ms {
		all = append(all, fmt.Sprintf("%.3f", c.cost(m)))
	}
	return strings.Join(all, " ")
}

func (m measurement) opsPerSecond() float64 { return float64(m.ops) / m.wall.Seconds() }
func (m measurement) peakMiB() float64      { return float64(m.peak) / miB }

// medianRatio compares the CPU of an operation, round by round.
func medianRatio(own, peer []measurement) float64 {
	var ratios []float64
	for i := range min(len(own), len(peer)) {
		perOp := func(m measurement) float64 { return float64(m.cpu) / float64(max(m.ops, 1)) }
		ratios = append(ratios, perOp(own[i])/perOp(peer[i]))
	}
	return middle(ratios)
}

func median[T any](ms []T, value func(T) float64) float64 {
	values := make([]float64, 0, len(ms))
	for _, m := range ms {
		values = append(values, value(m))
	}
	return middle(values)
}

func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

// spread shows the median, and behind a separator what half of the values lie between.
func spread(values []float64, separator string, show func(float64) string) string {
	median := middle(values) // it sorts them
	return show(median) + separator + show(values[len(values)/4]) + " to " + show(values[len(values)*3/4])
}

func twoDigits(f float64) string { return fmt.Sprintf("%.2f", f) }

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
