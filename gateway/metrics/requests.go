package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/operation"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

// codes are the statuses with their own label; all others are "other".
var codes = [...]int{
	http.StatusOK, http.StatusPartialContent, http.StatusBadRequest, http.StatusUnauthorized,
	http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout,
	http.StatusLengthRequired, http.StatusRequestedRangeNotSatisfiable, refusal.StatusClientGone,
	http.StatusInternalServerError, http.StatusNotImplemented, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusInsufficientStorage,
	// WebDAV only.
	http.StatusCreated, http.StatusNoContent, http.StatusMultiStatus, http.StatusNotModified,
	http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType, http.StatusLoopDetected, http.StatusTooManyRequests,
}

// codeIndex returns the index of a status in codes, or the index after the last.
func codeIndex(code int) int {
	for i, known := range codes {
		if code == known {
			return i
		}
	}
	return len(codes)
}

func codeName(index int) string {
	if index == len(codes) {
		return "other"
	}
	return strconv.Itoa(codes[index])
}

// meters are the metrics of requests to one type of destination. Each is looked up once;
// afterwards a request finds it by index.
type meters struct {
	of  *Metrics
	typ string
	ops [operation.End]atomic.Pointer[opMeters]
}

// opMeters are the metrics of one operation.
type opMeters struct {
	duration       prometheus.Observer
	received, sent prometheus.Counter
	codes          [len(codes) + 1]atomic.Pointer[prometheus.Counter]
}

// op returns the meters of an operation. Concurrent first calls create equal meters over
// the same counters.
func (t *meters) op(o operation.Operation) *opMeters {
	if known := t.ops[o].Load(); known != nil {
		return known
	}
	name := o.String()
	made := &opMeters{
		duration: t.of.duration.WithLabelValues(name, t.typ),
		received: t.of.received.WithLabelValues(name, t.typ),
		sent:     t.of.sent.WithLabelValues(name, t.typ),
	}
	t.ops[o].Store(made)
	return made
}

// ended returns the counter of requests that ended with a status.
func (t *meters) ended(o operation.Operation, code int) prometheus.Counter {
	index := codeIndex(code)
	place := &t.op(o).codes[index]
	if known := place.Load(); known != nil {
		return *known
	}
	counter := t.of.requests.WithLabelValues(o.String(), t.typ, codeName(index))
	place.Store(&counter)
	return counter
}

// metersOf returns the meters of requests to a type of destination.
func (m *Metrics) metersOf(typ string) *meters {
	m.mu.RLock()
	known := m.byType[typ]
	m.mu.RUnlock()
	if known != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byType[typ] == nil {
		m.byType[typ] = &meters{of: m, typ: typ}
	}
	return m.byType[typ]
}

// Request is a request that has ended.
type Request struct {
	Operation operation.Operation
	// Destination is nil if the request reached none.
	Destination    *catalog.Destination
	Code           int
	Took           time.Duration
	Received, Sent int64
	Err            error
}

// Began counts the beginning of a request; Ended must follow.
func (m *Metrics) Began() { m.inFlight.Inc() }

// Ended counts the end of a request. It does not allocate once a request of its kind was
// counted.
func (m *Metrics) Ended(r Request) {
	m.inFlight.Dec()
	typ := "none"
	if r.Destination != nil {
		typ = typeLabel(r.Destination)
	}
	kind := m.metersOf(typ)
	kind.ended(r.Operation, r.Code).Inc()
	meters := kind.op(r.Operation)
	meters.duration.Observe(r.Took.Seconds())
	if r.Received > 0 {
		meters.received.Add(float64(r.Received))
	}
	if r.Sent > 0 {
		meters.sent.Add(float64(r.Sent))
	}
	if r.Err != nil {
		m.blame(r.Operation, r.Err)
	}
}

// blame counts refusals that are the caller's fault.
func (m *Metrics) blame(op operation.Operation, err error) {
	if reason := refusal.AuthReason(err); reason != "" {
		m.authFailures.WithLabelValues(reason).Inc()
		return
	}
	if !op.Stores() {
		return
	}
	if reason := refusal.UploadReason(err); reason != "" {
		m.uploadsRefused.WithLabelValues(reason).Inc()
	}
}
