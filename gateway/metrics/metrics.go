package metrics

import (
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
	"github.com/rclone-gateway/rclone-gateway/internal/version"
)

// namespace begins the name of every metric of our own.
const namespace = "rclone_gateway"

// Metrics is everything that the gateway counts, on a registry of its own. Labels are
// operations, statuses, reasons, types of destinations and IDs of destinations, never the
// name of a repository or a user.
type Metrics struct {
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	received *prometheus.CounterVec
	sent     *prometheus.CounterVec

	authFailures   *prometheus.CounterVec
	uploadsRefused *prometheus.CounterVec

	leases         *prometheus.CounterVec
	forwarded      *prometheus.CounterVec
	openStores     *prometheus.GaugeVec
	reloads        *prometheus.CounterVec
	reloadDuration prometheus.Histogram

	mu     sync.RWMutex
	byType map[string]*meters // of requests, by the type of their destination
}

// New registers every metric except those of a [Collector].
func New(registry *prometheus.Registry) *Metrics {
	m := &Metrics{
		byType: map[string]*meters{},
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "requests_in_flight",
			Help: "Requests that are being answered now.",
		}),
		requests: counter("requests_total",
			"Requests that have ended, by what was asked, the type of the destination (none: it was not reached) and the HTTP status (499: the client left).",
			"operation", "type", "code"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer, by operation and type of destination.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300},
		}, []string{"operation", "type"}),
		received: counter("received_bytes_total",
			"Bytes of request bodies that were read.",
			"operation", "type"),
		sent: counter("sent_bytes_total",
			"Bytes of response bodies that were sent.",
			"operation", "type"),
		forwarded: counter("forwarded_requests_total",
			"Requests that were passed on to another node and have ended, by that node's ID and the HTTP status that the client got.",
			"node", "code"),
		leases: counter("lease_requests_total",
			"Requests about leases of repositories, by what became of them; missing: a node deleted without the lease that the destination demands.",
			"result"),
		openStores: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "open_stores",
			Help: "Destinations that are open, by type; each is opened at its first use and closed when it changes or goes.",
		}, []string{"type"}),
		reloads: counter("reloads_total",
			"Loads from Redis, by their result.",
			"result"),
		reloadDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "reload_duration_seconds",
			Help:    "Time that a load from Redis took.",
			Buckets: []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10},
		}),
		authFailures: counter("auth_failures_total",
			"Requests that were refused for who asked or from where, by reason.",
			"reason"),
		uploadsRefused: counter("uploads_refused_total",
			"Uploads that were refused or broke off, so that nothing of them was kept, by reason.",
			"reason"),
	}
	m.preset()
	registry.MustRegister(
		m.inFlight, m.leases, m.requests, m.duration, m.received, m.sent, m.authFailures, m.uploadsRefused, m.forwarded,
		m.openStores, m.reloads, m.reloadDuration, buildInfo(),
		// Its name has no base unit, and nobody changes it here.
		collectors.NewGoCollector(collectors.WithoutGoCollectorRuntimeMetrics(regexp.MustCompile("^/gc/gogc:percent$"))),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// counter returns a counter of our own.
func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// preset sets every counter whose labels are known to 0, so that its first event is an
// increase.
func (m *Metrics) preset() {
	for _, kind := range refusal.Kinds() {
		if kind.Auth != "" {
			m.authFailures.WithLabelValues(kind.Auth)
		}
		if kind.Upload != "" {
			m.uploadsRefused.WithLabelValues(kind.Upload)
		}
	}
	for _, result := range []string{resultOK, resultFailed} {
		m.reloads.WithLabelValues(result)
	}
	for _, result := range []string{"granted", "held", "renewed", "lost", "released", "failed", "missing"} {
		m.leases.WithLabelValues(result)
	}
}

// buildInfo returns a gauge of 1 whose labels say what the binary was built from.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": version.String(), "goversion": "unknown", "rclone": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["goversion"] = info.GoVersion
		for _, module := range info.Deps {
			if module.Path == "github.com/rclone/rclone" {
				labels["rclone"] = module.Version
			}
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help:        "Always 1; the labels are the versions of the gateway, and of Go and rclone that are linked.",
		ConstLabels: labels,
	})
	info.Set(1)
	return info
}

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// Reloaded counts a load from Redis.
func (m *Metrics) Reloaded(took time.Duration, err error) {
	result := resultOK
	if err != nil {
		result = resultFailed
	}
	m.reloads.WithLabelValues(result).Inc()
	m.reloadDuration.Observe(took.Seconds())
}

// Lease counts a request about a lease of a repository.
func (m *Metrics) Lease(result string) { m.leases.WithLabelValues(result).Inc() }

// Forwarded counts a request that another node answered, or could not.
func (m *Metrics) Forwarded(node string, code int) {
	m.forwarded.WithLabelValues(node, strconv.Itoa(code)).Inc()
}

// Opened counts a store that has opened, until closed is called.
func (m *Metrics) Opened(d *catalog.Destination) (closed func()) {
	gauge := m.openStores.WithLabelValues(typeLabel(d))
	gauge.Inc()
	return gauge.Dec
}

// Handler answers with all metrics of a registry, as Prometheus asks for them.
func Handler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
}
