// Package metricstest reads metrics in tests.
package metricstest

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Value returns the value of the only series with that name whose labels include the given
// pairs of name and value.
func Value(t *testing.T, registry prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var found []float64
	for _, family := range families {
		if family.GetName() != "rclone_gateway_"+name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if has(metric, labels) {
				found = append(found, metric.GetCounter().GetValue()+metric.GetGauge().GetValue()+float64(metric.GetHistogram().GetSampleCount()))
			}
		}
	}
	if len(found) != 1 {
		t.Errorf("%d series %s %q", len(found), name, labels)
		return -1
	}
	return found[0]
}

func has(metric *dto.Metric, labels []string) bool {
	for pair := range slices.Chunk(labels, 2) {
		if !slices.ContainsFunc(metric.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == pair[0] && l.GetValue() == pair[1] }) {
			return false
		}
	}
	return true
}
